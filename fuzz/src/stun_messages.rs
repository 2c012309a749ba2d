//! STUN messages.

use rtc_stack::stun::{Credentials, IceLite, Kind, classify, peek_username};

/// A datagram from nobody: only a request that names the session is answered, in few bytes, whoever asks
/// and from wherever.
pub fn stun(data: &[u8]) {
    let Ok(credentials) = Credentials::new("evtj", "VOkJxbRl1RmTxUk/WvJxBt") else { return };
    let ice = IceLite::new(credentials, None);
    let names = peek_username(data);
    for from in ["192.0.2.1:32853", "[2001:db8::1]:9"] {
        let Ok(from) = from.parse() else { return };
        let Ok(answer) = ice.answer(from, data) else { continue };
        assert_eq!(classify(data), Kind::Stun);
        assert_eq!(names.map(|(receiver, _)| receiver), Some("evtj"));
        let response = answer.response.as_ref();
        assert!(response.len() <= 128 && response.len() <= 2 * data.len());
        assert_eq!(response[4..20], data[4..20]);
        assert!(ice.answer(from, response).is_err());
    }
    // The same bytes as the attributes of a request.
    if data.len() <= 400 && data.len().is_multiple_of(4) && !data.starts_with(&[0, 1]) {
        let length = u16::try_from(data.len()).unwrap_or_default();
        let mut request = vec![0, 1];
        request.extend_from_slice(&length.to_be_bytes());
        request.extend_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        request.extend_from_slice(&[7; 12]);
        request.extend_from_slice(data);
        stun(&request);
    }
}
