//! Writing answers to binding requests (RFC 8489, 6.3.1).

use std::net::{IpAddr, SocketAddr};

use ring::hmac;

use super::checksum;
use super::message::{
    ERROR_CODE, FINGERPRINT, HEADER, INTEGRITY, MAGIC_COOKIE, MESSAGE_INTEGRITY,
    UNKNOWN_ATTRIBUTES, XOR_MAPPED_ADDRESS,
};

const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;
/// The longest answer: an error with its reason and eight unknown attributes.
const CAPACITY: usize = 128;

/// An answer to send back to where the request came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Response {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Response {
    /// The address that a request came from.
    pub(super) fn success(transaction: &[u8; 12], from: SocketAddr, key: &hmac::Key) -> Self {
        let mut response = Self::begin(SUCCESS, transaction);
        let [c0, c1, c2, c3] = MAGIC_COOKIE;
        let port = from.port() ^ u16::from_be_bytes([c0, c1]);
        let mut value = [0; 20];
        let (family, length) = match from.ip().to_canonical() {
            IpAddr::V4(ip) => {
                xor_into(value.get_mut(4..), &ip.octets(), &[c0, c1, c2, c3]);
                (1, 8)
            }
            IpAddr::V6(ip) => {
                let mut mask = [0; 16];
                xor_into(mask.get_mut(..4), &MAGIC_COOKIE, &[0; 4]);
                xor_into(mask.get_mut(4..), transaction, &[0; 12]);
                xor_into(value.get_mut(4..), &ip.octets(), &mask);
                (2, 20)
            }
        };
        xor_into(value.get_mut(1..2), &[family], &[0]);
        xor_into(value.get_mut(2..4), &port.to_be_bytes(), &[0; 2]);
        response.attribute(XOR_MAPPED_ADDRESS, value.get(..length).unwrap_or_default());
        response.end(key)
    }

    /// An error, and for a 420 what wasn't understood.
    pub(super) fn error(
        transaction: &[u8; 12],
        code: u16,
        reason: &str,
        unknown: &[u16],
        key: &hmac::Key,
    ) -> Self {
        let mut response = Self::begin(ERROR, transaction);
        let [_, class] = (code / 100).to_be_bytes();
        let [_, number] = (code % 100).to_be_bytes();
        response.head(ERROR_CODE, reason.len().saturating_add(4));
        response.put(&[0, 0, class, number]);
        response.put(reason.as_bytes());
        response.pad();
        if !unknown.is_empty() {
            response.head(UNKNOWN_ATTRIBUTES, unknown.len().saturating_mul(2));
            for attribute in unknown {
                response.put(&attribute.to_be_bytes());
            }
            response.pad();
        }
        response.end(key)
    }

    fn begin(kind: u16, transaction: &[u8; 12]) -> Self {
        let mut response = Self { bytes: [0; CAPACITY], length: 0 };
        response.put(&kind.to_be_bytes());
        response.put(&[0; 2]);
        response.put(&MAGIC_COOKIE);
        response.put(transaction);
        response
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn pad(&mut self) {
        self.length = self.length.next_multiple_of(4).min(CAPACITY);
    }

    fn head(&mut self, attribute: u16, length: usize) {
        self.put(&attribute.to_be_bytes());
        self.put(&u16::try_from(length).unwrap_or_default().to_be_bytes());
    }

    fn attribute(&mut self, attribute: u16, value: &[u8]) {
        self.head(attribute, value.len());
        self.put(value);
        self.pad();
    }

    /// Writes the length in the header as if so many bytes of attributes followed what is there.
    fn declare(&mut self, following: usize) {
        let attributes = self.length.saturating_add(following).saturating_sub(HEADER);
        let length = u16::try_from(attributes).unwrap_or_default().to_be_bytes();
        xor_into(self.bytes.get_mut(2..4), &length, &[0; 2]);
    }

    /// Ends with MESSAGE-INTEGRITY and FINGERPRINT, each over the length that includes it.
    fn end(mut self, key: &hmac::Key) -> Self {
        self.declare(INTEGRITY.saturating_add(4));
        let tag = hmac::sign(key, self.as_ref());
        self.attribute(MESSAGE_INTEGRITY, tag.as_ref());
        self.declare(8);
        let checksum = checksum::fingerprint([self.as_ref()]);
        self.attribute(FINGERPRINT, &checksum.to_be_bytes());
        self
    }
}

impl AsRef<[u8]> for Response {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({} bytes)", self.length)
    }
}

/// Writes one text masked with another, byte by byte.
fn xor_into(out: Option<&mut [u8]>, text: &[u8], mask: &[u8]) {
    for (out, (byte, mask)) in out.unwrap_or_default().iter_mut().zip(text.iter().zip(mask)) {
        *out = byte ^ mask;
    }
}
