//! How much the path to a viewer carries, by when the packets that it was sent have arrived.
//!
//! The idea is that of draft-ietf-rmcat-gcc: queues that grow show themselves in how much longer each packet takes than
//! the one before, and losses show those that are full. It is kept where there is something to choose by it: for a
//! viewer that agreed to transport-wide reports, of a stream with simulcast layers. Only such a viewer's packets are
//! numbered for them; others then report nothing, which costs nobody anything.

mod control;
mod delay;
mod probe;
mod sent;
mod throughput;

use std::time::{Duration, Instant};

use crate::rtcp::TransportFeedback;
use crate::rtp::AbsSendTime;
use control::Control;
use delay::{DelayTrend, Usage};
use probe::Probe;
use sent::Sent;
use throughput::Throughput;

/// Losses are judged by so many packets at least, and over so long.
const LOSS_PACKETS: u64 = 20;
const LOSS_WINDOW: Duration = Duration::from_secs(1);

/// What is known of a viewer's path: about 9 KiB, and no more whatever is sent and reported.
#[derive(Debug)]
pub(super) struct Bandwidth {
    sent: Sent,
    trend: DelayTrend,
    throughput: Throughput,
    control: Control,
    probe: Option<Probe>,
    /// Since when losses are counted, and the packets that came and did not.
    losses: Option<(Instant, u64, u64)>,
}

/// What a report has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Heard {
    pub(super) received: u64,
    pub(super) lost: u64,
    /// The path carries less than was thought.
    pub(super) is_congested: bool,
    /// How a probe has ended: whether the path carried it.
    pub(super) probed: Option<bool>,
}

impl Bandwidth {
    pub(super) fn new() -> Self {
        Self {
            sent: Sent::new(),
            trend: DelayTrend::default(),
            throughput: Throughput::default(),
            control: Control::default(),
            probe: None,
            losses: None,
        }
    }

    /// Notes a packet that is sent, `bytes` long with its header.
    pub(super) fn note(&mut self, sequence: u16, at: AbsSendTime, bytes: usize) {
        self.sent.note(sequence, at, bytes);
    }

    /// What the path carries, in bits per second; `None` until there have been reports for a while.
    pub(super) const fn bits(&self) -> Option<u64> {
        self.control.bits()
    }

    /// Whether the path was found to carry less than was thought, a moment ago.
    pub(super) fn was_congested(&self, now: Instant) -> bool {
        self.control.was_congested(now)
    }

    /// Takes what a viewer reports of the packets that it was sent, whose round trip takes `rtt`.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        rtt: Duration,
        feedback: &TransportFeedback<'_>,
    ) -> Heard {
        let mut heard = Heard::default();
        let mut usage = Usage::Normal;
        // More packets than are remembered are none of ours.
        for status in feedback.statuses().take(sent::REMEMBERED) {
            let Some(arrival) = status.arrival else {
                let is_ours = self.sent.knows(status.sequence);
                heard.lost = heard.lost.saturating_add(u64::from(is_ours));
                continue;
            };
            let Some(packet) = self.sent.take(status.sequence) else { continue };
            heard.received = heard.received.saturating_add(1);
            self.throughput.note(arrival, packet.bytes);
            usage = usage.max(self.trend.receive(packet.at, arrival));
            if let Some(probe) = &mut self.probe {
                probe.note(status.sequence, &packet, arrival);
            }
        }
        if heard.received == 0 && heard.lost == 0 {
            return heard;
        }
        // A probe sends more than the path may carry, on purpose: what it shows is told by its end.
        let usage = if self.probe.is_some() { Usage::Under } else { usage };
        heard.probed = self.end_probe(now);
        heard.is_congested = self.control.update(now, rtt, usage, self.throughput.bits());
        heard.is_congested |= self.judge_losses(now, heard.received, heard.lost);
        heard
    }

    fn judge_losses(&mut self, now: Instant, received: u64, lost: u64) -> bool {
        let (since, all_received, all_lost) = self.losses.get_or_insert((now, 0, 0));
        *all_received = all_received.saturating_add(received);
        *all_lost = all_lost.saturating_add(lost);
        let all = all_received.saturating_add(*all_lost);
        if all < LOSS_PACKETS || now.saturating_duration_since(*since) < LOSS_WINDOW {
            return false;
        }
        let percent = all_lost.saturating_mul(100).checked_div(all).unwrap_or(0);
        self.losses = None;
        self.control.note_losses(now, percent, self.throughput.bits())
    }

    /// Begins to send at a rate of so many bits per second, to see whether the path carries it: the next packets do,
    /// until [`Bandwidth::finish_probe`].
    pub(super) fn begin_probe(&mut self, now: Instant, next: u16, target: u64) {
        self.probe = Some(Probe::new(now, next, target));
    }

    /// No more packets belong to a probe.
    pub(super) const fn finish_probe(&mut self, next: u16) {
        if let Some(probe) = &mut self.probe {
            probe.finish(next);
        }
    }

    /// Whether a probe is under way. One that nothing is heard of fails with time.
    pub(super) const fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Gives up a probe of which nothing is heard. True if there was one.
    pub(super) fn abandon_probe(&mut self, now: Instant) -> bool {
        self.probe.take_if(|probe| probe.is_over(now)).is_some()
    }

    fn end_probe(&mut self, now: Instant) -> Option<bool> {
        let (carried, is_carried) = self.probe.as_ref()?.result(now)?;
        self.probe = None;
        if !is_carried {
            // The queue is the probe's own.
            self.trend = DelayTrend::default();
        }
        self.control.note_probe(now, carried, is_carried);
        Some(is_carried)
    }
}

#[cfg(test)]
mod tests;
