//! RTP and RTCP packets, and what protects them.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_stack::rtcp::{Packet, Packets};
use rtc_stack::rtp::{Fields, Header, NackList, ReceiveStatistics, RtpPacket, TwccRecorder, rtx};
use rtc_stack::srtp::{Inbound, Outbound, Profile, SessionKeys};
use rtc_stack::{Codec, Limits, PayloadType, Ssrc};

const CODECS: [Codec; 6] =
    [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp8, Codec::Vp9, Codec::Opus];

/// An RTP packet: its parts are in it, what was read can be written and reads the same again, and so does its
/// retransmission.
pub fn rtp_packet(data: &[u8]) {
    let Ok(header) = Header::parse(data) else { return };
    assert!((12..=data.len()).contains(&header.len()));
    assert!(header.contributing_sources(data).count() <= 15);
    let list: Vec<_> = header.extensions(data).collect();
    let Ok(payload) = header.payload(data) else {
        assert!(header.is_padded());
        return;
    };
    for codec in CODECS {
        let _ = codec.is_keyframe_start(payload);
    }

    let mut written = BytesMut::new();
    let len = header.fields.append(&list, &mut written);
    assert_eq!(len, written.len());
    written.extend_from_slice(payload);
    let again = Header::parse(&written).expect("a header that was written");
    assert_eq!((again.fields, again.len()), (header.fields, len));
    assert_eq!(again.payload(&written), Ok(payload));
    assert!(again.extensions(&written).eq(list.iter().copied()));

    let now = now();
    let packet =
        RtpPacket::parse(BytesMut::from(data), 1, now, Codec::H264).expect("its payload fits");
    assert_eq!(packet.payload(), payload);
    assert!(!packet.header().is_padded() && packet.extensions().eq(list.iter().copied()));

    let mut out = BytesMut::zeroed(rtx::encoded_len(&packet, &list));
    rtx::wrap(&packet, header.fields.sequence, Fields::default(), &list, &mut out);
    let Fields { ssrc, payload_type, .. } = header.fields;
    assert_eq!(rtx::unwrap(&mut out, ssrc, payload_type), Ok(Some(header.fields.sequence)));
    assert_eq!(out, written);

    let mut foreign = BytesMut::from(data);
    let _ = rtx::unwrap(&mut foreign, Ssrc(1), PayloadType::default());
}

/// A compound of RTCP packets: the walk ends, and nothing announces more than its packet holds.
pub fn rtcp_compound(data: &[u8]) {
    let mut walked = 0;
    for packet in Packets::new(data) {
        walked += 1;
        let Ok(packet) = packet else { continue };
        match packet {
            Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
                assert_eq!(blocks.iter().count(), blocks.len());
                assert!(blocks.len() * 24 <= data.len());
            }
            Packet::SourceDescription(names) => {
                let bytes: usize = names.items().map(|item| 2 + item.text.len()).sum();
                assert!(bytes <= data.len());
            }
            Packet::Goodbye(goodbye) => {
                assert!(goodbye.sources().count() * 4 + goodbye.reason.len() <= data.len());
            }
            Packet::Nack(nack) => assert!(nack.sequences().count() * 4 <= data.len() * 17),
            Packet::TransportFeedback(feedback) => {
                // All that was announced is there: it was checked before.
                assert_eq!(feedback.statuses().count(), usize::from(feedback.count));
                let came = feedback.statuses().filter(|status| status.arrival.is_some()).count();
                assert!(came <= data.len());
            }
            Packet::FullIntraRequests(requests) => {
                assert!(requests.iter().count() * 8 <= data.len());
            }
            Packet::Remb(remb) => {
                let _ = remb.bitrate();
                assert!(remb.sources().count() * 4 <= data.len());
            }
            _ => {}
        }
    }
    assert!(walked <= data.len() / 4 + 1);
}

