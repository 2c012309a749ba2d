//! RTSP.

use std::net::SocketAddr;

use crate::{
    Support::*,
    block::codec::{Listen, OnOff, ports},
};

block! {
    /// RTSP, for all vhosts.
    RtspServer {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Where.
        listen: Vec<SocketAddr> = ports(&[554]), Listen, NotYet;
    }
}

block! {
    /// RTSP.
    Rtsp {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Whether streams of RTMP are played as RTSP.
        rtmp_to_rtsp: bool = true, OnOff, NotYet;
    }
}
