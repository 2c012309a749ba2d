//! How a client and a server come to an agreement, in the server's dialect.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use rtc_stack::{
    Codec, CodecParameters,
    dtls::Fingerprint,
    sdp::{Answer, CandidateProtocol, Negotiated, OfferBuilder},
    stun::Credentials,
};
use tokio::net::TcpStream;

use super::{
    janus::{self, Handle, KeptAlive},
    session::Purpose,
    signalling,
};
use crate::{client::ClientError, target::Target, url::HttpUrl};

/// Comes to an agreement with the server, in its dialect.
pub(super) async fn agree(
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
pub(super) fn media_address(negotiated: &Negotiated, target: Target) -> Option<SocketAddr> {
    let udp = negotiated.remote_candidates.iter();
    let udp = udp.filter(|candidate| candidate.protocol == CandidateProtocol::Udp);
    let addresses: Vec<_> = udp.filter_map(|candidate| candidate.address()).collect();
    let reached = |port| target.with_port(port);
    // A client's port is of one family.
    let mut usable = addresses.iter().filter(|address| address.is_ipv4() == reached(0).is_ipv4());
    let local = usable.clone().find(|address| address.ip().is_loopback());
    let local = local.or_else(|| usable.find(|address| is_ours(address.ip())));
    local.copied().or_else(|| addresses.first().map(|first| reached(first.port())))
}

/// Whether an address is one of this machine's: no other can be bound.
fn is_ours(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && UdpSocket::bind((address, 0)).is_ok()
}
