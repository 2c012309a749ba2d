//! The controlling side of ICE at its least: one request that nominates, repeated until it is
//! answered, and then again every few seconds as consent (RFC 7675).

use std::time::Duration;

use rtc_stack::{sdp::Negotiated, stun::Credentials};
use stun::{
    agent::TransactionId,
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, Message, Setter},
    textattrs::TextAttribute,
};

/// Between two requests that have no answer.
pub(super) const RETRY: Duration = Duration::from_millis(100);
/// Between two requests of consent.
pub(super) const CONSENT: Duration = Duration::from_secs(5);

/// The type of a success response to a binding request.
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];

/// A request, ready to be sent as often as need be.
pub(super) fn binding_request(
    ours: &Credentials,
    negotiated: &Negotiated,
) -> Result<Vec<u8>, stun::Error> {
    let theirs = &negotiated.remote_ice;
    let username = format!("{}:{}", theirs.ufrag(), ours.ufrag());
    let mut message = Message::new();
    let begin: [Box<dyn Setter>; 3] = [
        Box::new(TransactionId::new()),
        Box::new(BINDING_REQUEST),
        Box::new(TextAttribute::new(ATTR_USERNAME, username)),
    ];
    message.build(&begin)?;
    message.add(ATTR_PRIORITY, &0x6eff_ffff_u32.to_be_bytes());
    message.add(ATTR_ICE_CONTROLLING, &fastrand::u64(..).to_be_bytes());
    message.add(ATTR_USE_CANDIDATE, &[]);
    MessageIntegrity::new_short_term_integrity(theirs.password().to_owned())
        .add_to(&mut message)?;
    FINGERPRINT.add_to(&mut message)?;
    Ok(message.raw)
}

/// Whether a datagram is the answer to a request. Its integrity is not looked at: this is a load
/// generator on one machine.
pub(super) fn is_answer(datagram: &[u8], request: &[u8]) -> bool {
    datagram.starts_with(&BINDING_SUCCESS) && datagram.get(8..20) == request.get(8..20)
}
