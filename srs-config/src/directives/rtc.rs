//! WebRTC.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    Support::*,
    block::codec::{
        FilePath, Listen, Number, OnOff, OneOf, Reset, Seconds, Text, Words, ports, seconds, text,
    },
};

block! {
    /// WebRTC, for all vhosts.
    RtcServer {
        /// Whether it is served.
        enabled: bool = false, OnOff, Same { test: "rtc_server_is_off_unless_enabled" };
        /// Where, by UDP.
        listen: Vec<SocketAddr> = ports(&[8000]), Listen, Same { test: "rtc_ports_are_told_as_candidates" };
        /// Which candidates clients are told.
        protocol: String = text("udp"), OneOf(&["udp", "tcp", "all"]), Same { test: "rtc_protocol_says_which_candidates_are_told" };
        /// The address that clients are told: an IP, a name, or `*` for those of this machine.
        candidate: String = text("*"), Text, Same { test: "rtc_candidate_is_told" };
        /// Whether `*` stands for all addresses of this machine.
        use_auto_detect_network_ip: bool = true, OnOff, Same { test: "rtc_addresses_are_found_where_asked" };
        /// Which of them.
        ip_family: String = text("ipv4"), OneOf(&["ipv4", "ipv6", "all"]), Same { test: "rtc_addresses_are_found_where_asked" };
        /// Whether the host that the client asked is one more.
        api_as_candidates: bool = true, OnOff, Same { test: "rtc_candidate_of_the_api_host" };
        /// Whether its name is resolved.
        resolve_api_domain: bool = true, OnOff, Same { test: "rtc_candidate_of_the_api_host" };
        /// Whether its name is told too.
        keep_api_domain: bool = false, OnOff, Never { why: "clients are told addresses; a name is resolved for them" };
        /// Whether the certificate is ECDSA; otherwise it is RSA.
        ecdsa: bool = true, OnOff, Never { why: "the certificate is always ECDSA, which every client takes; the DTLS library refuses RSA keys" };
        /// Whether media are encrypted.
        encrypt: bool = true, OnOff, Never { why: "media are always encrypted" };
        /// How many sockets share the port.
        reuseport: u32 = 1, Number(1..=1_024), Never { why: "each thread that has media has a socket of its own" };
        /// Whether the NAL units of a frame are sent as one.
        merge_nalus: bool = false, OnOff, Never { why: "units share a packet where they are small, as RFC 6184 has it; what is longer is cut" };
        /// STUN and TURN servers that WHIP and WHEP clients are told of, as URLs.
        ice_servers: Vec<String> = Vec::new(), Words, Added { test: "whip_tells_of_ice_servers" };
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
        enabled: bool = false, OnOff, Same { test: "rtc_protocol_says_which_candidates_are_told" };
        /// Where; it may be a port of HTTP.
        listen: Vec<SocketAddr> = ports(&[8000]), Listen, Same { test: "webrtc_by_tcp_may_share_a_port_of_http" };
    }
}

block! {
    /// Where every packet is sent too, for tests.
    BlackHole {
        /// Whether it is.
        enabled: bool = false, OnOff, Never { why: "it would send in the clear what is encrypted; the API and the metrics tell of losses" };
        /// The address.
        addr: String = String::new(), Text, Never { why: "it would send in the clear what is encrypted; the API and the metrics tell of losses" };
    }
}

block! {
    /// WebRTC.
    Rtc {
        /// Whether it is served.
        enabled: bool = false, OnOff, Same { test: "rtc_of_a_vhost_is_off_unless_enabled" };
        /// Whether lost packets are sent again.
        nack: bool = true, OnOff, Same { test: "nack_and_twcc_are_agreed_to_where_they_are_on" };
        /// Whether they are kept without a copy.
        nack_no_copy: bool = true, OnOff, Never { why: "packets are never copied to be sent again" };
        /// Whether publishers are told what arrived.
        twcc: bool = true, OnOff, Same { test: "nack_and_twcc_are_agreed_to_where_they_are_on" };
        /// How long a client may say nothing.
        stun_timeout: Duration = seconds(30), Seconds(1.0..=3_600.0), Same { test: "a_session_that_nobody_uses_ends" };
        /// Whether checks are looked at closely.
        stun_strict_check: bool = false, OnOff, Never { why: "every check must be authentic" };
        /// Who begins the DTLS handshake: the client, or the server.
        dtls_role: String = text("passive"), OneOf(&["passive", "active"]), Same { test: "dtls_role_active_begins_the_handshake" };
        /// Which version of DTLS.
        dtls_version: String = text("auto"), OneOf(&["auto", "dtls1.0", "dtls1.2"]), Never { why: "it is always DTLS 1.2; 1.0 is not secure (RFC 8996)" };
        /// A payload type whose packets are dropped; 0 for none.
        drop_for_pt: u8 = 0, Number(0..=127), Same { test: "packets_of_a_payload_type_are_dropped" };
        /// Whether streams of RTMP are played as WebRTC.
        rtmp_to_rtc: bool = false, OnOff, Same { test: "what_comes_by_rtmp_is_not_there_unless_it_is_brought" };
        /// Whether frames that refer to later ones stay in them.
        keep_bframe: bool = false, OnOff, Same { test: "b_frames_are_left_out_unless_they_are_kept" };
        /// Whether supplemental information stays in them.
        keep_avc_nalu_sei: bool = true, OnOff, Same { test: "sei_stays_unless_it_is_off" };
        /// The bitrate of the Opus in them, bit/s.
        opus_bitrate: u32 = 48_000, Reset(Number(8_000..=320_000), 48_000), Same { test: "opus_has_the_bitrate_that_is_set" };
        /// Whether streams of WebRTC are played as RTMP.
        rtc_to_rtmp: bool = false, OnOff, Same { test: "streams_of_webrtc_are_played_by_rtmp_where_that_is_on" };
        /// How often their publishers are asked for a keyframe.
        pli_for_rtmp: Duration = seconds(6), Reset(Seconds(0.5..=30.0), seconds(6)), Same { test: "streams_of_webrtc_are_played_by_rtmp_where_that_is_on" };
        /// The bitrate of the AAC in them, bit/s.
        aac_bitrate: u32 = 48_000, Reset(Number(8_000..=320_000), 48_000), Same { test: "aac_has_the_bitrate_that_is_set" };
        /// Whether the clock rates of the offer hold until a report says better.
        init_rate_from_sdp: bool = false, OnOff, Never { why: "clock rates are always those of the SDP" };
    }
}
