//! What players and publishers have in common: from the offer to the keys.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    task::Wake,
};

use bytes::Bytes;
use rtc_stack::{
    Codec, CodecParameters, Limits,
    dtls::{Association, Dtls, Fingerprint, HandshakeEvent, Reaction, Role},
    sdp::{Answer, CandidateProtocol, Negotiated, OfferBuilder},
    srtp::{Inbound, Outbound, SessionKeys},
    stun::{Credentials, Kind, classify},
};
use tokio::{net::TcpStream, sync::Notify, time::timeout};

use super::{
    Endpoint, ice,
    janus::{self, Handle, KeptAlive},
    signalling,
    socket::Socket,
};
use crate::{client::ClientError, target::Target, url::HttpUrl};

/// What a client wants of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Play,
    Publish,
}

/// A connection that has keys.
pub(super) struct Session {
    pub(super) negotiated: Negotiated,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    association: Box<dyn Association>,
    request: Vec<u8>,
    /// Of a server that forgets who is silent.
    _kept: Option<KeptAlive>,
}

struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Session {
    /// Connects client `index`; takes as long as the server lets it wait.
    pub(super) async fn connect(
        index: u32,
        (target, url): (Target, &HttpUrl),
        endpoint: &Endpoint,
        purpose: Purpose,
    ) -> Result<(Socket, Self), ClientError> {
        let entropy = std::array::from_fn(|_| fastrand::u8(..));
        let ours = Credentials::from_entropy("", &entropy).map_err(ClientError::rtc)?;
        let (fingerprint, seed) = (endpoint.0.fingerprint().clone(), fastrand::u64(..));
        let signalled = target.connect(index).await.map_err(ClientError::Connect)?;
        let agreed = agree(signalled, (target, url), &ours, (fingerprint, seed), purpose);
        let (negotiated, kept) = agreed.await?;
        let peer = media_address(&negotiated, target)
            .ok_or_else(|| ClientError::Rtc("no UDP candidate".to_owned()))?;
        let socket = Socket::connect(index, peer).await.map_err(ClientError::Connect)?;
        let request = ice::binding_request(&ours, &negotiated).map_err(ClientError::rtc)?;
        check(&socket, &request).await?;
        // A server that isn't as passive as ours checks us too, before it says more.
        let answered = |datagram: &[u8]| {
            ice::answer(datagram, &ours, peer).iter().for_each(|answer| socket.send(answer));
        };
        let (keys, association) = shake(&socket, endpoint, &negotiated, answered).await?;
        let outbound = Outbound::new(&keys.0).map_err(ClientError::rtc)?;
        let inbound = Inbound::new(keys.1, &Limits::default());
        let session = Self { negotiated, inbound, outbound, association, request, _kept: kept };
        Ok((socket, session))
    }

    /// Says that we are still there.
    pub(super) fn consent(&self, socket: &Socket) {
        socket.send(&self.request);
    }

    /// Takes a DTLS datagram, which may be a goodbye.
    pub(super) fn receive_dtls(
        &mut self,
        datagram: &[u8],
        socket: &Socket,
    ) -> Result<(), ClientError> {
        match self.association.receive(datagram) {
            Reaction::Closed => return Err(ClientError::Closed),
            Reaction::Retransmit(flight) => {
                flight.iter().for_each(|datagram| socket.send(datagram))
            }
            _ => {}
        }
        Ok(())
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, socket: &Socket) {
        socket.send(&self.association.close());
    }
}

