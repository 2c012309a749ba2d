//! What passes between the network and the handshake's implementation.
//!
//! Crate `dtls` takes records that no handshake has, joins no pieces that overlap, answers warnings with warnings, and queues without a
//! bound; it repeats a flight at a fixed pace for ever, and never its last. What it gets and gives goes
//! through here, where it is put right.

use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

use super::assembly::Assembly;
use super::association::Sent;
use super::hello::Hellos;
use super::record::{
    ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, Record, fragments, put_message, records,
};
use crate::dtls::{DtlsError, Role};

/// Bytes of a handshake, repetitions included. A flight with an RSA-4096 chain has 5 KiB.
const INBOUND_LIMIT: usize = 512 * 1024;
/// Messages of one side, numbered from 0. The longest handshake has under ten; of each number the implementation
/// keeps one, and looks through all for each that comes.
const MESSAGES: u16 = 64;
/// What the implementation can read at once.
const LONGEST_RECORD: usize = 8192;
/// Nonce and tag of an encrypted record.
const SEALED_OVERHEAD: usize = 24;
/// How soon a flight is repeated first. The gap doubles, up to [`LONGEST_GAP`].
pub(super) const FIRST_GAP: Duration = Duration::from_millis(75);
const LONGEST_GAP: Duration = Duration::from_secs(1);
/// Repetitions are asked for at multiples of the first gap, and timers are late by a little.
const TOLERANCE: Duration = Duration::from_millis(10);
/// Datagrams of our last flight.
const LAST_FLIGHT: usize = 4;

/// What the peer sends.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    received: usize,
    assembly: Assembly,
    pub(super) hellos: Hellos,
    /// The peer has told why it ends the handshake.
    pub(super) has_alert: bool,
}

impl Inbound {
    /// The records of a datagram that may matter, with the messages that are whole by it.
    pub(super) fn admit(&mut self, datagram: &[u8]) -> Result<Vec<Bytes>, DtlsError> {
        self.received = self.received.saturating_add(datagram.len());
        if self.received > INBOUND_LIMIT {
            return Err(DtlsError::TooMuch { limit: INBOUND_LIMIT });
        }
        let mut admitted = Vec::new();
        for record in records(datagram) {
            let record = match (record.epoch, record.kind) {
                (0, HANDSHAKE) => self.whole_messages(&record)?,
                _ if self.is_wanted(&record) => Some(Bytes::copy_from_slice(record.whole)),
                _ => None,
            };
            admitted.extend(record.filter(|record| record.len() <= LONGEST_RECORD));
        }
        Ok(admitted)
    }

    /// The messages that are whole by this record, in one with its number.
    fn whole_messages(&mut self, record: &Record<'_>) -> Result<Option<Bytes>, DtlsError> {
        let malformed = || DtlsError::Failed { reason: "malformed message".to_owned() };
        let mut content = Vec::new();
        for fragment in fragments(record.content) {
            let fragment = fragment.filter(|it| it.message < MESSAGES).ok_or_else(malformed)?;
            let whole = self.assembly.take(&fragment).map_err(|_| malformed())?;
            if let Some(body) = whole {
                self.hellos.take(fragment.kind, &body).map_err(|_| malformed())?;
                put_message(&fragment, &body, &mut content);
            }
        }
        let Ok(length) = u16::try_from(content.len()) else { return Ok(None) };
        let numbered = record.whole.get(..HEADER.saturating_sub(2)).unwrap_or_default();
        let whole = [numbered, &length.to_be_bytes(), &content].concat();
        Ok((length > 0).then(|| whole.into()))
    }

    fn is_wanted(&mut self, record: &Record<'_>) -> bool {
        match (record.epoch, record.kind) {
            (0, CHANGE_CIPHER_SPEC) => record.content == [1],
            (0, ALERT) => {
                // A warning would be answered by the same warning, for ever.
                let is_end = matches!(record.content, [2, _] | [_, 0]);
                self.has_alert |= is_end;
                is_end
            }
            (1, HANDSHAKE | ALERT) => record.content.len() > SEALED_OVERHEAD,
            _ => false,
        }
    }
}

/// What we send.
#[derive(Debug)]
pub(super) struct Outbound {
    role: Role,
    pub(super) sent: Sent,
    /// We have told why we end the handshake.
    pub(super) has_alert: bool,
    /// The newest message that was sent.
    newest: Option<u16>,
    /// Message and offset that the last datagram began with.
    place: (u16, usize),
    is_due: bool,
    started: Instant,
    gap: Duration,
    due: Instant,
}

impl Outbound {
    pub(super) fn new(role: Role, now: Instant) -> Self {
        Self {
            role,
            sent: Sent::default(),
            has_alert: false,
            newest: None,
            place: (0, 0),
            is_due: true,
            started: now,
            gap: FIRST_GAP,
            due: now,
        }
    }

    /// Whether a datagram of the implementation goes out now.
    pub(super) fn admit(&mut self, now: Instant, datagram: &Bytes) -> bool {
        let mut first = None;
        let (mut has_change, mut has_sealed, mut has_alert) = (false, false, false);
        let mut newest = None;
        for record in records(datagram) {
            let next = record.sequence.saturating_add(1);
            match record.epoch {
                0 => self.sent.plain = self.sent.plain.max(next),
                _ => self.sent.sealed = self.sent.sealed.max(next),
            }
            match (record.epoch, record.kind) {
                (0, HANDSHAKE) => {
                    for fragment in fragments(record.content).flatten() {
                        first = first.or(Some((fragment.message, fragment.offset)));
                        newest = newest.max(Some(fragment.message));
                    }
                }
                (0, CHANGE_CIPHER_SPEC) => has_change = true,
                (_, ALERT) => has_alert = true,
                (_, _) => has_sealed = true,
            }
        }
        self.has_alert |= has_alert;
        // The client's last flight is answered by the server's; the server's is answered by nobody.
        if self.role == Role::Server {
            if has_change {
                self.sent.last_flight = vec![datagram.clone()];
                self.is_due = true;
            } else if has_sealed && self.sent.last_flight.len() < LAST_FLIGHT {
                self.sent.last_flight.push(datagram.clone());
            }
        }
        if let Some(first) = first {
            self.pace(now, first, newest);
        }
        self.is_due || has_alert
    }

