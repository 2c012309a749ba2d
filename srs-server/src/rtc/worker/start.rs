//! Workers begin with the server, and end with it.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rtc_stack::{
    Limits,
    dtls::Dtls,
    session::Outgoing,
    sfu::{Sfu, SfuConfig},
    transport::dtls::{self, DtlsEndpoint, DtlsOptions},
};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{Mutex, mpsc, oneshot},
    task::JoinSet,
    time::{self, timeout},
};

use tracing::error;

use super::{
    Colleague, Command, Core, Worker, arrival::Unknown, bell::Bell, failed, fan_out::FanOut,
    greeting::IceTcp, udp::Sockets,
};
use crate::{
    net::{Bound, BoundUdp, Shard},
    rtc::{CertificateError, Rtc},
    server::Shared,
};

/// Commands that wait for a worker. Datagrams beyond are lost, and TCP connections wait.
const COMMANDS: usize = 1024;
/// How long the end of the server waits for workers to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// The workers, and who accepts connections for them.
#[derive(Debug)]
pub struct Workers {
    pub(super) colleagues: Arc<[Colleague]>,
    accepting: JoinSet<()>,
    ice_tcp: IceTcp,
}

/// Why WebRTC can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkersError {
    /// The certificate is none that handshakes can show.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The system takes no sockets.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a worker is made of, again if it has failed.
struct Plan {
    shared: Arc<Shared>,
    rtc: Arc<Rtc>,
    dtls: Arc<dyn Dtls>,
    shard: Shard,
    colleagues: Arc<[Colleague]>,
    own: Colleague,
    commands: Arc<Mutex<mpsc::Receiver<Command>>>,
    sockets: Vec<std::net::UdpSocket>,
}

impl Workers {
    /// Starts a worker on each shard; handshakes, which would keep media waiting, run on `runtime`.
    ///
    /// # Errors
    /// The system takes no sockets, or the certificate can't be shown.
    pub fn start(
        shared: &Arc<Shared>,
        rtc: &Arc<Rtc>,
        shards: &[Shard],
        udp: Vec<BoundUdp>,
        tcp: Vec<Bound>,
        runtime: &Handle,
    ) -> Result<Self, WorkersError> {
        let certificate = rtc.certificate();
        let certificate = dtls::Certificate::from_der(&certificate.der, &certificate.key)
            .map_err(CertificateError::new)?;
        let endpoint = DtlsEndpoint::new(certificate, DtlsOptions::default(), runtime.clone());
        let dtls: Arc<dyn Dtls> = Arc::new(endpoint);
        // Where sockets can't share an address there is one of each, and so one worker.
        let most = udp.iter().map(|bound| bound.sockets.len()).min().unwrap_or(shards.len());
        let shards = shards.get(..most.max(1)).unwrap_or(shards);
        let mut receivers = Vec::new();
        let colleagues: Arc<[Colleague]> = shards
            .iter()
            .map(|shard| {
                let (commands, receiver) = mpsc::channel(COMMANDS);
                receivers.push(receiver);
                Colleague { inbox: rtc.worker(), commands, load: shard.load.clone() }
            })
            .collect();
        let mut sockets: Vec<_> = udp.into_iter().map(|bound| bound.sockets.into_iter()).collect();
        for ((shard, receiver), own) in shards.iter().zip(receivers).zip(colleagues.iter()) {
            let plan = Plan {
                shared: shared.clone(),
                rtc: rtc.clone(),
                dtls: dtls.clone(),
                shard: shard.clone(),
                colleagues: colleagues.clone(),
                own: own.clone(),
                commands: Arc::new(Mutex::new(receiver)),
                sockets: sockets.iter_mut().filter_map(Iterator::next).collect(),
            };
            shard.spawn_worker(plan.keep_working());
        }
        let ice_tcp = IceTcp::new(rtc.clone(), colleagues.clone());
        let mut accepting = JoinSet::new();
        for bound in tcp {
            let listener = TcpListener::from_std(bound.listener)?;
            accepting.spawn_on(ice_tcp.clone().accept(listener), runtime);
        }
        Ok(Self { colleagues, accepting, ice_tcp })
    }

    /// Who takes connections of ICE-TCP that come to other ports.
    pub fn ice_tcp(&self) -> &IceTcp {
        &self.ice_tcp
    }

    /// Takes no connections any more; those that are there go on.
    pub async fn stop_listening(&mut self) {
        self.accepting.shutdown().await;
    }

    /// Waits until the peers of all sessions that are over have been told so, but not for long.
    pub async fn finish(&self) {
        let asked = self.colleagues.iter().map(|colleague| async {
            let (done, finished) = oneshot::channel();
            if colleague.commands.send(Command::Finish(done)).await.is_ok() {
                // A worker that is gone has nobody to tell.
                let _ = finished.await;
            }
        });
        let all = async {
            for asked in asked {
                asked.await;
            }
        };
        // Peers that weren't told find out by themselves.
        let _ = timeout(GOODBYE, all).await;
    }
}

impl Plan {
    /// Works until the shard ends. A fault of ours costs the sessions of one worker, which begin anew.
    async fn keep_working(self) {
        loop {
            let worker = match self.worker().await {
                Ok(worker) => worker,
                Err(error) => return error!("rtc: a thread can't serve WebRTC: {error}"),
            };
            if tokio::spawn(worker.run()).await.is_ok() {
                return;
            }
            error!("rtc: a worker has failed, and all of its sessions end");
            self.own.inbox.take();
            let why = failed("an error of the server");
            self.rtc.end_of(&self.shared, self.own.inbox.id(), &why);
            self.own.inbox.take();
            self.shard.load.sessions.store(0, std::sync::atomic::Ordering::Relaxed);
        }
    }

    async fn worker(&self) -> io::Result<Worker> {
        let now = time::Instant::now().into_std();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let limits = Limits::default();
        let bell = Arc::<Bell>::default();
        let group = self.shard.group.clone();
        let fan_out = FanOut::new(self.shared.hub.clone(), group, bell.clone(), &limits);
        let sockets = self.sockets.iter().map(std::net::UdpSocket::try_clone);
        Ok(Worker {
            sockets: Sockets::new(sockets.collect::<io::Result<_>>()?)?,
            commands: self.commands.clone().lock_owned().await,
            core: Core {
                shared: self.shared.clone(),
                rtc: self.rtc.clone(),
                dtls: self.dtls.clone(),
                shard: self.shard.clone(),
                inbox: self.own.inbox.clone(),
                colleagues: self.colleagues.clone(),
                bell,
                sfu: Sfu::new(SfuConfig::new(now, since_1970), limits, self.shared.new_seed()),
                out: Outgoing::default(),
                peers: Default::default(),
                by_client: Default::default(),
                fan_out,
                unknown: Unknown::default(),
                connections: Default::default(),
                tally: Default::default(),
                tell_at: now,
            },
        })
    }
}
