//! What is known of a viewer besides its seat.

use std::time::{Duration, Instant};

use super::climb::Climb;
use super::history::Kept;
use super::output::{ExtensionIds, Gate, Output, Rtx};
use super::retransmission::Retransmission;
use super::seat::{OUTPUTS, Seat};
use super::stream::StreamTrack;
use super::{SfuConfig, StreamId, Track};
use crate::rtp::AbsSendTime;
use crate::sdp::NegotiatedSection;
use crate::session::Outgoing;
use crate::{Limits, MediaKind, Rid};

/// A viewer's side that media does not touch.
#[derive(Debug)]
pub(super) struct Viewer {
    /// The media sections that may carry something, video first; at most [`OUTPUTS`].
    pub(super) sections: Box<[NegotiatedSection]>,
    pub(super) place: Place,
    pub(super) stream: Option<StreamId>,
    /// The simulcast layer that it is to get, whatever its rate.
    pub(super) layer: Option<Rid>,
    pub(super) retransmission: Retransmission,
    pub(super) rtt: Option<Duration>,
    /// The rate in bits per second that the viewer says it can take (REMB).
    pub(super) told_bitrate: Option<u64>,
    pub(super) climb: Climb,
    pub(super) transport_received: u64,
    pub(super) transport_lost: u64,
    /// What the viewer says of each of its outputs.
    pub(super) reports: [Report; OUTPUTS],
}

/// Where a viewer's seat is.
#[derive(Debug)]
pub(super) enum Place {
    /// Nowhere: there are no keys yet.
    NotConnected,
    /// Here, as it belongs to no stream.
    Parked(Box<Seat>),
    /// Among the stream's.
    Seated(usize),
}

/// What a viewer says of an output.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Report {
    pub(super) lost: i64,
    pub(super) fraction_lost: u8,
    pub(super) jitter: u32,
    pub(super) nacks: u64,
    pub(super) retransmitted: u64,
    pub(super) plis: u64,
}

impl Viewer {
    /// Keeps of the sections the first one of video and the first of audio that we send in.
    pub(super) fn new(sections: Vec<NegotiatedSection>, limits: &Limits) -> Self {
        let mut kept = Vec::with_capacity(OUTPUTS);
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let mut of_kind = sections.iter().filter(|section| section.kind == kind);
            kept.extend(of_kind.find(|section| section.local_source.is_some()).cloned());
        }
        Self {
            sections: kept.into_boxed_slice(),
            place: Place::NotConnected,
            stream: None,
            layer: None,
            retransmission: Retransmission::new(limits),
            rtt: None,
            told_bitrate: None,
            climb: Climb::default(),
            transport_received: 0,
            transport_lost: 0,
            reports: Default::default(),
        }
    }

    /// The sources that the viewer knows from its description, in the order of the sections.
    pub(super) fn outputs(&self, rng: &mut fastrand::Rng) -> [Option<Output>; OUTPUTS] {
        let mut outputs = self.sections.iter().zip(0u8..).map(|(section, index)| {
            let source = section.local_source?;
            Some(Output::new(index, source.ssrc, section.mid, rng))
        });
        std::array::from_fn(|_| outputs.next().flatten())
    }

    /// What the path is taken to carry, in bits per second, by what is measured, and else by what the viewer says.
    pub(super) fn estimate(&self, seat: &Seat) -> Option<u64> {
        let measured = seat.bandwidth.as_ref().and_then(|bandwidth| bandwidth.bits());
        measured.or(self.told_bitrate)
    }

    /// Sends a packet again if there is one, it may be had, and was not sent a moment ago.
    pub(super) fn send_again(
        &mut self,
        (now, at): (Instant, AbsSendTime),
        seat: &mut Seat,
        (index, lower): (usize, u16),
        tracks: &[StreamTrack],
        config: &SfuConfig,
        out: &mut Outgoing,
    ) {
        if !self.retransmission.is_heard() {
            return;
        }
        let Some(Some(output)) = seat.outputs.get(index) else { return };
        let found = output.sequence_of(lower).and_then(|(number, sequence)| {
            let track = tracks.get(usize::from(output.track?))?;
            Some((number, track.history.get(sequence)?))
        });
        let Some((number, kept)) = found else {
            self.retransmission.refused = self.retransmission.refused.saturating_add(1);
            return;
        };
        let kept: &Kept = kept;
        let rtt = self.rtt.unwrap_or(config.initial_rtt);
        // A viewer asks again after one round trip at the earliest, by its own measure, which differs a little.
        let apart = rtt.mul_f32(0.75);
        let output = u8::try_from(index).unwrap_or(u8::MAX);
        if !self.retransmission.admit(now, output, number, apart) {
            return;
        }
        let bytes = seat.send_again(at, index, number, kept, out);
        self.retransmission.spend(bytes);
        if let Some(report) = self.reports.get_mut(index) {
            report.retransmitted = report.retransmitted.saturating_add(1);
        }
    }
}

/// Lets an output carry a track, if its section has the codec. False if it has not, and it carries nothing then.
pub(super) fn bind(
    output: &mut Output,
    section: &NegotiatedSection,
    number: u8,
    track: &Track,
    gate: Gate,
    config: &SfuConfig,
) -> bool {
    let Some(codec) = section.bind(&track.parameters) else {
        output.bind(None, Gate::Next);
        return false;
    };
    output.bind(Some(number), gate);
    output.payload_type = codec.payload_type;
    output.clock_rate = codec.parameters.clock_rate;
    let rtx_source = section.local_source.and_then(|source| source.rtx);
    output.rtx = match (codec.rtx, rtx_source) {
        (Some(payload_type), Some(ssrc)) => Some(Rtx { ssrc, payload_type }),
        _ => None,
    };
    let agreed = &section.extensions;
    let ids = ExtensionIds {
        mid: agreed.mid.unwrap_or(0),
        audio_level: agreed.audio_level.unwrap_or(0),
        orientation: agreed.video_orientation.unwrap_or(0),
        transport_cc: agreed.transport_wide_cc.filter(|_| config.transport_cc).unwrap_or(0),
        abs_send_time: agreed.abs_send_time.unwrap_or(0),
    };
    // A plain retransmission has the number of the packet that it repeats.
    output.ids = if output.rtx.is_some() { ids } else { ids.constant() };
    true
}
