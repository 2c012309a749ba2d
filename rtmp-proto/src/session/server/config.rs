use amf0::Object;

use crate::{Capabilities, Limits};

/// How a [`ServerSession`](crate::ServerSession) behaves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What the connection may use.
    pub limits: Limits,
    /// The chunk size announced to the client, in bytes (default 60000).
    pub chunk_size: u32,
    /// How many bytes the client shall acknowledge (default 2,500,000).
    pub window_ack_size: u32,
    /// The bandwidth announced to the client, in bytes (default 2,500,000).
    pub peer_bandwidth: u32,
    /// The window for our acknowledgements until the client announces one, in bytes (default 0: none are sent).
    pub in_ack_size: u32,
    /// Chooses the random bytes of the handshake (default 0); take a different one for each connection.
    pub seed: u64,
    /// Whether to call `onBWDone` after a `connect`, as some old players expect (default true).
    pub on_bw_done: bool,
    /// What the answer to `connect` announces of Enhanced RTMP (default nothing); [`Capabilities::forward_any`] is for
    /// servers that pass on what they get.
    pub capabilities: Capabilities,
    /// Properties added to those in the answer to `connect` (default none). Keys must not be longer than 65,535 bytes.
    pub connect_properties: Object,
    /// Properties added to `data` in the answer to `connect` (default none). Keys must not be longer than 65,535 bytes.
    pub connect_data: Object,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            peer_bandwidth: 2_500_000,
            in_ack_size: 0,
            seed: 0,
            on_bw_done: true,
            capabilities: Capabilities::new(),
            connect_properties: Object::new(),
            connect_data: Object::new(),
        }
    }
}