    /// Tells new flights, which go out at once, from repetitions, which go out when they are due.
    fn pace(&mut self, now: Instant, first: (u16, usize), newest: Option<u16>) {
        if self.newest.is_none_or(|newest| first.0 > newest) {
            self.is_due = true;
            self.started = now;
            self.gap = FIRST_GAP;
            self.due = self.started.checked_add(self.gap).unwrap_or(now);
        } else if first <= self.place {
            self.is_due = now.checked_add(TOLERANCE).is_some_and(|now| now >= self.due);
            if self.is_due {
                self.gap = self.gap.saturating_mul(2).min(LONGEST_GAP);
                self.due = now.checked_add(self.gap).unwrap_or(now);
            }
        }
        self.place = first;
        self.newest = self.newest.max(newest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len() as u16;
        let mut record = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0];
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(content);
        record
    }

    fn message(number: u8) -> Bytes {
        record(HANDSHAKE, 0, &[14, 0, 0, 0, 0, number, 0, 0, 0, 0, 0, 0]).into()
    }

    #[test]
    fn only_records_of_a_handshake_pass() {
        let mut inbound = Inbound::default();
        let mut passes = |record: Vec<u8>| inbound.admit(&record).unwrap() == [record];
        assert!(passes(message(0).to_vec()));
        assert!(passes(record(CHANGE_CIPHER_SPEC, 0, &[1])));
        assert!(!passes(record(CHANGE_CIPHER_SPEC, 0, &[2])));
        assert!(!passes(record(CHANGE_CIPHER_SPEC, 1, &[1])));
        assert!(!passes(record(23, 0, b"data")));
        assert!(!passes(record(ALERT, 0, &[1, 90])));
        assert!(!passes(record(ALERT, 1, &[0; 24])));
        assert!(passes(record(ALERT, 1, &[0; 26])));
        assert!(!passes(record(HANDSHAKE, 2, &[0; 48])));
        assert!(!inbound.has_alert);
        assert_eq!(inbound.admit(&record(ALERT, 0, &[2, 40])).unwrap().len(), 1);
        assert!(inbound.has_alert);
    }

    #[test]
    fn a_record_between_others_is_taken_out() {
        let mixed = [record(23, 0, b"data"), message(0).to_vec(), record(99, 0, &[])].concat();
        assert_eq!(Inbound::default().admit(&mixed), Ok(vec![message(0)]));
    }

    #[test]
    fn pieces_pass_as_the_message_that_they_make() {
        let mut inbound = Inbound::default();
        let piece = |offset: u8, bytes: &[u8]| {
            let head = [14, 0, 0, 4, 0, 3, 0, 0, offset, 0, 0, bytes.len() as u8];
            record(HANDSHAKE, 0, &[&head[..], bytes].concat())
        };
        assert_eq!(inbound.admit(&piece(0, &[1, 2])), Ok(Vec::new()));
        // The one that completes it comes with another message in its datagram.
        let last = [piece(1, &[2, 3, 4]), message(4).to_vec()].concat();
        let whole = record(HANDSHAKE, 0, &[14, 0, 0, 4, 0, 3, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]);
        assert_eq!(inbound.admit(&last), Ok(vec![whole.into(), message(4)]));
    }

    #[test]
    fn a_flood_and_a_malformed_message_end_the_handshake() {
        let mut inbound = Inbound::default();
        let flood = vec![0; 64 * 1024];
        let end = (0..100).find_map(|_| inbound.admit(&flood).err());
        assert_eq!(end, Some(DtlsError::TooMuch { limit: INBOUND_LIMIT }));
        let broken = record(HANDSHAKE, 0, &[1, 0, 0, 9]);
        assert!(matches!(Inbound::default().admit(&broken), Err(DtlsError::Failed { .. })));
    }

    #[test]
    fn messages_have_numbers_of_a_handshake() {
        assert!(Inbound::default().admit(&message(MESSAGES as u8 - 1)).is_ok());
        let beyond = Inbound::default().admit(&message(MESSAGES as u8));
        assert!(matches!(beyond, Err(DtlsError::Failed { .. })));
    }

    #[test]
    fn flights_are_repeated_with_doubling_gaps_and_new_ones_go_at_once() {
        let start = Instant::now();
        let mut outbound = Outbound::new(Role::Client, start);
        let mut times = Vec::new();
        for tick in 0..80u32 {
            let now = start + FIRST_GAP * tick;
            if outbound.admit(now, &message(1)) {
                times.push(tick);
            }
        }
        assert_eq!(times[..6], [0, 1, 3, 7, 15, 29]);
        let now = start + FIRST_GAP * 80;
        assert!(outbound.admit(now, &message(2)));
        assert!(outbound.admit(now, &message(3)));
        assert!(!outbound.admit(now, &message(2)));
        assert!(!outbound.admit(now, &message(3)));
        assert!(outbound.admit(now, &record(ALERT, 0, &[2, 40]).into()));
    }
}
