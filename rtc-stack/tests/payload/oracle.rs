//! What is packetized here, the `rtp` crate reads; and what it packetizes is read here. Well-formed media only: it panics
//! on much of what is not.

use bytes::Bytes;
use rtc_stack::Codec;
use rtc_stack::payload::Packetizer;
use rtp::codecs::av1::Av1Payloader;
use rtp::codecs::h264::{H264Packet, H264Payloader};
use rtp::codecs::h265::{H265Packet, H265Payload, HevcPayloader};
use rtp::codecs::opus::{OpusPacket, OpusPayloader};
use rtp::codecs::vp8::{Vp8Packet, Vp8Payloader};
use rtp::codecs::vp9::{Vp9Packet, Vp9Payloader};
use rtp::packetizer::{Depacketizer, Payloader};

use crate::track::{depacketized, obu, packet};

/// Of a length around the borders of packets, and not the same throughout.
fn filled(first: &[u8], length: usize) -> Bytes {
    let rest = (first.len()..length).map(|at| (at % 251) as u8 | 1);
    first.iter().copied().chain(rest).collect()
}

fn ours(codec: Codec, room: usize, units: &[Bytes]) -> Vec<Bytes> {
    let mut out = Vec::new();
    Packetizer::new(codec, room).unwrap().packetize(units.to_vec(), &mut out).unwrap();
    out.iter().map(|payload| payload.to_bytes()).collect()
}

/// The units of frames that the other crate has packetized.
fn read_here(codec: Codec, frames: &[Vec<Bytes>]) -> Vec<Vec<Bytes>> {
    let mut packets = Vec::new();
    for (timestamp, payloads) in (0..).zip(frames) {
        for (index, payload) in payloads.iter().enumerate() {
            let marker = index + 1 == payloads.len();
            packets.push(packet(codec, packets.len() as u64, timestamp, marker, payload));
        }
    }
    depacketized(codec, &packets).into_iter().map(|unit| unit.units).collect()
}

fn annex_b(units: &[Bytes]) -> Bytes {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit]).collect::<Vec<_>>().concat().into()
}

const LENGTHS: [usize; 9] = [3, 100, 1_197, 1_198, 1_199, 1_200, 1_201, 2_400, 40_000];

#[test]
fn h264() {
    let sets = [filled(&[0x67, 0x42], 20), filled(&[0x68, 0xce], 5)];
    for length in LENGTHS {
        let frames = [
            vec![sets[0].clone(), sets[1].clone(), filled(&[0x65, 0x88], length)],
            vec![filled(&[0x41, 0x9a], length), filled(&[0x41, 0x9a], 30)],
        ];
        let mut other = H264Payloader::default();
        let theirs = frames.clone().map(|frame| other.payload(1_200, &annex_b(&frame)).unwrap());
        assert_eq!(read_here(Codec::H264, &theirs), frames, "{length}");

        let mut reader = H264Packet::default();
        for frame in frames {
            let payloads = ours(Codec::H264, 1_200, &frame);
            let read = payloads.iter().map(|payload| reader.depacketize(payload).unwrap());
            assert_eq!(read.collect::<Vec<_>>().concat(), annex_b(&frame), "{length}");
        }
    }
}

