//! A stream in a shard: what its tracks have had, and the viewers that are there.

use std::time::{Duration, Instant};

use super::SfuConfig;
use super::bandwidth::Bandwidth;
use super::clock::{ClockOffset, SenderClock};
use super::history::{History, Kept};
use super::seat::Seat;
use super::timeline::Timeline;
use super::{Track, ingest};
use crate::rtcp::TimestampClock;
use crate::rtp::RtpPacket;
use crate::{Limits, MediaKind, Ssrc};

/// A track that had no packet for so long is not one that a viewer should get.
const SILENT: Duration = Duration::from_millis(1_500);
/// How long the bytes of a track are counted for its rate.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// A stream's tracks and viewers.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) tracks: Vec<StreamTrack>,
    /// In one piece of memory, since all of them are gone through for every batch.
    pub(super) seats: Vec<Seat>,
    /// Whether who publishes it makes keyframes when asked to.
    pub(super) makes_keyframes: bool,
    clock_offset: ClockOffset,
}

/// A track of a stream.
#[derive(Debug)]
pub(super) struct StreamTrack {
    pub(super) track: Track,
    pub(super) timeline: Timeline,
    pub(super) history: History,
    /// What the publisher said last of its clock, which may be before its first packet.
    told: Option<Told>,
    mapping: Option<TimestampClock>,
    keyframe: Option<Keyframe>,
    asked: Option<Instant>,
    /// A keyframe is wanted, but the last one was asked for a moment ago.
    is_wanted: bool,
    last_arrival: Option<Instant>,
    window: Option<(Instant, u64)>,
    /// Bytes in the last full window.
    rate: u64,
}

/// Which time on our clock a source's timestamp is.
#[derive(Debug, Clone, Copy)]
struct Told {
    ssrc: Ssrc,
    timestamp: u32,
    wall: Duration,
}

/// The last keyframe, to begin with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keyframe {
    /// The number of its first packet.
    pub(super) sequence: u64,
    timestamp: u32,
    arrival: Instant,
    /// Bytes of packets from it on.
    pub(super) bytes: usize,
}

impl Stream {
    pub(super) fn new(tracks: &[Track], limits: &Limits) -> Self {
        let tracks = tracks.iter().map(|track| StreamTrack::new(track, limits)).collect();
        let (seats, clock_offset) = (Vec::new(), ClockOffset::default());
        Self { tracks, seats, makes_keyframes: true, clock_offset }
    }

    /// Replaces what is known of the tracks, and answers which differ, one bit for each. Their numbers and times go on.
    pub(super) fn set_tracks(&mut self, tracks: &[Track], limits: &Limits) -> u32 {
        let mut changed = 0;
        self.tracks.truncate(tracks.len());
        for (index, track) in tracks.iter().enumerate() {
            match self.tracks.get_mut(index) {
                Some(known) if known.track == *track => continue,
                Some(known) => known.restart(track),
                None => self.tracks.push(StreamTrack::new(track, limits)),
            }
            changed |= 1u32.checked_shl(index as u32).unwrap_or(0);
        }
        changed
    }

    /// Takes what comes next for the beginning of another publisher's.
    pub(super) fn restart(&mut self) {
        self.clock_offset.forget();
        for known in &mut self.tracks {
            let track = known.track.clone();
            known.restart(&track);
        }
    }

    /// Takes what a publisher's report says of a track.
    pub(super) fn report(&mut self, config: &SfuConfig, track: u8, clock: &SenderClock) {
        let Some(track) = self.tracks.get_mut(usize::from(track)) else { return };
        let wall = self.clock_offset.wall_time(&config.wall_clock, clock);
        track.told = Some(Told { ssrc: clock.ssrc, timestamp: clock.timestamp, wall });
        track.map_clock();
    }

    /// Whether there is a track of this number and kind.
    pub(super) fn is_kind(&self, number: u8, kind: MediaKind) -> bool {
        let track = self.tracks.get(usize::from(number));
        track.is_some_and(|track| track.track.kind() == Some(kind))
    }

    /// Measures the path to a viewer where there is a choice to be made by that, and the viewer reports what arrives.
    pub(super) fn measure(&mut self, index: usize) {
        let has_choice = self.has_layers(MediaKind::Video);
        let Some(seat) = self.seats.get_mut(index) else { return };
        let reports = seat.outputs.iter().flatten().any(|output| output.ids.transport_cc != 0);
        if !(has_choice && reports) {
            seat.bandwidth = None;
        } else if seat.bandwidth.is_none() {
            seat.bandwidth = Some(Box::new(Bandwidth::new()));
        }
    }

