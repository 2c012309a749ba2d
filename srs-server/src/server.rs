//! The server: everything started, joined and ended.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::Router;
use stream_hub::{Hub, Limits};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    task::{JoinSet, spawn_blocking},
    time::{Instant, interval, sleep},
};
use tracing::{Span, debug, info_span, warn};

use crate::{
    bridge,
    config::{Reload, Settings, Tuning},
    hooks::Hooks,
    http,
    live::{Clients, Streams, Vhost, Vhosts},
    media,
    net::{self, Bound, Residence, Shard, Shards},
    ports::{Ports, RtcPorts, StartError},
    process::needs_restart,
    rtc::{Candidates, Certificate, IceTcp, Rtc, Workers},
    rtmp,
    system::System,
};

/// How long the end of the server waits for hook servers.
const HOOKS_LIMIT: Duration = Duration::from_secs(5);

/// What every connection shares.
#[derive(Debug)]
pub struct Shared {
    /// The configuration in force, and its vhosts.
    pub vhosts: Arc<Vhosts>,
    /// What the configuration doesn't say.
    pub tuning: Tuning,
    /// Reads the configuration again.
    reload: Reload,
    /// The hub.
    pub hub: Hub,
    /// How long messages stay, as each shard counts it.
    pub residences: Vec<Arc<Residence>>,
    /// Who is asked and told of clients.
    pub hooks: Hooks,
    /// Who publishes and plays.
    pub clients: Clients,
    /// What is published and played.
    pub streams: Streams,
    /// What the bridges between RTMP and WebRTC have done.
    pub bridges: Arc<bridge::Counters>,
    /// WebRTC, where it is served.
    pub rtc: Option<Arc<Rtc>>,
    /// The id of this run of the server, as SRS's API shows it.
    pub server_id: String,
    /// The id of this process's service, as SRS's API shows it.
    pub service_id: String,
    /// Numbers of the process and the machine.
    pub system: System,
    last_reload: Mutex<Option<LastReload>>,
    /// Connections of publishers and players.
    connections: AtomicUsize,
    rng: Mutex<fastrand::Rng>,
}

/// How the configuration was read again the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastReload {
    /// An id of that time.
    pub id: String,
    /// What was wrong with it; nothing was changed then.
    pub error: Option<String>,
}

/// A connection as it was accepted.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The connection's id: in the log, in the API.
    pub id: String,
    /// The client's address.
    pub address: SocketAddr,
    /// The shard that owns the connection.
    pub shard: Shard,
}

/// A running server; [`Server::shutdown`] ends it.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    rtmp: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    api: Vec<SocketAddr>,
    exporter: Vec<SocketAddr>,
    rtc: Vec<SocketAddr>,
    /// Those who have the sessions of WebRTC, where it is served.
    workers: Option<Workers>,
    /// Those addresses of HTTP that take connections of ICE-TCP too.
    shared_rtc: Vec<SocketAddr>,
    shards: Arc<Shards>,
    /// Those who accept connections.
    listeners: JoinSet<()>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Clone)]
enum Service {
    Rtmp,
    Media(Router),
    Api(Router),
}

