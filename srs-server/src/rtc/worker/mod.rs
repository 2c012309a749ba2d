//! Workers: one per shard, each with its part of the sessions and of their media.
//!
//! A worker is one task. It drives an [`Sfu`], which knows neither sockets nor the hub, and joins it to
//! both: datagrams of its UDP sockets and of ICE-TCP connections go in; packets of publishers go into
//! the hub's lanes; batches of the lanes that its viewers watch go out to all of them. Everything that
//! a session costs while media flow is a place in the `Sfu`; nothing is woken, locked or allocated for
//! a viewer and a packet.

mod arrival;
mod bell;
mod counters;
mod fan_out;
mod greeting;
mod handshake;
mod peer;
mod sessions;
mod start;
mod tcp;
mod telling;
#[cfg(test)]
mod tests;
mod udp;
mod watched;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use rtc_stack::{
    dtls::Dtls,
    session::{Flow, Outgoing},
    sfu::{Direction, Event, PeerId, Sfu, StreamId},
};
use tokio::{
    select,
    sync::{OwnedMutexGuard, mpsc, oneshot},
    time::{self, sleep_until},
};
use tracing::debug;

use self::{
    arrival::Unknown,
    bell::{Bell, Call},
    counters::Tally,
    fan_out::FanOut,
    peer::Peer,
    tcp::{Arrived, Connections},
    udp::Sockets,
};
pub use self::{
    counters::Counters,
    greeting::IceTcp,
    start::{Workers, WorkersError},
};
use crate::{
    media::Origin,
    net::{Load, Outlet, Shard, Way},
    rtc::{EndReason, Inbox, Role, Rtc},
    server::Shared,
};

/// How often bytes and counters are told to those who ask for them.
const TELL: Duration = Duration::from_secs(1);
/// System calls by which one socket is read before others have their turn.
const READS: usize = 8;
/// Commands that are taken before media get their turn.
const COMMANDS: usize = 256;

/// What a worker is told by others than signalling.
enum Command {
    /// A datagram of one of its sessions came to another worker's socket.
    Datagram(Flow, Bytes),
    /// A TCP connection has shown that it belongs to one of its sessions, or to one that it is to adopt.
    Connection(Box<Arrived>),
    /// A frame of one of its TCP connections.
    Frame(Flow, Bytes),
    /// One of its TCP connections is over.
    Disconnected(Flow, u64),
    /// All of its sessions are to be told goodbye, and who asks is to be told when that is done.
    Finish(oneshot::Sender<()>),
    /// A fault of ours, which only tests have at hand.
    #[cfg(test)]
    Fail,
}

/// How other workers reach one.
#[derive(Debug, Clone)]
struct Colleague {
    pub(super) inbox: Arc<Inbox>,
    pub(super) commands: mpsc::Sender<Command>,
    /// How much its shard owns.
    pub(super) load: Arc<Load>,
}

/// A shard's worker.
struct Worker {
    sockets: Sockets,
    commands: OwnedMutexGuard<mpsc::Receiver<Command>>,
    core: Core,
}

/// A worker without what it waits for.
struct Core {
    shared: Arc<Shared>,
    rtc: Arc<Rtc>,
    dtls: Arc<dyn Dtls>,
    shard: Shard,
    inbox: Arc<Inbox>,
    colleagues: Arc<[Colleague]>,
    bell: Arc<Bell>,
    sfu: Sfu,
    out: Outgoing,
    peers: HashMap<PeerId, Peer>,
    /// The same by the ids that their clients have in the API.
    by_client: HashMap<String, PeerId>,
    fan_out: FanOut,
    unknown: Unknown,
    connections: Connections,
    tally: Tally,
    tell_at: Instant,
}

