//! Streams that come by other protocols.

use std::{net::SocketAddr, time::Duration};

use crate::{
    Support::*,
    block::codec::{Listen, Maybe, OnOff, OneOf, Seconds, Text, ports, seconds, text},
};

block! {
    /// Streams that come by another protocol and are published as RTMP.
    StreamCaster {
        /// Whether they are taken.
        enabled: bool = false, OnOff, NotYet;
        /// The protocol.
        caster: Option<String> = None, Maybe(OneOf(&["mpegts_over_udp", "flv", "gb28181", "rtsp"])), NotYet;
        /// The RTMP address to which they are published, with the variables `[app]` and `[stream]`.
        output: String = String::new(), Text, NotYet;
        /// Where they come in: by UDP for `mpegts_over_udp`, else by TCP.
        listen: Option<Vec<SocketAddr>> = None, Maybe(Listen), NotYet;
    }
    blocks {
        /// The SIP server of GB28181.
        sip: Sip;
    }
}

block! {
    /// The SIP server of GB28181.
    Sip {
        /// Whether it is served.
        enabled: bool = true, OnOff, NotYet;
        /// Where, by TCP.
        listen: Vec<SocketAddr> = ports(&[5060]), Listen, NotYet;
        /// How long a device may say nothing.
        timeout: Duration = seconds(60), Seconds(0.1..=86_400.0), NotYet;
        /// After how long a device that sends no media is invited again.
        reinvite: Duration = seconds(5), Seconds(0.1..=86_400.0), NotYet;
        /// The address that devices are told; `*` for one of this machine.
        candidate: String = text("*"), Text, NotYet;
    }
}
