//! WHIP and WHEP clients (feature `client`): what pulls from other servers, pushes to them, and tests one.
//!
//! An [`Offering`] makes the offer and takes the answer; how these travel (an HTTP `POST`, RFC 9725) is the caller's.
//! Then there is a [`Publisher`], which sends packets, or a [`Player`], which receives them:
//!
//! ```no_run
//! use rtc_stack::client::{ClientOptions, Event, Offering};
//! use rtc_stack::{Codec, CodecParameters};
//!
//! # async fn post(_offer: &str) -> String { String::new() }
//! # async fn play() -> Result<(), Box<dyn std::error::Error>> {
//! let codecs = [Codec::H264, Codec::Opus].map(CodecParameters::new);
//! let offering = Offering::play(&codecs, ClientOptions::default()).await?;
//! let answer = post(offering.sdp()).await;
//! let mut player = offering.into_player(&answer).await?;
//! while let Some(event) = player.next().await {
//!     if let Event::Packet { track, packet } = event {
//!         println!("track {track}: {} bytes", packet.payload().len());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The media runs through an [`Sfu`](crate::sfu::Sfu) with one peer, so that a client reports, asks for what is missing
//! and sends again just as the server does. Paths are found by crate `webrtc-ice`, an agent of five to seven tasks that
//! live until the client is closed; it takes UDP candidates alone. Needs a tokio runtime with time and I/O.

mod clock;
mod driver;
mod error;
mod event;
mod offering;
mod path;
mod player;
mod publisher;
mod queue;

use std::time::Duration;

pub use error::{ClientError, SendError};
pub use event::{ClientStatistics, EndReason, Event};
pub use offering::Offering;
pub use player::Player;
pub use publisher::Publisher;

use crate::Limits;
use crate::transport::dtls::Certificate;

/// How a client behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Our certificate. By default each client makes its own; many clients of one process do well to share one.
    pub certificate: Option<Certificate>,
    /// How long it may take from the answer until media may flow (default 10 s).
    pub connect_timeout: Duration,
    /// How long nothing at all may come from the peer, answers to checks included (default 15 s, at least 6 s).
    pub silence_timeout: Duration,
    /// Whether addresses of the loopback interface are candidates too, for a peer on this machine (default no: a peer
    /// elsewhere would try its own).
    pub with_loopback: bool,
    /// Packets are asked for again, and sent again (default yes).
    pub nack: bool,
    /// Events that wait to be taken (default 1,024). Packets that come while so many wait are dropped and counted.
    /// Bounds 1.5 MiB.
    pub events: usize,
    /// Batches of packets that wait to be sent (default 256). A publisher that brings more is told.
    pub batches: usize,
    /// What the peer can make the client hold.
    pub limits: Limits,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            certificate: None,
            connect_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(15),
            with_loopback: false,
            nack: true,
            events: 1024,
            batches: 256,
            limits: Limits::default(),
        }
    }
}
