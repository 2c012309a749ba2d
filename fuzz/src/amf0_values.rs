//! AMF0 values.

use amf0::{Decoder, Limits, Value, decode, decode_all, encode_all};
use bytes::BytesMut;

/// AMF0 bytes: all ways of decoding agree, the limits hold, and what was decoded can be written
/// and read again.
pub fn amf0(data: &[u8]) {
    let limits = Limits { depth: 8, bytes: 64 * 1024, values: 1000 };
    let all = decode_all(data, &limits);

    if let Ok(mut decoder) = Decoder::new(data, &limits) {
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
        }
        if let Ok((first, len)) = decode(data, &limits) {
            assert!(len <= data.len());
            assert_eq!(format!("{first:?}"), format!("{:?}", values[0]));
        }
    }

    let Ok(values) = all else { return };
    assert!(values.iter().map(count).sum::<usize>() <= limits.values);
    assert!(values.iter().map(depth).max().unwrap_or(0) <= limits.depth);
    let mut written = BytesMut::new();
    // Text that was not UTF-8 gets longer when it is repaired, and may not fit a name any more.
    if encode_all(&values, &mut written).is_err() {
        return;
    }
    let wide = Limits { bytes: 4 * limits.bytes, ..limits };
    let read = decode_all(&written, &wide).expect("what was written can be read");
    let mut again = BytesMut::new();
    encode_all(&read, &mut again).expect("what was read can be written");
    assert_eq!(written, again);
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::StrictArray(values) => values.iter().collect(),
        other => other.as_object().into_iter().flat_map(|o| o.iter().map(|(_, v)| v)).collect(),
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).into_iter().map(count).sum::<usize>()
}

fn depth(value: &Value) -> usize {
    let is_container = value.as_object().is_some() || value.as_array().is_some();
    let inner = children(value).into_iter().map(depth).max().unwrap_or(0);
    usize::from(is_container) + inner
}
