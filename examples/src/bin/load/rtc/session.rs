//! What players and publishers have in common: from the offer to the keys, and then being there.

use std::{net::SocketAddr, sync::Arc, task::Wake, time::Instant};

use bytes::{Bytes, BytesMut};
use rtc_stack::{
    Limits,
    dtls::{Association, Dtls, HandshakeEvent, Reaction, Role},
    sdp::Negotiated,
    srtp::{Inbound, Outbound, SessionKeys},
    stun::{Credentials, Kind, classify},
    transport::dtls::DtlsEndpoint,
};
use tokio::{sync::Notify, task::JoinSet, time::timeout};

use super::{
    Network, REPORT,
    agree::{agree, media_address},
    ice,
    janus::KeptAlive,
    port::{Outbox, Seat, Waiting},
};
use crate::{client::ClientError, target::Target, url::HttpUrl};

/// What a client wants of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Play,
    Publish,
}

/// A client that has joined: where it sends from and to, and what came meanwhile.
pub(super) struct Joined {
    pub(super) seat: Seat,
    pub(super) server: SocketAddr,
    pub(super) waiting: Waiting,
    pub(super) session: Session,
}

/// A connection that has keys.
pub(super) struct Session {
    pub(super) negotiated: Negotiated,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    /// Woken when there is something to do before [`Session::due`].
    pub(super) woken: Arc<Notify>,
    association: Box<dyn Association>,
    /// What the server shall get of DTLS once more.
    repeated: Vec<Bytes>,
    /// Why it is over.
    ended: Option<ClientError>,
    request: Vec<u8>,
    consent: Instant,
    report: Instant,
    /// Of a server that forgets who is silent.
    _kept: Option<KeptAlive>,
}

struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Network {
    /// Has client `index` join; takes as long as the server lets it wait.
    pub(super) async fn join(
        &self,
        index: u32,
        url: HttpUrl,
        purpose: Purpose,
    ) -> Result<Joined, ClientError> {
        let seat = self.ports.seat().map_err(ClientError::Connect)?;
        let joining = connect(index, (self.target, url), Arc::clone(&self.dtls), purpose, seat);
        // It ends when nobody waits for it.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(joining, &self.joins);
        match tasks.join_next().await {
            Some(Ok(joined)) => joined,
            Some(Err(error)) => Err(ClientError::rtc(error)),
            None => Err(ClientError::Closed),
        }
    }
}

async fn connect(
    index: u32,
    (target, url): (Target, HttpUrl),
    dtls: Arc<DtlsEndpoint>,
    purpose: Purpose,
    seat: Seat,
) -> Result<Joined, ClientError> {
    let entropy = std::array::from_fn(|_| fastrand::u8(..));
    let ours = Credentials::from_entropy("", &entropy).map_err(ClientError::rtc)?;
    let (fingerprint, seed) = (dtls.fingerprint().clone(), fastrand::u64(..));
    let signalled = target.connect(index).await.map_err(ClientError::Connect)?;
    let agreed = agree(signalled, (target, &url), &ours, (fingerprint, seed), purpose);
    let (negotiated, kept) = agreed.await?;
    let server = media_address(&negotiated, target)
        .ok_or_else(|| ClientError::Rtc("no UDP candidate".to_owned()))?;
    let request = ice::binding_request(&ours, &negotiated).map_err(ClientError::rtc)?;
    let mut joining = Joining { waiting: seat.wait(), seat, server };
    joining.check(&request).await?;
    let (keys, association) = joining.shake(&dtls, &negotiated, &ours).await?;
    let Joining { seat, server, waiting } = joining;
    let outbound = Outbound::new(&keys.0).map_err(ClientError::rtc)?;
    let inbound = Inbound::new(keys.1, &Limits::default());
    let now = Instant::now();
    let session = Session {
        negotiated,
        inbound,
        outbound,
        woken: Arc::default(),
        association,
        repeated: Vec::new(),
        ended: None,
        request,
        consent: now + ice::CONSENT,
        // Those who joined together need not report together.
        report: now + REPORT.mul_f32(fastrand::f32()),
        _kept: kept,
    };
    Ok(Joined { seat, server, waiting, session })
}

