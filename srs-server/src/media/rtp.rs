//! The lane of RTP packets: what WebRTC publishers bring, and what WebRTC viewers get.
//!
//! All tracks of a stream share one lane, so that a thread with viewers is woken once for audio and
//! video, and gets them in one batch: there audio rides as the tail of a run of video packets, and
//! costs no datagram run of its own. What is said of the tracks are items too: configuration, which
//! whoever joins gets first, and in the same order as the packets for those who are there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::Waker,
    time::{Duration, Instant},
};

use rtc_stack::{
    MediaKind,
    rtp::RtpPacket,
    sfu::{SenderClock, Track, TrackPacket},
};
use stream_hub::{Fenced, Item, Slot, Writer};

use super::MediaInfo;

/// The slot of the tracks; those of their clocks follow it, by the number of the track.
const SOURCE: Slot = Slot(0);
/// From the newest time of the publisher before to the first packet of the next.
const RESUME_STEP: Duration = Duration::from_millis(40);
/// A stream without a keyframe for so long can be joined anywhere: it has no video, or its encoder
/// makes keyframes when it is asked to, and whoever joins asks.
const JOIN_ANYWHERE: Duration = Duration::from_secs(10);

/// One item of a stream's lane of RTP.
#[derive(Debug, Clone)]
pub struct RtpItem {
    time: Duration,
    is_join_point: bool,
    /// What it is.
    pub body: RtpBody,
}

/// What an item of the lane is.
#[derive(Debug, Clone)]
pub enum RtpBody {
    /// A packet of one of the tracks.
    Packet(TrackPacket),
    /// The tracks, from here on.
    Source(Arc<RtpSource>),
    /// What the publisher says of a track's clock.
    Clock {
        /// The track's number.
        track: u8,
        /// What is said.
        clock: SenderClock,
    },
}

/// Whence the packets of a lane come.
#[derive(Debug)]
pub struct RtpSource {
    /// The tracks; a packet names its own by the place in this list.
    pub tracks: Vec<Track>,
    /// Who makes keyframes.
    pub keyframes: Arc<KeyframeWish>,
}

/// Keyframes that viewers want of a publisher, who may be owned by another thread.
#[derive(Debug)]
pub struct KeyframeWish {
    /// One bit for each track.
    tracks: AtomicU32,
    publisher: Waker,
}

impl KeyframeWish {
    /// A wish of nothing yet; `publisher` is woken when there is something.
    pub fn new(publisher: Waker) -> Self {
        Self { tracks: AtomicU32::new(0), publisher }
    }

    /// Wishes for a keyframe of a track.
    pub fn add(&self, track: u8) {
        let bit = 1_u32.checked_shl(track.into()).unwrap_or(0);
        if self.tracks.fetch_or(bit, Relaxed) & bit == 0 {
            self.publisher.wake_by_ref();
        }
    }

    /// The tracks of which a keyframe is wanted, each told once.
    pub fn take(&self) -> impl Iterator<Item = u8> {
        let tracks = self.tracks.swap(0, Relaxed);
        (0..32_u8).filter(move |track| tracks >> track & 1 == 1)
    }
}

impl Item for RtpItem {
    fn size(&self) -> usize {
        let payload = match &self.body {
            RtpBody::Packet(packet) => packet.packet.bytes().len(),
            RtpBody::Source(_) | RtpBody::Clock { .. } => 0,
        };
        payload + size_of::<Self>()
    }
    fn time(&self) -> Duration {
        self.time
    }
    fn is_join_point(&self) -> bool {
        self.is_join_point
    }
    fn config_slot(&self) -> Option<Slot> {
        match &self.body {
            RtpBody::Packet(_) => None,
            RtpBody::Source(_) => Some(SOURCE),
            RtpBody::Clock { track, .. } => Some(Slot(track.saturating_add(1))),
        }
    }
}

