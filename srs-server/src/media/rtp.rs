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
use stream_hub::{Fenced, Item, JoinBound, Slot, Writer};

use super::{AudioInfo, MediaInfo, Origin, VideoInfo};

/// The slot of the tracks; those of their clocks follow it, by the number of the track.
const SOURCE: Slot = Slot(0);
/// From the newest time of the publisher before to the first packet of the next.
const RESUME_STEP: Duration = Duration::from_millis(40);
/// A stream without a keyframe for so long can be joined anywhere: it has no video, or its encoder
/// makes keyframes when it is asked to, and whoever joins asks.
const JOIN_ANYWHERE: Duration = Duration::from_secs(10);
/// How often a publisher is asked for its first keyframe, when that was lost: nobody could join.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// With what is older or longer no viewer begins: it would play behind the others, or be sent more in
/// one go than its path carries ([`rtc_stack::Limits`]).
const REPLAY_AGE: Duration = Duration::from_secs(1);
const REPLAY_BYTES: usize = 64 << 10;

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
    /// Who makes keyframes when they are wanted; `None` where nobody does.
    pub keyframes: Option<Arc<KeyframeWish>>,
    /// How they came to the server.
    pub origin: Origin,
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

impl RtpItem {
    /// An item of a lane that a converter makes.
    pub(crate) fn new(time: Duration, is_join_point: bool, body: RtpBody) -> Self {
        Self { time, is_join_point, body }
    }
}

impl Item for RtpItem {
    const JOIN_BOUND: Option<JoinBound> = Some(JoinBound { time: REPLAY_AGE, bytes: REPLAY_BYTES });

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
    /// The same where each packet needs no more: what it calls them, and which are pictures.
    places: Vec<(u8, bool)>,
    has_video: bool,
    /// Where the stream's clock is at the first packet.
    start: Duration,
    began: Option<Instant>,
    /// When there was a place to join.
    joined: Option<Instant>,
    /// When the first keyframe was asked for last.
    asked: Option<Instant>,
    bytes: u64,
    /// How wide the pictures are that are shown, and of which track.
    shown: Option<(u32, u8)>,
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
        Self {
            writer,
            keyframes,
            tracks: Vec::new(),
            places: Vec::new(),
            has_video,
            start,
            began: None,
            joined: None,
            asked: None,
            bytes: 0,
            shown: None,
        }
    }

    /// Notes what a track is: a new one, or one whose codec is another now.
    ///
    /// # Errors
    /// Another publisher took the stream over.
    pub fn describe(
        &mut self,
        number: u8,
        track: Track,
        media: &MediaInfo,
        now: Instant,
    ) -> Result<(), Fenced> {
        show(&track, media);
        match self.tracks.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => *known = track,
            None => self.tracks.push((number, track)),
        }
        let is_video = |track: &Track| track.kind() == Some(MediaKind::Video);
        let places = self.tracks.iter().map(|(known, track)| (*known, is_video(track)));
        self.places = places.collect();
        let tracks = self.tracks.iter().map(|(_, track)| track.clone()).collect();
        let keyframes = Some(self.keyframes.clone());
        let source = RtpSource { tracks, keyframes, origin: Origin::Rtc };
        self.push_body(RtpBody::Source(Arc::new(source)), false, now)
    }

    /// Takes a packet into the stream.
    ///
    /// # Errors
    /// Another publisher took the stream over.
    pub fn push(&mut self, number: u8, packet: RtpPacket, media: &MediaInfo) -> Result<(), Fenced> {
        let Some((track, is_video)) = self.place(number) else { return Ok(()) };
        let now = packet.arrival;
        let began = *self.began.get_or_insert(now);
        let has_passed = |since: Instant| now.saturating_duration_since(since) >= JOIN_ANYWHERE;
        let is_join_point =
            packet.is_keyframe_start || !self.has_video || has_passed(self.joined.unwrap_or(began));
        if is_join_point {
            self.joined = Some(now);
        } else if is_video && self.joined.is_none() {
            self.ask(track, now);
        }
        self.bytes += packet.bytes().len() as u64;
        if packet.is_keyframe_start {
            self.show_keyframe(track, &packet, media);
        }
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
        let Some((track, _)) = self.place(number) else { return Ok(()) };
        self.push_body(RtpBody::Clock { track, clock }, false, clock.arrival)
    }

    /// What the publisher calls the tracks of which viewers want a keyframe.
    pub fn wanted(&self) -> impl Iterator<Item = u8> {
        let tracks = self.keyframes.take();
        tracks.filter_map(|track| Some(self.tracks.get(usize::from(track))?.0))
    }

    /// Asks for the keyframe without which nobody can join, if that is due.
    fn ask(&mut self, track: u8, now: Instant) {
        let is_due = |asked: Instant| now.saturating_duration_since(asked) >= ASK_EVERY;
        if self.asked.is_none_or(is_due) {
            self.asked = Some(now);
            self.keyframes.add(track);
        }
    }

    /// Shows what the pictures are: of several layers the largest.
    fn show_keyframe(&mut self, place: u8, packet: &RtpPacket, media: &MediaInfo) {
        let Some((_, track)) = self.tracks.get(usize::from(place)) else { return };
        let codec = track.parameters.codec;
        let Some(info) = VideoInfo::of_keyframe(codec, packet.payload()) else { return };
        let is_smaller = |(width, other): (u32, u8)| other != place && width > info.width;
        if !self.shown.is_some_and(is_smaller) {
            self.shown = Some((info.width, place));
            if media.video().as_ref() != Some(&info) {
                media.note_tracks(Some(info), media.audio());
            }
        }
    }

    /// The place of a track, and whether it is pictures.
    fn place(&self, number: u8) -> Option<(u8, bool)> {
        let mut places = (0..=u8::MAX).zip(&self.places);
        let (place, (_, is_video)) = places.find(|(_, (known, _))| *known == number)?;
        Some((place, *is_video))
    }

    fn push_body(
        &mut self,
        body: RtpBody,
        is_join_point: bool,
        now: Instant,
    ) -> Result<(), Fenced> {
        let age = self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
        self.writer.push(RtpItem::new(self.start + age, is_join_point, body), now)
    }
}

