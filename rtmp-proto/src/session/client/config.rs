use amf0::Object;

use crate::handshake::HandshakeForm;
use crate::session::PublishKind;
use crate::{Capabilities, Limits, RtmpUrl};

/// What a [`ClientSession`](crate::ClientSession) connects for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Purpose {
    /// To send a stream.
    Publish {
        /// What the server is to do with it.
        kind: PublishKind,
    },
    /// To receive a stream.
    Play {
        /// Where to start: -2 live or else recorded, -1 live only, else seconds (some servers: milliseconds).
        start: f64,
        /// How long: -1 to the end, else seconds (some servers: milliseconds).
        duration: f64,
    },
}

impl Purpose {
    /// To send a live stream.
    pub const fn publish() -> Self {
        Self::Publish { kind: PublishKind::Live }
    }

    /// To receive a live stream, or a recording of that name.
    pub const fn play() -> Self {
        Self::Play { start: -2.0, duration: -1.0 }
    }
}

/// How a [`ClientSession`](crate::ClientSession) behaves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The stream to publish or play.
    pub url: RtmpUrl,
    /// What to connect for.
    pub purpose: Purpose,
    /// What the connection may use.
    pub limits: Limits,
    /// The chunk size announced to the server, in bytes (default 60000).
    pub chunk_size: u32,
    /// How many bytes the server shall acknowledge (default 2,500,000).
    pub window_ack_size: u32,
    /// The window for our acknowledgements until the server announces one, in bytes (default 0: none are sent).
    pub in_ack_size: u32,
    /// How the handshake begins (default complex, which falls back to simple with a server that answers so).
    pub handshake: HandshakeForm,
    /// Chooses the random bytes of the handshake (default 0); take a different one for each connection.
    pub seed: u64,
    /// What the client calls itself. The defaults, one for each purpose, are names that servers know.
    pub flash_version: String,
    /// How much a player says it buffers, in milliseconds (default 3000).
    pub buffer_length: u32,
    /// What `connect` announces of Enhanced RTMP (default nothing): what a player can decode, what a publisher may send,
    /// and [`CapsEx::RECONNECT`](crate::CapsEx::RECONNECT) if [`ClientEvent::ReconnectRequested`] is acted on.
    ///
    /// [`ClientEvent::ReconnectRequested`]: crate::ClientEvent::ReconnectRequested
    pub capabilities: Capabilities,
    /// Properties added to those of `connect` (default none), such as `pageUrl`. Keys must not be longer
    /// than 65,535 bytes.
    pub connect_properties: Object,
}

impl ClientConfig {
    /// Sets all but these two to their defaults.
    pub fn new(url: RtmpUrl, purpose: Purpose) -> Self {
        let flash_version = match purpose {
            Purpose::Publish { .. } => "FMLE/3.0 (compatible; rtmp-proto)",
            Purpose::Play { .. } => "LNX 9,0,124,2",
        };
        Self {
            url,
            purpose,
            limits: Limits::default(),
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            in_ack_size: 0,
            handshake: HandshakeForm::Complex,
            seed: 0,
            flash_version: flash_version.to_owned(),
            buffer_length: 3000,
            capabilities: Capabilities::new(),
            connect_properties: Object::new(),
        }
    }
}
