//! Publishers that go on with other pictures or another codec.

use super::*;

fn kinds(unit: &AccessUnit) -> Vec<u8> {
    unit.units.iter().map(|unit| unit[0] & 0x1f).collect()
}

#[test]
fn other_parameter_sets_come_with_the_keyframe_that_needs_them() {
    let mut bridges = Bridges::new();
    let mut items = Vec::new();
    let mut send = |time, body: Vec<u8>| items.extend(bridges.send(TagKind::Video, ms(time), body));
    send(0, avc_header(SPS, PPS, 4));
    send(0, avc(&[&slice(0, true)], 4));
    send(40, avc(&[&slice(1, false)], 4));
    send(40, avc_header(OTHER_SPS, OTHER_PPS, 4));
    // What is left of the old can't be shown by those who have the new.
    send(80, avc(&[&slice(2, false)], 4));
    send(120, avc(&[&slice(3, true)], 4));
    send(160, avc(&[&slice(4, false)], 4));
    let units = access_units(&items, Codec::H264);
    assert_eq!(
        units.iter().map(kinds).collect::<Vec<_>>(),
        [vec![7, 8, 5], vec![1], vec![7, 8, 5], vec![1]]
    );
    assert_eq!(units[0].units[..2], [SPS, PPS]);
    assert_eq!(units[2].units[..3], [OTHER_SPS, OTHER_PPS, &slice(3, true)]);
    // In one packet (STAP-A), the first of its picture.
    let all = packets(&items, MediaKind::Video);
    let first = all.iter().find(|packet| packet.timestamp() == 120 * 90).unwrap();
    assert_eq!(first.payload()[0] & 0x1f, 24);
    assert!(first.is_keyframe_start);
    // Viewers learn of it before: the level is another.
    let sources = items.iter().filter_map(|item| match &item.body {
        RtpBody::Source(source) => Some(source.tracks[0].parameters.fmtp.clone()),
        _ => None,
    });
    let levels: Vec<_> = sources.map(|fmtp| fmtp.to_string()).collect();
    assert_eq!(levels.len(), 2);
    assert!(levels[0].contains("42c01f") && levels[1].contains("42c01e"), "{levels:?}");
}

#[test]
fn sound_goes_on_while_the_codec_of_the_pictures_is_another() {
    let mut bridges = Bridges::new();
    let mut items = Vec::new();
    for number in 0..90_u32 {
        let time = ms(u64::from(number) * 20);
        let sound = [b"\x91Opus\xfc", &number.to_be_bytes()[..]].concat();
        items.extend(bridges.send(TagKind::Audio, time, sound));
        let is_hevc = (30..60).contains(&number);
        let picture = match (is_hevc, number % 10 == 0) {
            (false, is_key) => {
                if number == 0 || number == 60 {
                    items.extend(bridges.send(TagKind::Video, time, avc_header(SPS, PPS, 4)));
                }
                avc(&[&slice(number, is_key)], 4)
            }
            // CodedFramesX, of which nobody has the configuration.
            (true, is_key) => {
                let first = if is_key { 0x93 } else { 0xa3 };
                [&[first][..], b"hvc1\0\0\0\x04\x26\x01\x09\x09"].concat()
            }
        };
        items.extend(bridges.send(TagKind::Video, time, picture));
    }
    let sounds = access_units(&items, Codec::Opus);
    let numbers: Vec<_> = sounds.iter().map(|unit| unit.units[0][1..].to_vec()).collect();
    assert_eq!(numbers, (0..90_u32).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>());
    // Of the other codec nothing is sent, since it can't be; it is counted.
    assert_eq!(bridges.dropped("damaged_frame"), 3);
    assert_eq!(bridges.dropped("frame_without_keyframe"), 27);
    let pictures: Vec<_> = access_units(&items, Codec::H264)
        .iter()
        .map(|unit| u32::from_be_bytes(unit.units.last().unwrap()[2..6].try_into().unwrap()))
        .collect();
    assert_eq!(pictures, (0..30).chain(60..90).collect::<Vec<_>>());
}

#[test]
fn a_sequence_header_goes_before_the_keyframe_of_other_parameter_sets_and_of_another_codec() {
    let mut bridges = Bridges::new();
    let mut publisher = Publisher::new(bridges.start);
    let vp8_key = [&[0x10, 2, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0][..], &[7; 20]].concat();
    let vp8_inter = [&[0x11, 2, 0][..], &[8; 20]].concat();
    let (key, inter) = (slice(0, true), slice(1, false));
    let mut receive = |codec, units: &[&[u8]]| {
        let items = publisher.publish(codec, units);
        items.iter().flat_map(|item| bridges.receive(item)).collect::<Vec<_>>()
    };
    let mut frames = receive(Codec::H264, &[SPS, PPS, &key]);
    frames.extend(receive(Codec::H264, &[OTHER_SPS, OTHER_PPS, &key]));
    frames.extend(receive(Codec::H264, &[OTHER_SPS, OTHER_PPS, &key]));
    let starts: Vec<_> = frames.iter().map(|frame| frame.body[..2].to_vec()).collect();
    assert_eq!(starts, [[0x17, 0], [0x17, 1], [0x17, 0], [0x17, 1], [0x17, 1]]);
    assert!(frames[0].body.windows(SPS.len()).any(|window| window == SPS));
    assert!(frames[2].body.windows(OTHER_SPS.len()).any(|window| window == OTHER_SPS));
    assert!(frames[2].config_slot.is_some() && frames[3].is_join_point);
    // Before the keyframe of another codec nothing of it can be shown.
    let mut others = receive(Codec::Vp8, &[&vp8_inter]);
    others.extend(receive(Codec::Vp8, &[&vp8_key]));
    others.extend(receive(Codec::Vp8, &[&vp8_inter]));
    let starts: Vec<_> = others.iter().map(|frame| frame.body[..5].to_vec()).collect();
    assert_eq!(starts, [b"\x90vp08", b"\x91vp08", b"\xa1vp08"]);
    // And back.
    let mut back = receive(Codec::H264, &[&inter]);
    back.extend(receive(Codec::H264, &[SPS, PPS, &key]));
    let starts: Vec<_> = back.iter().map(|frame| frame.body[..2].to_vec()).collect();
    assert_eq!(starts, [[0x17, 0], [0x17, 1]]);
    let times: Vec<_> = frames.iter().chain(&others).chain(&back).map(|frame| frame.time).collect();
    assert!(times.is_sorted(), "{times:?}");
}
