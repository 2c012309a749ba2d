use bytes::{BufMut, Bytes, BytesMut};

use super::obu::{HAS_SIZE, Obu, SEQUENCE_HEADER, put_leb128, read_leb128};
use crate::bytes_at::u8_at;
use crate::payload::frame::{Damage, Frame};

/// Takes a payload: an aggregation header, then elements, of which the first may continue one, and the last may go on.
pub(in crate::payload) fn take(payload: Bytes, frame: &mut Frame) -> Result<(), Damage> {
    let aggregation = u8_at(&payload, 0).ok_or(Damage::Malformed)?;
    let (continues, goes_on) = (aggregation & 0x80 != 0, aggregation & 0x40 != 0);
    let count = usize::from(aggregation >> 4 & 0x03);
    if continues != frame.is_open() {
        return Err(Damage::Incomplete);
    }
    let (mut at, mut index) = (1_usize, 0_usize);
    while at < payload.len() {
        index = index.saturating_add(1);
        // The last of a known number of elements has no length before it.
        let mut end = payload.len();
        if index != count {
            let rest = payload.get(at..).unwrap_or_default();
            let (length, length_len) = read_leb128(rest).ok_or(Damage::Malformed)?;
            at = at.saturating_add(length_len);
            end = at.saturating_add(length);
        }
        let element = payload.get(at..end).ok_or(Damage::Malformed)?;
        if index == 1 && continues {
            frame.extend(element)?;
        } else {
            frame.begin(payload.slice(at..end))?;
        }
        at = end;
        if !(goes_on && at == payload.len()) {
            end_obu(frame)?;
        }
    }
    if index == 0 || count != 0 && index != count { Err(Damage::Malformed) } else { Ok(()) }
}

/// Gives the OBU its size, which packets should leave out, so that it can stand in a file.
fn end_obu(frame: &mut Frame) -> Result<(), Damage> {
    let Some(element) = frame.close().filter(|element| !element.is_empty()) else { return Ok(()) };
    let obu = Obu::read(&element).ok_or(Damage::Malformed)?;
    if obu.end != element.len() {
        return Err(Damage::Malformed);
    }
    if !obu.is_carried() {
        return Ok(());
    }
    let body = element.get(obu.start..).unwrap_or_default();
    let mut whole = BytesMut::with_capacity(element.len().saturating_add(4));
    whole.put_slice(obu.header());
    if let Some(first) = whole.first_mut() {
        *first |= HAS_SIZE;
    }
    put_leb128(body.len(), &mut whole);
    whole.put_slice(body);
    frame.push_counted(whole.freeze())
}

/// Whether a coded video sequence begins, which a sequence header tells.
pub(in crate::payload) fn is_keyframe(units: &[Bytes]) -> bool {
    units.iter().any(|unit| Obu::read(unit).is_some_and(|obu| obu.kind() == SEQUENCE_HEADER))
}
