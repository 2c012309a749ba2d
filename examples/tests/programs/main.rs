//! Every program of this package, run for real. They need ffmpeg and ffprobe.

mod files;
mod flv_through_hub;
mod load;
mod mini_server;
mod relay;
mod rtc;
mod rtmp_events;
mod support;
