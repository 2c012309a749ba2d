//! The contract with SRS's users: the running binary, driven from outside as they do, with their
//! configuration files, environment, URLs, API clients and hook servers.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod api;
mod config;
mod coverage;
mod hooks;
mod http;
mod live;
mod process;
mod reload;
mod rtc;
mod vhosts;
