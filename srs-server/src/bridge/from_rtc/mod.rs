//! RTP packets of WebRTC publishers as frames, which all others play.

mod picture;
mod sound;
mod times;
mod track;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rtc_stack::{Limits, MediaKind, payload::AccessUnit};
use rtmp_proto::{MediaKind as Kind, MediaMessage};
use stream_hub::{Convert, ConvertError, Item, Lost, Output, TrackId};

pub(crate) use self::sound::Wanted;
use self::{picture::Pictures, sound::Sounds, times::Times, track::Incoming};
use super::Running;
use crate::media::{Frame, Ingest, IngestOptions, MediaInfo, Origin, RtpBody, RtpItem, RtpSource};

/// How often a publisher is asked for a keyframe after a loss.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How long the layers of a simulcast are measured before the best of them is known.
const MEASURED: Duration = Duration::from_secs(1);

/// Makes frames of a stream's packets.
pub(super) struct FromRtc {
    limits: Limits,
    source: Option<Arc<RtpSource>>,
    tracks: Vec<Incoming>,
    /// The places of the tracks whose frames go out.
    video: Option<usize>,
    audio: Option<usize>,
    times: Times,
    pictures: Pictures,
    sounds: Sounds,
    ingest: Option<Ingest>,
    /// When the first frame was that is more than configuration.
    first: Option<Duration>,
    media: MediaInfo,
    /// How often a keyframe is asked for, so that players find a place to begin.
    ask_every: Duration,
    /// When the last keyframe came, or was asked for.
    asked: Option<Duration>,
    measured: Option<Duration>,
    units: Vec<AccessUnit>,
    running: Running,
}

impl FromRtc {
    pub(super) fn new(settings: &srs_config::Rtc, wanted: Wanted, running: Running) -> Self {
        Self {
            limits: Limits::default(),
            source: None,
            tracks: Vec::new(),
            video: None,
            audio: None,
            times: Times::default(),
            pictures: Pictures::default(),
            sounds: Sounds::new(wanted, settings.aac_bitrate),
            ingest: None,
            first: None,
            media: MediaInfo::default(),
            ask_every: settings.pli_for_rtmp,
            asked: None,
            measured: None,
            units: Vec::new(),
            running,
        }
    }

    /// Takes the tracks as they are from here on. Those that stay what they were go on.
    fn describe(&mut self, source: &Arc<RtpSource>) {
        self.tracks.truncate(source.tracks.len());
        for (place, track) in source.tracks.iter().enumerate() {
            match self.tracks.get_mut(place) {
                Some(known) if known.is(track) => {}
                Some(known) => *known = Incoming::new(track, &self.limits),
                None => self.tracks.push(Incoming::new(track, &self.limits)),
            }
        }
        self.source = Some(source.clone());
        let of = |kind| self.tracks.iter().position(|track| track.kind() == Some(kind));
        (self.video, self.audio) = (self.video.or(of(MediaKind::Video)), of(MediaKind::Audio));
    }

    /// Asks the publisher for a keyframe, if that is due.
    fn ask(&mut self, now: Duration) {
        let Some(place) = self.video else { return };
        let Some(track) = self.tracks.get(place) else { return };
        let keyframes = self.source.as_ref().and_then(|source| source.keyframes.as_ref());
        let Some(keyframes) = keyframes else { return };
        let every = if track.awaits_keyframe() { ASK_EVERY } else { self.ask_every };
        if self.asked.is_none_or(|asked| now.saturating_sub(asked) >= every) {
            self.asked = Some(now);
            keyframes.add(u8::try_from(place).unwrap_or(u8::MAX));
        }
    }

