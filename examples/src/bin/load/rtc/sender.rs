//! What a publisher sends, and sends again.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, UNIX_EPOCH},
};

use bytes::{BufMut, Bytes, BytesMut};
use rtc_stack::{
    MediaKind, PayloadType, Ssrc,
    rtcp::{NtpTime, Packet, Packets, SenderInfo, Writer},
    rtp::Fields,
    sdp::NegotiatedSection,
    stun::{Kind, classify},
};
use rtmp_proto::MediaMessage;

use super::{
    Manner,
    packetize::packetize,
    port::{Arrival, Outbox, Peer},
    session::Session,
};
use crate::client::ClientError;

/// Packets of a track that can be sent again: some seconds of them.
const KEPT: usize = 512;

pub(super) struct Sender {
    pub(super) session: Session,
    /// The server has asked for a keyframe.
    pub(super) is_keyframe_wanted: bool,
    sources: Vec<Source>,
    /// What the server misses.
    wanted: Vec<(Ssrc, u16)>,
    packet: BytesMut,
    manner: Manner,
}

/// A track that is sent.
pub(super) struct Source {
    kind: MediaKind,
    ssrc: Ssrc,
    payload_type: PayloadType,
    clock_rate: u32,
    /// SRTP's index, whose lower half is the sequence number.
    pub(super) next: u64,
    packets: u32,
    octets: u32,
    timestamp: u32,
    kept: VecDeque<Kept>,
    rtx: Option<Rtx>,
}

/// A packet that may be sent again.
struct Kept {
    fields: Fields,
    /// SRTP's index.
    index: u64,
    payload: Bytes,
}

/// The source of what is sent again (RFC 4588).
struct Rtx {
    ssrc: Ssrc,
    payload_type: PayloadType,
    next: u64,
}

impl Peer for Sender {
    fn receive(&mut self, _: Arrival, datagram: &mut [u8]) {
        match classify(datagram) {
            Kind::Dtls => self.session.receive_dtls(datagram),
            Kind::Rtcp => self.take_rtcp(datagram),
            _ => {}
        }
    }
}

impl Sender {
    pub(super) fn new(session: Session, manner: Manner) -> Self {
        let sources = session.negotiated.sections.iter().filter_map(Source::of).collect();
        let (is_keyframe_wanted, wanted, packet) = (false, Vec::new(), BytesMut::new());
        Self { session, is_keyframe_wanted, sources, wanted, packet, manner }
    }

    fn take_rtcp(&mut self, datagram: &mut [u8]) {
        let Ok(length) = self.session.inbound.open_rtcp(datagram) else { return };
        for packet in Packets::new(&datagram[..length]).flatten() {
            match packet {
                Packet::Nack(nack) => {
                    self.wanted.extend(nack.sequences().map(|number| (nack.media, number)));
                    self.session.woken.notify_one();
                }
                // With the next frame: no browser is quicker.
                Packet::PictureLoss { .. } | Packet::FullIntraRequests(_) => {
                    self.is_keyframe_wanted = true;
                }
                _ => {}
            }
        }
    }

    /// Does what is due but frames, and tells how many packets it has sent again.
    pub(super) fn turn(&mut self, now: Instant, out: &mut Outbox<'_>) -> Result<u64, ClientError> {
        if self.session.turn(now, out)? {
            let compound = self.report();
            self.session.send_rtcp(compound, out)?;
        }
        let mut count = 0;
        for (ssrc, number) in std::mem::take(&mut self.wanted) {
            let source = self.sources.iter_mut().find(|source| source.ssrc == ssrc);
            let again = source.and_then(|source| source.write_again(number, &mut self.packet));
            if let Some((header, index)) = again {
                self.seal(header, index)?;
                out.push(&self.packet);
                count += 1;
            }
        }
        Ok(count)
    }

    /// Sends a frame, and gives the bytes of its payloads.
    pub(super) fn send(
        &mut self,
        frame: &MediaMessage,
        out: &mut Outbox<'_>,
    ) -> Result<Vec<u64>, ClientError> {
        let kind = match frame.kind {
            rtmp_proto::MediaKind::Video => MediaKind::Video,
            _ => MediaKind::Audio,
        };
        let payloads = packetize(frame);
        for (place, payload) in (1..).zip(&payloads) {
            let marker = kind == MediaKind::Video && place == payloads.len();
            let source = self.sources.iter_mut().find(|source| source.kind == kind);
            let Some(source) = source else { return Ok(Vec::new()) };
            source.begin(frame);
            let index = source.next;
            let header = source.write(payload, marker, &mut self.packet);
            source.next += 1;
            self.seal(header, index)?;
            if !self.manner.loses() {
                out.push(&self.packet);
            }
        }
        Ok(payloads.iter().map(|payload| payload.len() as u64).collect())
    }

