//! Sends an FLV file through the hub into another FLV file.
//!
//! It shows `flv_mux::Demuxer` and `stream_hub` without a runtime: a publisher of tags, a
//! converter that turns each into its bytes once, and a reader of those bytes. With more readers
//! the converter would still run once.
//!
//! ```text
//! cargo run -p examples --example flv_through_hub -- in.flv out.flv
//! ```
//!
//! The times of a stream start at 0. So the output is the input, byte for byte, if that starts at
//! 0 too and is well-formed (no bytes between file header and first tag, correct tag sizes).

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Read, Write},
    process::ExitCode,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use flv_mux::{AudioTagHeader, Demuxer, Tag, TagKind, VideoTagHeader};
use stream_hub::{
    BusyPolicy, Convert, ConvertError, Hub, Item, Limits, Lost, OnUnpublish, Output, Place,
    PublisherId, ReadEnd, Reader, Slot, Start, StreamKey, SubscribeOptions, TrackId,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: flv_through_hub INPUT.flv OUTPUT.flv");
        return ExitCode::from(2);
    };
    match run(from, to) {
        Ok(tags) => {
            println!("{tags} tags");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{from} -> {to}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(from: &str, to: &str) -> Result<u64, Box<dyn Error>> {
    let mut input = File::open(from)?;
    let mut output = BufWriter::new(File::create(to)?);

    // A hub where FLV bytes are made of frames, once for all their readers.
    let hub = Hub::new(Limits::default());
    hub.register::<Frame, FlvTag>(Place::Inline, |_stream, _variant| Ok(Box::new(Muxer)));

    let key = StreamKey::new("", "file", from);
    // From the very first item on, not from a keyframe; and no further than the publisher's end.
    let options = SubscribeOptions {
        start: Start::Live,
        on_unpublish: OnUnpublish::End,
        ..SubscribeOptions::default()
    };
    let mut reader = hub.subscribe::<FlvTag>(&key, options, None)?;
    let who = PublisherId::new("file");
    let mut publisher = hub.publish(key, who, BusyPolicy::Refuse, Instant::now())?;
    let mut writer = publisher.track::<Frame>(TrackId(0))?;

    let mut demuxer = Demuxer::new(flv_mux::Limits::default());
    let (mut clock, mut tags, mut has_header) = (Clock::default(), 0, false);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        demuxer.receive(&buffer[..count]);
        if let (false, Some(header)) = (has_header, demuxer.header()) {
            has_header = true;
            let mut prefix = BytesMut::new();
            flv_mux::mux::encode_header(&mut prefix, header.has_audio, header.has_video);
            output.write_all(&prefix)?;
        }
        loop {
            let tag = demuxer.poll_tag();
            if let Ok(Some(tag)) = tag {
                writer.push(clock.on_stream(tag), Instant::now())?;
                tags += 1;
                // The reader keeps up, so that the lane need not hold a whole file.
                write_ready(&mut reader, &mut output)?;
                continue;
            }
            // What came before an error is written too.
            output.flush()?;
            tag?;
            break;
        }
    }
    publisher.end();
    write_ready(&mut reader, &mut output)?;
    output.flush()?;
    if !demuxer.is_at_boundary() {
        let left = demuxer.buffered();
        return Err(format!("input is cut off: {left} bytes of an unfinished tag").into());
    }
    Ok(tags)
}

/// Writes everything that the reader has.
fn write_ready(reader: &mut Reader<FlvTag>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(batch) = reader.poll_batch(&mut context, 1 << 20) {
        match batch {
            Ok(batch) => {
                for tag in batch.iter() {
                    out.write_all(&tag.bytes)?;
                }
                reader.advance(batch.len());
            }
            Err(ReadEnd::Ended) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Makes a stream's times start at 0, with the first frame.
#[derive(Default)]
struct Clock {
    start: Option<u32>,
}

impl Clock {
    fn on_stream(&mut self, tag: Tag) -> Frame {
        let mut frame = Frame(tag);
        // Metadata and sequence headers have no time of their own, and often that of a file.
        if frame.config_slot().is_none() {
            self.start.get_or_insert(frame.0.timestamp);
        }
        let start = self.start.unwrap_or(frame.0.timestamp);
        frame.0.timestamp = frame.0.timestamp.saturating_sub(start);
        frame
    }
}

/// What is published: a tag.
#[derive(Clone)]
struct Frame(Tag);

impl Item for Frame {
    fn size(&self) -> usize {
        self.0.body.len()
    }
    fn time(&self) -> Duration {
        Duration::from_millis(self.0.timestamp.into())
    }
    fn is_join_point(&self) -> bool {
        self.0.kind == TagKind::Video
            && VideoTagHeader::decode(&self.0.body).is_ok_and(|(header, _)| header.is_keyframe())
    }
    fn config_slot(&self) -> Option<Slot> {
        let body = &self.0.body;
        match self.0.kind {
            TagKind::Script => Some(Slot(0)),
            TagKind::Video => VideoTagHeader::decode(body)
                .is_ok_and(|(header, _)| header.is_sequence_header())
                .then_some(Slot(1)),
            TagKind::Audio => AudioTagHeader::decode(body)
                .is_ok_and(|(header, _)| header.is_sequence_header())
                .then_some(Slot(2)),
            _ => None,
        }
    }
}

/// What is read: the bytes of a tag.
#[derive(Clone)]
struct FlvTag {
    bytes: Bytes,
    time: Duration,
    is_join_point: bool,
    config_slot: Option<Slot>,
}

impl Item for FlvTag {
    fn size(&self) -> usize {
        self.bytes.len()
    }
    fn time(&self) -> Duration {
        self.time
    }
    fn is_join_point(&self) -> bool {
        self.is_join_point
    }
    fn config_slot(&self) -> Option<Slot> {
        self.config_slot
    }
}

/// Makes the one of the other.
struct Muxer;

impl Convert<Frame, FlvTag> for Muxer {
    fn push(
        &mut self,
        _track: TrackId,
        frame: &Frame,
        out: &mut Output<FlvTag>,
    ) -> Result<(), ConvertError> {
        let mut bytes = BytesMut::new();
        frame.0.encode(&mut bytes).map_err(|error| ConvertError::new(error.to_string()))?;
        out.push(FlvTag {
            bytes: bytes.freeze(),
            time: frame.time(),
            is_join_point: frame.is_join_point(),
            config_slot: frame.config_slot(),
        });
        Ok(())
    }

    /// A file needs no mark where tags are missing.
    fn gap(&mut self, _lost: Lost, _out: &mut Output<FlvTag>) {}
}
