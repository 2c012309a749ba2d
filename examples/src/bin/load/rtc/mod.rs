//! WebRTC players and publishers, by the thousand: each has a socket, a handshake and keys, and
//! does no more than a server needs to serve it.

mod ice;
mod janus;
mod packetize;
pub(crate) mod plain;
mod play;
mod publish;
mod session;
mod signalling;
mod socket;

use std::{sync::Arc, time::Duration};

#[cfg(target_os = "linux")]
pub(crate) use packetize::packets_per_second;
pub(crate) use play::play;
pub(crate) use publish::publish;
use rtc_stack::transport::dtls::{Certificate, CertificateError, DtlsEndpoint, DtlsOptions};
use tokio::{
    runtime::Handle,
    time::{Interval, MissedTickBehavior, interval},
};

/// Between two reports.
const REPORT: Duration = Duration::from_secs(1);

/// What the clients of a thread share: a certificate, and the handshakes' runtime.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint(Arc<DtlsEndpoint>);

impl Endpoint {
    pub(crate) fn new() -> Result<Self, CertificateError> {
        let certificate = Certificate::generate()?;
        let options = DtlsOptions { parallel: 64, ..DtlsOptions::default() };
        Ok(Self(Arc::new(DtlsEndpoint::new(certificate, options, Handle::current()))))
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
