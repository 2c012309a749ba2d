//! The responder of one session.

use std::net::SocketAddr;

use ring::hmac;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::credentials::Credentials;
use super::message::{BINDING_REQUEST, FormatError, Message};
use super::response::Response;

/// Why a datagram is not answered. It is dropped; the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StunError {
    /// It is no well-formed STUN message.
    #[error("no STUN message: {0}")]
    Format(#[from] FormatError),
    /// It is an indication, a response or another method. Keep-alives are indications.
    #[error("STUN message 0x{kind:04x} is no binding request")]
    NotARequest {
        /// The type of the message.
        kind: u16,
    },
    /// USERNAME is missing or names another session.
    #[error("binding request for another user")]
    User,
    /// MESSAGE-INTEGRITY is missing or was made with another password.
    #[error("binding request without a valid MESSAGE-INTEGRITY")]
    Integrity,
}

/// What a check has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The address is good for media.
    Success,
    /// The peer says that it is controlled, which only a lite agent is: 487.
    RoleConflict,
    /// The request has attributes that cannot be left aside: 420.
    UnknownAttributes,
}

/// The answer to an authenticated request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What to send to where the request came from.
    pub response: Response,
    /// What the check has come to.
    pub outcome: Outcome,
    /// Whether the peer nominates this pair of addresses (USE-CANDIDATE of a successful check).
    pub is_nominated: bool,
    /// The peer's priority for a candidate that it learns by this check.
    pub priority: Option<u32>,
}

/// Answers the connectivity checks of one session (RFC 8445, 7.3).
#[derive(Debug, Clone)]
pub struct IceLite {
    local: Credentials,
    remote_ufrag: Option<String>,
    // The hash of the padded password is kept, so that a check costs two hashes of its own bytes.
    key: hmac::Key,
}

impl IceLite {
    /// A responder. `remote_ufrag` is the peer's user name fragment from its description; without it,
    /// any is taken, since the password alone authenticates.
    pub fn new(local: Credentials, remote_ufrag: Option<&str>) -> Self {
        let secret = local.password().as_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
        Self { local, remote_ufrag: remote_ufrag.map(str::to_owned), key }
    }

    /// Our side's credentials, as they are in the description.
    pub const fn local(&self) -> &Credentials {
        &self.local
    }

    /// Verifies a binding request that came from this address, and makes the answer.
    ///
    /// An answer means that the sender knows the password. What fails to show that gets no answer.
    pub fn answer(&self, from: SocketAddr, datagram: &[u8]) -> Result<Answer, StunError> {
        let message = Message::parse(datagram)?;
        if message.kind != BINDING_REQUEST {
            return Err(StunError::NotARequest { kind: message.kind });
        }
        let (receiver, sender) = message.fragments().ok_or(StunError::User)?;
        let is_peer = self.remote_ufrag.as_deref().is_none_or(|remote| remote == sender);
        if receiver != self.local.ufrag() || !is_peer {
            return Err(StunError::User);
        }
        message.verify_fingerprint()?;
        self.verify(&message)?;
        Ok(self.respond(from, &message))
    }

    fn verify(&self, message: &Message<'_>) -> Result<(), StunError> {
        let (place, found) = message.integrity.ok_or(StunError::Integrity)?;
        let [kind, rest] = message.signed().ok_or(StunError::Integrity)?;
        // The length that was signed ends with MESSAGE-INTEGRITY: 24 bytes more, without the header's 20.
        let length = u16::try_from(place.saturating_add(4)).unwrap_or_default();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind);
        context.update(&length.to_be_bytes());
        context.update(rest);
        let is_right = bool::from(context.sign().as_ref().ct_eq(found));
        if is_right { Ok(()) } else { Err(StunError::Integrity) }
    }

    fn respond(&self, from: SocketAddr, message: &Message<'_>) -> Answer {
        let transaction = &message.transaction;
        let (outcome, response) = if !message.unknown().is_empty() {
            let unknown = message.unknown();
            let response =
                Response::error(transaction, 420, "Unknown Attribute", unknown, &self.key);
            (Outcome::UnknownAttributes, response)
        } else if message.is_from_controlled {
            let response = Response::error(transaction, 487, "Role Conflict", &[], &self.key);
            (Outcome::RoleConflict, response)
        } else {
            (Outcome::Success, Response::success(transaction, from, &self.key))
        };
        let is_nominated = outcome == Outcome::Success && message.has_use_candidate;
        Answer { response, outcome, is_nominated, priority: message.priority }
    }
}
