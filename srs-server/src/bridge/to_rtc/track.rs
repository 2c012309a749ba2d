//! A track on its way out: its numbers, and the packets that have them.

use std::time::Duration;

use rtc_stack::{
    CodecParameters, PayloadType, Ssrc, payload::Payload, rtp::Fields, sfu::TrackPacket,
};
use stream_hub::Output;

use crate::media::{Frame, RtpBody, RtpItem};

/// What the packets say in the lane; each viewer's have what was agreed with it.
const PAYLOAD_TYPE: u8 = 96;

/// A track of the stream's packets.
pub(super) struct Outgoing {
    /// By which packets name it.
    pub(super) place: u8,
    pub(super) parameters: CodecParameters,
    pub(super) ssrc: Ssrc,
    /// The number of the next packet, with its rollovers.
    sequence: u64,
    /// When its clock was told last.
    pub(super) clock_told: Option<Duration>,
}

impl Outgoing {
    pub(super) fn new(place: usize, parameters: CodecParameters) -> Self {
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        let ssrc = Ssrc(fastrand::u32(1..));
        Self { place, parameters, ssrc, sequence: fastrand::u16(..).into(), clock_told: None }
    }

    /// Goes on with another codec.
    pub(super) fn change(&mut self, parameters: &CodecParameters) {
        let same_rate = self.parameters.clock_rate == parameters.clock_rate;
        self.clock_told = self.clock_told.filter(|_| same_rate);
        self.parameters.clone_from(parameters);
    }

    /// A time on the stream's clock as a timestamp.
    pub(super) fn ticks(&self, time: Duration) -> u32 {
        let ticks = time.as_micros() * u128::from(self.parameters.clock_rate) / 1_000_000;
        // The lower 32 bits are what a timestamp has.
        ticks as u32
    }

    /// Sends the payloads of one access unit.
    pub(super) fn send(
        &mut self,
        frame: &Frame,
        timestamp: u32,
        is_join_point: bool,
        payloads: impl IntoIterator<Item = Payload>,
        out: &mut Output<RtpItem>,
    ) {
        let codec = self.parameters.codec;
        for (at, payload) in payloads.into_iter().enumerate() {
            let fields = Fields {
                payload_type: PayloadType::from_wire(PAYLOAD_TYPE),
                ssrc: self.ssrc,
                timestamp,
                ..Fields::default()
            };
            // A payload that a packetizer made fits its packet.
            let packet = payload.to_packet(fields, self.sequence, frame.read_at, codec);
            let Ok(packet) = packet else { continue };
            self.sequence += 1;
            let packet = TrackPacket { track: self.place, packet };
            let is_join_point = is_join_point && at == 0;
            out.push(RtpItem::new(frame.time, is_join_point, RtpBody::Packet(packet)));
        }
    }
}
