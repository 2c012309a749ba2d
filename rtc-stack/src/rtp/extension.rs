use bytes::BufMut;

use crate::bytes_at::u8_at;

/// The profile of the one-byte form (RFC 8285, 4.2).
const ONE_BYTE: u16 = 0xbede;
/// The profile of the two-byte form, whose last four bits are the application's (RFC 8285, 4.3).
const TWO_BYTE: u16 = 0x1000;
const TWO_BYTE_MASK: u16 = 0xfff0;
/// The id that ends the one-byte form.
const STOP: u8 = 15;

/// Walks the header extensions of one packet as pairs of id and data (RFC 8285). Ends at the first that is malformed.
#[derive(Debug, Clone, Default)]
pub struct Extensions<'a> {
    bytes: &'a [u8],
    at: usize,
    form: Form,
}

#[derive(Debug, Clone, Copy, Default)]
enum Form {
    #[default]
    Unknown,
    OneByte,
    TwoByte,
}

impl<'a> Extensions<'a> {
    pub(super) fn new(profile: u16, bytes: &'a [u8]) -> Self {
        let form = match profile {
            ONE_BYTE => Form::OneByte,
            _ if profile & TWO_BYTE_MASK == TWO_BYTE => Form::TwoByte,
            _ => Form::Unknown,
        };
        Self { bytes, at: 0, form }
    }

    /// The data of the first extension with this id.
    #[must_use]
    pub fn data_of(mut self, id: u8) -> Option<&'a [u8]> {
        self.find_map(|(other, data)| (other == id).then_some(data))
    }

    fn step(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let first = u8_at(self.bytes, self.at)?;
            let data_at = self.at.checked_add(1)?;
            if first == 0 {
                self.at = data_at;
                continue;
            }
            let (id, len, data_at) = match self.form {
                Form::Unknown => return None,
                Form::OneByte => {
                    let (id, len) = (first >> 4, usize::from(first & 0x0f).saturating_add(1));
                    // Id 0 with a length ends the walk as id 15 does.
                    if id == 0 || id == STOP {
                        return None;
                    }
                    (id, len, data_at)
                }
                Form::TwoByte => {
                    let len = u8_at(self.bytes, data_at)?;
                    (first, usize::from(len), data_at.checked_add(1)?)
                }
            };
            let end = data_at.checked_add(len)?;
            let data = self.bytes.get(data_at..end)?;
            self.at = end;
            return Some((id, data));
        }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.step();
        if next.is_none() {
            self.bytes = &[];
        }
        next
    }
}

/// Bytes of the profile, the length and these extensions; 0 if there are none to write.
pub(super) fn encoded_len(extensions: &[(u8, &[u8])]) -> usize {
    let before = if fit_one_byte(extensions) { 1 } else { 2 };
    let len = writable(extensions)
        .fold(0, |len: usize, (_, data)| len.saturating_add(before).saturating_add(data.len()));
    if len == 0 { 0 } else { len.next_multiple_of(4).saturating_add(4) }
}

/// Fills a block of just that length.
pub(super) fn encode(extensions: &[(u8, &[u8])], block: &mut [u8]) {
    let one_byte = fit_one_byte(extensions);
    let words = u16::try_from(block.len() / 4).unwrap_or(u16::MAX).saturating_sub(1);
    let mut rest = block;
    rest.put_u16(if one_byte { ONE_BYTE } else { TWO_BYTE });
    rest.put_u16(words);
    for (id, data) in writable(extensions) {
        let len = data.len() as u8;
        if one_byte {
            rest.put_u8(id << 4 | len.saturating_sub(1));
        } else {
            rest.put_slice(&[id, len]);
        }
        rest.put_slice(data);
    }
    rest.fill(0);
}

fn writable<'a>(
    extensions: &'a [(u8, &'a [u8])],
) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
    extensions.iter().copied().filter(|(id, data)| *id != 0 && data.len() <= 255)
}

fn fit_one_byte(extensions: &[(u8, &[u8])]) -> bool {
    writable(extensions).all(|(id, data)| id < STOP && fits_nibble(data))
}

const fn fits_nibble(data: &[u8]) -> bool {
    matches!(data.len(), 1..=16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(profile: u16, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        Extensions::new(profile, bytes).map(|(id, data)| (id, data.to_vec())).collect()
    }

    #[test]
    fn one_byte_form_of_the_specification() {
        // RFC 8285, 4.2: one byte, two bytes, padding, four bytes.
        let bytes = [0x10, 0xaa, 0x21, 0xbb, 0xbb, 0, 0, 0x33, 1, 2, 3, 4];
        let all = vec![(1, vec![0xaa]), (2, vec![0xbb, 0xbb]), (3, vec![1, 2, 3, 4])];
        assert_eq!(walk(0xbede, &bytes), all);
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(walk(0xbede, cut), all[..2]);
    }

    #[test]
    fn two_byte_form_of_the_specification() {
        // RFC 8285, 4.3: no byte, one byte, padding, four bytes; the application's bits are anything.
        let bytes = [1, 0, 2, 1, 0xaa, 0, 15, 4, 1, 2, 3, 4];
        let all = vec![(1, vec![]), (2, vec![0xaa]), (15, vec![1, 2, 3, 4])];
        assert_eq!(walk(0x1000, &bytes), all);
        assert_eq!(walk(0x100f, &bytes), all);
        assert_eq!(walk(0x1010, &bytes), []);
    }

    #[test]
    fn the_stop_id_and_a_long_padding_end_the_one_byte_form() {
        assert_eq!(walk(0xbede, &[0x10, 1, 0xf0, 2, 0x20, 3]), [(1, vec![1])]);
        assert_eq!(walk(0xbede, &[0x10, 1, 0x01, 2, 2, 0x20, 3]), [(1, vec![1])]);
    }

    #[test]
    fn what_fits_into_no_form_is_left_out() {
        let extensions = [(0, &[1][..]), (3, &[0; 256]), (4, &[5])];
        assert_eq!(encoded_len(&extensions), 8);
        let mut out = [0xff; 8];
        encode(&extensions, &mut out);
        assert_eq!(out, [0xbe, 0xde, 0, 1, 0x40, 5, 0, 0]);
        assert_eq!(encoded_len(&extensions[..2]), 0);
    }

    #[test]
    fn one_extension_of_the_two_byte_form_makes_all_so() {
        let extensions = [(1, &[9][..]), (2, &[])];
        let mut out = [0xff; 12];
        assert_eq!(encoded_len(&extensions), out.len());
        encode(&extensions, &mut out);
        assert_eq!(out, [0x10, 0, 0, 2, 1, 1, 9, 2, 0, 0, 0, 0]);
    }
}
