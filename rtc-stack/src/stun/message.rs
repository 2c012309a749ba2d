//! A bounds-checked reading of one STUN message (RFC 8489, 5 and 14).

use thiserror::Error;

use super::checksum;

pub(super) const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
pub(super) const HEADER: usize = 20;
pub(super) const INTEGRITY: usize = 20;

pub(super) const USERNAME: u16 = 0x0006;
pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(super) const ERROR_CODE: u16 = 0x0009;
pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(super) const PRIORITY: u16 = 0x0024;
pub(super) const USE_CANDIDATE: u16 = 0x0025;
pub(super) const FINGERPRINT: u16 = 0x8028;
pub(super) const ICE_CONTROLLED: u16 = 0x8029;
pub(super) const ICE_CONTROLLING: u16 = 0x802a;

pub(super) const BINDING_REQUEST: u16 = 0x0001;

/// Attributes looked at in one message. A browser's check has seven.
const ATTRIBUTES: usize = 32;
/// Unknown attributes named in an answer.
pub(super) const UNKNOWN: usize = 8;

/// Why a datagram is no STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Shorter than the header of 20 bytes.
    #[error("{length} bytes, the header has 20")]
    Short {
        /// Bytes there are.
        length: usize,
    },
    /// The first two bits or the magic cookie are others.
    #[error("no STUN header")]
    Header,
    /// The length in the header is not what follows it, or no multiple of 4.
    #[error("header says {said} bytes of attributes, there are {length}")]
    Length {
        /// What the header says.
        said: usize,
        /// Bytes after the header.
        length: usize,
    },
    /// An attribute reaches beyond the message.
    #[error("attribute 0x{attribute:04x} of {length} bytes reaches beyond the message")]
    Attribute {
        /// Its type.
        attribute: u16,
        /// What it says its length is.
        length: usize,
    },
    /// An attribute of a fixed size has another.
    #[error("attribute 0x{attribute:04x} has {length} bytes")]
    AttributeLength {
        /// Its type.
        attribute: u16,
        /// Its length.
        length: usize,
    },
    /// More attributes than anybody sends.
    #[error("more than {limit} attributes")]
    TooManyAttributes {
        /// The limit.
        limit: usize,
    },
    /// FINGERPRINT is there but not at the end.
    #[error("FINGERPRINT is not the last attribute")]
    FingerprintPlace,
    /// FINGERPRINT doesn't match.
    #[error("wrong FINGERPRINT")]
    Fingerprint,
}

/// The parts of a message that a responder needs, still in the datagram.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Message<'a> {
    datagram: &'a [u8],
    pub(super) kind: u16,
    pub(super) transaction: [u8; 12],
    pub(super) username: Option<&'a [u8]>,
    pub(super) priority: Option<u32>,
    pub(super) has_use_candidate: bool,
    pub(super) is_from_controlled: bool,
    /// Where MESSAGE-INTEGRITY begins, and its value.
    pub(super) integrity: Option<(usize, &'a [u8; INTEGRITY])>,
    pub(super) fingerprint: Option<(usize, u32)>,
    /// Unknown attributes that must be understood, the first few of them.
    unknown: [u16; UNKNOWN],
    unknown_count: usize,
}

