//! The muxed source lane of a stream: one item per audio, video or script tag.

use std::time::{Duration, Instant};

use bytes::Bytes;
use flv_mux::TagKind;
use stream_hub::{Item, Slot};

/// By which protocol a publisher brings what a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// RTMP.
    Rtmp,
    /// WebRTC.
    Rtc,
}

/// One tag of a live stream, its body as the publisher sent it.
///
/// The body stays whole, so that codecs this server doesn't know pass through untouched.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Audio, video or script data.
    pub kind: TagKind,
    /// Decoding time on the stream's clock, which starts at 0.
    pub time: Duration,
    /// When it was read from the publisher's socket.
    pub read_at: Instant,
    /// How it came.
    pub origin: Origin,
    /// The timestamp on the wire, milliseconds: of the stream's clock, or as the publisher sent it.
    pub timestamp: u32,
    /// The FLV tag body, which is the RTMP message payload as well.
    pub body: Bytes,
    /// Whether a viewer can begin here.
    pub is_join_point: bool,
    /// The slot this frame sets, when it is a sequence header or metadata.
    pub config_slot: Option<Slot>,
}

impl Frame {
    /// A frame of RTMP that is neither configuration nor a place to begin, with the timestamp 0.
    pub(crate) fn new(kind: TagKind, time: Duration, body: Bytes, read_at: Instant) -> Self {
        Self {
            kind,
            time,
            read_at,
            origin: Origin::Rtmp,
            timestamp: 0,
            body,
            is_join_point: false,
            config_slot: None,
        }
    }
}

impl Item for Frame {
    fn size(&self) -> usize {
        self.body.len() + size_of::<Self>()
    }
    fn time(&self) -> Duration {
        self.time
    }
    fn is_join_point(&self) -> bool {
        self.is_join_point
    }
    fn config_slot(&self) -> Option<Slot> {
        self.config_slot
    }
}