/// Comes to an agreement with the server, in its dialect.
async fn agree(
    mut signalled: TcpStream,
    (target, url): (Target, &HttpUrl),
    ours: &Credentials,
    (fingerprint, seed): (Fingerprint, u64),
    purpose: Purpose,
) -> Result<(Negotiated, Option<KeptAlive>), ClientError> {
    let builder = match (janus::named_by(url), purpose) {
        (Some(name), Purpose::Play) => {
            let handle = Handle::attach(signalled, (url, name), "streaming").await?;
            let played = janus::play((target, url), handle, ours, fingerprint).await;
            return played.map(|(negotiated, kept)| (negotiated, Some(kept)));
        }
        (None, Purpose::Play) => OfferBuilder::play(ours.clone(), fingerprint, seed),
        (_, Purpose::Publish) => OfferBuilder::publish(ours.clone(), fingerprint, seed),
    };
    let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    let offer = builder
        .audio([CodecParameters::new(Codec::Opus)])
        .video([CodecParameters::new(Codec::H264).with_fmtp(h264)])
        .build()
        .map_err(ClientError::rtc)?;
    if let Some(name) = janus::named_by(url) {
        let handle = Handle::attach(signalled, (url, name), "videoroom").await?;
        let published = janus::publish((target, url), handle, &offer).await;
        return published.map(|(negotiated, kept)| (negotiated, Some(kept)));
    }
    let answer = signalling::post(&mut signalled, url, &offer.to_string()).await?;
    let answer = Answer::parse(&answer).and_then(|answer| answer.accept(&offer));
    Ok((answer.map_err(ClientError::rtc)?, None))
}

/// Where the media goes: a loopback address of the server's, or another of this machine's, or else
/// the port that it names at the one that it was reached at.
fn media_address(negotiated: &Negotiated, target: Target) -> Option<SocketAddr> {
    let udp = negotiated.remote_candidates.iter();
    let udp = udp.filter(|candidate| candidate.protocol == CandidateProtocol::Udp);
    let mut addresses = udp.filter_map(|candidate| candidate.address());
    let first = addresses.clone().next()?;
    let local = addresses.clone().find(|address| address.ip().to_canonical().is_loopback());
    let local = local.or_else(|| addresses.find(|address| is_ours(address.ip())));
    Some(local.unwrap_or_else(|| target.with_port(first.port())))
}

/// Whether an address is one of this machine's: no other can be bound.
fn is_ours(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && UdpSocket::bind((address, 0)).is_ok()
}

/// Shows the server where we are, until it has seen us.
async fn check(socket: &Socket, request: &[u8]) -> Result<(), ClientError> {
    loop {
        socket.send(request);
        let mut is_answered = false;
        let take = |datagram: &mut [u8]| is_answered |= ice::is_answer(datagram, request);
        match timeout(ice::RETRY, socket.receive(take)).await {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::ConnectionRefused => {
                return Err(error.into());
            }
            Ok(Err(_)) => tokio::time::sleep(ice::RETRY).await,
            _ if is_answered => return Ok(()),
            _ => {}
        }
    }
}

type Shaken = ((SessionKeys, SessionKeys), Box<dyn Association>);

async fn shake(
    socket: &Socket,
    endpoint: &Endpoint,
    negotiated: &Negotiated,
    checked: impl Fn(&[u8]),
) -> Result<Shaken, ClientError> {
    let woken = Arc::new(Woken(Notify::new()));
    let fingerprints = negotiated.remote_fingerprints.clone();
    let mut handshake = endpoint
        .0
        .start(negotiated.role, fingerprints, Arc::clone(&woken).into())
        .map_err(ClientError::rtc)?;
    loop {
        while let Some(event) = handshake.poll() {
            match event {
                HandshakeEvent::Transmit(datagram) => socket.send(&datagram),
                HandshakeEvent::Failed(error) => return Err(ClientError::rtc(error)),
                HandshakeEvent::Established(done) => {
                    let material = &done.keying_material.0;
                    let is_client = done.role == Role::Client;
                    let keys = SessionKeys::from_exporter(done.srtp_profile, material, is_client);
                    return Ok((keys.map_err(ClientError::rtc)?, done.association));
                }
            }
        }
        let take = |datagram: &mut [u8]| match classify(datagram) {
            Kind::Dtls => handshake.receive(Bytes::copy_from_slice(datagram)),
            Kind::Stun => checked(datagram),
            _ => {}
        };
        tokio::select! {
            received = socket.receive(take) => { received?; }
            () = woken.0.notified() => {}
        }
    }
}
