//! What the writer of RTCP writes is what the walk reads, and what is cut is noticed.

use bytes::BytesMut;
use proptest::prelude::*;
use rtc_stack::Ssrc;
use rtc_stack::rtcp::{
    NtpTime, Packet, Packets, ReportBlock, RtcpError, SenderInfo, SourceItem, Writer,
};

fn written(write: impl FnOnce(&mut Writer<'_>)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    assert_eq!(out.len() % 4, 0);
    out
}

fn only(bytes: &[u8]) -> Packet<'_> {
    let mut packets = Packets::new(bytes);
    let packet = packets.next().unwrap().unwrap();
    assert_eq!(packets.next(), None);
    packet
}

fn block(number: u32) -> ReportBlock {
    ReportBlock {
        ssrc: Ssrc(number),
        fraction_lost: number as u8,
        cumulative_lost: -(number as i32),
        highest_sequence: number << 16,
        jitter: number + 1,
        last_sender_report: number + 2,
        delay: number + 3,
    }
}

const INFO: SenderInfo = SenderInfo {
    time: NtpTime::from_bits(0x0102_0304_0506_0708),
    timestamp: 9,
    packets: 10,
    octets: 11,
};

#[test]
fn reports_of_many_sources_go_on_in_receiver_reports() {
    for count in [0, 1, 31, 32, 80] {
        let blocks: Vec<_> = (0..count).map(block).collect();
        let bytes = written(|writer| writer.sender_report(Ssrc(7), &INFO, &blocks));
        let mut read = Vec::new();
        for (at, packet) in Packets::new(&bytes).enumerate() {
            match packet.unwrap() {
                Packet::SenderReport { ssrc: Ssrc(7), info: INFO, blocks } if at == 0 => {
                    read.extend(blocks.iter());
                }
                Packet::ReceiverReport { ssrc: Ssrc(7), blocks } if at > 0 => {
                    assert!(!blocks.is_empty() && blocks.len() <= 31);
                    read.extend(blocks.iter());
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(read, blocks);
    }
}

#[test]
fn names_of_every_length_are_padded_with_zeroes() {
    for length in [0, 1, 2, 3, 4, 5, 254, 255, 256] {
        let name = vec![b'n'; length];
        let bytes = written(|writer| writer.cname(Ssrc(7), &name));
        let Packet::SourceDescription(names) = only(&bytes) else { panic!("no description") };
        let text = &name[..length.min(255)];
        let item = SourceItem { ssrc: Ssrc(7), kind: SourceItem::CNAME, text };
        assert_eq!(names.items().collect::<Vec<_>>(), [item]);
        assert_eq!(bytes.last(), Some(&0));
    }
}

#[test]
fn goodbyes_say_who_and_why() {
    let sources: Vec<_> = (0..40).map(Ssrc).collect();
    for (count, reason) in [(0, &b""[..]), (1, b"a"), (31, b"abc"), (40, b"the end")] {
        let bytes = written(|writer| writer.goodbye(&sources[..count], reason));
        let Packet::Goodbye(goodbye) = only(&bytes) else { panic!("no goodbye") };
        assert_eq!(goodbye.sources().collect::<Vec<_>>(), sources[..count.min(31)]);
        assert_eq!(goodbye.reason, reason);
    }
}

#[test]
fn requests_for_keyframes_name_their_source() {
    let bytes = written(|writer| {
        writer.picture_loss(Ssrc(1), Ssrc(2));
        writer.full_intra_requests(Ssrc(1), &[(Ssrc(2), 3), (Ssrc(4), 255)]);
    });
    let mut packets = Packets::new(&bytes);
    let loss = Packet::PictureLoss { sender: Ssrc(1), media: Ssrc(2) };
    assert_eq!(packets.next(), Some(Ok(loss)));
    let Some(Ok(Packet::FullIntraRequests(requests))) = packets.next() else {
        panic!("no request")
    };
    assert_eq!(requests.iter().collect::<Vec<_>>(), [(Ssrc(2), 3), (Ssrc(4), 255)]);
}

#[test]
fn a_packet_cut_anywhere_is_noticed() {
    let bytes = written(|writer| {
        writer.sender_report(Ssrc(7), &INFO, &[block(1)]);
        writer.cname(Ssrc(7), b"name");
        writer.nack(Ssrc(1), Ssrc(2), &[1, 2, 300]);
        writer.remb(Ssrc(1), 1_000_000, &[Ssrc(2)]);
        writer.goodbye(&[Ssrc(7)], b"end");
    });
    let whole: Vec<_> = Packets::new(&bytes).collect();
    assert_eq!(whole.len(), 5);
    for length in 0..bytes.len() {
        let cut: Vec<_> = Packets::new(&bytes[..length]).collect();
        let good = cut.iter().take_while(|packet| packet.is_ok()).count();
        assert_eq!(cut[..good], whole[..good]);
        assert!(cut[good..].iter().all(|p| matches!(p, Err(RtcpError::TooShort { .. }))));
        assert!(cut.len() <= good + 1);
    }
}

proptest! {
    #[test]
    fn missing_packets_come_back_in_order(
        first: u16, steps in proptest::collection::vec(1_u16..60, 0..400),
    ) {
        let mut sequence = first;
        let sequences: Vec<_> = steps.iter().map(|step| {
            sequence = sequence.wrapping_add(*step);
            sequence
        }).collect();
        let (mut rest, mut read) = (&sequences[..], Vec::new());
        while !rest.is_empty() {
            let mut taken = 0;
            let bytes = written(|writer| taken = writer.nack(Ssrc(1), Ssrc(2), rest));
            prop_assert!(taken > 0 && bytes.len() <= 12 + 4 * 255);
            let Packet::Nack(nack) = only(&bytes) else { panic!("no request") };
            prop_assert_eq!((nack.sender, nack.media), (Ssrc(1), Ssrc(2)));
            read.extend(nack.sequences());
            rest = &rest[taken..];
        }
        prop_assert_eq!(read, sequences);
    }

    #[test]
    fn bitrates_come_back_to_18_bits(bitrate: u64, count in 0_u32..300) {
        let sources: Vec<_> = (0..count).map(Ssrc).collect();
        let bytes = written(|writer| writer.remb(Ssrc(1), bitrate, &sources));
        let Packet::Remb(remb) = only(&bytes) else { panic!("no estimate") };
        prop_assert!(remb.bitrate() <= bitrate && bitrate - remb.bitrate() <= bitrate >> 17);
        prop_assert!(remb.sources().eq(sources.into_iter().take(255)));
    }

    #[test]
    fn any_bytes_are_walked_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Packets::new(&bytes).count() <= bytes.len() / 4 + 1);
    }
}