/// Shows what a track turns out to be to those who ask what the stream carries.
fn show(track: &Track, media: &MediaInfo) {
    let (mut video, mut audio) = (media.video(), media.audio());
    match track.kind() {
        Some(MediaKind::Video) => {
            let info = VideoInfo::of_track(&track.parameters);
            // Its pictures have told more, if there were any.
            if video.as_ref().is_none_or(|video| video.codec != info.codec) {
                video = Some(info);
            }
        }
        Some(MediaKind::Audio) => audio = Some(AudioInfo::of_track(&track.parameters)),
        _ => return,
    }
    media.note_tracks(video, audio);
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rtc_stack::{Codec, CodecParameters, PayloadType, Ssrc, rtp::Fields};
    use stream_hub::{
        BusyPolicy, Hub, Limits, PublisherId, Reader, StreamKey, SubscribeOptions, TrackInfo,
    };

    use super::*;

    const KEY: [u8; 3] = [0x7c, 0x85, 0x88];
    const INTER: [u8; 3] = [0x7c, 0x81, 0x9a];

    struct Stream {
        hub: Hub,
        key: StreamKey,
        ingest: RtpIngest,
        media: MediaInfo,
        start: Instant,
        _publisher: stream_hub::Publisher,
    }

    fn stream(has_video: bool) -> Stream {
        let (hub, start) = (Hub::new(Limits::default()), Instant::now());
        let key = StreamKey::new("v", "live", "a");
        let who = PublisherId::new("p");
        let mut publisher = hub.publish(key.clone(), who, BusyPolicy::Refuse, start).unwrap();
        let writer = publisher.track(TrackInfo::default()).unwrap();
        let wish = Arc::new(KeyframeWish::new(Waker::noop().clone()));
        let ingest = RtpIngest::new(writer, Some(Duration::from_secs(5)), wish, has_video);
        let media = MediaInfo::default();
        Stream { hub, key, ingest, media, start, _publisher: publisher }
    }

    impl Stream {
        fn describe(&mut self, number: u8, codec: Codec) {
            let track = Track::new(CodecParameters::new(codec));
            self.ingest.describe(number, track, &self.media, self.start).unwrap();
        }

        fn push(&mut self, number: u8, codec: Codec, seconds: f64, payload: &[u8]) {
            let fields = Fields {
                marker: true,
                payload_type: PayloadType::new(96).unwrap(),
                sequence: 1,
                timestamp: 7,
                ssrc: Ssrc(1),
            };
            let mut packet = BytesMut::new();
            fields.append(&[], &mut packet);
            packet.extend_from_slice(payload);
            let at = self.start + Duration::from_secs_f64(seconds);
            let packet = RtpPacket::parse(packet, 1, at, codec).unwrap();
            self.ingest.push(number, packet, &self.media).unwrap();
        }

        fn reader(&self) -> Reader<RtpItem> {
            self.hub.subscribe(&self.key, SubscribeOptions::default(), None).unwrap()
        }

        /// What who joins now gets: tracks, clocks, and the times of packets.
        fn joined(&self) -> (usize, usize, Vec<f64>) {
            let mut reader = self.reader();
            let mut cx = std::task::Context::from_waker(Waker::noop());
            let (mut tracks, mut clocks, mut times) = (0, 0, Vec::new());
            while let std::task::Poll::Ready(batch) = reader.poll_batch(&mut cx, 1 << 20) {
                let batch = batch.unwrap();
                for item in batch.iter() {
                    match &item.body {
                        RtpBody::Packet(_) => times.push(item.time.as_secs_f64()),
                        RtpBody::Source(source) => tracks = source.tracks.len(),
                        RtpBody::Clock { .. } => clocks += 1,
                    }
                }
                reader.advance(batch.len());
            }
            (tracks, clocks, times)
        }
    }

    #[test]
    fn who_joins_begins_with_the_last_keyframe_and_knows_all_tracks() {
        let mut stream = stream(true);
        stream.describe(1, Codec::H264);
        stream.push(1, Codec::H264, 0.0, &KEY);
        stream.describe(0, Codec::Opus);
        let clock = SenderClock {
            ssrc: Ssrc(1),
            time: rtc_stack::rtcp::NtpTime::from_unix(Duration::from_secs(9)),
            timestamp: 3,
            arrival: stream.start,
        };
        stream.ingest.report(1, clock).unwrap();
        stream.push(1, Codec::H264, 1.0, &INTER);
        stream.push(1, Codec::H264, 2.0, &KEY);
        stream.push(0, Codec::Opus, 2.5, &[1, 2]);
        // What nobody has described is no track.
        stream.push(5, Codec::Opus, 2.6, &[1, 2]);
        // The clock goes on 40 ms after the publisher before.
        assert_eq!(stream.joined(), (2, 1, vec![7.04, 7.54]));
        assert_eq!(stream.media.frames(), 3);
        assert_eq!(stream.media.video().map(|video| video.codec), Some("H264".to_owned()));
        assert_eq!(stream.media.audio().map(|audio| audio.codec), Some("Opus".to_owned()));
    }

    #[test]
    fn what_no_viewer_begins_with_is_no_place_to_join() {
        let limits = rtc_stack::Limits::default();
        assert_eq!((REPLAY_AGE, REPLAY_BYTES), (limits.replay_age, limits.replay_bytes));
        let mut stream = stream(true);
        stream.describe(0, Codec::H264);
        stream.push(0, Codec::H264, 0.0, &KEY);
        stream.push(0, Codec::H264, 0.5, &INTER);
        assert_eq!(stream.joined().2, [5.04, 5.54]);
        stream.push(0, Codec::H264, 1.1, &INTER);
        assert!(stream.joined().2.is_empty());
    }

    #[test]
    fn a_stream_without_keyframes_is_joined_anywhere() {
        let mut sound = stream(false);
        sound.describe(0, Codec::Opus);
        sound.push(0, Codec::Opus, 0.0, &[1]);
        sound.push(0, Codec::Opus, 0.5, &[1]);
        assert_eq!(sound.joined().2, [5.54]);
        let mut pictures = stream(true);
        pictures.describe(0, Codec::H264);
        pictures.push(0, Codec::H264, 0.0, &INTER);
        assert_eq!(pictures.joined(), (0, 0, vec![]));
        for seconds in [9.0, 10.0, 11.0] {
            pictures.push(0, Codec::H264, seconds, &INTER);
        }
        assert_eq!(pictures.joined(), (1, 0, vec![15.04, 16.04]));
    }

    #[test]
    fn a_first_keyframe_that_was_lost_is_asked_for() {
        let mut stream = stream(true);
        stream.describe(7, Codec::H264);
        let mut wanted = |seconds, payload: &[u8]| {
            stream.push(7, Codec::H264, seconds, payload);
            stream.ingest.wanted().collect::<Vec<_>>()
        };
        assert_eq!(wanted(0.0, &INTER), [7]);
        assert!(wanted(0.4, &INTER).is_empty());
        assert_eq!(wanted(0.5, &INTER), [7]);
        assert!(wanted(1.0, &KEY).is_empty());
        assert!(wanted(9.0, &INTER).is_empty());
    }

    #[test]
    fn keyframes_are_wanted_of_the_tracks_as_their_publisher_calls_them() {
        let mut stream = stream(true);
        stream.describe(4, Codec::H264);
        stream.describe(2, Codec::Vp8);
        let wish = stream.ingest.keyframes.clone();
        for track in [1, 1, 0, 9, 200] {
            wish.add(track);
        }
        assert_eq!(stream.ingest.wanted().collect::<Vec<_>>(), [4, 2]);
        assert_eq!(stream.ingest.wanted().count(), 0);
    }
}
