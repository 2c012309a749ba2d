//! WebRTC players and publishers, by the thousand: each has an address, a handshake and keys, and
//! does no more than a server needs to serve it.

mod agree;
mod ice;
mod janus;
mod packetize;
pub(crate) mod plain;
mod play;
mod port;
mod publish;
mod receiver;
mod sender;
mod session;
mod signalling;

use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use packetize::packetize;
#[cfg(target_os = "linux")]
pub(crate) use packetize::packets_per_second;
pub(crate) use play::play;
pub(crate) use publish::publish;
use rtc_stack::transport::dtls::{Certificate, DtlsEndpoint, DtlsOptions};
use tokio::runtime::{Builder, Handle, Runtime};

use self::port::Ports;
use crate::{target::Target, url::HttpUrl};

/// Between two reports.
const REPORT: Duration = Duration::from_secs(1);
/// Handshakes at the same time; more wait.
const HANDSHAKES: usize = 64;

/// A thread on which clients join, so that those who have joined are not kept from their media.
#[derive(Debug)]
pub(crate) struct Joins {
    dtls: Arc<DtlsEndpoint>,
    runtime: Runtime,
}

impl Joins {
    pub(crate) fn start() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("joins")
            .enable_all()
            .build()?;
        let options = DtlsOptions { parallel: HANDSHAKES, ..DtlsOptions::default() };
        let dtls = DtlsEndpoint::new(Certificate::generate()?, options, runtime.handle().clone());
        Ok(Self { dtls: Arc::new(dtls), runtime })
    }
}

/// What the clients of a thread share.
#[derive(Debug)]
pub(crate) struct Network {
    dtls: Arc<DtlsEndpoint>,
    joins: Handle,
    ports: Ports,
    target: Target,
}

impl Network {
    pub(crate) fn new(joins: &Joins, target: Target, url: &HttpUrl) -> Self {
        // Janus knows no loopback addresses.
        let is_shared = janus::named_by(url).is_none();
        Self {
            dtls: Arc::clone(&joins.dtls),
            joins: joins.runtime.handle().clone(),
            ports: Ports::toward(target.with_port(0).ip(), is_shared),
            target,
        }
    }

    /// Datagrams that this program didn't read in time.
    pub(crate) fn dropped(&self) -> u64 {
        self.ports.dropped()
    }
}

/// How a client bears itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// A player asks for what it misses.
    pub(crate) nack: bool,
    /// So many of 1,000 packets are lost on purpose.
    pub(crate) lose: u32,
}

impl Manner {
    /// Whether a packet is to be lost.
    fn loses(self) -> bool {
        self.lose > 0 && fastrand::u32(..1_000) < self.lose
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
