//! What is measured of WebRTC alone.

use std::{
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{MeasureError, PATIENCE, PIONEERING, Running, faults, percentiles, summary};
use crate::{
    arguments::Rate,
    report::{
        case::{Plan, ROUND, ROUNDS, RTC_JOINERS, RTC_JOINING},
        data::Measurement,
        sample::Sample,
    },
    rtc,
};

/// How long system calls are counted, behind what is measured: counting costs something.
pub(super) const COUNTING: Duration = Duration::from_secs(1);
/// How long those stay who join while others play.
const STAY: Duration = Duration::from_secs(3);
/// What joining and staying takes, and the start of its process.
pub(super) const JOINING: Duration = RTC_JOINING.saturating_add(STAY).saturating_add(STAY);
/// Sessions are over by then whose clients have said goodbye.
const GOODBYES: Duration = Duration::from_secs(1);

impl Running<'_> {
    /// System calls of the server for each RTP packet that it takes or sends, with all players there;
    /// `None` where `perf` isn't there or may not count them.
    pub(super) fn calls(&self, clients: u32, streams: u32) -> Option<f64> {
        let mut perf = Command::new("perf");
        perf.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p"]);
        perf.arg(self.process.id().to_string());
        perf.args(["sleep", &COUNTING.as_secs().to_string()]);
        let told = perf.stdin(Stdio::null()).output().ok()?.stderr;
        let calls = counted(&String::from_utf8_lossy(&told))? / COUNTING.as_secs_f64();
        Some(calls / (rtc::packets_per_second(Rate::default()) * f64::from(clients + streams)))
    }

    /// Players that come at a rate; `measured` gets what they saw, and at what rate they came.
    pub(super) fn joiners(
        &self,
        measured: &mut Measurement,
        faults_seen: &mut Vec<String>,
    ) -> Result<(), MeasureError> {
        let joiners = self.clients(RTC_JOINERS, RTC_JOINING, Duration::ZERO, STAY)?;
        let told = summary(joiners, PATIENCE)?;
        faults_seen.extend(faults(&told, Duration::ZERO, false));
        measured.join_ms = percentiles(&told, "setup_ms");
        measured.joins = told["started_per_second"].as_f64().unwrap_or(0.0);
        Ok(())
    }

    /// Memory after each time that all players have come and gone.
    pub(super) fn rounds(&self, clients: u32) -> Result<Measurement, MeasureError> {
        let ramp = Plan::ramp(self.kind, clients);
        let mut measurement = Measurement { clients, ..Measurement::default() };
        let before = Sample::of(self.process.id())?;
        for _ in 0..ROUNDS {
            let told = summary(
                self.clients(clients, ramp, Duration::ZERO, ROUND)?,
                ramp + PIONEERING + PATIENCE,
            )?;
            measurement.faults.extend(faults(&told, Duration::ZERO, false));
            sleep(GOODBYES);
            measurement.rounds_kib.push(Sample::of(self.process.id())?.rss_kib);
        }
        measurement.cpu = Sample::of(self.process.id())?.since(&before).cpu;
        Ok(measurement)
    }
}

/// The number in front of the event's name.
fn counted(told: &str) -> Option<f64> {
    let line = told.lines().find(|line| line.contains("raw_syscalls:sys_enter"))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_or_unknown() {
        let told = "4711,,raw_syscalls:sys_enter,1000223317,100.00,,\n";
        assert_eq!(counted(told), Some(4711.0));
        assert_eq!(counted("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
        assert_eq!(counted("No permission to enable raw_syscalls:sys_enter event."), None);
        assert_eq!(counted(""), None);
    }
}
