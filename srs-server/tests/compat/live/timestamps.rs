//! Which timestamps players see, and in which order.

use bytes::Bytes;
use rtmp_proto::MediaKind;

use super::{send, server, take, url};
use crate::support::{RtmpClient, inter_frame, key_frame, video_header};

const AUDIO: Bytes = Bytes::from_static(&[0xaf, 1, 0x21]);

/// What players of these vhosts see of a publisher that begins at 70 s and jumps back.
#[track_caller]
fn check(vhosts: &[(&str, &str)], metadata: Option<&Bytes>, expected: &[(&str, [u32; 4])]) {
    let server = server(vhosts);
    for (vhost, timestamps) in expected {
        let url = url(&server, vhost, "a");
        let mut player = RtmpClient::play(&url);
        let mut publisher = RtmpClient::publish(&url);
        if let Some(metadata) = metadata {
            publisher.send(MediaKind::Data, 0, metadata.clone());
        }
        let frames = [key_frame(1, 50), inter_frame(2, 50), key_frame(3, 50), inter_frame(4, 50)];
        let sent = [70_000, 70_040, 100, 140];
        send(&mut publisher, &[(70_000, &video_header())]);
        for (timestamp, frame) in sent.iter().zip(&frames) {
            send(&mut publisher, &[(*timestamp, frame)]);
        }
        drop(publisher);
        let told = take(&mut player, metadata.map_or(0, |_| 1));
        assert_eq!(told.first().map(|(_, body)| body), metadata);
        let got = take(&mut player, 5);
        for ((timestamp, frame), got) in timestamps.iter().zip(&frames).zip(&got[1..]) {
            assert_eq!((timestamp, frame), (&got.0, &got.1), "{vhost}: {got:?}");
        }
        assert_eq!(got[0], (timestamps[0], video_header()), "{vhost}");
    }
}

#[test]
fn time_jitter_off_keeps_timestamps() {
    let back = 100_u32.wrapping_sub(70_000);
    check(
        &[
            ("full.example", "play { time_jitter full; }"),
            ("zero.example", "play { time_jitter zero; }"),
            ("off.example", "play { time_jitter off; }"),
        ],
        None,
        &[
            // The jump is closed by one step.
            ("full.example", [0, 40, 80, 120]),
            ("zero.example", [0, 40, back, back + 40]),
            ("off.example", [70_000, 70_040, 100, 140]),
        ],
    );
}

#[test]
fn atc_keeps_the_publishers_timestamps() {
    check(
        &[("atc.example", "play { atc on; }"), ("no.example", "play { atc off; }")],
        None,
        &[("atc.example", [70_000, 70_040, 100, 140]), ("no.example", [0, 40, 80, 120])],
    );
}

#[test]
fn atc_auto_heeds_the_metadata() {
    let metadata = |value: &'static [u8]| {
        let name = b"\x02\x00\x0aonMetaData\x08\0\0\0\x01\0\x09bravo_atc";
        Bytes::from([&name[..], value, b"\0\0\x09"].concat())
    };
    let vhosts = &[("auto.example", "play { atc_auto on; }"), ("not.example", "")];
    check(
        vhosts,
        Some(&metadata(b"\x02\0\x04true")),
        &[("auto.example", [70_000, 70_040, 100, 140]), ("not.example", [0, 40, 80, 120])],
    );
    check(
        vhosts,
        Some(&metadata(b"\x02\0\x05false")),
        &[("auto.example", [0, 40, 80, 120]), ("not.example", [0, 40, 80, 120])],
    );
}

#[test]
fn mix_correct_orders_audio_and_video() {
    let server = server(&[
        ("mixed.example", "play { mix_correct on; }"),
        ("original.example", "play { mix_correct on; time_jitter off; }"),
        ("plain.example", ""),
    ]);
    // Audio comes in blocks, late.
    let sent = [(0, 'v'), (40, 'v'), (80, 'v'), (10, 'a'), (33, 'a'), (56, 'a'), (120, 'v')];
    let sent = [&sent[..], &[(79, 'a'), (102, 'a'), (125, 'a')]].concat();
    let in_order = {
        let mut sorted = sent.clone();
        sorted.sort_by_key(|&(timestamp, _)| timestamp);
        sorted
    };
    for (vhost, expected) in
        [("mixed.example", &in_order), ("original.example", &in_order), ("plain.example", &sent)]
    {
        let url = url(&server, vhost, "a");
        let mut player = RtmpClient::play(&url);
        let mut publisher = RtmpClient::publish(&url);
        for &(timestamp, kind) in &sent {
            match kind {
                'v' => publisher.send(MediaKind::Video, timestamp, key_frame(timestamp, 50)),
                _ => publisher.send(MediaKind::Audio, timestamp, AUDIO),
            }
        }
        // What is held back comes when the publisher goes.
        drop(publisher);
        let got: Vec<_> = (0..sent.len())
            .map(|_| {
                let (kind, timestamp, _) = player.next().unwrap();
                (timestamp, if kind == MediaKind::Video { 'v' } else { 'a' })
            })
            .collect();
        assert_eq!(got, *expected, "{vhost}");
    }
}
