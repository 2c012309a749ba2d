//! A viewer where its stream fans out: all that a packet's way to it touches.

use std::time::Instant;

use super::PeerId;
use super::bandwidth::Bandwidth;
use super::history::Kept;
use super::output::{ExtensionIds, Output};
use crate::bytes_at::put;
use crate::rtp::{AbsSendTime, Fields};
use crate::session::{Flow, Outgoing};
use crate::srtp::Outbound;

/// Media sections of a viewer that carry something: one of audio and one of video.
pub(super) const OUTPUTS: usize = 2;
/// Bytes of an original sequence number (RFC 4588, 4).
const OSN: usize = 2;
/// The bit in a header's first byte that says that the packet is padded.
const PADDED: u8 = 0x20;

/// A viewer of a stream.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) peer: PeerId,
    pub(super) flow: Flow,
    /// The number that the latest packet has in the viewer's transport-wide reports.
    pub(super) transport_sequence: u16,
    /// Packets that are to be lost on purpose.
    pub(super) to_drop: u16,
    /// What it carries, video first: what follows packets of equal size may be shorter, and shares their run.
    pub(super) outputs: [Option<Output>; OUTPUTS],
    pub(super) srtp: Outbound,
    /// What the path carries, where there are layers to choose by it. Else no packet is numbered.
    pub(super) bandwidth: Option<Box<Bandwidth>>,
}

/// How a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Media,
    Retransmission,
}

impl Seat {
    pub(super) fn new(
        peer: PeerId,
        flow: Flow,
        srtp: Outbound,
        outputs: [Option<Output>; OUTPUTS],
    ) -> Self {
        Self { peer, flow, transport_sequence: 0, to_drop: 0, outputs, srtp, bandwidth: None }
    }

    /// Sends what the viewer gets of a batch: pairs of a track's number and a packet of it.
    pub(super) fn forward(
        &mut self,
        now: Instant,
        at: AbsSendTime,
        batch: &[(u8, Kept)],
        out: &mut Outgoing,
    ) {
        let Self { outputs, srtp, flow, transport_sequence, to_drop, bandwidth, .. } = self;
        let mut path = Path { srtp, flow, transport_sequence, bandwidth, to_drop, at };
        for output in outputs.iter_mut().flatten() {
            for (track, kept) in batch {
                if output.track != Some(*track) && !output.turns_to(now, *track, kept) {
                    continue;
                }
                if !output.passes(now, kept) {
                    continue;
                }
                path.send(now, output, kept, out);
            }
        }
    }

    /// Sends one packet of an output's track that a replay or a gate let through.
    pub(super) fn send(
        &mut self,
        now: Instant,
        at: AbsSendTime,
        output: usize,
        kept: &Kept,
        out: &mut Outgoing,
    ) {
        let Self { outputs, srtp, flow, transport_sequence, to_drop, bandwidth, .. } = self;
        let mut path = Path { srtp, flow, transport_sequence, bandwidth, to_drop, at };
        if let Some(Some(output)) = outputs.get_mut(output) {
            path.send(now, output, kept, out);
        }
    }

    /// Sends a packet again, which had this number, and says how many bytes it took.
    pub(super) fn send_again(
        &mut self,
        at: AbsSendTime,
        output: usize,
        number: u64,
        kept: &Kept,
        out: &mut Outgoing,
    ) -> usize {
        let Self { outputs, srtp, flow, transport_sequence, to_drop, bandwidth, .. } = self;
        let mut path = Path { srtp, flow, transport_sequence, bandwidth, to_drop, at };
        let Some(Some(output)) = outputs.get_mut(output) else { return 0 };
        if output.rtx.is_some() {
            path.write(output, number, kept, Form::Retransmission, out)
        } else {
            path.write(output, number, kept, Form::Media, out)
        }
    }
}

/// What the packets to one viewer share.
struct Path<'a> {
    srtp: &'a Outbound,
    flow: &'a Flow,
    transport_sequence: &'a mut u16,
    bandwidth: &'a mut Option<Box<Bandwidth>>,
    to_drop: &'a mut u16,
    at: AbsSendTime,
}

