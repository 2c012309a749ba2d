use bytes::{Buf, Bytes};

use crate::MessageType;

/// `@setDataFrame` as an AMF0 string: what publishers put before the name of metadata that is to be kept.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";

/// A data message (specification 7.1.2), as it stands in an FLV script tag: a name, then its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data(Bytes);

impl Data {
    /// Strips what an FLV script tag has not: the zero byte of the AMF3 form (15) and a leading `@setDataFrame`.
    ///
    /// The values are not decoded; the payload is a slice of what is given.
    pub fn from_payload(type_id: MessageType, mut payload: Bytes) -> Self {
        if type_id == MessageType::DATA_AMF3 && payload.first() == Some(&0) {
            payload.advance(1);
        }
        if payload.starts_with(SET_DATA_FRAME) {
            payload.advance(SET_DATA_FRAME.len());
        }
        Self(payload)
    }

    /// The values in AMF0.
    pub fn into_payload(self) -> Bytes {
        self.0
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
    fn nameless_data() {
        for wire in [&[][..], &[2], &[2, 0, 9, b'x'], &[5, 5, 5, 5]] {
            let data = Data::from_payload(MessageType::DATA_AMF0, Bytes::copy_from_slice(wire));
            assert_eq!(data.name(), b"");
        }
    }
}
