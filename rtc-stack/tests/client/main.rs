//! Clients against a small server of this crate's parts, over the loopback interface.
#![cfg(feature = "client")]

mod ends;
mod media;
mod server;
