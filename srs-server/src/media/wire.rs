//! The wire forms: each message in ready bytes, made once per stream and sent to every viewer.

use std::{borrow::Cow, marker::PhantomData, time::Duration};

use bytes::{Bytes, BytesMut};
use flv_mux::TagKind;
use rtmp_proto::{MediaKind, chunk::MediaEncoder};
use stream_hub::{Convert, ConvertError, Hub, Item, Lost, Output, Place, Slot, TrackId, Variant};

use super::{Dialect, Frame};

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

pub(super) trait Form: Send + Sync + 'static {
    fn new(variant: Variant) -> Self;
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

impl Form for Rtmp {
    fn new(variant: Variant) -> Self {
        let dialect = Dialect::from(variant);
        Self { dialect, encoder: MediaEncoder::new(dialect.msid, CHUNK_SIZE) }
    }
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
    fn new(_: Variant) -> Self {
        Self
    }
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

/// The chunk size that every player is told.
pub const CHUNK_SIZE: u32 = 60_000;

/// Messages of one stream share slabs of this size, so that few of them cost an allocation.
const SLAB: usize = 32 * 1024;

pub(super) struct Encoder<F> {
    form: F,
    slab: BytesMut,
    /// Video was left out: a player can begin at any audio.
    has_no_video: bool,
}

impl<F: Form> Encoder<F> {
    pub(super) fn new(variant: Variant) -> Self {
        Self { form: F::new(variant), slab: BytesMut::new(), has_no_video: false }
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
            self.has_no_video |= frame.kind == TagKind::Video;
            return Ok(());
        };
        let needed = self.form.encoded_len(frame.timestamp(), &body);
        if self.slab.capacity() < needed {
            self.slab = BytesMut::with_capacity(SLAB.max(needed));
        }
        self.form.encode(frame.kind, frame.timestamp(), &body, &mut self.slab)?;
        let is_audio = frame.kind == TagKind::Audio && frame.config_slot.is_none();
        out.push(Wire {
            bytes: self.slab.split().freeze(),
            kind: frame.kind,
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
    register_form::<Rtmp>(hub);
    register_form::<Flv>(hub);
}

fn register_form<F: Form>(hub: &Hub) {
    hub.register::<Frame, Wire<F>>(Place::Inline, |_, variant| {
        Ok(Box::new(Encoder::<F>::new(variant)))
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
