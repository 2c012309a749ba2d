//! RTMP over TLS.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    Support::*,
    block::codec::{FilePath, Listen, OnOff, ports},
};

block! {
    /// RTMP over TLS.
    Rtmps {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Where.
        listen: Vec<SocketAddr> = ports(&[1443]), Listen, NotYet;
        /// The private key, PEM.
        key: PathBuf = PathBuf::from("./conf/server.key"), FilePath, NotYet;
        /// The certificate chain, PEM.
        cert: PathBuf = PathBuf::from("./conf/server.crt"), FilePath, NotYet;
    }
}