impl<'a> Message<'a> {
    /// Reads a whole datagram. The checksum is verified by [`verify_fingerprint`](Self::verify_fingerprint).
    pub(super) fn parse(datagram: &'a [u8]) -> Result<Self, FormatError> {
        let Some((header, attributes)) = datagram.split_first_chunk::<HEADER>() else {
            return Err(FormatError::Short { length: datagram.len() });
        };
        let [k0, k1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *header;
        if k0 > 0x3f || [c0, c1, c2, c3] != MAGIC_COOKIE {
            return Err(FormatError::Header);
        }
        let said = usize::from(u16::from_be_bytes([l0, l1]));
        if said != attributes.len() || !said.is_multiple_of(4) {
            return Err(FormatError::Length { said, length: attributes.len() });
        }
        let kind = u16::from_be_bytes([k0, k1]);
        let mut message = Self { datagram, kind, transaction, ..Self::default() };
        message.walk(attributes)?;
        Ok(message)
    }

    fn walk(&mut self, mut rest: &'a [u8]) -> Result<(), FormatError> {
        for _ in 0..ATTRIBUTES {
            let Some(([t0, t1, l0, l1], after)) = rest.split_first_chunk::<4>() else {
                return Ok(());
            };
            if self.fingerprint.is_some() {
                return Err(FormatError::FingerprintPlace);
            }
            let place = self.datagram.len().saturating_sub(rest.len());
            let attribute = u16::from_be_bytes([*t0, *t1]);
            let length = usize::from(u16::from_be_bytes([*l0, *l1]));
            let Some((value, _)) = after.split_at_checked(length) else {
                return Err(FormatError::Attribute { attribute, length });
            };
            rest = after
                .get(length.next_multiple_of(4)..)
                .ok_or(FormatError::Attribute { attribute, length })?;
            self.take(attribute, value, place)?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(FormatError::TooManyAttributes { limit: ATTRIBUTES })
    }

    fn take(&mut self, attribute: u16, value: &'a [u8], place: usize) -> Result<(), FormatError> {
        let wrong = FormatError::AttributeLength { attribute, length: value.len() };
        if attribute == FINGERPRINT {
            let value = value.try_into().map_err(|_| wrong)?;
            self.fingerprint = Some((place, u32::from_be_bytes(value)));
            return Ok(());
        }
        // Nothing vouches for what follows MESSAGE-INTEGRITY (RFC 8489, 14.5).
        if self.integrity.is_some() {
            return Ok(());
        }
        match attribute {
            // Only the first of each counts (RFC 8489, 5).
            USERNAME => self.username = self.username.or(Some(value)),
            PRIORITY => {
                let value = value.try_into().map_err(|_| wrong)?;
                self.priority = self.priority.or(Some(u32::from_be_bytes(value)));
            }
            USE_CANDIDATE => self.has_use_candidate = true,
            ICE_CONTROLLED => self.is_from_controlled = true,
            ICE_CONTROLLING => {}
            MESSAGE_INTEGRITY => {
                self.integrity = Some((place, value.try_into().map_err(|_| wrong)?));
            }
            0..=0x7fff => {
                if let Some(slot) = self.unknown.get_mut(self.unknown_count) {
                    *slot = attribute;
                    self.unknown_count = self.unknown_count.saturating_add(1);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The unknown attributes that a responder must understand, at most [`UNKNOWN`] of them.
    pub(super) fn unknown(&self) -> &[u16] {
        self.unknown.get(..self.unknown_count).unwrap_or_default()
    }

    /// Both halves of the user name: the receiver's fragment, then the sender's (RFC 8445, 7.2.2).
    pub(super) fn fragments(&self) -> Option<(&'a str, &'a str)> {
        let (receiver, sender) = std::str::from_utf8(self.username?).ok()?.split_once(':')?;
        let is_whole = |name: &str| (4..=256).contains(&name.len());
        (is_whole(receiver) && is_whole(sender)).then_some((receiver, sender))
    }

    /// What MESSAGE-INTEGRITY is made of: the message before it, with a length that includes it.
    pub(super) fn signed(&self) -> Option<[&'a [u8]; 2]> {
        let (place, _) = self.integrity?;
        Some([self.datagram.get(..2)?, self.datagram.get(4..place)?])
    }

    /// Checks the checksum, where there is one.
    pub(super) fn verify_fingerprint(&self) -> Result<(), FormatError> {
        match self.fingerprint {
            Some((place, value)) => {
                let before = self.datagram.get(..place).unwrap_or_default();
                let is_right = checksum::fingerprint([before]) == value;
                if is_right { Ok(()) } else { Err(FormatError::Fingerprint) }
            }
            None => Ok(()),
        }
    }
}

/// The user name of a binding request: the receiver's user name fragment and the sender's.
///
/// `None` if the datagram is anything else. Nothing is verified: this is for finding the session that
/// can, at the price of one look-up for a datagram from an unknown address.
pub fn peek_username(datagram: &[u8]) -> Option<(&str, &str)> {
    let message = Message::parse(datagram).ok()?;
    let is_check = message.kind == BINDING_REQUEST && message.integrity.is_some();
    if is_check { message.fragments() } else { None }
}
