use amf0::{Decoder, Value, encode_all};
use bytes::{Buf, Bytes, BytesMut};

use crate::MessageType;

/// The marker that switches to AMF3 within AMF0.
const AVM_PLUS: u8 = 0x11;

/// `@setDataFrame` as an AMF0 string: what publishers put before the name of metadata that is to be kept.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";

/// A data message (specification 7.1.2), as it stands in an FLV script tag: a name, then its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data(Bytes);

impl Data {
    /// Strips what an FLV script tag has not: the zero byte of the AMF3 form (15) and a leading `@setDataFrame`.
    ///
    /// The values are not decoded; the payload is a slice of what is given. Values in AMF3 stay so, see
    /// [`into_amf0`](Self::into_amf0).
    pub fn from_payload(type_id: MessageType, mut payload: Bytes) -> Self {
        if type_id == MessageType::DATA_AMF3 && payload.first() == Some(&0) {
            payload.advance(1);
        }
        if payload.starts_with(SET_DATA_FRAME) {
            payload.advance(SET_DATA_FRAME.len());
        }
        Self(payload)
    }

    /// The values as they were sent.
    pub fn into_payload(self) -> Bytes {
        self.0
    }

    /// Says values in AMF3 in AMF0, for receivers that know nothing else; without any it is the same slice.
    ///
    /// What cannot be decoded, or is longer than the limits, stays as it is: nobody has to read it.
    #[must_use]
    pub fn into_amf0(self, limits: &amf0::Limits) -> Self {
        if self.0.contains(&AVM_PLUS)
            && let Some(values) = values_with_amf3(&self.0, limits)
        {
            let mut payload = BytesMut::with_capacity(self.0.len());
            if encode_all(&values, &mut payload).is_ok() {
                return Self(payload.freeze());
            }
        }
        self
    }

    /// The name, if the payload starts with one; an empty slice if not.
    pub fn name(&self) -> &[u8] {
        let Some(([0x02, high, low], rest)) = self.0.split_first_chunk() else { return &[] };
        rest.get(..u16::from_be_bytes([*high, *low]).into()).unwrap_or_default()
    }

    /// What a publisher sends: `@setDataFrame` goes before `onMetaData`, everything else is as it is.
    pub(crate) fn to_publish(payload: &Bytes) -> Bytes {
        if Self(payload.clone()).name() == b"onMetaData" {
            [SET_DATA_FRAME, payload].concat().into()
        } else {
            payload.clone()
        }
    }
}

/// The values, if they can be read and one of them is in AMF3.
fn values_with_amf3(payload: &[u8], limits: &amf0::Limits) -> Option<Vec<Value>> {
    let mut decoder = Decoder::new(payload, limits).ok()?;
    let mut values = Vec::new();
    while let Some(value) = decoder.decode_next().ok()? {
        values.push(value);
    }
    decoder.has_amf3().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &[u8] = b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09";

    #[test]
    fn prefixes_are_stripped_without_a_copy() {
        let wire: Bytes = [&[0], SET_DATA_FRAME, META].concat().into();
        let data = Data::from_payload(MessageType::DATA_AMF3, wire.clone());
        assert_eq!(data.name(), b"onMetaData");
        let payload = data.into_payload();
        assert_eq!(payload, META);
        assert_eq!(payload.as_ptr_range().end, wire.as_ptr_range().end);
        let plain = Data::from_payload(MessageType::DATA_AMF0, Bytes::from_static(META));
        assert_eq!(plain.into_payload(), META);
    }

    #[test]
    fn a_publisher_marks_metadata_only() {
        let wire = Data::to_publish(&Bytes::from_static(META));
        assert_eq!(wire, [SET_DATA_FRAME, META].concat());
        let cue = Bytes::from_static(b"\x02\x00\x0aonCuePoint\x05");
        assert_eq!(Data::to_publish(&cue), cue);
    }

    #[test]
    fn metadata_in_amf3_becomes_amf0() {
        let limits = amf0::Limits::default();
        let wire = b"\0\x02\0\x0aonMetaData\x11\x0a\x0b\x01\x0bwidth\x04\x05\x01";
        let data = Data::from_payload(MessageType::DATA_AMF3, Bytes::from_static(wire));
        assert_eq!(
            data.into_amf0(&limits).into_payload()[..],
            b"\x02\0\x0aonMetaData\x03\0\x05width\0\x40\x14\0\0\0\0\0\0\0\0\x09"[..]
        );
        // AMF0 that only has such a byte, and AMF3 that cannot be read.
        for wire in [&b"\x02\0\x01\x11"[..], b"\x02\0\x01x\x11\x0a"] {
            let wire = Bytes::from_static(wire);
            let data = Data::from_payload(MessageType::DATA_AMF0, wire.clone()).into_amf0(&limits);
            assert_eq!(data.into_payload().as_ptr(), wire.as_ptr());
        }
    }

    #[test]
    fn nameless_data() {
        for wire in [&[][..], &[2], &[2, 0, 9, b'x'], &[5, 5, 5, 5]] {
            let data = Data::from_payload(MessageType::DATA_AMF0, Bytes::copy_from_slice(wire));
            assert_eq!(data.name(), b"");
        }
    }
}
