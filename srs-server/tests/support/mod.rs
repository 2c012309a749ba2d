//! What the tests share: the server as a process, ffmpeg, ffprobe and an RTMP client.

// Each suite uses its part of this.
#![allow(dead_code, unused_imports)]

mod client;
mod clips;
mod ffmpeg;
mod flv;
mod hook_server;
mod http;
mod program;
mod raw;
mod rtc;
mod server;
mod whip;

pub(crate) use client::{Media, RtmpClient, inter_frame, key_frame, video_header};
pub(crate) use clips::{Clip, clip};
pub(crate) use ffmpeg::{
    Ffmpeg, Packet, Version, contents, decoded, decoded_hashes, packets, pictures, samples,
};
pub(crate) use flv::{Frame, file_of, file_of_ivf, file_of_opus, frames, tags};
pub(crate) use hook_server::{Answer, HookServer};
pub(crate) use http::{Reply, http};
pub(crate) use program::{Home, Running, free_ports, is_running, port_of, wait_for_port};
pub(crate) use raw::RawClient;
pub(crate) use rtc::{Got, RtcClient};
pub(crate) use server::{TestDir, TestServer};
pub(crate) use whip::{WhepClient, WhipClient};

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Waits until `ready` gives something, `limit` at most.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "no {what} within {limit:?}");
        sleep(Duration::from_millis(20));
    }
}
