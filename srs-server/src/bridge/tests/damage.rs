//! What isn't what it says: it is counted and left out, and what is good behind it goes on.

use super::*;

/// A bridge that has passed a keyframe on.
fn begun(length_size: u8) -> (Bridges, Vec<RtpItem>) {
    let mut bridges = Bridges::new();
    let mut items = bridges.send(TagKind::Video, ms(0), avc_header(SPS, PPS, length_size));
    items.extend(bridges.send(TagKind::Video, ms(0), avc(&[&slice(0, true)], length_size)));
    (bridges, items)
}

#[test]
fn lengths_take_one_two_or_four_bytes() {
    for length_size in [1, 2, 4] {
        let (mut bridges, mut items) = begun(length_size);
        let units: [&[u8]; 4] = [&[0x06, 5, 1, 9], &slice(1, false), &[], &slice(2, false)];
        items.extend(bridges.send(TagKind::Video, ms(40), avc(&units, length_size)));
        let seen = access_units(&items, Codec::H264);
        assert_eq!(seen[0].units, [SPS, PPS, &slice(0, true)], "{length_size}");
        // Those that are empty are none.
        assert_eq!(seen[1].units, [units[0], units[1], units[3]], "{length_size}");
    }
}

#[test]
fn lengths_that_lie_damage_their_picture_alone() {
    let good = avc(&[&slice(1, false)], 4);
    let mut too_long = good.clone();
    too_long[5..9].copy_from_slice(&0xffff_ffff_u32.to_be_bytes());
    let mut one_more = good.clone();
    one_more[8] += 1;
    // What is left is shorter than a length.
    let rest = [&good[..], &[0, 0, 1]].concat();
    let cut = good[..good.len() - 1].to_vec();
    for bad in [too_long, one_more, rest, cut, [&good[..5], &[0, 0]].concat()] {
        let (mut bridges, mut items) = begun(4);
        items.extend(bridges.send(TagKind::Video, ms(40), bad));
        // What is made from it would be garbage.
        items.extend(bridges.send(TagKind::Video, ms(80), avc(&[&slice(2, false)], 4)));
        for (number, is_key) in [(3, true), (4, false)] {
            let time = ms(u64::from(number) * 40);
            items.extend(bridges.send(TagKind::Video, time, avc(&[&slice(number, is_key)], 4)));
        }
        let seen = access_units(&items, Codec::H264);
        let last: Vec<_> = seen.iter().map(|unit| unit.units.last().unwrap().to_vec()).collect();
        assert_eq!(last, [slice(0, true), slice(3, true), slice(4, false)]);
        assert_eq!(bridges.dropped("damaged_frame"), 1);
        assert_eq!(bridges.dropped("frame_without_keyframe"), 1);
    }
}

#[test]
fn a_unit_of_four_mebibytes_passes_in_packets_and_is_not_put_together_again() {
    let (mut bridges, mut items) = begun(4);
    let mut large = slice(1, true);
    large.resize(4 << 20, 0xaa);
    items.extend(bridges.send(TagKind::Video, ms(40), avc(&[&large], 4)));
    let packets = packets_of_video(&items);
    let bytes: usize = packets.iter().map(|packet| packet.payload().len()).sum();
    assert!((4 << 20..(4 << 20) + 20_000).contains(&bytes), "{bytes}");
    assert!(packets.iter().all(|packet| packet.payload().len() <= 1_200));
    items.extend(bridges.send(TagKind::Video, ms(80), avc(&[&slice(2, true)], 4)));
    let frames: Vec<Frame> = items.iter().flat_map(|item| bridges.receive(item)).collect();
    // The configuration, and the pictures around it.
    let bodies: Vec<_> = frames.iter().map(|frame| &frame.body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies[1].ends_with(&slice(0, true)) && bodies[2].ends_with(&slice(2, true)));
    assert_eq!(bridges.dropped("damaged_frame"), 1);
}

/// The packets among items of video.
fn packets_of_video(items: &[RtpItem]) -> Vec<&RtpPacket> {
    items
        .iter()
        .filter_map(|item| match &item.body {
            RtpBody::Packet(packet) => Some(&packet.packet),
            _ => None,
        })
        .collect()
}

