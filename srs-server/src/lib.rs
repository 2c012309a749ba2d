#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod bridge;
pub mod cli;
pub mod config;
pub mod hooks;
pub mod http;
pub mod live;
pub mod log;
pub mod media;
pub mod net;
pub mod ports;
pub mod process;
pub mod rtc;
pub mod rtmp;
pub mod server;
pub mod system;
