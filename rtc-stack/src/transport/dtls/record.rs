//! The records of a datagram, and what can be read of a handshake without keys (RFC 6347, 4.1 and 4.2).

/// Bytes before a record's content.
pub(super) const HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;

/// One record: its header's fields, and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: u8,
    pub(super) epoch: u16,
    /// 48 bits.
    pub(super) sequence: u64,
    pub(super) content: &'a [u8],
    /// Header and content.
    pub(super) whole: &'a [u8],
}

/// The records of a datagram, up to the first that isn't one.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (record, after) = read(rest)?;
        rest = after;
        Some(record)
    })
}

fn read(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let [kind, 0xfe, _, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1] = *header else { return None };
    if !(CHANGE_CIPHER_SPEC..=23).contains(&kind) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let (whole, after) = bytes.split_at_checked(HEADER.saturating_add(length))?;
    let record = Record {
        kind,
        epoch: u16::from_be_bytes([e0, e1]),
        sequence: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
        content: whole.get(HEADER..)?,
        whole,
    };
    Some((record, after))
}

/// A piece of a handshake message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) kind: u8,
    /// Bytes of the whole message.
    pub(super) length: usize,
    pub(super) message: u16,
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
}

/// The handshake messages of an unencrypted record. `None` in place of what isn't one.
pub(super) fn fragments(content: &[u8]) -> impl Iterator<Item = Option<Fragment<'_>>> {
    let mut rest = Some(content);
    std::iter::from_fn(move || {
        let bytes = rest.filter(|bytes| !bytes.is_empty())?;
        let read = read_fragment(bytes);
        rest = read.map(|(_, after)| after);
        Some(read.map(|(fragment, _)| fragment))
    })
}

fn read_fragment(bytes: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, body) = bytes.split_first_chunk::<HANDSHAKE_HEADER>()?;
    let [kind, l0, l1, l2, m0, m1, o0, o1, o2, f0, f1, f2] = *header;
    let size = |a, b, c| usize::try_from(u32::from_be_bytes([0, a, b, c])).ok();
    let (length, offset) = (size(l0, l1, l2)?, size(o0, o1, o2)?);
    let (bytes, after) = body.split_at_checked(size(f0, f1, f2)?)?;
    if offset.saturating_add(bytes.len()) > length {
        return None;
    }
    let message = u16::from_be_bytes([m0, m1]);
    Some((Fragment { kind, length, message, offset, bytes }, after))
}

/// Appends a message as one piece.
pub(super) fn put_message(of: &Fragment<'_>, body: &[u8], out: &mut Vec<u8>) {
    let [.., l0, l1, l2] = body.len().to_be_bytes();
    let [m0, m1] = of.message.to_be_bytes();
    out.extend([of.kind, l0, l1, l2, m0, m1, 0, 0, 0, l0, l1, l2]);
    out.extend_from_slice(body);
}

/// An alert that no key protects: for a handshake that ends before there are any.
pub(super) fn plain_alert(sequence: u64, description: u8) -> [u8; HEADER + 2] {
    let [_, _, s0, s1, s2, s3, s4, s5] = sequence.to_be_bytes();
    [ALERT, 0xfe, 0xfd, 0, 0, s0, s1, s2, s3, s4, s5, 0, 2, 2, description]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_at_the_first_that_is_none() {
        let one = plain_alert(0x0102_0304_0506, 40);
        let mut two = [one, one].concat();
        assert_eq!(records(&two).count(), 2);
        let record = records(&one).next().unwrap();
        assert_eq!((record.kind, record.epoch, record.sequence), (ALERT, 0, 0x0102_0304_0506));
        assert_eq!(record.content, [2, 40]);
        for length in 0..two.len() {
            assert_eq!(records(&two[..length]).count(), length / one.len(), "{length}");
        }
        two[one.len()] = 99;
        assert_eq!(records(&two).count(), 1);
    }

    #[test]
    fn fragments_stay_within_their_record_and_message() {
        let whole = [14, 0, 0, 4, 0, 3, 0, 0, 1, 0, 0, 2, 8, 9];
        let read: Vec<_> = fragments(&whole).collect();
        let fragment = Fragment { kind: 14, length: 4, message: 3, offset: 1, bytes: &[8, 9] };
        assert_eq!(read, [Some(fragment)]);
        for length in 1..whole.len() {
            assert_eq!(fragments(&whole[..length]).collect::<Vec<_>>(), [None], "{length}");
        }
        let beyond = [14, 0, 0, 2, 0, 3, 0, 0, 1, 0, 0, 2, 8, 9];
        assert_eq!(fragments(&beyond).collect::<Vec<_>>(), [None]);
        assert_eq!(fragments(&[]).count(), 0);
        let mut joined = Vec::new();
        put_message(&fragment, &[6, 7, 8, 9], &mut joined);
        assert_eq!(joined, [14, 0, 0, 4, 0, 3, 0, 0, 0, 0, 0, 4, 6, 7, 8, 9]);
    }
}