#[test]
fn bodies_that_say_nothing_are_nothing() {
    let (mut bridges, _) = begun(4);
    for body in [&[][..], &[0x27], &[0x27, 1], &[0x27, 1, 0, 0, 0], &[0x27, 7, 0, 0, 0, 1], b"\xa1"]
    {
        assert!(bridges.send(TagKind::Video, ms(40), body.to_vec()).is_empty(), "{body:02x?}");
    }
    for body in [&[][..], &[0xaf], &[0xaf, 0], &[0xaf, 1], b"\x91Opus", b"\x91Op", &[0x2f]] {
        assert!(bridges.send(TagKind::Audio, ms(40), body.to_vec()).is_empty(), "{body:02x?}");
    }
    let items = bridges.send(TagKind::Video, ms(80), avc(&[&slice(1, false)], 4));
    assert_eq!(packets_of_video(&items).len(), 1);
}

#[test]
fn fragments_without_a_start_damage_nothing_but_their_frame() {
    let mut bridges = Bridges::new();
    let mut publisher = Publisher::new(bridges.start);
    let mut frames = 0;
    let mut receive = |items: Vec<RtpItem>| {
        let frames: Vec<Frame> = items.iter().flat_map(|item| bridges.receive(item)).collect();
        frames.len()
    };
    let key = slice(0, true);
    frames += receive(publisher.publish(Codec::H264, &[SPS, PPS, &key]));
    assert_eq!(frames, 2);
    publisher.wish.take().for_each(drop);
    let middle = Bytes::from_static(&[0x7c, 0x01, 1, 2, 3]);
    let end = Bytes::from_static(&[0x7c, 0x41, 4, 5, 6]);
    let nothing = Bytes::new();
    let short = Bytes::from_static(&[0x7c]);
    // A length in an aggregate that is longer than the rest.
    let lies = Bytes::from_static(&[0x78, 0, 200, 0x41, 1]);
    for bad in [middle, end, short, lies] {
        assert_eq!(receive(publisher.send(Codec::H264, &[(bad, true)])), 0);
        assert_eq!(receive(publisher.send(Codec::H264, &[(nothing.clone(), true)])), 0);
        // What is made from what is missing is garbage; the publisher is asked for another beginning.
        assert_eq!(receive(publisher.publish(Codec::H264, &[&slice(1, false)])), 0);
        publisher.number += 20;
        assert_eq!(receive(publisher.publish(Codec::H264, &[&slice(1, false)])), 0);
        assert_eq!(publisher.wish.take().collect::<Vec<_>>(), [0]);
        assert_eq!(receive(publisher.publish(Codec::H264, &[SPS, PPS, &key])), 1);
        assert_eq!(receive(publisher.publish(Codec::H264, &[&slice(1, false)])), 1);
    }
    assert_eq!(bridges.dropped("damaged_frame"), 4);
}

#[cfg(feature = "transcode")]
mod sound {
    use audio_bridge::{AacSettings, Channels, OpusToAac};

    use super::*;

    /// Silence in Opus, 20 ms.
    const OPUS: &[u8] = &[0xfc, 0xff, 0xfe];

    /// A configuration of AAC at 48 kHz, and frames of it.
    fn aac(frames: usize) -> (Vec<u8>, Vec<Bytes>) {
        let mut encoder = OpusToAac::new(Channels::Stereo, AacSettings::default()).unwrap();
        let mut made = Vec::new();
        for number in 0.. {
            if made.len() >= frames {
                break;
            }
            let frames = encoder.push(number * 960, OPUS).unwrap();
            made.extend(frames.into_iter().map(|frame| frame.data));
        }
        (encoder.config().to_vec(), made)
    }

    fn body(start: &[u8], data: &[u8]) -> Vec<u8> {
        [start, data].concat()
    }

    fn time(number: usize) -> Duration {
        Duration::from_micros(number as u64 * 1_024_000 / 48)
    }

    /// Sends frames from this number on, and gives the packets of Opus that they come to.
    fn send(bridges: &mut Bridges, first: usize, frames: &[Bytes]) -> usize {
        let bodies = frames.iter().map(|frame| body(&[0xaf, 1], frame));
        let items = (first..).zip(bodies).flat_map(|(number, body)| {
            bridges.send(TagKind::Audio, time(number) / 1_000 * 1_000, body)
        });
        items.filter(|item| matches!(item.body, RtpBody::Packet(_))).count()
    }

