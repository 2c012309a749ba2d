//! The head of a finished file: what it measures, and where its keyframes are.

use bytes::BytesMut;
use thiserror::Error;

use crate::{
    AudioTagHeader, BodyTooLong, Keyframe, Metadata, SeekTable, Tag, TagKind, VideoTagHeader, mux,
};

/// What there is to say of a file at its head, gathered from its tags.
///
/// Give it all tags of the file but its `onMetaData`. Then [`head`](Self::head) makes the bytes
/// that come before them. A file that is written as its tags come in first
/// [reserves](Self::reserved_len) room for its head and writes
/// [`head_of_len`](Self::head_of_len) over it in the end. A file whose writer died is mended in
/// the same way, from the tags that a [`Demuxer`](crate::Demuxer) finds in it.
///
/// ```
/// use flv_mux::{Demuxer, FileSummary, Limits, Metadata, TagKind, mux};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut damaged = bytes::BytesMut::new();
/// # mux::encode_header(&mut damaged, false, true);
/// # for time in [0, 40, 80] {
/// #     mux::encode_tag(&mut damaged, TagKind::Video, time, &[0x17, 1, 0, 0, 0, 0x65])?;
/// # }
/// # damaged.truncate(damaged.len() - 2);
/// // The writer died: no duration, no index, and half a tag at the end.
/// let mut demuxer = Demuxer::with_resync(Limits::default());
/// demuxer.receive(&damaged);
/// demuxer.finish();
/// let (mut summary, mut old, mut tags) = (FileSummary::new(), Metadata::default(), Vec::new());
/// while let Some(tag) = demuxer.poll_tag()? {
///     match Metadata::decode(&tag.body, &Limits::default()) {
///         Ok(metadata) if tag.kind == TagKind::Script => old = metadata,
///         _ => {
///             summary.add(&tag);
///             tags.push(tag);
///         }
///     }
/// }
/// let mut mended = summary.head(&old)?;
/// for tag in &tags {
///     tag.encode(&mut mended)?;
/// }
/// assert_eq!(summary.duration(), 120);
/// # Ok(())
/// # }
/// ```
///
/// Memory: [`MAX_KEYFRAMES`](Self::MAX_KEYFRAMES). Of a longer file, every second keyframe is left
/// out, as often as it takes.
#[derive(Debug, Clone, Default)]
pub struct FileSummary {
    /// Bytes of all tags so far.
    len: u64,
    audio_len: u64,
    video_len: u64,
    script_len: u64,
    has_audio: bool,
    has_video: bool,
    first: Option<u64>,
    clock: Option<u64>,
    last: [Track; 2],
    /// Positions count from the first tag behind the head.
    keyframes: Vec<Keyframe>,
    /// Only every so many keyframes is kept: a power of two; 0 at first, for 1.
    stride_log: u32,
    seen_keyframes: u64,
    ends_with_keyframe: bool,
}

/// The last frame of audio or video.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    time: Option<u64>,
    /// How long the frame before it lasted: the guess for the last.
    delta: u64,
}

