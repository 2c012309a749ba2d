//! The task that runs a client: datagrams, time and orders in; datagrams and events out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Wake;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use webrtc_util::Conn;

use super::path::Path;
use super::queue::Queue;
use super::{ClientOptions, ClientStatistics, EndReason, Event, clock};
use crate::arena::Destination;
use crate::dtls::{Association, Dtls, Established, Handshake, HandshakeEvent, Reaction, Role};
use crate::sdp::Negotiated;
use crate::session::{Flow, Outgoing, Transport};
use crate::sfu::{Event as Happened, PeerId, Sfu, StreamId, TrackPacket};
use crate::srtp::SessionKeys;
use crate::stun::{Kind, classify};
use crate::transport::dtls::DtlsEndpoint;

/// Bytes of the longest datagram received.
const LONGEST: usize = 2048;
/// Orders that are carried out before the rest is looked after again.
const ORDERS: usize = 32;
/// Datagrams of media that are kept until there are keys: a peer that finishes its handshake first sends at once, and
/// what it sends begins with the keyframe.
const EARLY: usize = 256;
/// What stands for the path: the agent knows which it is, and there is one.
const FLOW: Flow = Flow {
    destination: Destination {
        peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        local_ip: None,
    },
    transport: Transport::Udp,
};

/// What a client is made of.
pub(super) struct Parts {
    pub(super) path: Path,
    pub(super) negotiated: Negotiated,
    pub(super) dtls: DtlsEndpoint,
    pub(super) sfu: Sfu,
    pub(super) peer: PeerId,
    /// What is published; `None` for a player.
    pub(super) stream: Option<StreamId>,
    pub(super) out: Outgoing,
    pub(super) options: ClientOptions,
}

/// How a handle reaches its task. Dropping it closes the client.
pub(super) struct Link {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

/// What a handle wants.
pub(super) enum Order {
    Send(Vec<TrackPacket>),
    RequestKeyframe(u8),
    Statistics(oneshot::Sender<ClientStatistics>),
}

impl Link {
    pub(super) async fn statistics(&self) -> Option<ClientStatistics> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Statistics(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Says goodbye, and waits until everything has ended.
    pub(super) async fn close(self) {
        let Self { orders, events, task } = self;
        drop((orders, events));
        // It fails if the runtime ends, and everything with it.
        let _ = task.await;
    }
}

/// Starts the task of a client.
pub(super) fn spawn(parts: Parts) -> Link {
    let (orders, ordered) = mpsc::channel(parts.options.batches.max(1));
    let (sender, events) = mpsc::channel(parts.options.events.max(1));
    let driver = Driver {
        orders: ordered,
        events: Queue::new(sender, parts.options.events),
        security: Security::None,
        early: Vec::new(),
        wake: Arc::new(HandshakeWaker(Notify::new())),
        parts,
    };
    Link { orders, events, task: tokio::spawn(driver.run()) }
}

struct Driver {
    parts: Parts,
    orders: mpsc::Receiver<Order>,
    events: Queue,
    security: Security,
    early: Vec<Vec<u8>>,
    wake: Arc<HandshakeWaker>,
}

/// How far the handshake is.
enum Security {
    None,
    Shaking(Box<dyn Handshake>),
    Done(Box<dyn Association>),
}

struct HandshakeWaker(Notify);

impl Wake for HandshakeWaker {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Driver {
    async fn run(mut self) {
        let limit = self.parts.options.connect_timeout;
        let deadline = Instant::now().checked_add(limit).unwrap_or_else(Instant::now);
        let reason = match self.connect(deadline).await {
            Ok(connection) => {
                let reason = self.converse(&*connection, deadline).await;
                self.say_goodbye(&*connection).await;
                reason
            }
            Err(reason) => reason,
        };
        self.parts.path.close().await;
        self.events.end(reason).await;
    }