    /// Whether there is a choice between layers of one kind.
    pub(super) fn has_layers(&self, kind: MediaKind) -> bool {
        self.layers(kind).nth(1).is_some()
    }

    fn layers(&self, kind: MediaKind) -> impl Iterator<Item = (u8, &StreamTrack)> {
        let tracks = (0..=u8::MAX).zip(&self.tracks);
        tracks.filter(move |(_, track)| {
            track.track.kind() == Some(kind) && track.track.layer.is_some()
        })
    }

    /// The layer that a path of so many bits per second carries: the highest of those that arrive with what else the
    /// viewer gets, or else the lowest. A layer above the one that it has needs a tenth more.
    pub(super) fn fitting(&self, now: Instant, kind: MediaKind, has: u8, bits: u64) -> Option<u8> {
        let had = self.tracks.get(usize::from(has)).map_or(0, StreamTrack::rate);
        let arriving = || self.layers(kind).filter(|(_, track)| track.arrives(now));
        let needs = |track: &StreamTrack| {
            let needs = self.bits_with(now, track);
            if track.rate() > had { with_reserve(needs) } else { needs }
        };
        let fits = arriving().filter(|(_, track)| needs(track) <= bits);
        let best = fits.max_by_key(|(_, track)| track.rate());
        best.or_else(|| arriving().min_by_key(|(_, track)| track.rate())).map(|(number, _)| number)
    }

    /// The next higher layer than the one that a viewer has, and the bits per second that it needs.
    pub(super) fn next_higher(&self, now: Instant, kind: MediaKind, has: u8) -> Option<(u8, u64)> {
        let had = self.tracks.get(usize::from(has))?;
        let higher = self.layers(kind).filter(|(number, track)| {
            let is_same = track.track.parameters.codec == had.track.parameters.codec;
            *number != has && is_same && track.arrives(now) && track.rate() > had.rate()
        });
        let (number, track) = higher.min_by_key(|(_, track)| track.rate())?;
        Some((number, with_reserve(self.bits_with(now, track))))
    }

    /// Bits per second of a track, and of the sound that goes with it.
    pub(super) fn bits_with(&self, now: Instant, track: &StreamTrack) -> u64 {
        let is_sound = |other: &&StreamTrack| {
            other.track.kind() == Some(MediaKind::Audio) && other.arrives(now)
        };
        let sound = self.tracks.iter().filter(is_sound).map(StreamTrack::rate).max().unwrap_or(0);
        track.rate().saturating_add(sound).saturating_mul(8)
    }

    /// The track of a kind that a viewer should get: of those that arrive, the one with the highest rate; the one that
    /// it has stays unless another has a fifth more.
    pub(super) fn best(&self, now: Instant, kind: MediaKind, has: Option<u8>) -> Option<u8> {
        let of_kind = || {
            let tracks = (0..=u8::MAX).zip(&self.tracks);
            tracks.filter(|(_, track)| track.track.kind() == Some(kind))
        };
        let arriving = of_kind().filter(|(_, track)| track.arrives(now));
        let highest = arriving.max_by_key(|(_, track)| track.rate());
        let Some((best, highest)) = highest else {
            return has.or_else(|| of_kind().next().map(|(index, _)| index));
        };
        let had = has.and_then(|index| self.tracks.get(usize::from(index)));
        let is_good = had.is_some_and(|had| {
            had.arrives(now) && had.rate().saturating_add(had.rate() / 5) >= highest.rate()
        });
        if is_good { has } else { Some(best) }
    }
}

/// A tenth more.
const fn with_reserve(bits: u64) -> u64 {
    bits.saturating_add(bits / 10)
}

impl StreamTrack {
    fn new(track: &Track, limits: &Limits) -> Self {
        Self {
            timeline: Timeline::new(track.parameters.clock_rate),
            track: track.clone(),
            history: History::new(limits),
            told: None,
            mapping: None,
            keyframe: None,
            asked: None,
            is_wanted: false,
            last_arrival: None,
            window: None,
            rate: 0,
        }
    }

    fn restart(&mut self, track: &Track) {
        self.timeline.set_clock_rate(track.parameters.clock_rate);
        self.timeline.restart();
        self.track = track.clone();
        (self.told, self.mapping) = (None, None);
        self.keyframe = None;
        self.asked = None;
    }

