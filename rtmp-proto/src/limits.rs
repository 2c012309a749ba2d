use std::time::Duration;

/// What one connection may use: memory, ids and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one audio, video or aggregate message (default 16 MiB - 1, the largest the protocol can say).
    /// Bounds one assembly buffer, which grows only as bytes arrive.
    pub media_bytes: u32,
    /// Bytes of one data message or shared object (default 256 KiB): metadata with a key frame index can be this long.
    pub data_bytes: u32,
    /// Bytes of one message of any other type (default 64 KiB): commands and control. A session holds what `connect`
    /// says until it is polled.
    pub command_bytes: u32,
    /// Chunk streams of the peer that are remembered (default 64). Each costs about 80 bytes and up to 1 KiB of spare
    /// room in its assembly buffer.
    pub chunk_streams: usize,
    /// Bytes of all messages that have only partly arrived, together (default 32 MiB). The buffers take at most twice as
    /// much.
    pub partial_bytes: usize,
    /// Message streams on one connection (default 16). A request that waits for an answer belongs to a stream, so that
    /// this bounds those too.
    pub message_streams: usize,
    /// Commands kept while the answer to `connect` is outstanding (default 16). Each is bounded by
    /// [`Limits::command_bytes`] and [`Limits::amf0`], which makes 300 KiB at most.
    pub deferred_commands: usize,
    /// Bytes that wait to be polled, and about 64 for each event that does (default 20 MiB). Bounds the session's output
    /// when nobody takes it, and what an aggregate message can be split into. The payloads in events are not counted:
    /// they are no longer than the bytes received.
    pub output_bytes: usize,
    /// Values in one command (default 1024, and 64 KiB of them, which AMF3 cannot exceed by references either; else as
    /// [`amf0::Limits`]). Commands are not longer than this says, whatever [`Limits::command_bytes`] does; metadata that
    /// is stays in AMF3.
    pub amf0: amf0::Limits,
    /// From the start to the end of the handshake (default 10 s).
    pub handshake_timeout: Duration,
    /// From the start to the first accepted publish or play (default 30 s).
    pub setup_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            media_bytes: 0x00ff_ffff,
            data_bytes: 256 * 1024,
            command_bytes: 64 * 1024,
            chunk_streams: 64,
            partial_bytes: 32 * 1024 * 1024,
            message_streams: 16,
            deferred_commands: 16,
            output_bytes: 20 * 1024 * 1024,
            amf0: amf0::Limits { bytes: 64 * 1024, values: 1024, ..amf0::Limits::default() },
            handshake_timeout: Duration::from_secs(10),
            setup_timeout: Duration::from_secs(30),
        }
    }
}
