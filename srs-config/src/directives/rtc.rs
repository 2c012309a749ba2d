//! WebRTC.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    Support::*,
    block::codec::{
        FilePath, Listen, Number, OnOff, OneOf, Reset, Seconds, Text, ports, seconds, text,
    },
};

block! {
    /// WebRTC, for all vhosts.
    RtcServer {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Where, by UDP.
        listen: Vec<SocketAddr> = ports(&[8000]), Listen, NotYet;
        /// Which candidates clients are told.
        protocol: String = text("udp"), OneOf(&["udp", "tcp", "all"]), NotYet;
        /// The address that clients are told: an IP, a name, or `*` for those of this machine.
        candidate: String = text("*"), Text, NotYet;
        /// Whether `*` stands for all addresses of this machine.
        use_auto_detect_network_ip: bool = true, OnOff, NotYet;
        /// Which of them.
        ip_family: String = text("ipv4"), OneOf(&["ipv4", "ipv6", "all"]), NotYet;
        /// Whether the host that the client asked is one more.
        api_as_candidates: bool = true, OnOff, NotYet;
        /// Whether its name is resolved.
        resolve_api_domain: bool = true, OnOff, NotYet;
        /// Whether its name is told too.
        keep_api_domain: bool = false, OnOff, NotYet;
        /// Whether the certificate is ECDSA; otherwise it is RSA.
        ecdsa: bool = true, OnOff, NotYet;
        /// Whether media are encrypted.
        encrypt: bool = true, OnOff, NotYet;
        /// How many sockets share the port.
        reuseport: u32 = 1, Number(1..=1_024), NotYet;
        /// Whether the NAL units of a frame are sent as one.
        merge_nalus: bool = false, OnOff, NotYet;
        /// A directory.
        dir: PathBuf = PathBuf::from("./"), FilePath, Never { why: "SRS accepts it, and never reads it" };
    }
    blocks {
        /// The same by TCP.
        tcp: RtcTcp;
        /// Where every packet is sent too, for tests.
        black_hole: BlackHole;
    }
}

block! {
    /// WebRTC by TCP.
    RtcTcp {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Where; it may be a port of HTTP.
        listen: Vec<SocketAddr> = ports(&[8000]), Listen, NotYet;
    }
}

block! {
    /// Where every packet is sent too, for tests.
    BlackHole {
        /// Whether it is.
        enabled: bool = false, OnOff, NotYet;
        /// The address.
        addr: String = String::new(), Text, NotYet;
    }
}

block! {
    /// WebRTC.
    Rtc {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Whether lost packets are sent again.
        nack: bool = true, OnOff, NotYet;
        /// Whether they are kept without a copy.
        nack_no_copy: bool = true, OnOff, NotYet;
        /// Whether publishers are told what arrived.
        twcc: bool = true, OnOff, NotYet;
        /// How long a client may say nothing.
        stun_timeout: Duration = seconds(30), Seconds(1.0..=3_600.0), NotYet;
        /// Whether checks are looked at closely.
        stun_strict_check: bool = false, OnOff, NotYet;
        /// Who begins the DTLS handshake: the client, or the server.
        dtls_role: String = text("passive"), OneOf(&["passive", "active"]), NotYet;
        /// Which version of DTLS.
        dtls_version: String = text("auto"), OneOf(&["auto", "dtls1.0", "dtls1.2"]), NotYet;
        /// A payload type whose packets are dropped; 0 for none.
        drop_for_pt: u8 = 0, Number(0..=127), NotYet;
        /// Whether streams of RTMP are played as WebRTC.
        rtmp_to_rtc: bool = false, OnOff, NotYet;
        /// Whether frames that refer to later ones stay in them.
        keep_bframe: bool = false, OnOff, NotYet;
        /// Whether supplemental information stays in them.
        keep_avc_nalu_sei: bool = true, OnOff, NotYet;
        /// The bitrate of the Opus in them, bit/s.
        opus_bitrate: u32 = 48_000, Reset(Number(8_000..=320_000), 48_000), NotYet;
        /// Whether streams of WebRTC are played as RTMP.
        rtc_to_rtmp: bool = false, OnOff, NotYet;
        /// How often their publishers are asked for a keyframe.
        pli_for_rtmp: Duration = seconds(6), Reset(Seconds(0.5..=30.0), seconds(6)), NotYet;
        /// The bitrate of the AAC in them, bit/s.
        aac_bitrate: u32 = 48_000, Reset(Number(8_000..=320_000), 48_000), NotYet;
        /// Whether the clock rates of the offer hold until a report says better.
        init_rate_from_sdp: bool = false, OnOff, NotYet;
    }
}
