//! SRT.

use std::{net::SocketAddr, time::Duration};

use crate::{
    Support::*,
    block::codec::{Listen, Millis, Number, OnOff, Secret, Text, ms, ports, text},
};

/// Packets of the buffers of SRT, by default, times the bytes of each.
const BUFFER: u32 = 8_192 * (1_500 - 28);

block! {
    /// SRT, for all vhosts.
    SrtServer {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Where, by UDP.
        listen: Vec<SocketAddr> = ports(&[10_080]), Listen, NotYet;
        /// The most that is sent, bytes per second; -1 for no limit, 0 to measure it.
        maxbw: i64 = -1, Number(-1..=i64::MAX), NotYet;
        /// The largest packet, bytes with the headers of IP and UDP.
        mss: u32 = 1_500, Number(76..=65_535), NotYet;
        /// Bytes of media in a packet.
        payloadsize: u32 = 1_316, Number(1..=1_456), NotYet;
        /// The longest handshake.
        connect_timeout: Duration = ms(3_000), Millis(1..=3_600_000), NotYet;
        /// The longest silence.
        peer_idle_timeout: Duration = ms(10_000), Millis(1..=3_600_000), NotYet;
        /// The app of streams that name none.
        default_app: String = text("live"), Text, NotYet;
        /// What clients mean that say nothing.
        default_streamid: String = text("#!::r=live/livestream,m=request"), Text, NotYet;
        /// How long packets may come late, both ways.
        latency: Duration = ms(120), Millis(0..=3_600_000), NotYet;
        /// How long those may that are received.
        recvlatency: Duration = ms(120), Millis(0..=3_600_000), NotYet;
        /// How long those may that are sent.
        peerlatency: Duration = ms(0), Millis(0..=3_600_000), NotYet;
        /// Whether packets are given out by their timestamps.
        tsbpdmode: bool = true, OnOff, NotYet;
        /// Whether those that come too late are dropped.
        tlpktdrop: bool = true, OnOff, NotYet;
        /// Bytes that wait to be sent.
        sendbuf: u32 = BUFFER, Number(1_500..=0x7fff_ffff), NotYet;
        /// Bytes that wait to be read.
        recvbuf: u32 = BUFFER, Number(1_500..=0x7fff_ffff), NotYet;
        /// The passphrase of encrypted streams; none where it is empty.
        passphrase: String = String::new(), Secret, NotYet;
        /// Bytes of their key: 16, 24 or 32, or 0 for what the client wants.
        pbkeylen: u32 = 0, Number(0..=32), NotYet;
        /// Whether supplemental information is left out.
        sei_filter: bool = true, OnOff, NotYet;
        /// Whether audio and video are put into the order of their timestamps.
        mix_correct: bool = true, OnOff, NotYet;
    }
}

block! {
    /// SRT.
    Srt {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Whether streams of SRT are played as RTMP.
        srt_to_rtmp: bool = true, OnOff, NotYet;
    }
}