    /// Finds the path, and takes orders meanwhile.
    async fn connect(
        &mut self,
        deadline: Instant,
    ) -> Result<Arc<dyn Conn + Send + Sync>, EndReason> {
        let Parts { path, negotiated, sfu, peer, stream, out, options, .. } = &mut self.parts;
        let mut connecting = pin!(path.connect(&negotiated.remote_ice));
        loop {
            tokio::select! {
                connected = &mut connecting => return connected.map_err(|_| EndReason::PathLost),
                () = sleep_until(deadline) => {
                    return Err(EndReason::NotConnected { limit: options.connect_timeout });
                }
                order = self.orders.recv() => match order {
                    Some(order) => carry_out(order, (sfu, *peer, *stream), out, &self.events),
                    None => return Err(EndReason::Closed),
                },
            }
        }
    }

    async fn converse(
        &mut self,
        connection: &(dyn Conn + Send + Sync),
        deadline: Instant,
    ) -> EndReason {
        if let Err(reason) = self.begin() {
            return reason;
        }
        let mut buffer = [0; LONGEST];
        loop {
            if let Some(reason) = self.turn(connection).await {
                return reason;
            }
            let due = self.parts.sfu.poll_timeout().map(Instant::from_std);
            let is_secure = matches!(self.security, Security::Done(_));
            tokio::select! {
                received = connection.recv(&mut buffer) => {
                    let Ok(length) = received else { return EndReason::PathLost };
                    let datagram = buffer.get_mut(..length).unwrap_or_default();
                    self.receive(datagram);
                }
                order = self.orders.recv() => {
                    let Some(order) = order else { return EndReason::Closed };
                    self.carry_out(order);
                    for _ in 0..ORDERS {
                        let Ok(order) = self.orders.try_recv() else { break };
                        self.carry_out(order);
                    }
                }
                () = sleep_until(due.unwrap_or(deadline)), if due.is_some() => {}
                () = sleep_until(deadline), if !is_secure => {
                    let limit = self.parts.options.connect_timeout;
                    return EndReason::NotConnected { limit };
                }
                () = self.wake.0.notified() => {}
                () = self.events.flush(), if self.events.is_waiting() => {}
                () = self.parts.path.lost() => return EndReason::PathLost,
            }
        }
    }

    /// Begins the handshake on the path that was found.
    fn begin(&mut self) -> Result<(), EndReason> {
        let Parts { negotiated, dtls, sfu, peer, .. } = &mut self.parts;
        // The peer is there: it was put there by us.
        let _ = sfu.set_path(clock::now(), *peer, FLOW);
        let fingerprints = negotiated.remote_fingerprints.clone();
        let waker = Arc::clone(&self.wake).into();
        let handshake = dtls.start(negotiated.role, fingerprints, waker);
        self.security = Security::Shaking(handshake.map_err(EndReason::Handshake)?);
        Ok(())
    }

    /// Does what is due, and sends what has come of it.
    async fn turn(&mut self, connection: &(dyn Conn + Send + Sync)) -> Option<EndReason> {
        let mut end = self.advance_handshake();
        let Parts { sfu, out, .. } = &mut self.parts;
        sfu.handle_timeout(clock::now(), out);
        while let Some(happened) = self.parts.sfu.poll_event() {
            end = end.or(self.tell(happened));
        }
        self.flush(connection).await;
        end
    }

    async fn flush(&mut self, connection: &(dyn Conn + Send + Sync)) {
        for (_, datagram) in self.parts.out.udp.iter() {
            // What the system doesn't take is lost, as on the way.
            let _ = connection.send(datagram).await;
        }
        self.parts.out.clear();
    }

    fn receive(&mut self, datagram: &mut [u8]) {
        let is_early = !matches!(self.security, Security::Done(_));
        if is_early && matches!(classify(datagram), Kind::Rtp | Kind::Rtcp) {
            if self.early.len() < EARLY {
                self.early.push(datagram.to_vec());
            }
            return;
        }
        let Parts { sfu, out, .. } = &mut self.parts;
        sfu.receive(clock::now(), FLOW, datagram, out);
    }

