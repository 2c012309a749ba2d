//! The controlling side of ICE at its least: one request that nominates, repeated until it is
//! answered, and then again every few seconds as consent (RFC 7675).

use std::{net::SocketAddr, time::Duration};

use rtc_stack::{sdp::Negotiated, stun::Credentials};
use stun::{
    agent::TransactionId,
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter},
    textattrs::TextAttribute,
    xoraddr::XorMappedAddress,
};

/// Between two requests that have no answer.
pub(super) const RETRY: Duration = Duration::from_millis(100);
/// Between two requests of consent.
pub(super) const CONSENT: Duration = Duration::from_secs(5);

/// What a success response to a binding request begins with.
const SUCCESS: [u8; 2] = [0x01, 0x01];

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

/// The answer to a server's own check, for one that answers ours by it.
pub(super) fn answer(datagram: &[u8], ours: &Credentials, from: SocketAddr) -> Option<Vec<u8>> {
    let mut check = Message::new();
    check.unmarshal_binary(datagram).ok()?;
    if check.typ != BINDING_REQUEST {
        return None;
    }
    let mut message = Message::new();
    let begin: [Box<dyn Setter>; 3] = [
        Box::new(check.transaction_id),
        Box::new(BINDING_SUCCESS),
        Box::new(XorMappedAddress { ip: from.ip(), port: from.port() }),
    ];
    message.build(&begin).ok()?;
    let integrity = MessageIntegrity::new_short_term_integrity(ours.password().to_owned());
    integrity.add_to(&mut message).ok()?;
    FINGERPRINT.add_to(&mut message).ok()?;
    Some(message.raw)
}

/// Whether a datagram is the answer to a request. Its integrity is not looked at: this is a load
/// generator on one machine.
pub(super) fn is_answer(datagram: &[u8], request: &[u8]) -> bool {
    datagram.starts_with(&SUCCESS) && datagram.get(8..20) == request.get(8..20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_stack::stun::IceLite;

    #[test]
    fn a_check_is_answered_by_whoever_has_the_password() {
        let [ours, theirs] = [1, 2].map(|byte| Credentials::from_entropy("", &[byte; 25]).unwrap());
        let from = "192.0.2.2:5004".parse().unwrap();
        let mut check = Message::new();
        let user =
            TextAttribute::new(ATTR_USERNAME, format!("{}:{}", ours.ufrag(), theirs.ufrag()));
        let begin: [Box<dyn Setter>; 3] =
            [Box::new(TransactionId::new()), Box::new(BINDING_REQUEST), Box::new(user)];
        check.build(&begin).unwrap();
        let integrity = MessageIntegrity::new_short_term_integrity(ours.password().to_owned());
        integrity.add_to(&mut check).unwrap();
        FINGERPRINT.add_to(&mut check).unwrap();
        let response = answer(&check.raw, &ours, from).unwrap();
        assert!(is_answer(&response, &check.raw));
        // The server's own responder says the same.
        let lite = IceLite::new(ours.clone(), None).answer(from, &check.raw).unwrap();
        assert_eq!(response, lite.response.as_ref());
        assert_eq!(answer(&response, &ours, from), None);
    }
}
