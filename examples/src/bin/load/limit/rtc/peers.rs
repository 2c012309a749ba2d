//! How players join: an answer to their offer, answers to their checks, a handshake.

use std::{collections::HashMap, error::Error, net::SocketAddr, sync::Arc, task::Wake};

use bytes::Bytes;
use rtc_stack::{
    Codec, CodecParameters,
    arena::{Destination, SendArena},
    dtls::{Association, Dtls, Established, Handshake, HandshakeEvent, Reaction, Role},
    sdp::{self, AnswerOptions, HostCandidate, TrackDescription},
    srtp::{Outbound, SessionKeys},
    stun::{Credentials, IceLite, Kind, classify, peek_username},
    transport::dtls::{Certificate, DtlsEndpoint, DtlsOptions},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};

use super::pass::{Packet, TRACKS, Track, Viewer};

type AnyError = Box<dyn Error + Send + Sync>;

/// An offer to play that waits for its answer.
pub(in crate::limit) struct Offer {
    pub(in crate::limit) sdp: String,
    pub(in crate::limit) answer: oneshot::Sender<Result<String, AnyError>>,
}

/// All who play, and all who are about to.
pub(super) struct Peers {
    dtls: DtlsEndpoint,
    here: SocketAddr,
    woken: Arc<Woken>,
    /// Those without keys, by our user name fragment.
    joining: HashMap<String, Joining>,
    /// What is still needed of how the others have joined.
    joined: HashMap<Destination, Joined>,
    viewers: Vec<Viewer>,
}

struct Joining {
    ice: IceLite,
    /// Where the player has shown itself.
    at: Option<Destination>,
    tracks: [Option<Track>; 2],
    handshake: Box<dyn Handshake>,
}

struct Joined {
    ice: IceLite,
    association: Box<dyn Association>,
}

/// Notified when a handshake has something to send.
pub(super) struct Woken(pub(super) Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Peers {
    /// Nobody yet; players are told to come `here`.
    pub(super) fn new(here: SocketAddr, woken: Arc<Woken>) -> Result<Self, AnyError> {
        let (certificate, options) = (Certificate::generate()?, DtlsOptions::default());
        let dtls = DtlsEndpoint::new(certificate, options, Handle::current());
        let (joining, joined) = (HashMap::new(), HashMap::new());
        Ok(Self { dtls, here, woken, joining, joined, viewers: Vec::new() })
    }

    /// Sends packets to everybody who plays.
    pub(super) fn pass(&mut self, packets: &[Packet], out: &mut SendArena) {
        for viewer in &mut self.viewers {
            viewer.write(packets, out);
        }
    }

    /// Whether anybody waits for an answer to what it sends.
    pub(super) fn are_joining(&self) -> bool {
        !self.joining.is_empty()
    }

    /// Answers an offer, unless who made it has gone meanwhile.
    pub(super) fn answer(&mut self, Offer { sdp, answer }: Offer) {
        let _ = answer.send(self.accept(&sdp));
    }

    fn accept(&mut self, offer: &str) -> Result<String, AnyError> {
        let local = Credentials::from_entropy("", &std::array::from_fn(|_| fastrand::u8(..)))?;
        let here = vec![HostCandidate::udp(self.here)];
        let fingerprint = self.dtls.fingerprint().clone();
        let options = AnswerOptions::new(local.clone(), fingerprint, here, fastrand::u64(..));
        let tracks = [Codec::H264, Codec::Opus].map(CodecParameters::new);
        let tracks: Vec<_> = tracks.into_iter().filter_map(TrackDescription::new).collect();
        let negotiated = sdp::Offer::parse(offer)?.answer_play(Some(&tracks), &options)?;
        let waker = Arc::clone(&self.woken).into();
        let known = negotiated.remote_fingerprints.clone();
        let handshake = self.dtls.start(negotiated.role, known, waker)?;
        let ufrag = local.ufrag().to_owned();
        let ice = IceLite::new(local, Some(negotiated.remote_ice.ufrag()));
        let tracks = TRACKS.map(|kind| Track::of(negotiated.section(kind)?));
        self.joining.insert(ufrag, Joining { ice, at: None, tracks, handshake });
        Ok(negotiated.sdp)
    }

    /// Takes a datagram, and appends what answers it. Reports and media are for nobody.
    pub(super) fn receive(&mut self, from: Destination, datagram: &[u8], out: &mut SendArena) {
        match classify(datagram) {
            Kind::Stun => self.check(from, datagram, out),
            Kind::Dtls => self.receive_dtls(from, datagram, out),
            _ => {}
        }
    }

    fn check(&mut self, from: Destination, datagram: &[u8], out: &mut SendArena) {
        let Some((ufrag, _)) = peek_username(datagram) else { return };
        let joining = self.joining.get_mut(ufrag);
        let joined = self.joined.get(&from).map(|joined| &joined.ice);
        let Some(ice) = joining.as_ref().map(|joining| &joining.ice).or(joined) else { return };
        let Ok(answer) = ice.answer(from.peer, datagram) else { return };
        out.push(from, answer.response.as_ref());
        if let Some(joining) = joining {
            joining.at = Some(from);
        }
    }

    fn receive_dtls(&mut self, from: Destination, datagram: &[u8], out: &mut SendArena) {
        let mut joining = self.joining.values_mut();
        if let Some(joining) = joining.find(|joining| joining.at == Some(from)) {
            joining.handshake.receive(Bytes::copy_from_slice(datagram));
            return;
        }
        let Some(joined) = self.joined.get_mut(&from) else { return };
        match joined.association.receive(datagram) {
            Reaction::Retransmit(flight) => {
                flight.iter().for_each(|datagram| out.push(from, datagram));
            }
            Reaction::Closed => self.leave(from),
            _ => {}
        }
    }

    /// Takes what the handshakes have brought forth, and appends what they have to send.
    pub(super) fn shake(&mut self, out: &mut SendArena) {
        let mut done = Vec::new();
        self.joining.retain(|_, joining| {
            while let Some(event) = joining.handshake.poll() {
                match (event, joining.at) {
                    (HandshakeEvent::Transmit(datagram), Some(at)) => out.push(at, &datagram),
                    (HandshakeEvent::Established(established), Some(at)) => {
                        done.push((at, joining.ice.clone(), joining.tracks, established));
                        return false;
                    }
                    (HandshakeEvent::Failed(error), _) => {
                        eprintln!("{error}");
                        return false;
                    }
                    // Who has not shown itself gets nothing yet.
                    (_, None) => {}
                }
            }
            true
        });
        for (at, ice, tracks, established) in done {
            // One that has been at this address before has gone without a word.
            self.leave(at);
            match keys(&established) {
                Ok(srtp) => {
                    self.viewers.push(Viewer { to: at, tracks, srtp });
                    let association = established.association;
                    self.joined.insert(at, Joined { ice, association });
                }
                Err(error) => eprintln!("{error}"),
            }
        }
    }

    fn leave(&mut self, from: Destination) {
        if self.joined.remove(&from).is_some() {
            self.viewers.retain(|viewer| viewer.to != from);
        }
    }
}

/// The keys of what goes to the player.
fn keys(done: &Established) -> Result<Outbound, AnyError> {
    let is_client = done.role == Role::Client;
    let keys = SessionKeys::from_exporter(done.srtp_profile, &done.keying_material.0, is_client)?;
    Ok(Outbound::new(&keys.0)?)
}