    /// Of a simulcast's layers takes the one with the most bytes, from its next keyframe on.
    fn choose_layer(&mut self, now: Duration) {
        if now.saturating_sub(*self.measured.get_or_insert(now)) < MEASURED {
            return;
        }
        self.measured = Some(now);
        let bytes: Vec<_> = self.tracks.iter_mut().map(Incoming::take_bytes).collect();
        let is_video = |place: &usize| self.tracks[*place].kind() == Some(MediaKind::Video);
        let best = (0..self.tracks.len()).filter(is_video).max_by_key(|&place| bytes[place]);
        let (Some(best), Some(has)) = (best, self.video) else { return };
        // A layer's rate is up to three times that of the one below it.
        if best != has && bytes[best] > bytes[has] + bytes[has] / 4 {
            self.video = Some(best);
            self.tracks[best].restart(&self.limits);
            self.asked = None;
        }
    }

    /// Puts an access unit's messages into the lane.
    fn put(&mut self, place: usize, unit: &AccessUnit, out: &mut Output<Frame>) {
        let Some(track) = self.tracks.get(place) else { return };
        let kind = match track.kind() {
            Some(MediaKind::Video) => Kind::Video,
            _ => Kind::Audio,
        };
        let messages = match kind {
            Kind::Video => self.pictures.take(track.codec(), unit),
            _ => self.sounds.take(track.codec(), unit, &self.running),
        };
        let clock_rate = track.clock_rate();
        for (timestamp, payload) in messages {
            let time = self.times.of(place, clock_rate, timestamp);
            let message = MediaMessage { kind, timestamp: time.as_millis() as u32, payload };
            self.push(message, unit, time, out);
        }
    }

    fn push(
        &mut self,
        message: MediaMessage,
        unit: &AccessUnit,
        time: Duration,
        out: &mut Output<Frame>,
    ) {
        let ingest = self.ingest.get_or_insert_with(|| {
            Ingest::at(IngestOptions::new(&srs_config::Vhost::default()), time)
        });
        let (kind, first) = (message.kind, &mut self.first);
        let pushed: Result<(), std::convert::Infallible> =
            ingest.push(message, unit.arrival, &self.media, |frame| {
                // Sound comes out of its codec later than the picture with which players begin.
                let is_before = frame.config_slot.is_none()
                    && time < *first.get_or_insert(time)
                    && kind == Kind::Audio;
                if !is_before {
                    out.push(Frame { origin: Origin::Rtc, ..frame });
                }
                Ok(())
            });
        match pushed {
            Ok(()) => {}
        }
    }
}

impl Convert<RtpItem, Frame> for FromRtc {
    fn push(
        &mut self,
        _: TrackId,
        item: &RtpItem,
        out: &mut Output<Frame>,
    ) -> Result<(), ConvertError> {
        let packet = match &item.body {
            RtpBody::Source(source) => {
                self.describe(source);
                return Ok(());
            }
            RtpBody::Clock { track, clock } => {
                self.times.report((*track).into(), clock);
                return Ok(());
            }
            RtpBody::Packet(packet) => packet,
        };
        let place = usize::from(packet.track);
        let Some(track) = self.tracks.get_mut(place) else { return Ok(()) };
        track.count(packet.packet.bytes().len());
        if Some(place) != self.video && Some(place) != self.audio {
            self.choose_layer(item.time());
            return Ok(());
        }
        self.times.arrived(place, track.clock_rate(), packet.packet.timestamp(), item.time());
        let mut units = std::mem::take(&mut self.units);
        track.receive(&packet.packet, &mut units, &self.running);
        for unit in units.drain(..) {
            if Some(place) == self.video && unit.is_keyframe {
                self.asked = Some(item.time());
            }
            if Some(place) == self.video {
                self.running.note_frame();
            }
            self.put(place, &unit, out);
        }
        self.units = units;
        if Some(place) == self.video {
            self.ask(item.time());
            self.choose_layer(item.time());
        }
        Ok(())
    }

    /// What comes is another publisher's, or some of it is missing: either is told anew.
    fn gap(&mut self, _: Lost, _: &mut Output<Frame>) {
        self.tracks.clear();
        (self.source, self.video, self.audio) = (None, None, None);
        self.times = Times::default();
        self.sounds.gap();
        self.asked = None;
    }
}

/// A message's timestamp in units of its track's clock, and its body.
type Message = (u64, Bytes);