    fn carry_out(&mut self, order: Order) {
        let Parts { sfu, peer, stream, out, .. } = &mut self.parts;
        carry_out(order, (sfu, *peer, *stream), out, &self.events);
    }

    fn advance_handshake(&mut self) -> Option<EndReason> {
        while let Security::Shaking(handshake) = &mut self.security {
            match handshake.poll()? {
                HandshakeEvent::Transmit(datagram) => self.parts.out.push(&FLOW, &datagram),
                HandshakeEvent::Established(established) => {
                    if self.establish(established).is_none() {
                        let reason = "the keys are none".to_owned();
                        let error = crate::dtls::DtlsError::Failed { reason };
                        return Some(EndReason::Handshake(error));
                    }
                }
                HandshakeEvent::Failed(error) => return Some(EndReason::Handshake(error)),
            }
        }
        None
    }

    fn establish(&mut self, established: Established) -> Option<()> {
        let Established { srtp_profile, keying_material, role, association } = established;
        let is_client = role == Role::Client;
        let keys = SessionKeys::from_exporter(srtp_profile, &keying_material.0, is_client);
        let (ours, theirs) = keys.ok()?;
        let Parts { sfu, peer, out, .. } = &mut self.parts;
        sfu.established(clock::now(), *peer, &ours, theirs, out).ok()?;
        self.security = Security::Done(association);
        for mut datagram in std::mem::take(&mut self.early) {
            sfu.receive(clock::now(), FLOW, &mut datagram, out);
        }
        Some(())
    }

    fn tell(&mut self, happened: Happened) -> Option<EndReason> {
        let event = match happened {
            Happened::Dtls { datagram, .. } => return self.receive_dtls(datagram),
            Happened::Packet { track, packet, .. } => {
                self.events.push_packet(Event::Packet { track, packet });
                return None;
            }
            Happened::SenderClock { track, clock, .. } => Event::SenderClock { track, clock },
            Happened::Connected { .. } => Event::Connected,
            Happened::Track { track, description, .. } => Event::Track { track, description },
            Happened::KeyframeWanted { track, .. } => Event::KeyframeRequested { track },
            Happened::Unsupported { track, .. } => Event::Unsupported { track },
            Happened::Closed { .. } => return Some(EndReason::PathLost),
        };
        self.events.push(event);
        None
    }

    fn receive_dtls(&mut self, datagram: Bytes) -> Option<EndReason> {
        match &mut self.security {
            Security::None => {}
            Security::Shaking(handshake) => handshake.receive(datagram),
            Security::Done(association) => match association.receive(&datagram) {
                Reaction::Retransmit(flight) => {
                    let out = &mut self.parts.out;
                    flight.iter().for_each(|datagram| out.push(&FLOW, datagram));
                }
                Reaction::Closed => return Some(EndReason::ClosedByPeer),
                Reaction::None => {}
            },
        }
        None
    }

    async fn say_goodbye(&mut self, connection: &(dyn Conn + Send + Sync)) {
        let Parts { sfu, peer, out, .. } = &mut self.parts;
        sfu.remove(*peer, out);
        if let Security::Done(association) = &mut self.security {
            out.push(&FLOW, &association.close());
        }
        self.flush(connection).await;
    }
}

fn carry_out(
    order: Order,
    (sfu, peer, stream): (&mut Sfu, PeerId, Option<StreamId>),
    out: &mut Outgoing,
    events: &Queue,
) {
    match order {
        Order::Send(packets) => {
            if let Some(stream) = stream {
                sfu.forward(clock::now(), stream, &packets, out);
            }
        }
        // Only a player has this, whose peer publishes.
        Order::RequestKeyframe(track) => sfu.request_keyframe(peer, track).unwrap_or_default(),
        Order::Statistics(answer) => {
            let media = sfu.statistics(peer).unwrap_or_default();
            // Whoever asked may have gone.
            let _ = answer.send(ClientStatistics { media, dropped: events.dropped() });
        }
    }
}
