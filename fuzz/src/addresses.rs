//! Handshakes, AMF3 values and addresses.

use amf0::{Limits, amf3};
use bytes::BytesMut;
use rtmp_proto::{
    RtmpUrl,
    handshake::{ClientHandshake, HandshakeForm, PACKET_SIZE, ServerHandshake},
    url::resolve,
};

use crate::split::Split;

/// A `Split`, then bytes of the other side of a handshake, taken by both sides in either form: any
/// split gives the same answer, and what is left is what follows.
pub fn handshake(data: &[u8]) {
    let (split, rest) = Split::take(data);
    let server = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut handshake = ServerHandshake::new(1);
        let mut out = BytesMut::new();
        let mut seen = (false, 0, true);
        for mut piece in pieces {
            match handshake.receive(&mut piece, &mut out) {
                Ok(is_done) => {
                    assert!(is_done || piece.is_empty());
                    seen = (is_done, seen.1 + piece.len(), true);
                }
                Err(_) => return (out, (false, 0, false), handshake.form()),
            }
        }
        assert!(out.is_empty() || out.len() == 1 + 2 * PACKET_SIZE);
        (out, seen, handshake.form())
    };
    assert_eq!(server(&mut std::iter::once(rest)), server(&mut split.pieces(rest)));
    for form in [HandshakeForm::Simple, HandshakeForm::Complex] {
        let client = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut out = BytesMut::new();
            let mut handshake = ClientHandshake::new(form, 1, &mut out);
            assert_eq!(out.len(), 1 + PACKET_SIZE);
            let mut left = 0;
            for mut piece in pieces {
                match handshake.receive(&mut piece, &mut out) {
                    Ok(is_done) => assert!(is_done || piece.is_empty()),
                    Err(_) => return (BytesMut::new(), 0, form),
                }
                left += piece.len();
            }
            (out, left, handshake.form())
        };
        assert_eq!(client(&mut std::iter::once(rest)), client(&mut split.pieces(rest)));
    }
}

/// AMF3 values: all ways of decoding agree, the limits hold, and each value can be written in AMF0
/// or says why not.
pub fn amf3(data: &[u8]) {
    let limits = Limits { depth: 8, bytes: 64 * 1024, values: 1000 };
    let all = amf3::decode_all(data, &limits);
    let Ok(mut decoder) = amf3::Decoder::new(data, &limits) else { return };
    let mut values = Vec::new();
    let end = loop {
        match decoder.decode_next() {
            Ok(Some(value)) => values.push(value),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        assert_eq!(decoder.position() + decoder.remaining().len(), data.len());
    };
    assert_eq!(end.is_ok(), all.is_ok());
    if let Ok(all) = &all {
        assert_eq!(format!("{all:?}"), format!("{values:?}"));
        let _ = amf0::encode_all(all, &mut BytesMut::new());
    }
    if let Ok((first, len)) = amf3::decode(data, &limits) {
        assert!(len <= data.len());
        assert_eq!(format!("{first:?}"), format!("{:?}", values[0]));
    }
}

/// Lines of text: an address, and what a `connect` and a `publish` say. What was read names an app
/// and a stream, and is read the same again.
pub fn url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or("");
    let (first, app, stream) = (next(), next(), next());
    if let Ok(url) = RtmpUrl::parse(first)
        && let Ok(address) = url.address()
    {
        assert!(!address.stream.is_empty());
        assert!(!url.tc_url().is_empty());
    }
    if let Ok(url) = RtmpUrl::from_parts(first, stream) {
        let _ = url.address();
    }
    if let Ok(address) = resolve(first, app, stream) {
        assert!(!address.stream.is_empty());
        assert_eq!(resolve(first, app, stream), Ok(address));
    }
}
