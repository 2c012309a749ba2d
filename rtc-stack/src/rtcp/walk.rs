use super::{
    APPLICATION, EXTENDED_REPORTS, ExtendedReports, FULL_INTRA, FullIntraRequests, GOODBYE,
    Goodbye, NACK, Nack, NtpTime, PAYLOAD_FEEDBACK, PICTURE_LOSS, RECEIVER_REPORT, REMB, Remb,
    ReportBlocks, RtcpError, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo, SourceDescription,
    TRANSPORT_FEEDBACK, TRANSPORT_WIDE, TransportFeedback,
};
use crate::Ssrc;
use crate::bytes_at::{array, u8_at, u16_at, u32_at};

/// One RTCP packet, with what it holds read as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// What a sender says of its source, and of those it receives (RFC 3550, 6.4.1).
    SenderReport {
        /// The sender's source.
        ssrc: Ssrc,
        /// What it says of that.
        info: SenderInfo,
        /// What it received.
        blocks: ReportBlocks<'a>,
    },
    /// What one that doesn't send says of those it receives (RFC 3550, 6.4.2).
    ReceiverReport {
        /// The receiver.
        ssrc: Ssrc,
        /// What it received.
        blocks: ReportBlocks<'a>,
    },
    /// Names of sources (RFC 3550, 6.5).
    SourceDescription(SourceDescription<'a>),
    /// Sources that end (RFC 3550, 6.6).
    Goodbye(Goodbye<'a>),
    /// Packets that are missing (RFC 4585, 6.2.1).
    Nack(Nack<'a>),
    /// Arrivals of packets of all sources (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportFeedback(TransportFeedback<'a>),
    /// A picture that can't be decoded (RFC 4585, 6.3.1).
    PictureLoss {
        /// Who says so.
        sender: Ssrc,
        /// The source.
        media: Ssrc,
    },
    /// Sources of which a keyframe is wanted (RFC 5104, 4.3.1).
    FullIntraRequests(FullIntraRequests<'a>),
    /// The bitrate that a receiver can take (draft-alvestrand-rmcat-remb-03).
    Remb(Remb<'a>),
    /// Reports of times of those who send nothing, and of other things (RFC 3611).
    ExtendedReports(ExtendedReports<'a>),
    /// Anything else.
    Other {
        /// The type.
        packet_type: u8,
        /// The five bits that are a count or a format.
        count: u8,
        /// What follows the header, without padding.
        body: &'a [u8],
    },
}

/// Walks the packets of a compound. One whose content is wrong is an error, after which the walk goes on; one whose
/// length is wrong is the last.
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Packets<'a> {
    /// Begins a walk over a decrypted compound.
    #[must_use]
    pub const fn new(compound: &'a [u8]) -> Self {
        Self { rest: compound }
    }

    fn step(&mut self) -> Result<Packet<'a>, RtcpError> {
        let rest = std::mem::take(&mut self.rest);
        let too_short = |needed| RtcpError::TooShort { length: rest.len(), needed };
        let [first, packet_type] = array(rest, 0).ok_or(too_short(4))?;
        if first >> 6 != 2 {
            return Err(RtcpError::Version(first >> 6));
        }
        let words = u16_at(rest, 2).ok_or(too_short(4))?;
        let len = usize::from(words).saturating_add(1).saturating_mul(4);
        let (packet, after) = rest.split_at_checked(len).ok_or(too_short(len))?;
        self.rest = after;
        let mut body = packet.get(4..).unwrap_or_default();
        if first & 0x20 != 0 {
            let (padding, room) = (body.last().copied().unwrap_or(0), body.len());
            let content = room.checked_sub(usize::from(padding)).filter(|_| padding != 0);
            let error = RtcpError::Padding { padding, room };
            body = content.and_then(|content| body.get(..content)).ok_or(error)?;
        }
        Packet::decode(packet_type, first & 0x1f, body)
            .ok_or(RtcpError::Cut { packet_type, length: body.len() })
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() { None } else { Some(self.step()) }
    }
}

impl<'a> Packet<'a> {
    fn decode(packet_type: u8, count: u8, body: &'a [u8]) -> Option<Self> {
        let ssrc = u32_at(body, 0).map(Ssrc);
        let media = u32_at(body, 4).map(Ssrc);
        let blocks = |at: usize| {
            let (blocks, _) = body.get(at..)?.as_chunks();
            blocks.get(..usize::from(count)).map(ReportBlocks)
        };
        Some(match (packet_type, count) {
            (SENDER_REPORT, _) => {
                let info = SenderInfo {
                    time: NtpTime::from_bits(array(body, 4).map(u64::from_be_bytes)?),
                    timestamp: u32_at(body, 12)?,
                    packets: u32_at(body, 16)?,
                    octets: u32_at(body, 20)?,
                };
                Self::SenderReport { ssrc: ssrc?, info, blocks: blocks(24)? }
            }
            (RECEIVER_REPORT, _) => Self::ReceiverReport { ssrc: ssrc?, blocks: blocks(4)? },
            (SOURCE_DESCRIPTION, _) => Self::SourceDescription(SourceDescription::new(count, body)),
            (GOODBYE, _) => Self::Goodbye(Goodbye::decode(count, body)?),
            (TRANSPORT_FEEDBACK, NACK) => {
                let (pairs, _) = body.get(8..)?.as_chunks();
                Self::Nack(Nack { sender: ssrc?, media: media?, pairs })
            }
            (TRANSPORT_FEEDBACK, TRANSPORT_WIDE) => {
                Self::TransportFeedback(TransportFeedback::decode(ssrc?, media?, body.get(8..)?)?)
            }
            (PAYLOAD_FEEDBACK, PICTURE_LOSS) => Self::PictureLoss { sender: ssrc?, media: media? },
            (PAYLOAD_FEEDBACK, FULL_INTRA) => {
                let (entries, _) = body.get(8..)?.as_chunks();
                Self::FullIntraRequests(FullIntraRequests { sender: ssrc?, entries })
            }
            (PAYLOAD_FEEDBACK, APPLICATION) if array(body, 8) == Some(REMB) => {
                let sources = body.get(16..)?.as_chunks().0;
                let sources = sources.get(..usize::from(u8_at(body, 12)?))?;
                let bits = u32_at(body, 12)? & 0x00ff_ffff;
                Self::Remb(Remb { sender: ssrc?, bits, sources })
            }
            (EXTENDED_REPORTS, _) => {
                Self::ExtendedReports(ExtendedReports { sender: ssrc?, blocks: body.get(4..)? })
            }
            _ => Self::Other { packet_type, count, body },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn walk(bytes: &[u8]) -> Vec<Result<Packet<'_>, RtcpError>> {
        Packets::new(bytes).collect()
    }

    /// Reads all that is read as it is asked for.
    pub(super) fn read_all(packet: &Packet<'_>) -> usize {
        match packet {
            Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
                blocks.iter().count()
            }
            Packet::SourceDescription(names) => names.items().count(),
            Packet::Goodbye(goodbye) => goodbye.sources().count(),
            Packet::Nack(nack) => nack.sequences().count(),
            Packet::TransportFeedback(feedback) => feedback.statuses().count(),
            Packet::FullIntraRequests(requests) => requests.iter().count(),
            Packet::Remb(remb) => remb.sources().count(),
            Packet::ExtendedReports(reports) => usize::from(reports.reference_time().is_some())
                .saturating_add(reports.last_references().count()),
            _ => 0,
        }
    }

    #[test]
    fn a_compound_is_walked_over_what_is_wrong_in_it() {
        let bytes = [
            &[0x81, 201, 0, 1, 0, 0, 0, 7][..], // announces a block
            &[0x80, 204, 0, 2, 0, 0, 0, 7, b'n', b'a', b'm', b'e'],
            &[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2],
            &[0x80, 209, 0, 0],
        ]
        .concat();
        assert_eq!(
            walk(&bytes),
            [
                Err(RtcpError::Cut { packet_type: 201, length: 4 }),
                Ok(Packet::Other { packet_type: 204, count: 0, body: b"\0\0\0\x07name" }),
                Ok(Packet::PictureLoss { sender: Ssrc(1), media: Ssrc(2) }),
                Ok(Packet::Other { packet_type: 209, count: 0, body: &[] }),
            ]
        );
    }

    #[test]
    fn a_wrong_length_is_the_end() {
        assert_eq!(walk(&[]), []);
        let short = |length, needed| [Err(RtcpError::TooShort { length, needed })];
        assert_eq!(walk(&[0x80, 201, 0]), short(3, 4));
        assert_eq!(walk(&[0x80, 201, 0, 1, 0, 0, 0]), short(7, 8));
        assert_eq!(walk(&[0x80, 201, 0xff, 0xff]), short(4, 0x40000));
        assert_eq!(walk(&[0x40, 201, 0, 0, 0x80, 201, 0, 0]), [Err(RtcpError::Version(1))]);
    }

    #[test]
    fn padding_is_cut_off_within_the_packet() {
        let packet = |padding| [0xa0, 204, 0, 2, 1, 2, 3, 4, 0, 0, 0, padding];
        let body =
            |length| Packet::Other { packet_type: 204, count: 0, body: &[1, 2, 3, 4][..length] };
        assert_eq!(walk(&packet(4)), [Ok(body(4))]);
        assert_eq!(walk(&packet(8)), [Ok(body(0))]);
        for padding in [0, 9, 255] {
            assert_eq!(walk(&packet(padding)), [Err(RtcpError::Padding { padding, room: 8 })]);
        }
        let bare = [Err(RtcpError::Padding { padding: 0, room: 0 })];
        assert_eq!(walk(&[0xa0, 204, 0, 0]), bare);
    }

    proptest! {
        #[test]
        fn any_content_is_read_within_bounds(
            count in 0_u8..32, packet_type in 199_u8..208, padded: bool,
            words in proptest::collection::vec(any::<u32>(), 0..40),
        ) {
            let mut bytes = vec![0x80 | count | if padded { 0x20 } else { 0 }, packet_type, 0, words.len() as u8];
            bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            for packet in Packets::new(&bytes).flatten() {
                prop_assert!(read_all(&packet) < 0x1_0000);
            }
        }
    }
}