impl Server {
    /// Opens the ports and starts the server on the current runtime; see [`Server::start_on`].
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let ports = Ports::bind(&settings)?;
        Self::start_on(ports, settings)
    }

    /// Starts the server on the current runtime, which accepts connections and runs what
    /// belongs to no connection; the shards have threads of their own. The ports are those that
    /// were opened for the same settings.
    ///
    /// # Errors
    /// The system gives no threads, or takes no sockets.
    pub fn start_on(ports: Ports, settings: Settings) -> Result<Self, StartError> {
        ports.tell();
        let Ports { rtmp, http, api, shared_api, exporter, rtc: rtc_ports } = ports;
        let Settings { config, tuning, reload, .. } = settings;
        if config.vhosts.is_empty() {
            warn!("no vhost is configured: every client will be refused");
        }
        let mut rng = tuning.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let shards = Arc::new(Shards::start(tuning.shards)?);
        let server_id = match &config.server_id {
            Some(id) => id.clone(),
            None => vhost_id(&mut rng),
        };
        let vhosts = Arc::new(Vhosts::new(config, || vhost_id(&mut rng)));
        let bridges = Arc::default();
        let hub = hub(&tuning, vhosts.clone(), &bridges);
        let service_id = random_id(&mut rng);
        let rtc = start_rtc(&rtc_ports, &vhosts)?;
        let shared = Arc::new(Shared {
            residences: shards.residences(),
            hooks: Hooks::new(Handle::current(), server_id.clone(), service_id.clone()),
            server_id,
            service_id,
            vhosts,
            reload,
            system: System::new(),
            last_reload: Mutex::default(),
            connections: AtomicUsize::new(0),
            rng: Mutex::new(rng),
            tuning,
            hub,
            clients: Clients::default(),
            streams: Streams::default(),
            bridges,
            rtc,
        });
        let mut server = Self {
            shared,
            rtmp: rtmp.iter().map(|bound| bound.address).collect(),
            http: http.iter().map(|bound| bound.address).collect(),
            api: api.iter().map(|bound| bound.address).chain(shared_api.iter().copied()).collect(),
            exporter: exporter.iter().map(|bound| bound.address).collect(),
            rtc: rtc_ports.udp.iter().map(|bound| bound.address).collect(),
            workers: None,
            shared_rtc: rtc_ports.shared_tcp.clone(),
            shards,
            listeners: JoinSet::new(),
            tasks: JoinSet::new(),
        };
        if let Some(rtc) = &server.shared.rtc {
            let RtcPorts { udp, tcp, .. } = rtc_ports;
            let shards = server.shards.each();
            let runtime = Handle::current();
            server.workers = Some(Workers::start(&server.shared, rtc, shards, udp, tcp, &runtime)?);
        }
        let media = http::router(server.shared.clone(), http::Site::Media);
        let api_routes = http::router(server.shared.clone(), http::Site::Api);
        let both = http::either(api_routes.clone(), media.clone());
        let (both_bound, media_bound): (Vec<_>, Vec<_>) =
            http.into_iter().partition(|bound| shared_api.contains(&bound.address));
        server.serve(Service::Rtmp, rtmp)?;
        server.serve(Service::Media(media), media_bound)?;
        server.serve(Service::Media(both), both_bound)?;
        let metrics = http::router(server.shared.clone(), http::Site::Metrics);
        if !server.api.is_empty() || !exporter.is_empty() {
            let shared = server.shared.clone();
            let keep = async move { shared.system.keep().await };
            server.shards.api().spawn(|| Some(keep));
        }
        server.serve(Service::Api(api_routes), api)?;
        // It has no media either.
        server.serve(Service::Api(metrics), exporter)?;
        server.tasks.spawn(keep_house(server.shared.clone()));
        server.tasks.spawn(convert(server.shared.clone()));
        Ok(server)
    }

    fn serve(&mut self, service: Service, bound: Vec<Bound>) -> io::Result<()> {
        for Bound { listener, address } in bound {
            let listener = TcpListener::from_std(listener)?;
            let (shared, shards) = (self.shared.clone(), self.shards.clone());
            let ice_tcp = match &self.workers {
                Some(workers) if self.shared_rtc.contains(&address) => {
                    Some(workers.ice_tcp().clone())
                }
                _ => None,
            };
            self.listeners.spawn(accept(service.clone(), listener, ice_tcp, shared, shards));
        }
        Ok(())
    }

    /// Where RTMP is served.
    pub fn rtmp(&self) -> &[SocketAddr] {
        &self.rtmp
    }
    /// Where HTTP is served.
    pub fn http(&self) -> &[SocketAddr] {
        &self.http
    }
    /// Where the API is served.
    pub fn api(&self) -> &[SocketAddr] {
        &self.api
    }
    /// Where metrics have a port of their own.
    pub fn exporter(&self) -> &[SocketAddr] {
        &self.exporter
    }
    /// Where WebRTC is served by UDP.
    pub fn rtc(&self) -> Vec<SocketAddr> {
        self.rtc.clone()
    }
    /// What the connections share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Those who have the sessions of WebRTC.
    #[cfg(test)]
    pub(crate) fn workers(&self) -> Option<&Workers> {
        self.workers.as_ref()
    }

    /// Closes the ports; connections go on.
    pub async fn stop_listening(&mut self) {
        self.listeners.shutdown().await;
        if let Some(workers) = &mut self.workers {
            workers.stop_listening().await;
        }
    }

    /// How many connections there are that may have media.
    pub fn connections(&self) -> usize {
        let sessions = self.shared.rtc.as_ref().map_or(0, |rtc| rtc.count().0);
        self.shards.connections() + sessions
    }

    /// Closes every connection and ends the server.
    pub async fn shutdown(mut self) {
        // Those who accept connections hold the shards too.
        self.stop_listening().await;
        self.tasks.shutdown().await;
        if let Some(rtc) = &self.shared.rtc {
            rtc.end_all(&self.shared);
        }
        if let Some(workers) = self.workers.take() {
            workers.finish().await;
        }
        let shards = self.shards;
        if let Err(error) = spawn_blocking(move || drop(shards)).await {
            warn!("the threads did not end well: {error}");
        }
        // The clients are gone, and their hook servers are told of it.
        self.shared.hooks.drain(HOOKS_LIMIT).await;
    }
}

