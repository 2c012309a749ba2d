//! The wire forms: each message in ready bytes, made once per stream and sent to every viewer.

use std::{
    borrow::Cow,
    marker::PhantomData,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use flv_mux::TagKind;
use rtmp_proto::{MediaKind, chunk::MediaEncoder};
use stream_hub::{Convert, ConvertError, Hub, Item, Lost, Output, Place, Slot, TrackId, Variant};

use crate::bridge::Wanted;

use super::{
    Dialect, Frame, Origin,
    chunked::maybe_chunked,
    sound::{Aac, AacFrame, Mp3, Mp3Frame, SoundEncoder},
    ts::{TsEncoder, TsUnit},
};

/// An RTMP message in chunks of type 0 and 3; the variant is a [`Dialect`].
pub type RtmpMessage = Wire<Rtmp>;
/// An FLV tag with the previous tag size after it.
pub type FlvTag = Wire<Flv>;

/// One message or tag as it goes out.
#[derive(Debug)]
pub struct Wire<F> {
    /// All its bytes: headers and payload.
    pub bytes: Bytes,
    /// What the frame was.
    pub kind: TagKind,
    /// When the frame was read from the publisher's socket.
    pub read_at: Instant,
    /// How the frame came.
    pub origin: Origin,
    time: Duration,
    is_join_point: bool,
    config_slot: Option<Slot>,
    form: PhantomData<F>,
}

/// The form of RTMP: chunks.
#[derive(Debug)]
pub struct Rtmp {
    dialect: Dialect,
    encoder: MediaEncoder,
}
/// The form of FLV: tags.
#[derive(Debug)]
pub struct Flv;

impl<F> Wire<F> {
    /// What `frame` becomes in a form without configuration of its own.
    pub(super) fn new(bytes: Bytes, frame: &Frame, is_join_point: bool) -> Self {
        let &Frame { kind, read_at, origin, time, .. } = frame;
        Self {
            bytes,
            kind,
            read_at,
            origin,
            time,
            is_join_point,
            config_slot: None,
            form: PhantomData,
        }
    }

    /// The same in other bytes.
    pub(super) fn with_bytes(self, bytes: Bytes) -> Self {
        Self { bytes, ..self }
    }
}

pub(super) trait Form: Send + Sync + 'static {
    /// The frame's body as it goes out; `None` for a frame that is left out.
    fn body<'a>(&self, frame: &'a Frame) -> Option<Cow<'a, [u8]>>;
    fn encoded_len(&self, timestamp: u32, body: &[u8]) -> usize;
    fn encode(
        &self,
        kind: TagKind,
        timestamp: u32,
        body: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), ConvertError>;
}

impl Rtmp {
    /// The form of a dialect.
    pub(super) fn new(variant: Variant) -> Self {
        let dialect = Dialect::from(variant);
        Self { dialect, encoder: MediaEncoder::new(dialect.msid, dialect.chunk_size) }
    }
}

impl Form for Rtmp {
    fn body<'a>(&self, frame: &'a Frame) -> Option<Cow<'a, [u8]>> {
        self.dialect.body(frame)
    }
    fn encoded_len(&self, timestamp: u32, body: &[u8]) -> usize {
        self.encoder.encoded_len(timestamp, body.len())
    }
    fn encode(
        &self,
        kind: TagKind,
        timestamp: u32,
        body: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), ConvertError> {
        let kind = match kind {
            TagKind::Audio => MediaKind::Audio,
            TagKind::Video => MediaKind::Video,
            _ => MediaKind::Data,
        };
        self.encoder
            .encode_parts(kind, timestamp, body, out)
            .map_err(|error| ConvertError::new(error.to_string()))
    }
}

impl Form for Flv {
    fn body<'a>(&self, frame: &'a Frame) -> Option<Cow<'a, [u8]>> {
        Some(Cow::Borrowed(&frame.body))
    }
    fn encoded_len(&self, _: u32, body: &[u8]) -> usize {
        flv_mux::mux::encoded_len(body.len())
    }
    fn encode(
        &self,
        kind: TagKind,
        timestamp: u32,
        body: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), ConvertError> {
        flv_mux::mux::encode_tag(out, kind, timestamp, body)
            .map_err(|error| ConvertError::new(error.to_string()))
    }
}

/// Messages of one stream share slabs of this size, so that few of them cost an allocation.
pub(super) const SLAB: usize = 32 * 1024;

pub(super) struct Encoder<F> {
    form: F,
    slab: BytesMut,
    /// Keyframes are left out: a player can begin at any audio.
    has_no_video: bool,
}