/// First a byte that chooses the profile, then packets after their lengths in a byte: bytes of a stranger never
/// authenticate, and leave no trace for the packets of the peer.
pub fn srtp_packets(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    let profile = Profile::ALL[usize::from(first) % Profile::ALL.len()];
    let keys = SessionKeys::from_exporter(profile, &[7; 88], true).expect("material enough").0;
    let mut outbound = Outbound::new(&keys).expect("keys of the right length");
    let mut inbound = Inbound::new(keys, &Limits { srtp_sources: 2, ..Limits::default() });
    let mut index = 0xfff0;
    while let Some((&len, after)) = rest.split_first() {
        let (packet, after) = after.split_at(usize::from(len).min(after.len()));
        rest = after;
        assert!(inbound.open_rtp(&mut packet.to_vec()).is_err());
        assert!(inbound.open_rtcp(&mut packet.to_vec()).is_err());

        // The same bytes as payload of the peer's packets.
        let mut sealed = BytesMut::new();
        let fields = Fields { sequence: index as u16, ..Fields::default() };
        let header_len = fields.append(&[], &mut sealed);
        sealed.extend_from_slice(packet);
        sealed.resize(sealed.len() + profile.rtp_overhead(), 0);
        outbound.seal_rtp(header_len, index, &mut sealed).expect("sealed");
        let opened = inbound.open_rtp(&mut sealed).expect("opened");
        assert_eq!((opened.index, &sealed[header_len..opened.len]), (index, packet));
        index += 1;

        let mut sealed = BytesMut::from(&[0x80, 201, 0, 1, 0, 0, 0, 1][..]);
        sealed.extend_from_slice(packet);
        outbound.seal_rtcp(&mut sealed, 0).expect("sealed");
        assert_eq!(inbound.open_rtcp(&mut sealed), Ok(8 + packet.len()));
        assert_eq!(&sealed[8..8 + packet.len()], packet);
    }
}

/// Steps of three bytes: how far the sequence number goes on (16 bits with a sign), and how many milliseconds pass.
/// What is kept about a track stays within its limits, and feedback about arrivals can be read.
pub fn rtp_arrivals(data: &[u8]) {
    let limits = Limits { missing_packets: 20, twcc_packets: 200, ..Limits::default() };
    let mut missing = NackList::new(&limits);
    let mut statistics = ReceiveStatistics::new(90_000);
    let mut recorder = TwccRecorder::new(&limits);
    let (mut sequence, mut now) = (1_u64 << 16, now());
    for &[a, b, later] in data.as_chunks().0 {
        sequence = sequence.saturating_add_signed(i64::from(i16::from_be_bytes([a, b])));
        now += Duration::from_millis(u64::from(later));
        missing.receive(sequence, now);
        assert!(missing.len() <= limits.missing_packets);
        let mut due = Vec::new();
        missing.poll(now, Duration::from_millis(50), &mut due);
        assert!(due.len() <= limits.missing_packets);
        statistics.receive(sequence, u32::from(later), now);
        recorder.receive(sequence as u16, now);
        if later % 4 == 0 {
            assert!(statistics.report(Ssrc(1), now).is_some());
            written(&mut recorder, sequence as u16);
        }
    }
}

/// Writes all feedback that is due.
fn written(recorder: &mut TwccRecorder, newest: u16) {
    let mut packets = 0;
    while recorder.is_due() {
        let mut out = BytesMut::new();
        assert!(recorder.write(Ssrc(1), Ssrc(2), &mut out) && out.len() <= 950);
        let packet = Packets::new(&out).next();
        let Some(Ok(Packet::TransportFeedback(feedback))) = packet else {
            panic!("feedback can't be read after {newest}: {packet:?}")
        };
        let last = feedback.statuses().last().expect("it speaks of something");
        assert!(last.arrival.is_some());
        packets += 1;
        assert!(packets <= 400, "no end");
    }
}

/// The one reading of the clock; nothing depends on it.
fn now() -> Instant {
    Instant::now()
}
