//! Publishers.

use std::time::Duration;

use crate::{
    Support::*,
    block::codec::{Millis, OnOff, OneOf, Or, Seconds, ms, seconds, text},
};

block! {
    /// How publishers are served.
    Publish {
        /// Whether a publisher is read only once in `mr_latency`; `auto` (beside SRS's `on` and
        /// `off`) is at once while a core has few publishers, and up to 150 ms when it has many.
        mr: Option<bool> = Some(false), Or("auto", OnOff), Same { test: "mr_reads_at_most_once_in_mr_latency" };
        /// Time between two reads of a publisher where reads are merged; never more than half of
        /// `normal_timeout`.
        mr_latency: Duration = ms(350), Millis(0..=10_000), Same { test: "mr_reads_at_most_once_in_mr_latency" };
        /// Longest wait for a publisher's first message.
        firstpkt_timeout: Duration = ms(20_000), Millis(100..=3_600_000), Same { test: "firstpkt_timeout_ends_a_silent_publisher" };
        /// Longest silence after that.
        normal_timeout: Duration = ms(5_000), Millis(100..=3_600_000), Same { test: "normal_timeout_ends_a_publisher_that_stops" };
        /// Whether video configuration is read for its size and profile.
        parse_sps: bool = true, OnOff, Same { test: "parse_sps_off_tells_no_size" };
        /// Whether NAL units behind start codes are looked for.
        try_annexb_first: bool = true, OnOff, Same { test: "try_annexb_first_off_leaves_start_codes" };
        /// Time without a player after which the publisher is closed; 0 keeps it.
        kickoff_for_idle: Duration = seconds(0), Seconds(0.0..=86_400.0), Same { test: "kickoff_for_idle_closes_the_publisher" };
        /// Who takes over from a publisher that is still there: nobody, or the same encoder
        /// (same address, same parameters).
        takeover: String = text("off"), OneOf(&["off", "same"]), Added { test: "takeover_same_replaces_the_publisher" };
        /// How long players are kept when the publisher goes, in case it comes back.
        grace: Duration = ms(0), Millis(0..=60_000), Added { test: "grace_keeps_players" };
    }
}
