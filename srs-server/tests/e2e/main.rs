//! The server as its users meet it: a process, real encoders, real players.

#[path = "../support/mod.rs"]
mod support;

#[path = "../rtc/relay.rs"]
mod relay;

mod api;
mod bad_input;
mod codecs;
mod enhanced;
mod join;
mod lifecycle;
mod log_lines;
mod peers;
mod process;
mod rtc;
mod slow_player;
