//! Every directive, by the block that it stands in.

mod access;
mod caster;
mod dash;
mod dvr;
mod global;
mod hls;
mod http;
mod monitoring;
mod play;
mod publish;
mod relay;
mod removed;
mod rtc;
mod rtmps;
mod rtsp;
mod srt;
mod transcode;
mod vhost;

pub use access::*;
pub use caster::*;
pub use dash::*;
pub use dvr::*;
pub use global::*;
pub use hls::*;
pub use http::*;
pub use monitoring::*;
pub use play::*;
pub use publish::*;
pub use relay::*;
pub use removed::*;
pub use rtc::*;
pub use rtmps::*;
pub use rtsp::*;
pub use srt::*;
pub use transcode::*;
pub use vhost::*;
