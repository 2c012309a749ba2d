//! A shard with its socket and its handshakes, driven as one future.
#![allow(clippy::disallowed_methods, reason = "it drives sans-io parts by the clock")]

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::Arc,
    task::Wake,
    time::{Duration, Instant, UNIX_EPOCH},
};

use bytes::Bytes;
use thiserror::Error;
use tokio::{runtime::Handle, sync::Notify, time::sleep_until};

use crate::{
    Limits,
    arena::Destination,
    dtls::{Association, Dtls, DtlsError, Handshake, HandshakeEvent, Reaction, Role as DtlsRole},
    sdp::{AnswerOptions, HostCandidate, Offer, SdpError},
    session::{Flow, Outgoing, Transport},
    sfu::{Event, PeerConfig, PeerId, Role, Sfu, SfuConfig, SfuError},
    srtp::SessionKeys,
    stun::{Credentials, CredentialsError},
    transport::{
        dtls::{Certificate, CertificateError, DtlsEndpoint, DtlsOptions},
        udp::{UdpOptions, UdpSocket},
    },
};

/// How long a shard that waits for nothing sleeps.
const IDLE: Duration = Duration::from_secs(1);

/// Why there is no server, or an offer got no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The socket.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A handshake.
    #[error(transparent)]
    Dtls(#[from] DtlsError),
    /// The offer.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// The shard.
    #[error(transparent)]
    Sfu(#[from] SfuError),
    /// The credentials that were drawn.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// One [`Sfu`] on one UDP port: offers become answers, and what peers send becomes events.
///
/// It moves only while [`next`](Self::next) is awaited.
pub struct RtcServer {
    socket: UdpSocket,
    sfu: Sfu,
    dtls: DtlsEndpoint,
    woken: Arc<Woken>,
    securities: HashMap<PeerId, Security>,
    out: Outgoing,
}

/// What keys a peer has, or will have.
enum Security {
    Shaking(Box<dyn Handshake>),
    Done(Box<dyn Association>),
}

struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl RtcServer {
    /// Binds the port, within a tokio runtime, with a certificate of its own.
    ///
    /// # Errors
    ///
    /// When the port is taken, or no certificate can be made.
    pub fn bind(address: SocketAddr, limits: Limits) -> Result<Self, ServerError> {
        let (certificate, options) = (Certificate::generate()?, DtlsOptions::default());
        let config = SfuConfig::new(Instant::now(), UNIX_EPOCH.elapsed().unwrap_or_default());
        Ok(Self {
            socket: UdpSocket::bind(address, &UdpOptions::default())?,
            sfu: Sfu::new(config, limits, fastrand::u64(..)),
            dtls: DtlsEndpoint::new(certificate, options, Handle::current()),
            woken: Arc::new(Woken(Notify::new())),
            securities: HashMap::new(),
            out: Outgoing::default(),
        })
    }

    /// The shard, and where it puts what is to be sent: goes out with the next turn.
    pub fn sfu(&mut self) -> (&mut Sfu, &mut Outgoing) {
        (&mut self.sfu, &mut self.out)
    }

    /// Makes a peer of an offer, and gives the answer's SDP.
    ///
    /// # Errors
    ///
    /// When the offer is malformed, names nothing that can be served, or the shard is full.
    pub fn accept(&mut self, role: Role, offer: &str) -> Result<(PeerId, String), ServerError> {
        let ice = Credentials::from_entropy("", &std::array::from_fn(|_| fastrand::u8(..)))?;
        let here = HostCandidate::udp(self.socket.local_addr());
        let fingerprint = self.dtls.fingerprint().clone();
        let options = AnswerOptions::new(ice.clone(), fingerprint, vec![here], fastrand::u64(..));
        let offer = Offer::parse(offer)?;
        let negotiated = match role {
            Role::Publisher => offer.answer_publish(&options)?,
            Role::Viewer => offer.answer_play(None, &options)?,
        };
        let known = negotiated.remote_fingerprints.clone();
        let handshake = self.dtls.start(negotiated.role, known, Arc::clone(&self.woken).into())?;
        let peer = self.sfu.insert(Instant::now(), PeerConfig::new(role, ice, &negotiated))?;
        self.securities.insert(peer, Security::Shaking(handshake));
        Ok((peer, negotiated.sdp))
    }

    /// Drives everything until something happens; dropping the future loses nothing.
    ///
    /// Handshakes are dealt with here: no [`Event::Dtls`] is returned.
    ///
    /// # Errors
    ///
    /// When the socket fails.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            let now = Instant::now();
            self.shake(now);
            self.sfu.handle_timeout(now, &mut self.out);
            // What the events of a batch lead to is sent as one.
            if let Some(event) = self.poll(now) {
                return Ok(event);
            }
            self.socket.send(&self.out.udp);
            self.out.clear();
            let due = self.sfu.poll_timeout().or_else(|| now.checked_add(IDLE)).unwrap_or(now);
            let (sfu, out) = (&mut self.sfu, &mut self.out);
            let take = |destination: Destination, datagram: &mut [u8]| {
                let flow = Flow { destination, transport: Transport::Udp };
                sfu.receive(Instant::now(), flow, datagram, out);
            };
            tokio::select! {
                received = self.socket.receive(take) => { received?; }
                () = self.woken.0.notified() => {}
                () = sleep_until(due.into()) => {}
            }
        }
    }

    fn poll(&mut self, now: Instant) -> Option<Event> {
        loop {
            match self.sfu.poll_event()? {
                Event::Dtls { peer, datagram } => self.receive_dtls(now, peer, datagram),
                event => {
                    if let Event::Closed { peer, .. } = &event {
                        self.securities.remove(peer);
                    }
                    return Some(event);
                }
            }
        }
    }

    /// Takes what the handshakes have brought forth.
    fn shake(&mut self, now: Instant) {
        for (peer, security) in &mut self.securities {
            while let Security::Shaking(handshake) = security {
                match handshake.poll() {
                    Some(HandshakeEvent::Transmit(datagram)) => {
                        self.sfu.send_dtls(*peer, &datagram, &mut self.out);
                    }
                    Some(HandshakeEvent::Established(done)) => {
                        let (profile, material) = (done.srtp_profile, &done.keying_material.0);
                        let is_client = done.role == DtlsRole::Client;
                        // The shard closes a peer that never gets keys, as one that is silent.
                        if let Ok((ours, theirs)) =
                            SessionKeys::from_exporter(profile, material, is_client)
                        {
                            let out = &mut self.out;
                            let _ = self.sfu.established(now, *peer, &ours, theirs, out);
                        }
                        *security = Security::Done(done.association);
                    }
                    Some(HandshakeEvent::Failed(_)) | None => break,
                }
            }
        }
    }

    fn receive_dtls(&mut self, now: Instant, peer: PeerId, datagram: Bytes) {
        match self.securities.get_mut(&peer) {
            Some(Security::Shaking(handshake)) => handshake.receive(datagram),
            Some(Security::Done(association)) => match association.receive(&datagram) {
                Reaction::Retransmit(flight) => {
                    for datagram in flight {
                        self.sfu.send_dtls(peer, &datagram, &mut self.out);
                    }
                }
                Reaction::Closed => self.sfu.hint_closed(now, peer),
                _ => {}
            },
            None => self.sfu.hint_closed(now, peer),
        }
    }
}