impl Shared {
    /// The configuration in force now.
    pub fn config(&self) -> Arc<srs_config::Config> {
        self.vhosts.config()
    }

    /// The vhost of clients that ask for `name`; `None` where there is none for them.
    pub fn vhost(&self, name: &str) -> Option<Arc<Vhost>> {
        self.vhosts.find(name)
    }

    /// A place for one more publisher or player, if there is one; it is free when this is dropped.
    pub(crate) fn place(self: &Arc<Self>) -> Option<ConnectionPlace> {
        let place = ConnectionPlace(self.clone());
        let before = self.connections.fetch_add(1, Relaxed);
        let most = self.config().max_connections.unwrap_or(usize::MAX);
        (before < most).then_some(place)
    }

    /// Reads the configuration again and puts it into force for those who come from now on; who
    /// is there keeps what it came with. Ports stay as they are.
    ///
    /// # Errors
    /// The configuration can't be read or has errors: what they are. Nothing changes then.
    pub fn reload(&self) -> Result<(), String> {
        let result = self.replace_config();
        let last = LastReload { id: self.new_id(), error: result.clone().err() };
        *self.last_reload.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        result
    }

    /// How the configuration was read again the last time; `None` where it never was.
    pub fn last_reload(&self) -> Option<LastReload> {
        self.last_reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections of publishers and players there are.
    pub fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    fn replace_config(&self) -> Result<(), String> {
        let config = self.reload.read()?;
        for directive in needs_restart(&self.config(), &config) {
            warn!("`{directive}` stays as it is until the server starts again");
        }
        self.vhosts.replace(config, || format!("vid-{}", &self.new_id()[..7]));
        Ok(())
    }

    /// A new id of 8 letters and digits, for a connection or a stream.
    pub fn new_id(&self) -> String {
        random_id(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Random bytes for a handshake come from this.
    pub fn new_seed(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }
}

/// One of the connections that there may be.
#[derive(Debug)]
pub(crate) struct ConnectionPlace(Arc<Shared>);

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

/// WebRTC, if any of its ports is open.
fn start_rtc(ports: &RtcPorts, vhosts: &Vhosts) -> Result<Option<Arc<Rtc>>, StartError> {
    if ports.udp.is_empty() && ports.tcp.is_empty() && ports.shared_tcp.is_empty() {
        return Ok(None);
    }
    let udp = ports.udp.iter().map(|bound| bound.address).collect();
    let tcp = ports.tcp.iter().map(|bound| bound.address).chain(ports.shared_tcp.iter().copied());
    let tcp = tcp.collect();
    let candidates = Candidates::new(udp, tcp);
    candidates.tell(&vhosts.config().rtc_server);
    Ok(Some(Arc::new(Rtc::new(Certificate::generate()?, candidates))))
}

/// A hub whose streams have the limits of their vhosts.
fn hub(tuning: &Tuning, vhosts: Arc<Vhosts>, bridges: &Arc<bridge::Counters>) -> Hub {
    let limits = Limits { lane_bytes: tuning.ring_bytes, ..Limits::default() };
    let default = limits.clone();
    let of_bridges = vhosts.clone();
    let hub = Hub::with_limits_of(limits, move |key| match vhosts.find(key.vhost()) {
        Some(vhost) => Limits {
            lane_time: vhost.settings.play.queue_length,
            grace: vhost.settings.publish.grace,
            ..default.clone()
        },
        None => default.clone(),
    });
    media::register(&hub);
    bridge::register(&hub, &of_bridges, bridges);
    hub
}

fn vhost_id(rng: &mut fastrand::Rng) -> String {
    format!("vid-{}", &random_id(rng)[..7])
}

fn random_id(rng: &mut fastrand::Rng) -> String {
    (0..8).map(|_| char::from_digit(rng.u32(0..36), 36).unwrap_or('0')).collect()
}

/// Accepts connections; where it is a port of WebRTC too, `ice_tcp` takes those that are.
async fn accept(
    service: Service,
    listener: TcpListener,
    ice_tcp: Option<IceTcp>,
    shared: Arc<Shared>,
    shards: Arc<Shards>,
) {
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = listener.accept().await.and_then(|(socket, address)| {
            // The socket leaves this runtime's reactor for its shard's.
            Ok((socket.into_std()?, address))
        });
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // No descriptors, or a client that went before it was accepted: not fatal,
                // and waiting keeps a persistent error from taking a core, or filling the log.
                if warned.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
                    warn!("cannot accept a connection: {error}");
                    warned = Some(Instant::now());
                }
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let place = match service {
            // The API stays open: it shows who takes the places.
            Service::Api(_) => None,
            Service::Rtmp | Service::Media(_) => match shared.place() {
                Some(place) => Some(place),
                None => {
                    if warned.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
                        warn!(code = 1074, "a connection refused: max_connections are there");
                        warned = Some(Instant::now());
                    }
                    continue;
                }
            },
        };
        let shard = match service {
            Service::Api(_) => shards.api(),
            Service::Rtmp | Service::Media(_) => shards.least_loaded(),
        };
        let peer = Peer { id: shared.new_id(), address, shard: shard.clone() };
        let span = info_span!("conn", id = %peer.id);
        let (shared, service) = (shared.clone(), service.clone());
        let send_buffer = shared.tuning.send_buffer;
        // The socket is set up where it is used, and each protocol's task has a size of its own.
        let prepare = move |span: &Span| {
            let _entered = span.enter();
            let gone = |error| debug!("connection gone before it began: {error}");
            net::prepare(socket, send_buffer).map_err(gone).ok()
        };
        match (service, ice_tcp.clone()) {
            (Service::Rtmp, _) => shard.spawn(move || {
                let serving = rtmp::serve(prepare(&span)?, peer, span, shared);
                Some(async move {
                    let _place = place;
                    serving.await;
                })
            }),
            (Service::Media(router) | Service::Api(router), Some(ice_tcp)) => {
                let limit = shared.tuning.request_timeout;
                shard.spawn(move || {
                    let socket = prepare(&span)?;
                    Some(async move {
                        let _place = place;
                        let sorted = Box::pin(ice_tcp.sort(socket, address, limit)).await;
                        if let Some(socket) = sorted {
                            http::serve(socket, peer, span, shared, router).await;
                        }
                    })
                });
            }
            (Service::Media(router) | Service::Api(router), None) => shard.spawn(move || {
                let serving = http::serve(prepare(&span)?, peer, span, shared, router);
                Some(async move {
                    let _place = place;
                    serving.await;
                })
            }),
        }
    }
}

