//! What all bridges together have done.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use tracing::warn;

/// Which way a bridge goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From frames to packets of WebRTC.
    ToRtc,
    /// From packets of WebRTC to frames.
    FromRtc,
}

/// Counted while the server runs.
#[derive(Debug, Default)]
pub struct Counters {
    /// Bridges that work now.
    running: [AtomicU64; 2],
    frames: [AtomicU64; 2],
    /// B-frames that were left out.
    late_frames: AtomicU64,
    /// Packets of WebRTC publishers that were given up.
    lost_packets: AtomicU64,
    /// Pictures that were dropped since some of their packets were, or since they aren't what they say.
    damaged_frames: AtomicU64,
    /// Pictures that can't be shown since those that they are made from were left out.
    baseless_frames: AtomicU64,
    /// Frames of sound that could not be transcoded, and configurations.
    sound_errors: AtomicU64,
    /// Frames of sound that were more than a stream may have transcoded.
    excess_sound: AtomicU64,
}

/// A bridge at work.
#[derive(Debug)]
pub(super) struct Running {
    counters: Arc<Counters>,
    direction: Direction,
    /// Whether the log says that there is no sound.
    has_warned: AtomicBool,
}

impl Running {
    pub(super) fn new(counters: &Arc<Counters>, direction: Direction) -> Self {
        counters.running[direction as usize].fetch_add(1, Relaxed);
        Self { counters: counters.clone(), direction, has_warned: AtomicBool::new(false) }
    }

    /// Counts a picture that goes on.
    pub(super) fn note_frame(&self) {
        self.counters.frames[self.direction as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn note_late(&self) {
        self.counters.late_frames.fetch_add(1, Relaxed);
    }

    pub(super) fn note_loss(&self, packets: u64, frames: u64) {
        // Mostly there is none.
        if packets + frames > 0 {
            self.counters.lost_packets.fetch_add(packets, Relaxed);
            self.counters.damaged_frames.fetch_add(frames, Relaxed);
        }
    }

    /// Counts a picture that isn't what it says.
    pub(super) fn note_damage(&self) {
        self.counters.damaged_frames.fetch_add(1, Relaxed);
    }

    /// Counts a picture whose keyframe wasn't there.
    pub(super) fn note_baseless(&self) {
        self.counters.baseless_frames.fetch_add(1, Relaxed);
    }

    pub(super) fn note_sound_error(&self) {
        self.counters.sound_errors.fetch_add(1, Relaxed);
    }

    /// Counts what makes sound that can't be transcoded. The log says so once, for a publisher may say
    /// it with every frame.
    pub(super) fn note_no_sound(&self, reason: impl Display) {
        self.note_sound_error();
        if !self.has_warned.swap(true, Relaxed) {
            warn!("sound that can't be transcoded: {reason}");
        }
    }

    pub(super) fn note_excess_sound(&self) {
        self.counters.excess_sound.fetch_add(1, Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.counters.running[self.direction as usize].fetch_sub(1, Relaxed);
    }
}

impl Counters {
    /// Bridges of a direction that work now.
    pub fn running(&self, direction: Direction) -> u64 {
        self.running[direction as usize].load(Relaxed)
    }

    /// Pictures that bridges of a direction passed on.
    pub fn frames(&self, direction: Direction) -> u64 {
        self.frames[direction as usize].load(Relaxed)
    }

    /// What was left out, by the reason: pictures, but for packets and sound.
    pub fn dropped(&self) -> [(&'static str, u64); 6] {
        [
            ("b_frame", self.late_frames.load(Relaxed)),
            ("damaged_frame", self.damaged_frames.load(Relaxed)),
            ("excess_sound", self.excess_sound.load(Relaxed)),
            ("frame_without_keyframe", self.baseless_frames.load(Relaxed)),
            ("lost_packet", self.lost_packets.load(Relaxed)),
            ("undecodable_sound", self.sound_errors.load(Relaxed)),
        ]
    }
}
