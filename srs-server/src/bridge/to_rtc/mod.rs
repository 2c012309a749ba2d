//! Frames as RTP packets, which WebRTC viewers get.

mod audio;
mod early;
mod track;
mod video;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use flv_mux::TagKind;
use rtc_stack::{
    CodecParameters, MediaKind,
    payload::Payload,
    rtcp::NtpTime,
    sfu::{SenderClock, Track},
};
use stream_hub::{Convert, ConvertError, Lost, Output, TrackId};

use self::{
    audio::{Audio, Sound},
    early::{Early, EarlyPictures},
    track::Outgoing,
    video::{Picture, Video},
};
use super::Running;
use crate::media::{Frame, Role, RtpBody, RtpItem, RtpSource, Unit};

/// What is read later than this after it came is what was there before the first viewer.
const PRESENT: Duration = Duration::from_millis(100);
/// The oldest keyframe that viewers begin with: all that follows it comes to them in one burst.
const REPLAYED: Duration = Duration::from_secs(1);
/// How often it is said which time on the wall a timestamp is.
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// Makes RTP packets of a stream's frames.
pub(super) struct ToRtc {
    video: Video,
    audio: Audio,
    /// Pictures whose time has not come: `None` where they go as they come.
    early: Option<EarlyPictures>,
    tracks: Tracks,
    /// Whether what was there before the first viewer is behind it.
    is_present: bool,
    running: Running,
}

/// The tracks that viewers know, in the order in which they came.
struct Tracks {
    list: Vec<Outgoing>,
    /// When the stream's clock was at 0, since 1970.
    began: Option<Duration>,
}

impl ToRtc {
    pub(super) fn new(settings: &srs_config::Rtc, running: Running) -> Self {
        Self {
            video: Video::new(settings),
            audio: Audio::new(settings.opus_bitrate),
            early: (!settings.keep_bframe).then(EarlyPictures::default),
            tracks: Tracks { list: Vec::new(), began: None },
            is_present: false,
            running,
        }
    }
}

impl Convert<Frame, RtpItem> for ToRtc {
    fn push(
        &mut self,
        _: TrackId,
        frame: &Frame,
        out: &mut Output<RtpItem>,
    ) -> Result<(), ConvertError> {
        let Some(unit) = Unit::of(frame) else { return Ok(()) };
        let age = frame.read_at.elapsed();
        self.is_present |= unit.role != Role::Config && age <= PRESENT;
        let is_past = !self.is_present && unit.role != Role::Config;
        // Old sound would be heard late for as long as a viewer is there; old pictures are needed,
        // unless they are too many.
        if is_past && (unit.kind == TagKind::Audio || age > REPLAYED) {
            return Ok(());
        }
        self.tracks.show_due(self.early.as_mut(), frame.time, out);
        if unit.kind == TagKind::Video {
            if let Some(picture) = self.video.take(frame, &unit, &self.running) {
                let is_early = EarlyPictures::is_early(frame.time, picture.time);
                match &mut self.early {
                    // Pictures without sound have nothing to wait for.
                    Some(early) if is_early && self.tracks.has_sound() => {
                        early.push(frame, picture);
                    }
                    _ => {
                        self.tracks.show_due(self.early.as_mut(), Duration::MAX, out);
                        let Picture { parameters, time, is_key, payloads } = picture;
                        self.tracks.show(frame, parameters, (time, is_key), payloads, out);
                    }
                }
            }
        } else if let Some(Sound { parameters, packets }) =
            self.audio.take(frame, &unit, &self.running)
        {
            let track = self.tracks.get(parameters, frame, out);
            for (timestamp, payload) in packets {
                track.send(frame, timestamp, frame.is_join_point, [payload], out);
            }
            self.tracks.tell_clock(parameters, frame, out);
        }
        Ok(())
    }

    fn gap(&mut self, _: Lost, _: &mut Output<RtpItem>) {
        self.is_present = false;
        if let Some(early) = &mut self.early {
            early.clear();
        }
        self.video.gap();
        self.audio.gap();
        // Who reads on has forgotten the tracks, and there may be others now.
        self.tracks.list.clear();
        self.tracks.began = None;
    }

    fn end(&mut self, out: &mut Output<RtpItem>) {
        self.tracks.show_due(self.early.as_mut(), Duration::MAX, out);
    }
}

impl Tracks {
    fn has_sound(&self) -> bool {
        self.list.iter().any(|track| track.parameters.codec.kind() == Some(MediaKind::Audio))
    }

    /// Sends the pictures that waited for `now`.
    fn show_due(
        &mut self,
        early: Option<&mut EarlyPictures>,
        now: Duration,
        out: &mut Output<RtpItem>,
    ) {
        let Some(early) = early else { return };
        while let Some(Early { frame, parameters, time, is_key, payloads }) = early.poll(now) {
            self.show(&frame, &parameters, (time, is_key), payloads, out);
        }
    }

    /// Sends a picture: when it is shown, and whether it is a keyframe.
    fn show(
        &mut self,
        frame: &Frame,
        parameters: &CodecParameters,
        (time, is_key): (Duration, bool),
        payloads: impl IntoIterator<Item = Payload>,
        out: &mut Output<RtpItem>,
    ) {
        let track = self.get(parameters, frame, out);
        track.send(frame, track.ticks(time), is_key, payloads, out);
        self.tell_clock(parameters, frame, out);
    }

    /// The track with these parameters, of which viewers are told if it is new or was another.
    fn get(
        &mut self,
        parameters: &CodecParameters,
        frame: &Frame,
        out: &mut Output<RtpItem>,
    ) -> &mut Outgoing {
        let kind = parameters.codec.kind();
        let known = self.list.iter().position(|track| track.parameters.codec.kind() == kind);
        let is_told = known.is_some_and(|place| self.list[place].parameters == *parameters);
        let place = known.unwrap_or(self.list.len());
        if !is_told {
            let track = Outgoing::new(place, parameters.clone());
            match self.list.get_mut(place) {
                Some(known) => known.change(parameters),
                None => self.list.push(track),
            }
            let tracks = self.list.iter().map(|track| Track::new(track.parameters.clone()));
            // Nobody makes keyframes because a viewer wants one: RTMP has no words for it.
            let source =
                RtpSource { tracks: tracks.collect(), keyframes: None, origin: frame.origin };
            out.push(RtpItem::new(frame.time, false, RtpBody::Source(Arc::new(source))));
        }
        &mut self.list[place]
    }

    /// Says which time on the wall the timestamps of a track are, if that is due. All of them come
    /// from the stream's clock, and so lips match.
    fn tell_clock(
        &mut self,
        parameters: &CodecParameters,
        frame: &Frame,
        out: &mut Output<RtpItem>,
    ) {
        let track = self.list.iter_mut().find(|track| track.parameters == *parameters);
        let is_due = |last: Duration| frame.time.saturating_sub(last) >= CLOCK_EVERY;
        let Some(track) = track.filter(|track| track.clock_told.is_none_or(is_due)) else {
            return;
        };
        track.clock_told = Some(frame.time);
        let began =
            *self.began.get_or_insert_with(|| wall(frame.read_at).saturating_sub(frame.time));
        let clock = SenderClock {
            ssrc: track.ssrc,
            time: NtpTime::from_unix(began + frame.time),
            timestamp: track.ticks(frame.time),
            arrival: frame.read_at,
        };
        let track = track.place;
        out.push(RtpItem::new(frame.time, false, RtpBody::Clock { track, clock }));
    }
}

/// The time since 1970 at `moment`.
fn wall(moment: Instant) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(moment.elapsed())
}