/// Deadlines of the hub, rates, and streams that are over.
async fn keep_house(shared: Arc<Shared>) {
    let mut ticks = interval(Duration::from_millis(500));
    for tick in 0_u64.. {
        ticks.tick().await;
        let now = Instant::now().into_std();
        shared.hub.handle_timeout(now);
        shared.streams.retain(|key| shared.hub.stream(key).is_some());
        kick_idle(&shared, now);
        if let Some(rtc) = &shared.rtc {
            rtc.handle_timeout(&shared, now);
        }
        if tick % 10 == 0 {
            shared.clients.sample(now);
            shared.streams.sample(now);
            shared.vhosts.sample(now);
        }
    }
}

/// Closes publishers that nobody plays, where their vhost has it so.
fn kick_idle(shared: &Shared, now: std::time::Instant) {
    for stream in shared.streams.page(0, usize::MAX) {
        let is_idle = || {
            let stats = shared.hub.stream(&stream.key);
            stats.is_some_and(|stats| stats.is_active() && stats.readers == 0)
        };
        let Some(limit) = stream.idle_beyond(is_idle, now) else { continue };
        if let Some(publisher) = stream.published().client.and_then(|id| shared.clients.find(&id)) {
            let limit = limit.as_secs_f64();
            warn!(stream = %stream.key, code = 2056, "no player for {limit} s: the publisher is closed");
            publisher.kick();
        }
    }
}

/// Runs the conversions that are too dear for a publisher's push.
async fn convert(shared: Arc<Shared>) {
    while let Some(task) = shared.hub.next_task().await {
        tokio::spawn(task);
    }
}
