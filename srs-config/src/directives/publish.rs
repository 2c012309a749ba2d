//! Publishers.

use std::time::Duration;

use crate::{
    Support::*,
    block::codec::{Millis, OnOff, OneOf, Seconds, ms, seconds, text},
};

block! {
    /// How publishers are served.
    Publish {
        /// Whether reads are merged.
        mr: bool = false, OnOff, NotYet;
        /// Time over which reads are merged.
        mr_latency: Duration = ms(350), Millis(0..=10_000), NotYet;
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