    /// Gives a packet its place, and keeps it; `None` if it was there before or is too late.
    pub(super) fn admit(&mut self, packet: &RtpPacket) -> Option<Kept> {
        let (ssrc, arrival) = (packet.ssrc(), packet.arrival);
        let placed = self.timeline.place(ssrc, packet.sequence, packet.timestamp(), arrival)?;
        let (audio_level, orientation) = ingest::carried_extensions(packet);
        let kept = Kept {
            sequence: placed.sequence,
            timestamp: placed.timestamp,
            audio_level,
            orientation,
            padding: 0,
            packet: packet.clone(),
        };
        if !self.history.insert(kept.clone()) {
            return None;
        }
        if placed.is_first {
            self.mapping = None;
            self.keyframe = None;
            self.map_clock();
        }
        self.note_keyframe(&kept);
        self.count(arrival, packet.bytes().len());
        Some(kept)
    }

    /// Applies what the publisher said of its clock to the numbering, if it is about the present source.
    fn map_clock(&mut self) {
        let Some(Told { ssrc, timestamp, wall }) = self.told else { return };
        let Some(timestamp) = self.timeline.timestamp_of(ssrc, timestamp) else { return };
        let clock_rate = self.timeline.clock_rate();
        self.mapping = Some(TimestampClock { wall, timestamp, clock_rate });
    }

    fn note_keyframe(&mut self, kept: &Kept) {
        let bytes = kept.packet.bytes().len();
        match &mut self.keyframe {
            Some(keyframe)
                if !kept.packet.is_keyframe_start || keyframe.timestamp == kept.timestamp =>
            {
                keyframe.bytes = keyframe.bytes.saturating_add(bytes);
            }
            keyframe if kept.packet.is_keyframe_start => {
                let (sequence, timestamp) = (kept.sequence, kept.timestamp);
                *keyframe =
                    Some(Keyframe { sequence, timestamp, arrival: kept.packet.arrival, bytes });
                self.is_wanted = false;
            }
            _ => {}
        }
    }

    fn count(&mut self, arrival: Instant, bytes: usize) {
        self.last_arrival = Some(arrival);
        let (start, counted) = self.window.get_or_insert((arrival, 0));
        *counted = counted.saturating_add(bytes as u64);
        if arrival.saturating_duration_since(*start) >= RATE_WINDOW {
            self.rate = *counted;
            self.window = Some((arrival, 0));
        }
    }

    /// Bytes in a second; before there has been one, what has come so far.
    pub(super) fn rate(&self) -> u64 {
        self.rate.max(self.window.map_or(0, |(_, counted)| counted))
    }

    fn arrives(&self, now: Instant) -> bool {
        self.last_arrival.is_some_and(|last| now.saturating_duration_since(last) < SILENT)
    }

    /// The last keyframe, if a viewer can begin with it: one that joins, or has lost too much.
    pub(super) fn replay(&self, now: Instant, limits: &Limits) -> Option<Keyframe> {
        let keyframe = self.keyframe?;
        let is_young = now.saturating_duration_since(keyframe.arrival) <= limits.replay_age;
        let is_kept = self.history.get(keyframe.sequence).is_some();
        let is_small = keyframe.bytes <= limits.replay_bytes;
        (is_young && is_kept && is_small).then_some(keyframe)
    }

    /// Whether to ask the publisher for a keyframe now. If the last was asked for less than `interval` ago, it is kept
    /// in mind until then.
    pub(super) fn wants_keyframe(&mut self, now: Instant, interval: Duration) -> bool {
        let is_due = self.asked.is_none_or(|at| now.saturating_duration_since(at) >= interval);
        self.is_wanted = !is_due;
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }

    /// When a keyframe that is kept in mind is to be asked for.
    pub(super) fn keyframe_due(&self, interval: Duration) -> Option<Instant> {
        self.asked.filter(|_| self.is_wanted)?.checked_add(interval)
    }

    /// The timestamp that belongs to our clock's time `wall`, which is `now`.
    pub(super) fn timestamp_at(&self, now: Instant, wall: Duration) -> Option<u32> {
        match &self.mapping {
            Some(mapping) => Some(mapping.timestamp_at(wall)),
            None => self.timeline.timestamp_at(now),
        }
    }
}