impl Path<'_> {
    fn send(&mut self, now: Instant, output: &mut Output, kept: &Kept, out: &mut Outgoing) {
        let Some(number) = output.number(kept.sequence) else { return };
        output.record(now, number, kept.timestamp, kept.packet.payload().len());
        self.write(output, number, kept, Form::Media, out);
    }

    /// Writes and seals a packet where it leaves from.
    fn write(
        &mut self,
        output: &mut Output,
        number: u64,
        kept: &Kept,
        form: Form,
        out: &mut Outgoing,
    ) -> usize {
        let (mut ssrc, mut payload_type, mut index) = (output.ssrc, output.payload_type, number);
        let mut original = 0;
        if form == Form::Retransmission
            && let Some(rtx) = output.rtx
        {
            (ssrc, payload_type) = (rtx.ssrc, rtx.payload_type);
            index = output.next_retransmission();
            original = OSN;
        }
        let ids = output.ids;
        let mid_id = if output.has_mid(number) { ids.mid } else { 0 };
        let transport_cc = if self.bandwidth.is_some() { ids.transport_cc } else { 0 };
        if transport_cc != 0 {
            *self.transport_sequence = self.transport_sequence.wrapping_add(1);
        }
        if *self.to_drop > 0 {
            *self.to_drop = self.to_drop.saturating_sub(1);
            return 0;
        }
        let (level, orientation) = (kept.audio_level, kept.orientation);
        // An element whose id is 0 is left out.
        let extensions: [(u8, &[u8]); 5] = [
            (mid_id, output.mid.as_str().as_bytes()),
            (level.map_or(0, |_| ids.audio_level), &[level.unwrap_or(0)]),
            (orientation.map_or(0, |_| ids.orientation), &[orientation.unwrap_or(0)]),
            (transport_cc, &self.transport_sequence.to_be_bytes()),
            (ids.abs_send_time, &self.at.encode()),
        ];
        let payload = kept.packet.payload();
        let header = Fields::encoded_len(&extensions);
        // A plain retransmission has the number of the packet that it repeats, and so must have its bytes.
        let padding = if output.rtx.is_some() { kept.padding } else { 0 };
        let end = header.saturating_add(original).saturating_add(payload.len());
        let plain = end.saturating_add(usize::from(padding));
        let length = plain.saturating_add(self.srtp.profile().rtp_overhead());
        if transport_cc != 0
            && let Some(bandwidth) = self.bandwidth
        {
            bandwidth.note(*self.transport_sequence, self.at, length);
        }
        let packet = out.append(self.flow, length);
        let sequence = index as u16;
        let timestamp = output.timestamp(kept.timestamp);
        let marker = kept.packet.marker();
        Fields { marker, payload_type, sequence, timestamp, ssrc }.encode(&extensions, packet);
        if original > 0 {
            put(packet, header, &(number as u16).to_be_bytes());
        }
        put(packet, header.saturating_add(original), payload);
        if padding > 0 {
            pad(packet, end, padding);
        }
        // It fails when all 2^48 numbers of a source are used, and by nothing that a peer sends.
        if self.srtp.seal_rtp(header, index, packet).is_err() {
            packet.fill(0);
        }
        length
    }
}

/// Writes padding behind what ends at `end`: its last byte says how long it is (RFC 3550, 5.1).
fn pad(packet: &mut [u8], end: usize, padding: u8) {
    let plain = end.saturating_add(usize::from(padding));
    if let Some(place) = packet.get_mut(end..plain) {
        place.fill(0);
        put(place, usize::from(padding).saturating_sub(1), &[padding]);
    }
    if let Some(first) = packet.first_mut() {
        *first |= PADDED;
    }
}

impl ExtensionIds {
    /// Without those whose values differ each time that a packet is sent. A source whose packets are sent again as they
    /// were must seal the same bytes each time, since AES-GCM gives its keys away otherwise (RFC 7714, 8.1).
    #[must_use]
    pub(super) const fn constant(self) -> Self {
        Self { transport_cc: 0, abs_send_time: 0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::viewer::Viewer;
    use super::super::{Peer, stream::Stream};
    use super::*;
    use crate::srtp::Outbound;

    /// What a viewer holds is what decides how many there can be.
    #[test]
    fn a_viewer_takes_little_memory() {
        let sizes = [size_of::<Outbound>(), size_of::<Output>(), size_of::<Seat>()];
        assert!(size_of::<Seat>() <= 1_152, "{sizes:?}");
        let held = size_of::<Seat>() + size_of::<Peer>() + size_of::<Viewer>();
        assert!(held <= 2_048, "{held}");
        assert!(size_of::<Stream>() <= 128);
    }
}