    #[test]
    fn aac_that_lies_about_its_length_is_counted_and_silent() {
        let (config, good) = aac(100);
        let mut bridges = Bridges::new();
        bridges.send(TagKind::Audio, ms(0), body(&[0xaf, 0], &config));
        assert!(send(&mut bridges, 0, &good[..20]) > 15);
        let mut random = fastrand::Rng::with_seed(7);
        let bad: Vec<Bytes> = (0..500)
            .map(|number| match number % 4 {
                0 => Bytes::new(),
                1 => good[number % 100].slice(..1),
                2 => std::iter::repeat_with(|| random.u8(..)).take(300).collect(),
                _ => Bytes::from(vec![0xff; 70_000]),
            })
            .collect();
        send(&mut bridges, 20, &bad);
        assert!(bridges.dropped("undecodable_sound") > 300, "{:?}", bridges.counters.dropped());
        // Twenty frames of sound are 21 packets.
        let packets = send(&mut bridges, 520, &good[..20]);
        assert!(packets >= 20, "{packets}");
    }

    #[test]
    fn a_configuration_with_every_frame_costs_little_and_the_last_of_them_holds() {
        let (config, good) = aac(100);
        // 44.1 kHz, mono, HE-AAC, and what none is.
        let others: [&[u8]; 5] =
            [&[0x12, 0x10], &[0x11, 0x88], &[0x2b, 0x92, 0x08, 0], &[], &[0xff; 9]];
        let mut bridges = Bridges::new();
        for number in 0..5_000 {
            let others = others[number % 5];
            // A thousand in a second.
            let at = ms(number as u64);
            bridges.send(TagKind::Audio, at, body(&[0xaf, 0], others));
            bridges.send(TagKind::Audio, at, body(&[0xaf, 1], &good[number % 100]));
        }
        let excess = bridges.dropped("excess_sound");
        assert!(excess > 4_500, "{excess} of 10,000");
        // A few seconds later it has sound again.
        let first = 47 * 8;
        bridges.send(TagKind::Audio, time(first), body(&[0xaf, 0], &config));
        let before = bridges.dropped("excess_sound");
        let packets = send(&mut bridges, first, &good);
        assert!(packets >= 100, "{packets}");
        assert_eq!(bridges.dropped("excess_sound"), before);
    }

    /// Frames of MPEG audio say themselves what they are.
    #[test]
    fn another_rate_with_every_frame_costs_little() {
        let silence = |frequency: u8, length: usize| {
            let mut frame = vec![0x2f, 0xff, 0xfb, 0x90 | frequency << 2, 0];
            frame.resize(1 + length, 0);
            frame
        };
        // 128 kbit/s at 44.1 kHz, and at 48 kHz.
        let frames = [silence(0, 417), silence(1, 384)];
        let mut bridges = Bridges::new();
        for number in 0..5_000 {
            bridges.send(TagKind::Audio, ms(number), frames[number as usize % 2].clone());
        }
        let excess = bridges.dropped("excess_sound");
        assert!(excess > 4_500, "{:?}", bridges.counters.dropped());
        // One that stays as it is has all of its frames.
        let mut bridges = Bridges::new();
        for number in 0..5_000 {
            bridges.send(TagKind::Audio, ms(24 * number), frames[1].clone());
        }
        assert_eq!(bridges.counters.dropped().map(|(_, count)| count), [0; 6]);
    }

    #[test]
    fn opus_that_lies_is_counted_and_silent() {
        let mut bridges = Bridges::wanting(Wanted::Aac);
        let mut publisher = Publisher::new(bridges.start);
        let mut receive = |packets: &[&'static [u8]]| {
            let mut frames = 0;
            for packet in packets {
                let items = publisher.send(Codec::Opus, &[(Bytes::from_static(packet), false)]);
                frames += items.iter().map(|item| bridges.receive(item).len()).sum::<usize>();
            }
            frames
        };
        // Each is 20 ms of 40, the rest of which is concealed.
        assert!(receive(&[OPUS; 20]) > 20);
        // 48 frames of 60 ms, two frames in a byte less than nothing, frames of lengths that aren't there.
        let lies: [&'static [u8]; 6] = [
            &[0x1b, 48, 1, 2],
            &[0xfd],
            &[0xfe, 0xff, 0xff, 1],
            &[0xff],
            &[0xff, 0],
            &[0xff, 0x83, 90],
        ];
        receive(&lies);
        receive(&[&[][..]; 5]);
        assert!(receive(&[OPUS; 20]) > 20);
        let errors = bridges.dropped("undecodable_sound");
        assert!((5..=6).contains(&errors), "{errors}");
    }
}