impl Worker {
    /// Works until its shard ends.
    pub(super) async fn run(mut self) {
        let timer = sleep_until(time::Instant::now());
        tokio::pin!(timer);
        let (inbox, bell) = (self.core.inbox.clone(), self.core.bell.clone());
        loop {
            timer.as_mut().reset(self.core.poll_timeout().into());
            let Self { sockets, commands, core } = &mut self;
            let mut command = None;
            select! {
                () = sockets.readable() => {}
                () = bell.rung() => {}
                () = inbox.filled() => {}
                received = commands.recv() => command = received,
                () = core.connections.writable() => {}
                () = &mut timer => {}
            }
            let now = time::Instant::now().into_std();
            let mut finished = Vec::new();
            for _ in 0..COMMANDS {
                let Some(next) = command.take().or_else(|| commands.try_recv().ok()) else { break };
                core.obey(now, next, &mut finished);
            }
            let received = core.tally.received;
            let mut is_busy = false;
            for index in 0..sockets.len() {
                is_busy |= core.read(now, index, sockets);
            }
            core.shard.reads.note_datagrams(core.tally.received.saturating_sub(received));
            core.take_orders();
            core.answer_bell(now, sockets);
            core.handle_timeout(now);
            core.settle(now, sockets);
            core.flush(sockets);
            core.close_connections();
            for finished in finished {
                // Who asked may have given up.
                let _ = finished.send(());
            }
            if is_busy {
                // Other connections of the shard have their turn, however much comes.
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Core {
    fn poll_timeout(&self) -> Instant {
        let others = [self.sfu.poll_timeout(), self.fan_out.poll_timeout()];
        others.into_iter().flatten().fold(self.tell_at, Instant::min)
    }

    /// Takes what one of the sockets has; whether there may be more.
    fn read(&mut self, now: Instant, index: usize, sockets: &mut Sockets) -> bool {
        for _ in 0..READS {
            if !sockets.receive(index, |flow, datagram| self.receive(now, flow, datagram)) {
                return false;
            }
            self.settle(now, sockets);
        }
        true
    }

    /// Takes a datagram that a socket received.
    fn receive(&mut self, now: Instant, flow: Flow, datagram: &mut [u8]) {
        self.tally.received += 1;
        self.take(now, flow, datagram);
    }

    fn obey(&mut self, now: Instant, command: Command, finished: &mut Vec<oneshot::Sender<()>>) {
        match command {
            Command::Datagram(flow, datagram) => {
                self.take_own(now, flow, &mut BytesMut::from(datagram));
            }
            Command::Frame(flow, datagram) => {
                self.receive(now, flow, &mut BytesMut::from(datagram));
            }
            Command::Connection(arrived) => self.connect(now, *arrived),
            Command::Disconnected(flow, number) => self.connections.remove(&flow, number),
            Command::Finish(done) => finished.push(done),
            #[cfg(test)]
            Command::Fail => panic!("as a test wants it"),
        }
    }

    /// Does what follows from what has been received: nothing is left for later but what is to be sent.
    fn settle(&mut self, now: Instant, sockets: &mut Sockets) {
        while let Some(event) = self.sfu.poll_event() {
            self.handle(now, event, sockets);
        }
    }

    fn handle(&mut self, now: Instant, event: Event, sockets: &mut Sockets) {
        match event {
            Event::Packet { peer, track, packet } => {
                self.publish(now, peer, |ingest, media| ingest.push(track, packet, media));
            }
            Event::Track { peer, track, description } => {
                debug!(track, codec = %description.parameters.codec, "a track");
                self.publish(now, peer, |ingest, media| {
                    ingest.describe(track, description, media, now)
                });
            }
            Event::SenderClock { peer, track, clock } => {
                self.publish(now, peer, |ingest, _| ingest.report(track, clock));
            }
            Event::Dtls { peer, datagram } => self.receive_dtls(now, peer, datagram),
            Event::Connected { peer } => self.connected(now, peer, sockets),
            Event::KeyframeWanted { stream, track } => self.fan_out.want_keyframe(stream, track),
            Event::Unsupported { peer, track, .. } => {
                if let Some(peer) = self.peers.get(&peer) {
                    peer.session.span().in_scope(|| debug!(track, "a track that it can't play"));
                }
            }
            Event::Closed { peer, reason, statistics } => {
                self.closed(peer, reason, &statistics);
            }
            _ => {}
        }
    }

    fn answer_bell(&mut self, now: Instant, sockets: &mut Sockets) {
        let bell = self.bell.clone();
        for call in bell.answer() {
            match call {
                Call::Stream(stream) => self.pump(now, stream, sockets),
                Call::Peer(peer) => self.visit(now, peer),
            }
        }
        while let Some(stream) = self.fan_out.poll_due(now) {
            self.pump(now, stream, sockets);
        }
    }

    fn pump(&mut self, now: Instant, stream: StreamId, sockets: &mut Sockets) {
        let Self { fan_out, sfu, out, tally, connections, shard, .. } = self;
        let mut flush = |out: &mut Outgoing, oldest: Option<(Origin, Instant)>| {
            send(out, oldest, sockets, connections, tally, shard);
        };
        fan_out.pump(now, sfu, stream, &mut flush, out);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
            self.sfu.handle_timeout(now, &mut self.out);
        }
        self.fan_out.handle_timeout(now, &mut self.sfu);
        if self.tell_at <= now {
            self.tell_at = now + TELL;
            self.tell(now);
        }
    }

    /// Sends what is to be sent.
    fn flush(&mut self, sockets: &mut Sockets) {
        let Self { out, tally, connections, shard, .. } = self;
        send(out, None, sockets, connections, tally, shard);
    }

    /// Loses the next packets of a peer, since a test asks for it.
    fn lose(&mut self, peer: PeerId, role: Role, packets: u16) {
        let direction = match role {
            Role::Publish => Direction::Incoming,
            Role::Play => Direction::Outgoing,
        };
        self.sfu.drop_next(peer, packets, direction);
    }
}

/// Sends what is to be sent; `oldest` is how and when its oldest packet came.
fn send(
    out: &mut Outgoing,
    oldest: Option<(Origin, Instant)>,
    sockets: &mut Sockets,
    connections: &mut Connections,
    tally: &mut Tally,
    shard: &Shard,
) {
    if out.is_empty() {
        return;
    }
    sockets.send(&out.udp, tally);
    connections.send(&out.tcp, tally);
    out.clear();
    if let Some((from, oldest)) = oldest {
        let age = time::Instant::now().into_std().saturating_duration_since(oldest);
        shard.residence.record(Way { from, to: Outlet::Rtc }, age);
    }
}

/// Why a session is over that its worker can't go on with.
fn failed(error: impl std::fmt::Display) -> EndReason {
    EndReason::Failed(error.to_string())
}