    fn seal(&mut self, header: usize, index: u64) -> Result<(), ClientError> {
        let outbound = &self.session.outbound;
        self.packet.put_bytes(0, outbound.profile().rtp_overhead());
        outbound.seal_rtp(header, index, &mut self.packet).map_err(ClientError::rtc)
    }

    /// Tells what time the timestamps are.
    fn report(&self) -> BytesMut {
        let wall = UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
        let mut compound = BytesMut::new();
        for source in self.sources.iter().filter(|source| source.packets > 0) {
            let Source { ssrc, packets, octets, timestamp, .. } = *source;
            let info = SenderInfo { time: NtpTime::from_unix(wall), timestamp, packets, octets };
            let mut writer = Writer::new(&mut compound);
            writer.sender_report(ssrc, &info, &[]);
            writer.cname(ssrc, b"load");
        }
        compound
    }
}

impl Source {
    fn of(section: &NegotiatedSection) -> Option<Self> {
        let (codec, local) = (section.codecs.first()?, section.local_source?);
        let rtx = local.rtx.zip(codec.rtx);
        let rtx = rtx.map(|(ssrc, payload_type)| Rtx { ssrc, payload_type, next: 0 });
        let kind = section.kind;
        let clock_rate = codec.parameters.clock_rate;
        Some(Self { rtx, ..Self::new(kind, local.ssrc, codec.payload_type, clock_rate) })
    }

    pub(super) fn new(
        kind: MediaKind,
        ssrc: Ssrc,
        payload_type: PayloadType,
        clock_rate: u32,
    ) -> Self {
        Self {
            kind,
            ssrc,
            payload_type,
            clock_rate,
            next: fastrand::u64(..1 << 15),
            packets: 0,
            octets: 0,
            timestamp: 0,
            kept: VecDeque::new(),
            rtx: None,
        }
    }

    /// The packets that follow are of this frame.
    pub(super) fn begin(&mut self, frame: &MediaMessage) {
        self.timestamp = frame.timestamp.wrapping_mul(self.clock_rate / 1_000);
    }

    /// Writes a packet over the one before, and gives the length of its header.
    pub(super) fn write(&mut self, payload: &Bytes, marker: bool, packet: &mut BytesMut) -> usize {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        let Self { ssrc, payload_type, timestamp, next: index, .. } = *self;
        let fields = Fields { marker, payload_type, sequence: index as u16, timestamp, ssrc };
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { fields, index, payload: payload.clone() });
        write(fields, &[payload], packet)
    }

    /// Writes a packet that was sent before, by a source of its own if there is one, and gives the
    /// length of its header and its index.
    fn write_again(&mut self, number: u16, packet: &mut BytesMut) -> Option<(usize, u64)> {
        let kept = self.kept.iter().rev().find(|kept| kept.fields.sequence == number)?;
        let Some(Rtx { ssrc, payload_type, next }) = &mut self.rtx else {
            return Some((write(kept.fields, &[&kept.payload], packet), kept.index));
        };
        let (ssrc, payload_type, index) = (*ssrc, *payload_type, *next);
        *next += 1;
        let fields = Fields { ssrc, payload_type, sequence: index as u16, ..kept.fields };
        Some((write(fields, &[&number.to_be_bytes(), &kept.payload], packet), index))
    }
}

/// Writes a packet over the one before, and gives the length of its header.
fn write(fields: Fields, payload: &[&[u8]], packet: &mut BytesMut) -> usize {
    packet.clear();
    let header = fields.append(&[], packet);
    payload.iter().for_each(|part| packet.put_slice(part));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_written_again() {
        let payload_type = PayloadType::new(96).unwrap();
        let mut source = Source::new(MediaKind::Video, Ssrc(7), payload_type, 90_000);
        source.next = 65_535;
        let mut packet = BytesMut::new();
        let mut sent = Vec::new();
        for number in 0..=KEPT {
            source.write(&Bytes::from(vec![number as u8; 3]), false, &mut packet);
            source.next += 1;
            sent.push(packet.to_vec());
        }
        assert_eq!(source.write_again(65_535, &mut packet), None);
        assert_eq!(source.write_again(4, &mut packet), Some((12, 65_540)));
        assert_eq!(packet[..], sent[5]);

        let payload_type = PayloadType::new(97).unwrap();
        source.rtx = Some(Rtx { ssrc: Ssrc(8), payload_type, next: 40 });
        for index in [40, 41] {
            assert_eq!(source.write_again(4, &mut packet), Some((12, index)));
            assert_eq!((packet[1], packet[3], packet[11]), (97, index as u8, 8));
            assert_eq!(packet[12..], [0, 4, 5, 5, 5]);
        }
    }
}
