use bytes::{BufMut, BytesMut};

use super::extended::{LastReference, last_reference, reference_time};
use super::feedback::{nack_pair, remb_bits};
use super::{
    APPLICATION, EXTENDED_REPORTS, FULL_INTRA, GOODBYE, NACK, NtpTime, PAYLOAD_FEEDBACK,
    PICTURE_LOSS, RECEIVER_REPORT, REMB, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION,
    SenderInfo, SourceItem, TRANSPORT_FEEDBACK, TRANSPORT_WIDE,
};
use crate::Ssrc;
use crate::bytes_at::put;

/// Most blocks, sources or chunks that a packet can count.
const MOST: usize = 31;
/// Most pairs of one NACK, so that it fits into a datagram.
const MOST_PAIRS: usize = 255;

/// Appends RTCP packets to a buffer, one after the other as a compound.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    /// Writes to the end of a buffer.
    pub const fn new(out: &'a mut BytesMut) -> Self {
        Self { out }
    }

    /// A sender report. Of more than 31 blocks the others follow in receiver reports.
    pub fn sender_report(&mut self, ssrc: Ssrc, info: &SenderInfo, blocks: &[ReportBlock]) {
        let (first, others) = blocks.split_at(blocks.len().min(MOST));
        self.packet(SENDER_REPORT, first.len() as u8, |out| {
            out.put_u32(ssrc.0);
            out.put_u64(info.time.bits());
            out.put_u32(info.timestamp);
            out.put_u32(info.packets);
            out.put_u32(info.octets);
            put_blocks(out, first);
        });
        if !others.is_empty() {
            self.receiver_report(ssrc, others);
        }
    }

    /// A receiver report, and more of them for more than 31 blocks.
    pub fn receiver_report(&mut self, ssrc: Ssrc, blocks: &[ReportBlock]) {
        let (first, others) = blocks.split_at(blocks.len().min(MOST));
        self.packet(RECEIVER_REPORT, first.len() as u8, |out| {
            out.put_u32(ssrc.0);
            put_blocks(out, first);
        });
        if !others.is_empty() {
            self.receiver_report(ssrc, others);
        }
    }

    /// A source description with the canonical name of a source, of which 255 bytes are written at most.
    pub fn cname(&mut self, ssrc: Ssrc, name: &[u8]) {
        let name = name.get(..255).unwrap_or(name);
        self.packet(SOURCE_DESCRIPTION, 1, |out| {
            out.put_u32(ssrc.0);
            out.put_slice(&[SourceItem::CNAME, name.len() as u8]);
            out.put_slice(name);
            // The zero that ends the list; the rest of the padding comes by itself.
            out.put_u8(0);
        });
    }

    /// A goodbye of at most 31 sources, with a reason of at most 255 bytes or none.
    pub fn goodbye(&mut self, sources: &[Ssrc], reason: &[u8]) {
        let sources = sources.get(..MOST).unwrap_or(sources);
        let reason = reason.get(..255).unwrap_or(reason);
        self.packet(GOODBYE, sources.len() as u8, |out| {
            sources.iter().for_each(|ssrc| out.put_u32(ssrc.0));
            if !reason.is_empty() {
                out.put_u8(reason.len() as u8);
                out.put_slice(reason);
            }
        });
    }

    /// The receiver's clock, so that who sends to it can tell when that came (RFC 3611, 4.4).
    pub fn reference_time(&mut self, ssrc: Ssrc, time: NtpTime) {
        self.packet(EXTENDED_REPORTS, 0, |out| {
            out.put_u32(ssrc.0);
            out.put_slice(&reference_time(time));
        });
    }

    /// When a sender last had the clock of a receiver (RFC 3611, 4.5).
    pub fn last_reference(&mut self, ssrc: Ssrc, last: &LastReference) {
        self.packet(EXTENDED_REPORTS, 0, |out| {
            out.put_u32(ssrc.0);
            last_reference(last).iter().for_each(|word| out.put_slice(word));
        });
    }

    /// A request for missing packets by their sequence numbers in ascending order, and how many of them it has room
    /// for: all, unless they are scattered over more than 255 times 17 numbers. Nothing is written for none.
    pub fn nack(&mut self, sender: Ssrc, media: Ssrc, sequences: &[u16]) -> usize {
        let mut rest = sequences;
        if !rest.is_empty() {
            self.feedback(TRANSPORT_FEEDBACK, NACK, sender, media, |out| {
                let pairs = std::iter::from_fn(|| nack_pair(&mut rest));
                pairs.take(MOST_PAIRS).for_each(|pair| out.put_slice(&pair));
            });
        }
        sequences.len().saturating_sub(rest.len())
    }

    /// A picture loss indication.
    pub fn picture_loss(&mut self, sender: Ssrc, media: Ssrc) {
        self.feedback(PAYLOAD_FEEDBACK, PICTURE_LOSS, sender, media, |_| {});
    }

    /// A full intra request: sources, each with the number of the request.
    pub fn full_intra_requests(&mut self, sender: Ssrc, requests: &[(Ssrc, u8)]) {
        self.feedback(PAYLOAD_FEEDBACK, FULL_INTRA, sender, Ssrc(0), |out| {
            for (ssrc, number) in requests {
                out.put_u32(ssrc.0);
                out.put_slice(&[*number, 0, 0, 0]);
            }
        });
    }

    /// The bitrate, in bits per second, that can be taken of at most 255 sources.
    pub fn remb(&mut self, sender: Ssrc, bitrate: u64, sources: &[Ssrc]) {
        let sources = sources.get(..255).unwrap_or(sources);
        self.feedback(PAYLOAD_FEEDBACK, APPLICATION, sender, Ssrc(0), |out| {
            out.put_slice(&REMB);
            out.put_u32((sources.len() as u32) << 24 | remb_bits(bitrate));
            sources.iter().for_each(|ssrc| out.put_u32(ssrc.0));
        });
    }

    /// Feedback about the packets of all sources; `write` fills in what follows the sources.
    pub(crate) fn transport_feedback(
        &mut self,
        sender: Ssrc,
        media: Ssrc,
        write: impl FnOnce(&mut BytesMut),
    ) {
        self.feedback(TRANSPORT_FEEDBACK, TRANSPORT_WIDE, sender, media, write);
    }

    fn feedback(
        &mut self,
        packet_type: u8,
        format: u8,
        sender: Ssrc,
        media: Ssrc,
        write: impl FnOnce(&mut BytesMut),
    ) {
        self.packet(packet_type, format, |out| {
            out.put_u32(sender.0);
            out.put_u32(media.0);
            write(out);
        });
    }

    /// A packet whose content is padded with zeroes to a multiple of four bytes.
    fn packet(&mut self, packet_type: u8, count: u8, write: impl FnOnce(&mut BytesMut)) {
        let start = self.out.len();
        self.out.put_slice(&[0x80 | count, packet_type, 0, 0]);
        write(self.out);
        let len = self.out.len().saturating_sub(start);
        let padded = len.next_multiple_of(4);
        self.out.put_bytes(0, padded.saturating_sub(len));
        let words = u16::try_from(padded / 4).unwrap_or(u16::MAX).saturating_sub(1);
        put(self.out, start.saturating_add(2), &words.to_be_bytes());
    }
}

fn put_blocks(out: &mut BytesMut, blocks: &[ReportBlock]) {
    blocks.iter().flat_map(ReportBlock::encode).for_each(|word| out.put_slice(&word));
}