/// Why a file's head could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The properties do not fit AMF0.
    #[error("onMetaData: {0}")]
    Encode(#[from] amf0::EncodeError),
    /// The properties do not fit a tag.
    #[error("onMetaData: {0}")]
    TooLong(#[from] BodyTooLong),
    /// The head does not fit its room, even without keyframes.
    #[error("file head takes {needed} bytes, {len} are there")]
    NoRoom {
        /// Bytes that it takes at least.
        needed: usize,
        /// Bytes that are there.
        len: usize,
    },
}

/// The property that takes up the room that is left.
const FILLER: &str = "filler";
/// The same with a name that is two bytes longer.
const LONG_FILLER: &str = "filler__";
/// Bytes of a filler without its text: the name with its length, the type, the text's length.
const FILLER_LEN: usize = 11;

impl FileSummary {
    /// Most keyframes that are kept: 128 KB, and as much in the file's head. A reader with the
    /// default [`Limits`](crate::Limits) takes that many.
    pub const MAX_KEYFRAMES: usize = 8000;

    /// A file without tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of the next tag of the file.
    pub fn add(&mut self, tag: &Tag) {
        let position = self.len;
        let len = u64::try_from(mux::encoded_len(tag.body.len())).unwrap_or(u64::MAX);
        self.len = self.len.saturating_add(len);
        let time = self.time(tag.timestamp);
        match tag.kind {
            TagKind::Audio => {
                self.has_audio = true;
                self.audio_len = self.audio_len.saturating_add(len);
                let header = AudioTagHeader::decode(&tag.body);
                if header.is_ok_and(|(header, _)| header.is_frame()) {
                    self.frame(0, time);
                }
            }
            TagKind::Video => {
                self.has_video = true;
                self.video_len = self.video_len.saturating_add(len);
                let Ok((header, _)) = VideoTagHeader::decode(&tag.body) else { return };
                if header.is_frame() {
                    self.frame(1, time);
                    self.ends_with_keyframe = header.is_keyframe();
                }
                if header.is_keyframe() {
                    self.keyframe(Keyframe { time, position });
                }
            }
            _ => self.script_len = self.script_len.saturating_add(len),
        }
    }

    /// How long the file lasts, in milliseconds: from its first frame to the end of its last,
    /// which is taken to be as long as the one before it.
    pub fn duration(&self) -> u64 {
        let ends =
            self.last.iter().filter_map(|track| Some(track.time?.saturating_add(track.delta)));
        ends.max().unwrap_or(0).saturating_sub(self.first.unwrap_or(0))
    }

    /// Bytes of the tags, without the head.
    pub fn tags_len(&self) -> u64 {
        self.len
    }

    /// Bytes to reserve for a head with these properties and so many keyframes.
    ///
    /// # Errors
    ///
    /// [`HeadError`] when a tag cannot carry them.
    pub fn reserved_len(base: &Metadata, keyframes: usize) -> Result<usize, HeadError> {
        let summary =
            Self { keyframes: vec![Keyframe { time: 0, position: 0 }; keyframes], ..Self::new() };
        Ok(summary.encode(base, &summary.keyframes, None)?.len().saturating_add(FILLER_LEN))
    }

    /// The file header and the `onMetaData` tag of the file: the properties of `base` with
    /// duration, sizes and keyframes put in. The tags follow it.
    ///
    /// # Errors
    ///
    /// [`HeadError`].
    pub fn head(&self, base: &Metadata) -> Result<BytesMut, HeadError> {
        self.encode(base, &self.keyframes, None)
    }

    /// The head in exactly `len` bytes, with a `filler` where it is shorter. Where it is longer,
    /// it has fewer keyframes; and if it is too long without any, it has only those properties
    /// changed that `base` has.
    ///
    /// # Errors
    ///
    /// [`HeadError`].
    pub fn head_of_len(&self, base: &Metadata, len: usize) -> Result<BytesMut, HeadError> {
        let mut keyframes = self.keyframes.clone();
        loop {
            let head = self.encode(base, &keyframes, None)?;
            match len.checked_sub(head.len()) {
                Some(0) => return Ok(head),
                Some(room) if room >= FILLER_LEN => {
                    return self.encode(base, &keyframes, Some(room.saturating_sub(FILLER_LEN)));
                }
                // A keyframe less makes room for a filler.
                Some(_) if !keyframes.is_empty() => {
                    keyframes.truncate(keyframes.len().saturating_sub(1))
                }
                None if !keyframes.is_empty() => keyframes = every_second(&keyframes),
                _ => break,
            }
        }
        let mut metadata = base.clone();
        let mut set = |name: &str, value: f64| {
            if let Some(property) = metadata.properties.get_mut(name) {
                *property = value.into();
            }
        };
        set("duration", seconds(self.duration()));
        set("filesize", self.len as f64 + len as f64);
        let head = self.with_header(&metadata)?;
        if head.len() == len {
            Ok(head)
        } else {
            Err(HeadError::NoRoom { needed: head.len(), len })
        }
    }

    /// The timestamp counted on where it wraps after 2^32 ms.
    fn time(&mut self, timestamp: u32) -> u64 {
        let time = match self.clock {
            None => timestamp.into(),
            Some(clock) => {
                // The low half of the clock, and how far the timestamp is from it, either way.
                let low = u32::try_from(clock & u64::from(u32::MAX)).unwrap_or(0);
                let step = timestamp.wrapping_sub(low).cast_signed();
                clock.saturating_add_signed(step.into())
            }
        };
        self.clock = Some(time);
        time
    }

    fn frame(&mut self, track: usize, time: u64) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        let Some(track) = self.last.get_mut(track) else { return };
        if let Some(last) = track.time
            && time > last
        {
            track.delta = time.saturating_sub(last);
        }
        track.time = Some(track.time.map_or(time, |last| last.max(time)));
    }

    fn keyframe(&mut self, keyframe: Keyframe) {
        let number = self.seen_keyframes;
        self.seen_keyframes = number.saturating_add(1);
        let mask = 1_u64.checked_shl(self.stride_log).unwrap_or(0).wrapping_sub(1);
        if number & mask != 0 {
            return;
        }
        if self.keyframes.len() >= Self::MAX_KEYFRAMES {
            self.keyframes = every_second(&self.keyframes);
            self.stride_log = self.stride_log.saturating_add(1);
        }
        self.keyframes.push(keyframe);
    }

    /// The head with these keyframes and a filler of so many characters. All numbers are eight
    /// bytes whatever they are, so the first try gives the length that the positions need.
    fn encode(
        &self,
        base: &Metadata,
        keyframes: &[Keyframe],
        filler: Option<usize>,
    ) -> Result<BytesMut, HeadError> {
        let first = self.with_header(&self.metadata(base, keyframes, filler, 0))?;
        self.with_header(&self.metadata(base, keyframes, filler, first.len()))
    }

    fn with_header(&self, metadata: &Metadata) -> Result<BytesMut, HeadError> {
        let mut body = BytesMut::new();
        metadata.encode(&mut body)?;
        let mut out = BytesMut::new();
        mux::encode_header(&mut out, self.has_audio, self.has_video);
        mux::encode_tag(&mut out, TagKind::Script, 0, &body)?;
        Ok(out)
    }

    fn metadata(
        &self,
        base: &Metadata,
        keyframes: &[Keyframe],
        filler: Option<usize>,
        head_len: usize,
    ) -> Metadata {
        let head = u64::try_from(head_len).unwrap_or(u64::MAX);
        let moved = keyframes.iter().map(|keyframe| Keyframe {
            position: keyframe.position.saturating_add(head),
            ..*keyframe
        });
        let table = SeekTable::new(moved.collect());
        let last = self.last.iter().filter_map(|track| track.time).max().unwrap_or(0);
        let mut metadata = base.clone();
        let properties = &mut metadata.properties;
        properties.insert("duration", seconds(self.duration()));
        properties.insert("filesize", self.len.saturating_add(head) as f64);
        properties.insert("hasVideo", self.has_video);
        properties.insert("hasAudio", self.has_audio);
        properties.insert("hasMetadata", true);
        properties.insert("hasKeyframes", !keyframes.is_empty());
        properties.insert("canSeekToEnd", self.ends_with_keyframe);
        properties.insert("datasize", self.len as f64);
        properties.insert("videosize", self.video_len as f64);
        properties.insert("audiosize", self.audio_len as f64);
        properties.insert("lasttimestamp", seconds(last));
        properties.remove(FILLER);
        properties.remove(LONG_FILLER);
        properties.remove("keyframes");
        let ends = table.keyframes().last();
        let last_keyframe = ends.map_or((0.0, 0.0), |end| (seconds(end.time), end.position as f64));
        properties.insert("lastkeyframetimestamp", last_keyframe.0);
        properties.insert("lastkeyframelocation", last_keyframe.1);
        properties.insert("keyframes", table.to_value());
        if let Some(len) = filler {
            // From 65,536 on a text's own length takes two bytes more. What falls between is made
            // up by a longer name.
            let (name, len) = match len {
                0..=0xffff => (FILLER, len),
                0x1_0000..=0x1_0001 => (LONG_FILLER, len.saturating_sub(2)),
                _ => (FILLER, len.saturating_sub(2)),
            };
            properties.insert(name, " ".repeat(len));
        }
        metadata
    }
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn every_second(keyframes: &[Keyframe]) -> Vec<Keyframe> {
    if keyframes.len() < 2 { Vec::new() } else { keyframes.iter().step_by(2).copied().collect() }
}

#[cfg(test)]
mod tests;