#[test]
fn h265() {
    let sets = [&[0x40, 0x01][..], &[0x42, 0x01], &[0x44, 0x01]].map(|set| filled(set, 24));
    for length in LENGTHS.into_iter().skip(1) {
        let mut key = sets.to_vec();
        key.push(filled(&[0x26, 0x01, 0x88], length));
        let slice = vec![filled(&[0x02, 0x01, 0x88], length)];
        let mut other = HevcPayloader::default();
        let theirs = [&key, &slice].map(|frame| other.payload(1_200, &annex_b(frame)).unwrap());
        assert_eq!(read_here(Codec::H265, &theirs), [key.clone(), slice], "{length}");

        let mut units: Vec<Bytes> = Vec::new();
        let mut joined = Vec::new();
        for payload in ours(Codec::H265, 1_200, &key) {
            let mut reader = H265Packet::default();
            reader.depacketize(&payload).unwrap();
            match reader.payload() {
                H265Payload::H265AggregationPacket(packet) => {
                    units.push(packet.first_unit().unwrap().nal_unit());
                    units.extend(packet.other_units().iter().map(|unit| unit.nal_unit()));
                }
                H265Payload::H265FragmentationUnitPacket(packet) => {
                    let header = packet.fu_header();
                    if header.s() {
                        let kind =
                            packet.payload_header().0 & !0x7e00 | u16::from(header.fu_type()) << 9;
                        joined = kind.to_be_bytes().to_vec();
                    }
                    joined.extend_from_slice(&packet.payload());
                    if header.e() {
                        units.push(joined.clone().into());
                    }
                }
                H265Payload::H265SingleNALUnitPacket(_) => units.push(payload),
                H265Payload::H265PACIPacket(_) => unreachable!("nobody makes these"),
            }
        }
        assert_eq!(units, key, "{length}");
    }
}

#[test]
fn av1() {
    for length in LENGTHS {
        let key = vec![obu(1, &filled(&[0], 11)), obu(6, &filled(&[0x10], length))];
        // It writes a wrong length where another OBU follows the end of a long one.
        let next = vec![obu(3, &filled(&[0x20], 9)), obu(4, &filled(&[1], length))];
        let theirs = [&key, &next]
            .map(|units| Av1Payloader {}.payload(1_200, &units.concat().into()).unwrap());
        assert_eq!(read_here(Codec::Av1, &theirs), [key, next], "{length}");
    }
}

#[test]
fn vp8() {
    for length in LENGTHS {
        let frames = [filled(&[0x10], length), filled(&[0x11], length)];
        let mut other = Vp8Payloader::default();
        other.enable_picture_id = true;
        let theirs = frames.clone().map(|frame| other.payload(1_200, &frame).unwrap());
        assert_eq!(read_here(Codec::Vp8, &theirs), frames.clone().map(|frame| vec![frame]));

        let payloads = ours(Codec::Vp8, 1_200, &frames[..1]);
        let mut read = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            let mut reader = Vp8Packet::default();
            read.extend_from_slice(&reader.depacketize(payload).unwrap());
            assert_eq!((reader.s, reader.pid, reader.picture_id), (u8::from(index == 0), 0, 0));
        }
        assert_eq!(read, frames[0]);
    }
}

#[test]
fn vp9() {
    for length in LENGTHS {
        let frames = [filled(&[0x82], length), filled(&[0x86], length)];
        let mut other = Vp9Payloader::default();
        let theirs = frames.clone().map(|frame| other.payload(1_200, &frame).unwrap());
        assert_eq!(read_here(Codec::Vp9, &theirs), frames.clone().map(|frame| vec![frame]));

        for frame in &frames {
            let payloads = ours(Codec::Vp9, 1_200, std::slice::from_ref(frame));
            let mut read = Vec::new();
            for (index, payload) in payloads.iter().enumerate() {
                let mut reader = Vp9Packet::default();
                read.extend_from_slice(&reader.depacketize(payload).unwrap());
                assert_eq!(reader.p, frame[0] == 0x86);
                assert_eq!((reader.b, reader.e), (index == 0, index + 1 == payloads.len()));
            }
            assert_eq!(frame[..], read);
        }
    }
}

#[test]
fn opus() {
    let frame = filled(&[0xfc], 300);
    let theirs = [OpusPayloader.payload(1_200, &frame).unwrap()];
    assert_eq!(read_here(Codec::Opus, &theirs), [[frame.clone()]]);
    let payloads = ours(Codec::Opus, 1_200, std::slice::from_ref(&frame));
    assert_eq!(OpusPacket.depacketize(&payloads[0]).unwrap(), frame);
}
