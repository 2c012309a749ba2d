use std::collections::BTreeSet;

use proptest::prelude::*;
use rtc_stack::payload::{AccessUnit, Depacketizer, ReorderBuffer};
use rtc_stack::{Codec, Limits};

use crate::track::{CODECS, depacketized, frames, is_video, packet, packets};

fn codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(CODECS.to_vec())
}

/// A codec, and frames of it.
fn material() -> impl Strategy<Value = (Codec, Vec<Vec<bytes::Bytes>>)> {
    codec().prop_flat_map(|codec| (Just(codec), frames(codec)))
}

/// Checks that each is one of those that were sent.
fn number(unit: &AccessUnit) -> usize {
    ((unit.timestamp - (1 << 32)) / 3_000) as usize
}

proptest! {
    #[test]
    fn what_is_packetized_comes_back((codec, frames) in material(), room in 200_usize..260) {
        let packets = packets(codec, room, &frames);
        let units = depacketized(codec, &packets);
        prop_assert_eq!(units.len(), frames.len());
        for (index, (unit, frame)) in units.iter().zip(&frames).enumerate() {
            prop_assert_eq!(&unit.units, frame);
            prop_assert_eq!(unit.timestamp, (1 << 32) + 3_000 * index as u64);
            prop_assert_eq!(unit.is_keyframe, index == 0 || !is_video(codec));
        }
    }

    #[test]
    fn runs_of_packets_of_a_unit_have_one_length((codec, frames) in material()) {
        // One unit alone, so that nothing is joined with it.
        let unit = frames[0].iter().max_by_key(|unit| unit.len()).unwrap().clone();
        let packets = packets(codec, 200, &[vec![unit]]);
        let lengths: Vec<_> = packets.iter().map(|packet| packet.payload().len()).collect();
        let (last, others) = lengths.split_last().unwrap();
        // The OBU's header is part of what is cut; a NAL unit's is not.
        prop_assert!(others.iter().all(|length| *length == lengths[0] && length >= last), "{:?}", lengths);
    }

    /// Packets are lost, come again and in another order. What comes out was sent, is in order, and is all that can be
    /// decoded.
    #[test]
    fn what_is_lost_takes_nothing_else_with_it(
        (codec, frames) in material(),
        fates in prop::collection::vec((0_u8..8, 0_usize..4), 64),
    ) {
        let packets = packets(codec, 200, &frames);
        let arrival = packets[0].arrival;
        let mut lost = BTreeSet::new();
        let mut on_the_way = Vec::new();
        for (index, packet) in packets.iter().enumerate() {
            let (fate, later) = fates[index % fates.len()];
            match fate {
                0 if index > 0 => {
                    lost.insert((packet.timestamp() / 3_000) as usize);
                }
                1 => on_the_way.extend([(index, packet), (index + later, packet)]),
                // The first begins the numbers.
                _ => on_the_way.push((if index == 0 { 0 } else { index + later }, packet)),
            }
        }
        on_the_way.sort_by_key(|(place, _)| *place);
        let mut reorder = ReorderBuffer::new(&Limits::default());
        let mut depacketizer = Depacketizer::new(codec, &Limits::default()).unwrap();
        let mut out = Vec::new();
        for (_, packet) in on_the_way {
            let mut packet = packet.clone();
            packet.arrival = arrival;
            reorder.receive(packet);
            while let Some(packet) = reorder.poll(arrival) {
                depacketizer.receive(&packet, &mut out);
            }
        }
        while let Some(timeout) = reorder.poll_timeout() {
            let packet = reorder.poll(timeout).expect("what is held comes out in the end");
            depacketizer.receive(&packet, &mut out);
        }
        prop_assert!(reorder.is_empty());
        let first_lost = lost.first().copied().unwrap_or(frames.len());
        // A lost packet of a unit that was sent whole is seen after the marker, as the next frame's.
        let is_expected = |index: usize| if is_video(codec) {
            index < first_lost
        } else {
            !lost.contains(&index)
        };
        let numbers: Vec<_> = out.iter().map(number).collect();
        let expected: Vec<_> = (0..frames.len()).filter(|index| is_expected(*index)).collect();
        prop_assert_eq!(numbers, expected);
        for unit in &out {
            prop_assert_eq!(&unit.units, &frames[number(unit)]);
        }
    }

    #[test]
    fn what_is_cut_off_at_any_byte_does_no_harm((codec, frames) in material(), which: prop::sample::Index) {
        let sent = packets(codec, 200, &frames);
        let which = which.index(sent.len());
        let whole = sent[which].payload();
        for length in 0..whole.len() {
            let mut damaged = sent.clone();
            let (timestamp, marker) = (sent[which].timestamp(), sent[which].marker());
            damaged[which] = packet(codec, sent[which].sequence, timestamp, marker, &whole[..length]);
            let out = depacketized(codec, &damaged);
            prop_assert!(out.len() <= frames.len());
            // What is whole is as it was sent; bytes that are missing at the end of a unit can't be seen.
            for unit in out.iter().filter(|unit| number(unit) != (timestamp / 3_000) as usize) {
                prop_assert_eq!(&unit.units, &frames[number(unit)]);
            }
        }
    }

    #[test]
    fn any_bytes_do_no_harm(
        codec in codec(),
        payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<bool>(), 0_u32..3), 0..40),
    ) {
        let limits = Limits { frame_bytes: 200, frame_units: 8, ..Limits::default() };
        let mut depacketizer = Depacketizer::new(codec, &limits).unwrap();
        let mut out = Vec::new();
        let mut timestamp = 0;
        for (sequence, (payload, marker, ahead)) in (0..).zip(&payloads) {
            timestamp += ahead;
            depacketizer.receive(&packet(codec, sequence, timestamp, *marker, payload), &mut out);
        }
        let statistics = depacketizer.statistics();
        prop_assert_eq!(statistics.frames, out.len() as u64);
        for unit in &out {
            prop_assert!(!unit.units.is_empty() && unit.units.len() <= limits.frame_units);
            // OBUs get sizes on top.
            let bytes: usize = unit.units.iter().map(bytes::Bytes::len).sum();
            prop_assert!(bytes <= limits.frame_bytes + 4 * unit.units.len());
        }
    }
}