impl<F: Form> Encoder<F> {
    pub(super) fn new(form: F) -> Self {
        Self { form, slab: BytesMut::new(), has_no_video: false }
    }
}

impl<F: Form> Convert<Frame, Wire<F>> for Encoder<F> {
    fn push(
        &mut self,
        _: TrackId,
        frame: &Frame,
        out: &mut Output<Wire<F>>,
    ) -> Result<(), ConvertError> {
        let Some(body) = self.form.body(frame) else {
            // Not so what is left out of a video that goes out otherwise, such as its colours.
            self.has_no_video |= frame.kind == TagKind::Video && frame.is_join_point;
            return Ok(());
        };
        let needed = self.form.encoded_len(frame.timestamp, &body);
        if self.slab.capacity() < needed {
            self.slab = BytesMut::with_capacity(SLAB.max(needed));
        }
        self.form.encode(frame.kind, frame.timestamp, &body, &mut self.slab)?;
        let is_audio = frame.kind == TagKind::Audio && frame.config_slot.is_none();
        out.push(Wire {
            bytes: self.slab.split().freeze(),
            kind: frame.kind,
            read_at: frame.read_at,
            origin: frame.origin,
            time: frame.time,
            is_join_point: frame.is_join_point || (is_audio && self.has_no_video),
            config_slot: frame.config_slot,
            form: PhantomData,
        });
        Ok(())
    }

    fn gap(&mut self, _: Lost, _: &mut Output<Wire<F>>) {}
}

/// Tells the hub how the wire forms are made of frames.
pub fn register(hub: &Hub) {
    // Where frames are made of packets, players that know Opus get it as it came.
    let sound = |variant| Wanted::by(&Dialect::from(variant)).into();
    hub.register_reading::<Frame, RtmpMessage>(Place::Inline, sound, |_, variant| {
        Ok(Box::new(Encoder::new(Rtmp::new(variant))))
    });
    hub.register::<Frame, FlvTag>(Place::Inline, |_, variant| {
        Ok(maybe_chunked(variant, |_| Encoder::new(Flv)))
    });
    hub.register::<Frame, TsUnit>(Place::Inline, |_, variant| {
        Ok(maybe_chunked(variant, |_| TsEncoder::new()))
    });
    hub.register::<Frame, AacFrame>(Place::Inline, |_, variant| {
        Ok(maybe_chunked(variant, SoundEncoder::<Aac>::new))
    });
    hub.register::<Frame, Mp3Frame>(Place::Inline, |_, variant| {
        Ok(maybe_chunked(variant, SoundEncoder::<Mp3>::new))
    });
}

impl<F> Clone for Wire<F> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), ..*self }
    }
}

impl<F: Send + Sync + 'static> Item for Wire<F> {
    fn size(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
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

#[cfg(test)]
mod tests {
    use flv_mux::FourCc;
    use rtmp_proto::MessageStreamId;

    use super::*;
    use crate::media::Codecs;

    fn join_points(dialect: Dialect, frames: &[(TagKind, &'static [u8], bool)]) -> Vec<bool> {
        let mut encoder = Encoder::new(Rtmp::new(dialect.into()));
        let mut out = Output::new();
        for &(kind, body, is_join_point) in frames {
            let (time, body) = (Duration::ZERO, Bytes::from_static(body));
            let frame = Frame { is_join_point, ..Frame::new(kind, time, body, Instant::now()) };
            encoder.push(TrackId::default(), &frame, &mut out).unwrap();
        }
        out.drain().map(|message| message.is_join_point).collect()
    }

    const FRAMES: &[(TagKind, &[u8], bool)] = &[
        (TagKind::Video, b"\x94hvc1\x02\0\x09colorInfo\x05", false),
        (TagKind::Audio, &[0xaf, 1, 1], false),
        (TagKind::Video, b"\x93hvc1\0\0\0\x02\x26\x01", true),
        (TagKind::Audio, &[0xaf, 1, 2], false),
    ];

    #[test]
    fn a_player_without_video_begins_at_any_audio() {
        let all = Dialect::new(MessageStreamId(1), 60_000);
        assert_eq!(join_points(all, FRAMES), [false, false, true, false]);
        assert_eq!(join_points(Dialect { video: false, ..all }, FRAMES), [false, true]);
    }

    #[test]
    fn a_player_of_the_old_form_begins_at_keyframes_though_it_gets_no_colours() {
        let codecs = Some(Codecs::of(|codec| codec == FourCc::VP9));
        let old = Dialect { codecs, ..Dialect::new(MessageStreamId(1), 60_000) };
        assert_eq!(join_points(old, FRAMES), [false, true, false]);
    }
}
