//! Fuzz targets: one plain function per wire format, which panics when a property does not hold.
//!
//! The libFuzzer programs in `fuzz_targets/` and the test that replays the corpora call the same
//! functions.

mod addresses;
mod amf0_values;
mod chunks;
mod codec_records;
mod config;
mod descriptions;
mod enhanced;
mod files;
mod flv;
mod nal;
mod payloads;
mod peers;
mod rtp_packets;
mod session_pair;
mod sessions;
mod sound;
mod split;
mod stun_messages;
mod transports;

pub use addresses::{amf3, handshake, url};
pub use amf0_values::amf0;
pub use chunks::chunk_stream;
pub use codec_records::flv_codec_records;
pub use config::config;
pub use descriptions::sdp;
pub use enhanced::flv_enhanced;
pub use files::{flv_keyframes, flv_resync};
pub use flv::flv_demux;
pub use nal::flv_nal;
pub use payloads::{rtp_depacketize, rtp_packetize};
pub use peers::sfu_receive;
pub use rtp_packets::{rtcp_compound, rtp_arrivals, rtp_packet, srtp_packets};
pub use session_pair::session_pair;
pub use sessions::{client_session, server_session};
pub use sound::{audio_to_opus, opus_to_aac};
pub use stun_messages::stun;
pub use transports::{dtls_handshake, ice_tcp};

/// A target: it panics when a property does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus directory and libFuzzer program.
pub const TARGETS: [(&str, Target); 28] = [
    ("amf0", amf0),
    ("flv_demux", flv_demux),
    ("flv_codec_records", flv_codec_records),
    ("chunk_stream", chunk_stream),
    ("server_session", server_session),
    ("client_session", client_session),
    ("flv_enhanced", flv_enhanced),
    ("flv_nal", flv_nal),
    ("flv_resync", flv_resync),
    ("flv_keyframes", flv_keyframes),
    ("handshake", handshake),
    ("amf3", amf3),
    ("url", url),
    ("session_pair", session_pair),
    ("config", config),
    ("rtp_packet", rtp_packet),
    ("rtp_packetize", rtp_packetize),
    ("rtp_depacketize", rtp_depacketize),
    ("rtcp_compound", rtcp_compound),
    ("srtp_packets", srtp_packets),
    ("rtp_arrivals", rtp_arrivals),
    ("sdp", sdp),
    ("stun", stun),
    ("sfu_receive", sfu_receive),
    ("dtls_handshake", dtls_handshake),
    ("ice_tcp", ice_tcp),
    ("audio_to_opus", audio_to_opus),
    ("opus_to_aac", opus_to_aac),
];
