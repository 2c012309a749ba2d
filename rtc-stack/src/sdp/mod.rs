//! Session descriptions: offers read, answers made, and what was agreed (RFC 8866, RFC 3264, RFC 9429).
//!
//! [`Offer::parse`] reads what a browser or an encoder sends, [`Offer::answer_publish`] and [`Offer::answer_play`] make
//! the answer and say what it comes to. [`OfferBuilder::build`] and [`Answer::parse`] are for the other side, and
//! [`IceFragment`] is for what follows by `PATCH` (RFC 8840, RFC 9725).
//!
//! The lines are read by a small reader of our own. Crate `sdp` 0.17 refuses descriptions that encoders send (a
//! session's `b=` behind an attribute, `TCP` in an `m=` line, an origin whose session id is no number), has no limits,
//! and leaves the attributes, which are nearly all of WebRTC, as text. In the tests it reads our answers, as does
//! `webrtc-sdp`.

mod answer;
mod answering;
mod candidate;
mod candidates;
mod description;
mod direction;
mod error;
mod extension;
mod feedback;
mod format;
mod fragment;
mod h264;
mod line;
mod negotiated;
mod offer;
mod read;
mod setup;
mod source;
mod write;

pub use answer::Answer;
pub use answering::AnswerOptions;
pub use candidate::{Candidate, CandidateKind, CandidateProtocol};
pub use candidates::HostCandidate;
pub use description::{Description, Section, SectionCodec, SectionKind};
pub use direction::Direction;
pub use error::SdpError;
pub use extension::{Extension, ExtensionIds, ExtensionMap};
pub use feedback::Feedback;
pub use fragment::{FragmentSection, IceFragment};
pub use h264::{H264Profile, ProfileLevelId};
pub use negotiated::{
    MediaSource, Negotiated, NegotiatedCodec, NegotiatedSection, TrackDescription,
};
pub use offer::{Offer, OfferBuilder};
pub use setup::Setup;
pub use source::{GroupSemantics, Layer, Msid, Simulcast, Source, SourceGroup};

/// Most bytes of a description; what is kept of one is a small multiple.
pub const MAX_TEXT: usize = 64 * 1024;
/// Most media sections of a description.
pub const MAX_SECTIONS: usize = 64;
/// Most payload types of a section: there are no more numbers.
pub const MAX_PAYLOAD_TYPES: usize = 128;
/// Most fingerprints of a section.
pub const MAX_FINGERPRINTS: usize = 16;
/// Most sources of a section, and most groups and layers of them.
pub const MAX_SOURCES: usize = 128;
/// Most candidates of a section.
pub const MAX_CANDIDATES: usize = 128;
