//! What is measured, and told to others.

use std::time::Duration;

use crate::{
    Support::*,
    block::codec::{Number, OnOff, Seconds, Text, Words, ms, text},
};

block! {
    /// What another server is told of this one, by HTTP POST.
    Heartbeat {
        /// Whether it is told.
        enabled: bool = false, OnOff, NotYet;
        /// How often.
        interval: Duration = ms(9_900), Seconds(0.1..=86_400.0), NotYet;
        /// The other server.
        url: String = text("http://127.0.0.1:8085/api/v1/servers"), Text, NotYet;
        /// What this one calls itself.
        device_id: String = String::new(), Text, NotYet;
        /// Whether the summaries of the API are told too.
        summaries: bool = false, OnOff, NotYet;
        /// Whether the ports that are served are told too.
        ports: bool = false, OnOff, NotYet;
    }
}

block! {
    /// What the server measures of its machine.
    Stats {
        /// Whether it does.
        enabled: bool = true, OnOff, NotYet;
        /// Which of the machine's addresses stands for it, from 0.
        network: u32 = 0, Number(0..=1_000), NotYet;
        /// The disks.
        disk: Vec<String> = Vec::new(), Words, NotYet;
    }
}

block! {
    /// What the server leaves out when its processor has too much to do: percents, and for how
    /// many seconds on end.
    CircuitBreaker {
        /// Whether anything is left out.
        enabled: bool = true, OnOff, NotYet;
        /// From here on, packets are not sent again.
        high_threshold: u32 = 90, Number(0..=1_000), NotYet;
        /// For as long.
        high_pulse: u32 = 2, Number(0..=3_600), NotYet;
        /// From here on, publishers are told nothing of what arrives.
        critical_threshold: u32 = 95, Number(0..=1_000), NotYet;
        /// For as long.
        critical_pulse: u32 = 1, Number(0..=3_600), NotYet;
        /// From here on, packets for players are dropped.
        dying_threshold: u32 = 99, Number(0..=1_000), NotYet;
        /// For as long.
        dying_pulse: u32 = 5, Number(0..=3_600), NotYet;
    }
}