impl Session {
    /// Takes a DTLS datagram, which may be a goodbye.
    pub(super) fn receive_dtls(&mut self, datagram: &[u8]) {
        match self.association.receive(datagram) {
            Reaction::Closed => self.end(ClientError::Closed),
            Reaction::Retransmit(flight) => {
                self.repeated.extend(flight);
                self.woken.notify_one();
            }
            _ => {}
        }
    }

    /// It is over, for the first of the reasons that are told.
    pub(super) fn end(&mut self, reason: ClientError) {
        self.ended.get_or_insert(reason);
        self.woken.notify_one();
    }

    /// When there is something to do at the latest.
    pub(super) fn due(&self) -> Instant {
        self.consent.min(self.report)
    }

    /// Does what is due, and tells whether a report is.
    pub(super) fn turn(&mut self, now: Instant, out: &mut Outbox<'_>) -> Result<bool, ClientError> {
        if let Some(reason) = self.ended.take() {
            return Err(reason);
        }
        self.repeated.drain(..).for_each(|datagram| out.push(&datagram));
        if now >= self.consent {
            self.consent = now + ice::CONSENT;
            out.push(&self.request);
        }
        let reports = now >= self.report;
        if reports {
            self.report = now + REPORT;
        }
        Ok(reports)
    }

    /// Sends a compound of RTCP packets; an empty one is none.
    pub(super) fn send_rtcp(
        &mut self,
        mut compound: BytesMut,
        out: &mut Outbox<'_>,
    ) -> Result<(), ClientError> {
        if !compound.is_empty() {
            self.outbound.seal_rtcp(&mut compound, 0).map_err(ClientError::rtc)?;
            out.push(&compound);
        }
        Ok(())
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, out: &mut Outbox<'_>) {
        out.push(&self.association.close());
    }
}

type Shaken = ((SessionKeys, SessionKeys), Box<dyn Association>);

/// A client without keys.
struct Joining {
    seat: Seat,
    server: SocketAddr,
    waiting: Waiting,
}

impl Joining {
    fn send(&self, datagram: &[u8]) {
        self.seat.send(self.server, |out| out.push(datagram));
    }

    /// Shows the server where we are, until it has seen us.
    async fn check(&mut self, request: &[u8]) -> Result<(), ClientError> {
        loop {
            self.send(request);
            let answered = async {
                while !ice::is_answer(&self.waiting.next().await?.datagram, request) {}
                Ok(())
            };
            if let Ok(answered) = timeout(ice::RETRY, answered).await {
                return answered;
            }
        }
    }

    async fn shake(
        &mut self,
        endpoint: &DtlsEndpoint,
        negotiated: &Negotiated,
        ours: &Credentials,
    ) -> Result<Shaken, ClientError> {
        let woken = Arc::new(Woken(Notify::new()));
        let fingerprints = negotiated.remote_fingerprints.clone();
        let mut handshake = endpoint
            .start(negotiated.role, fingerprints, Arc::clone(&woken).into())
            .map_err(ClientError::rtc)?;
        loop {
            while let Some(event) = handshake.poll() {
                match event {
                    HandshakeEvent::Transmit(datagram) => self.send(&datagram),
                    HandshakeEvent::Failed(error) => return Err(ClientError::rtc(error)),
                    HandshakeEvent::Established(done) => {
                        let material = &done.keying_material.0;
                        let is_client = done.role == Role::Client;
                        let keys =
                            SessionKeys::from_exporter(done.srtp_profile, material, is_client);
                        return Ok((keys.map_err(ClientError::rtc)?, done.association));
                    }
                }
            }
            tokio::select! {
                received = self.waiting.next() => {
                    let early = received?;
                    match classify(&early.datagram) {
                        Kind::Dtls => handshake.receive(Bytes::from(early.datagram)),
                        // The server has its keys a little sooner than we have ours.
                        Kind::Rtp | Kind::Rtcp => self.waiting.keep(early),
                        // A server that isn't as passive as ours checks us too, before it says more.
                        Kind::Stun => {
                            let answer = ice::answer(&early.datagram, ours, self.server);
                            answer.iter().for_each(|answer| self.send(answer));
                        }
                        Kind::Other => {}
                    }
                }
                () = woken.0.notified() => {}
            }
        }
    }
}
