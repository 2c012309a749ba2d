//! What is written here, the `rtcp` crate reads; and what it writes of that is read here as the same.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc_stack::rtcp::{NtpTime, Packets, ReportBlock, SenderInfo, Writer};
use rtc_stack::rtp::TwccRecorder;
use rtc_stack::{Limits, Ssrc};
use rtcp::goodbye::Goodbye;
use rtcp::packet::Packet;
use rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtcp::receiver_report::ReceiverReport;
use rtcp::sender_report::SenderReport;
use rtcp::source_description::SourceDescription;
use rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

/// The only packet of a type that the other crate reads, whose writing must say the same.
fn read<T: Packet + Clone + 'static>(write: impl FnOnce(&mut Writer<'_>)) -> T {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    read_bytes(out.freeze())
}

fn read_bytes<T: Packet + Clone + 'static>(bytes: Bytes) -> T {
    let packets = rtcp::packet::unmarshal(&mut bytes.clone()).unwrap();
    assert_eq!(packets.len(), 1);
    let packet = packets[0].as_any().downcast_ref::<T>().unwrap().clone();
    // It pads in its own way, so that the bytes may differ at the end.
    let again = packet.marshal().unwrap();
    assert_eq!(walked(&again), walked(&bytes));
    packet
}

fn walked(bytes: &[u8]) -> String {
    match Packets::new(bytes).next().unwrap().unwrap() {
        rtc_stack::rtcp::Packet::SourceDescription(names) => {
            format!("{:?}", names.items().collect::<Vec<_>>())
        }
        packet => format!("{packet:?}"),
    }
}

const BLOCK: ReportBlock = ReportBlock {
    ssrc: Ssrc(0x9080_7060),
    fraction_lost: 85,
    cumulative_lost: 0x01_0203,
    highest_sequence: 0x0001_46e1,
    jitter: 273,
    last_sender_report: 0x09f3_6432,
    delay: 150_137,
};

#[test]
fn reports() {
    let info = SenderInfo {
        time: NtpTime::from_bits(0xda8b_d1fc_dddd_a05a),
        timestamp: 0xaaf4_edd5,
        packets: 1,
        octets: 2,
    };
    let report: SenderReport = read(|writer| writer.sender_report(Ssrc(7), &info, &[BLOCK; 2]));
    assert_eq!((report.ssrc, report.ntp_time, report.rtp_time), (7, info.time.bits(), 0xaaf4_edd5));
    assert_eq!((report.packet_count, report.octet_count, report.reports.len()), (1, 2, 2));
    let report: ReceiverReport = read(|writer| writer.receiver_report(Ssrc(7), &[BLOCK]));
    let block = &report.reports[0];
    assert_eq!((report.ssrc, block.ssrc, block.fraction_lost), (7, 0x9080_7060, 85));
    assert_eq!((block.total_lost, block.jitter), (0x01_0203, 273));
    assert_eq!((block.last_sequence_number, block.delay), (0x0001_46e1, 150_137));
    assert_eq!(block.last_sender_report, 0x09f3_6432);
}

#[test]
fn names_and_goodbyes() {
    for name in ["a", "ab", "abc", "abcd"] {
        let names: SourceDescription = read(|writer| writer.cname(Ssrc(7), name.as_bytes()));
        assert_eq!(names.chunks[0].source, 7);
        assert_eq!(names.chunks[0].items[0].text, name);
    }
    let goodbye: Goodbye = read(|writer| writer.goodbye(&[Ssrc(1), Ssrc(2)], b"end"));
    assert_eq!((goodbye.sources, &goodbye.reason[..]), (vec![1, 2], &b"end"[..]));
}

#[test]
fn feedback() {
    let missing = [65_534, 65_535, 3, 100];
    let nack: TransportLayerNack = read(|writer| {
        writer.nack(Ssrc(1), Ssrc(2), &missing);
    });
    let read_missing: Vec<_> = nack.nacks.iter().flat_map(|pair| pair.packet_list()).collect();
    assert_eq!((nack.sender_ssrc, nack.media_ssrc, &read_missing[..]), (1, 2, &missing[..]));
    let loss: PictureLossIndication = read(|writer| writer.picture_loss(Ssrc(1), Ssrc(2)));
    assert_eq!((loss.sender_ssrc, loss.media_ssrc), (1, 2));
    let request: FullIntraRequest =
        read(|writer| writer.full_intra_requests(Ssrc(1), &[(Ssrc(3), 4), (Ssrc(5), 6)]));
    let entries: Vec<_> = request.fir.iter().map(|e| (e.ssrc, e.sequence_number)).collect();
    assert_eq!(entries, [(3, 4), (5, 6)]);
    let remb: ReceiverEstimatedMaximumBitrate =
        read(|writer| writer.remb(Ssrc(1), 8_927_168, &[Ssrc(2), Ssrc(3)]));
    assert_eq!((remb.bitrate, remb.ssrcs), (8_927_168.0, vec![2, 3]));
}

#[test]
#[allow(clippy::disallowed_methods)]
fn transport_feedback() {
    let start = Instant::now();
    let mut recorder = TwccRecorder::new(&Limits::default());
    // Runs, one-bit and two-bit vectors, losses, and times that need two bytes with either sign.
    let arrivals = (0..100_u64)
        .filter(|sequence| sequence % 9 != 4 && !(40..70).contains(sequence))
        .map(|sequence| (sequence, sequence * 4 + if sequence == 80 { 600 } else { 0 }));
    let arrivals: Vec<_> = arrivals.collect();
    for (sequence, units) in &arrivals {
        let sequence = 65_500_u16.wrapping_add(*sequence as u16);
        recorder.receive(sequence, start + Duration::from_micros(units * 250));
    }
    let mut out = BytesMut::new();
    assert!(recorder.write(Ssrc(1), Ssrc(2), &mut out));
    assert!(!recorder.is_due());
    let feedback: TransportLayerCc = read_bytes(out.freeze());
    assert_eq!((feedback.base_sequence_number, feedback.packet_status_count), (65_500, 100));
    assert_eq!((feedback.reference_time, feedback.fb_pkt_count), (0, 0));
    let mut time = 0;
    let read = feedback.recv_deltas.iter().map(|delta| {
        time += delta.delta;
        time
    });
    let read: Vec<_> = read.collect();
    let expected: Vec<_> = arrivals.iter().map(|(_, units)| *units as i64 * 250).collect();
    assert_eq!(read, expected);
}
