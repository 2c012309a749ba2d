//! Players.

use std::time::Duration;

use crate::{
    Support::*,
    block::codec::{Millis, Number, OnOff, OneOf, Or, Reset, Seconds, ms, seconds, text},
};

block! {
    /// How players are served.
    Play {
        /// Whether a player that joins gets what came since the last keyframe.
        gop_cache: bool = true, OnOff, Differs { how: "off: a player begins at the next keyframe, not between two", test: "gop_cache_off_waits_for_the_next_keyframe" };
        /// Messages since the last keyframe beyond which a player that joins waits for the next one.
        gop_cache_max_frames: usize = 2500, Number(0..=1_000_000), Differs { how: "beyond it a player begins at the next keyframe, not between two", test: "gop_cache_max_frames_ends_the_cache" };
        /// How far a player may lag; beyond, whole groups of pictures are dropped.
        queue_length: Duration = seconds(30), Seconds(0.1..=3600.0), Same { test: "queue_length_bounds_the_lag" };
        /// How timestamps are mended: `full` closes jumps, `zero` starts at 0, `off` leaves them.
        time_jitter: String = text("full"), OneOf(&["full", "zero", "off"]), Differs { how: "corrected once for the stream, not per player: every player sees the stream's own clock", test: "time_jitter_off_keeps_timestamps" };
        /// Whether timestamps are absolute: as the publisher sent them.
        atc: bool = false, OnOff, Same { test: "atc_keeps_the_publishers_timestamps" };
        /// Whether metadata with `bravo_atc` turns `atc` on.
        atc_auto: bool = false, OnOff, Same { test: "atc_auto_heeds_the_metadata" };
        /// Whether audio and video are put into the order of their timestamps.
        mix_correct: bool = false, OnOff, Same { test: "mix_correct_orders_audio_and_video" };
        /// Time over which messages are merged into one write; `auto` lets it grow with the load.
        mw_latency: Option<Duration> = Some(ms(350)), Or("auto", Millis(0..=10_000)), Same { test: "mw_latency_350_writes_at_most_four_times_a_second" };
        /// Messages that must wait before they are written; more than this many.
        mw_msgs: Option<u32> = None, Reset(Or("auto", Number(0..=128)), Some(128)), Same { test: "mw_msgs_holds_messages_back" };
        /// Least time between two writes, milliseconds.
        send_min_interval: Duration = ms(0), Millis(0..=10_000), Differs { how: "a write takes all messages that are there, not one", test: "send_min_interval_spaces_writes" };
        /// Whether a sequence header that says nothing new is left out.
        reduce_sequence_header: bool = false, OnOff, Same { test: "reduce_sequence_header_sends_it_once" };
    }
}
