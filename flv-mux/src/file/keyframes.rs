//! The keyframes of a file: where a player can start.

use amf0::{Object, Value};

use crate::{Metadata, metadata::whole_64};

/// A place in a file where decoding can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Keyframe {
    /// The tag's timestamp in milliseconds, counted on where it wraps.
    pub time: u64,
    /// Bytes from the start of the file to the tag's header.
    pub position: u64,
}

/// The keyframes of a file in the order of their times.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeekTable {
    keyframes: Vec<Keyframe>,
}

impl SeekTable {
    /// A table of these keyframes, in any order.
    pub fn new(mut keyframes: Vec<Keyframe>) -> Self {
        keyframes.sort_by_key(|keyframe| (keyframe.time, keyframe.position));
        Self { keyframes }
    }

    /// The keyframes.
    pub fn keyframes(&self) -> &[Keyframe] {
        &self.keyframes
    }

    /// The keyframe to start from to see the picture at `time` (ms): the last that is not later,
    /// or else the first. `None` of an empty table.
    pub fn seek(&self, time: u64) -> Option<Keyframe> {
        let later = self.keyframes.partition_point(|keyframe| keyframe.time <= time);
        self.keyframes.get(later.saturating_sub(1)).copied()
    }

    /// The value of `keyframes` in `onMetaData`: `times` in seconds and `filepositions` in bytes.
    pub fn to_value(&self) -> Value {
        let list = |number: fn(&Keyframe) -> f64| {
            Value::StrictArray(
                self.keyframes.iter().map(|keyframe| number(keyframe).into()).collect(),
            )
        };
        Value::Object(Object::from([
            ("filepositions", list(|keyframe| keyframe.position as f64)),
            ("times", list(|keyframe| keyframe.time as f64 / 1000.0)),
        ]))
    }
}

impl Metadata {
    /// `keyframes`: where a player can start in a file; `None` when it is absent or something
    /// else. Pairs of a time and a position that are no such are left out, and so is what one list
    /// has more than the other.
    pub fn seek_table(&self) -> Option<SeekTable> {
        let keyframes = self.properties.get("keyframes")?.as_object()?;
        let list = |name| keyframes.get(name).and_then(Value::as_array);
        let (times, positions) = list("times").zip(list("filepositions"))?;
        let read = |(time, position): (&Value, &Value)| {
            let time = whole_64((time.as_number()? * 1000.0).round())?;
            Some(Keyframe { time, position: whole_64(position.as_number()?)? })
        };
        Some(SeekTable::new(times.iter().zip(positions).filter_map(read).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> SeekTable {
        let keyframe = |time, position| Keyframe { time, position };
        SeekTable::new(vec![keyframe(2000, 900), keyframe(80, 300), keyframe(4040, 2000)])
    }

    #[test]
    fn seeks_to_the_last_keyframe_before() {
        let position = |time| table().seek(time).unwrap().position;
        assert_eq!([0, 79, 80, 1999, 2000, 9999].map(position), [300, 300, 300, 300, 900, 2000]);
        assert_eq!(SeekTable::default().seek(0), None);
    }

    #[test]
    fn reads_what_it_wrote() {
        let mut metadata = Metadata::default();
        metadata.properties.insert("keyframes", table().to_value());
        assert_eq!(metadata.seek_table(), Some(table()));
    }

    #[test]
    fn leaves_out_what_is_no_keyframe() {
        let read = |times: Vec<Value>, positions: Vec<Value>| {
            let lists = [("times", times.into()), ("filepositions", positions.into())];
            let lists: [(&str, Value); 2] = lists;
            let mut metadata = Metadata::default();
            metadata.properties.insert("keyframes", Value::Object(Object::from(lists)));
            metadata.seek_table().unwrap().keyframes().to_vec()
        };
        let times = vec![0.04.into(), f64::NAN.into(), (-1.0).into(), "1".into(), 2.0.into()];
        let positions = vec![400.0.into(), 500.0.into(), 600.0.into(), 700.0.into(), 8.5.into()];
        assert_eq!(read(times, positions), [Keyframe { time: 40, position: 400 }]);
        assert!(read(vec![0.0.into()], vec![]).is_empty());
        assert_eq!(Metadata::default().seek_table(), None);
    }
}
