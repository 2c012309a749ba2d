//! An offer that waits for its answer.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::Handle;

use super::driver::{self, Link, Parts};
use super::path::Path;
use super::{ClientError, ClientOptions, Player, Publisher, clock};
use crate::dtls::Dtls;
use crate::sdp::{Answer, Offer, OfferBuilder};
use crate::session::Outgoing;
use crate::sfu::{PeerConfig, Role, Sfu, SfuConfig, Track};
use crate::stun::Credentials;
use crate::transport::dtls::{Certificate, DtlsEndpoint, DtlsOptions};
use crate::{CodecParameters, MediaKind};

/// An offer with what it takes to make a client of it. Dropping it ends what it has begun.
pub struct Offering {
    offer: Offer,
    sdp: String,
    ice: Credentials,
    path: Path,
    dtls: DtlsEndpoint,
    seed: u64,
    /// What is published; none for a player.
    tracks: Vec<Track>,
    options: ClientOptions,
}

impl std::fmt::Debug for Offering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offering").field("tracks", &self.tracks).finish_non_exhaustive()
    }
}

impl Offering {
    /// Offers to publish these tracks, at most one of sound and one of pictures. Their places are their numbers.
    ///
    /// # Errors
    ///
    /// [`ClientError::Track`], and what the system or the ICE agent denies.
    pub async fn publish(
        tracks: &[CodecParameters],
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let mut seen = Vec::new();
        for (number, track) in tracks.iter().enumerate() {
            let kind = track.codec.kind();
            if kind.is_none() || seen.contains(&kind) {
                let kind = kind.map_or("unknown", MediaKind::as_str);
                return Err(ClientError::Track { number, kind });
            }
            seen.push(kind);
        }
        let published = tracks.iter().cloned().map(Track::new).collect();
        Self::make(tracks, published, options).await
    }

    /// Offers to play what there is of these codecs, of each kind the preferred one first.
    ///
    /// # Errors
    ///
    /// [`ClientError::Sdp`] without a codec, and what the system or the ICE agent denies.
    pub async fn play(
        codecs: &[CodecParameters],
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        Self::make(codecs, Vec::new(), options).await
    }

    async fn make(
        codecs: &[CodecParameters],
        tracks: Vec<Track>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let certificate = match &options.certificate {
            Some(certificate) => certificate.clone(),
            None => Certificate::generate()?,
        };
        let dtls_options = DtlsOptions { timeout: options.connect_timeout, ..Default::default() };
        let dtls = DtlsEndpoint::new(certificate, dtls_options, Handle::current());
        let entropy = random::<{ Credentials::ENTROPY }>()?;
        let ice = Credentials::from_entropy("", &entropy).map_err(|_| ClientError::Random)?;
        let seed = u64::from_ne_bytes(random()?);
        let of = |kind| -> Vec<_> {
            codecs.iter().filter(|codec| codec.codec.kind() == Some(kind)).cloned().collect()
        };
        let fingerprint = dtls.fingerprint().clone();
        let builder = match tracks.is_empty() {
            true => OfferBuilder::play(ice.clone(), fingerprint, seed),
            false => OfferBuilder::publish(ice.clone(), fingerprint, seed),
        };
        let builder = builder.audio(of(MediaKind::Audio)).video(of(MediaKind::Video));
        // An offer that cannot be made needs no agent.
        builder.clone().build()?;
        let silence = options.silence_timeout;
        let (path, candidates) = Path::gather(&ice, options.with_loopback, silence).await?;
        let offer = builder.candidates(candidates).build()?;
        let sdp = offer.to_string();
        Ok(Self { offer, sdp, ice, path, dtls, seed, tracks, options })
    }

    /// The text of the offer, with the addresses of this machine.
    pub fn sdp(&self) -> &str {
        &self.sdp
    }

    /// Takes the answer to an offer to publish, and begins to connect: [`Event::Connected`](super::Event::Connected)
    /// tells when that is done.
    ///
    /// # Errors
    ///
    /// The answer is none to the offer, names no UDP address, or the offer was to play.
    pub async fn into_publisher(self, answer: &str) -> Result<Publisher, ClientError> {
        if self.tracks.is_empty() {
            return Err(ClientError::Direction);
        }
        let codecs = self.tracks.iter().map(|track| track.parameters.codec).collect();
        let batches = self.options.batches;
        Ok(Publisher::new(self.accept(answer, Role::Viewer).await?, codecs, batches))
    }

    /// Takes the answer to an offer to play, and begins to connect.
    ///
    /// # Errors
    ///
    /// The answer is none to the offer, names no UDP address, or the offer was to publish.
    pub async fn into_player(self, answer: &str) -> Result<Player, ClientError> {
        if !self.tracks.is_empty() {
            return Err(ClientError::Direction);
        }
        Ok(Player::new(self.accept(answer, Role::Publisher).await?))
    }

    /// `role` is the peer's: one that we publish to gets what a viewer gets.
    async fn accept(self, answer: &str, role: Role) -> Result<Link, ClientError> {
        let Self { offer, ice, path, dtls, seed, tracks, options, .. } = self;
        let negotiated = Answer::parse(answer)?.accept(&offer)?;
        if path.add(&negotiated.remote_candidates).await == 0 {
            return Err(ClientError::NoCandidate);
        }
        let now = clock::now();
        let mut config = SfuConfig::new(now, clock::since_1970());
        // The agent knows whether the peer is there: one that has nothing to send is heard by it alone.
        config.stun_timeout = Duration::MAX;
        config.nack = options.nack;
        // Who publishes sends what there is from the first packet on.
        config.keyframe_wait = Duration::ZERO;
        let mut sources = offer.description().sections.iter().flat_map(|s| &s.sources);
        if let Some(cname) = sources.find_map(|source| source.cname.clone()) {
            config.cname = cname;
        }
        let mut sfu = Sfu::new(config, options.limits.clone(), seed);
        let peer = sfu.insert(now, PeerConfig::new(role, ice, &negotiated))?;
        let mut out = Outgoing::default();
        let stream = match role {
            Role::Viewer => {
                let stream = sfu.open_stream(&tracks)?;
                sfu.attach(now, peer, stream, &[], &mut out)?;
                Some(stream)
            }
            Role::Publisher => None,
        };
        Ok(driver::spawn(Parts { path, negotiated, dtls, sfu, peer, stream, out, options }))
    }
}

fn random<const N: usize>() -> Result<[u8; N], ClientError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ClientError::Random)?;
    Ok(bytes)
}