/// Brings one publisher's packets into its stream's lane.
#[derive(Debug)]
pub struct RtpIngest {
    writer: Writer<RtpItem>,
    keyframes: Arc<KeyframeWish>,
    /// What the publisher calls its tracks, and what they are, in the order in which they came.
    tracks: Vec<(u8, Track)>,
    has_video: bool,
    /// Where the stream's clock is at the first packet.
    start: Duration,
    began: Option<Instant>,
    /// When there was a place to join.
    joined: Option<Instant>,
    bytes: u64,
}

impl RtpIngest {
    /// An ingest whose publisher is asked for keyframes by `keyframes`, and agreed to send video or
    /// not; `resume` is how far an earlier one brought the stream.
    pub fn new(
        writer: Writer<RtpItem>,
        resume: Option<Duration>,
        keyframes: Arc<KeyframeWish>,
        has_video: bool,
    ) -> Self {
        let start = resume.map_or(Duration::ZERO, |time| time + RESUME_STEP);
        let (began, joined) = (None, None);
        Self { writer, keyframes, tracks: Vec::new(), has_video, start, began, joined, bytes: 0 }
    }

    /// Notes what a track is: a new one, or one whose codec is another now.
    ///
    /// # Errors
    /// Another publisher took the stream over.
    pub fn describe(&mut self, number: u8, track: Track, now: Instant) -> Result<(), Fenced> {
        match self.tracks.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => *known = track,
            None => self.tracks.push((number, track)),
        }
        let tracks = self.tracks.iter().map(|(_, track)| track.clone()).collect();
        let source = RtpSource { tracks, keyframes: self.keyframes.clone() };
        self.push_body(RtpBody::Source(Arc::new(source)), false, now)
    }

    /// Takes a packet into the stream.
    ///
    /// # Errors
    /// Another publisher took the stream over.
    pub fn push(&mut self, number: u8, packet: RtpPacket, media: &MediaInfo) -> Result<(), Fenced> {
        let Some(track) = self.place(number) else { return Ok(()) };
        let now = packet.arrival;
        let began = *self.began.get_or_insert(now);
        let has_passed = |since: Instant| now.saturating_duration_since(since) >= JOIN_ANYWHERE;
        let is_join_point =
            packet.is_keyframe_start || !self.has_video || has_passed(self.joined.unwrap_or(began));
        if is_join_point {
            self.joined = Some(now);
        }
        self.bytes += packet.bytes().len() as u64;
        let is_video = self.kind(track) == Some(MediaKind::Video);
        if is_video && packet.marker() {
            media.note_frame();
            media.note_age(now.saturating_duration_since(began), self.bytes);
        }
        let packet = TrackPacket { track, packet };
        self.push_body(RtpBody::Packet(packet), is_join_point, now)
    }

    /// Takes what the publisher says of a track's clock into the stream.
    ///
    /// # Errors
    /// Another publisher took the stream over.
    pub fn report(&mut self, number: u8, clock: SenderClock) -> Result<(), Fenced> {
        let Some(track) = self.place(number) else { return Ok(()) };
        self.push_body(RtpBody::Clock { track, clock }, false, clock.arrival)
    }

    /// What the publisher calls the tracks of which viewers want a keyframe.
    pub fn wanted(&self) -> impl Iterator<Item = u8> {
        let tracks = self.keyframes.take();
        tracks.filter_map(|track| Some(self.tracks.get(usize::from(track))?.0))
    }

    fn place(&self, number: u8) -> Option<u8> {
        let place = self.tracks.iter().position(|(known, _)| *known == number)?;
        u8::try_from(place).ok()
    }

    fn kind(&self, place: u8) -> Option<MediaKind> {
        self.tracks.get(usize::from(place))?.1.kind()
    }

    fn push_body(
        &mut self,
        body: RtpBody,
        is_join_point: bool,
        now: Instant,
    ) -> Result<(), Fenced> {
        let age = self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
        self.writer.push(RtpItem { time: self.start + age, is_join_point, body }, now)
    }
}
