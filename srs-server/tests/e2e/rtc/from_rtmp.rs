//! What RTMP publishers send reaches WebRTC viewers.

use std::{path::Path, process::Command, time::Duration};

use bytes::Bytes;
use rtc_stack::MediaKind;
use rtmp_proto::MediaKind as Rtmp;

use crate::support::{
    Clip, Ffmpeg, Got, RtcClient, RtmpClient, TestServer, clip, key_frame, video_header,
};

const BRIDGED: &str = "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }
vhost __defaultVhost__ { rtc { enabled on; rtmp_to_rtc on; } }
";

/// The NAL units that a viewer got, one list for each timestamp.
fn access_units(viewer: &RtcClient) -> Vec<(u32, Vec<Vec<u8>>)> {
    let mut units: Vec<(u32, Vec<Vec<u8>>)> = Vec::new();
    for got in viewer.of(MediaKind::Video) {
        if units.last().is_none_or(|(timestamp, _)| *timestamp != got.timestamp) {
            units.push((got.timestamp, Vec::new()));
        }
        let (_, nals) = units.last_mut().unwrap();
        let payload = &got.payload;
        match payload[0] & 0x1f {
            24 => {
                let mut rest = &payload[1..];
                while let [high, low, tail @ ..] = rest {
                    let (nal, after) =
                        tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
                    nals.push(nal.to_vec());
                    rest = after;
                }
            }
            28 => {
                if payload[1] & 0x80 != 0 {
                    nals.push(vec![payload[0] & 0xe0 | payload[1] & 0x1f]);
                }
                nals.last_mut().unwrap().extend(&payload[2..]);
            }
            _ => nals.push(payload.clone()),
        }
    }
    units
}

/// The NAL units of each picture of a file, as ffmpeg takes it apart.
fn nals_of(file: &Path) -> Vec<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-c:v", "copy", "-an", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-"])
        .output()
        .unwrap();
    let stream = output.stdout;
    flv_mux::annex_b_units(&stream).map(<[u8]>::to_vec).collect()
}

fn is_slice(nal: &[u8]) -> bool {
    matches!(nal[0] & 0x1f, 1 | 5)
}

#[test]
fn pictures_of_rtmp_arrive_bit_by_bit() {
    let server = TestServer::configured(BRIDGED);
    let mut viewer = RtcClient::play(server.api, "s").connect();
    let file = clip(Clip::Avc);
    let mut ffmpeg = Ffmpeg::publish(&file, &server.rtmp_url("s"));
    viewer.until("all pictures", |viewer| (access_units(viewer).len() >= 100).then_some(()));
    ffmpeg.wait();
    viewer.poll(Duration::from_millis(200));
    let units = access_units(&viewer);
    let sent: Vec<_> = nals_of(&file).into_iter().filter(|nal| is_slice(nal)).collect();
    let got: Vec<_> =
        units.iter().flat_map(|(_, nals)| nals).filter(|nal| is_slice(nal)).cloned().collect();
    assert_eq!(got.len(), sent.len());
    assert!(got == sent, "the slices differ");
    // Parameter sets are there before every keyframe, in one packet with the first of it or alone.
    for (_, nals) in &units {
        let kinds: Vec<u8> = nals.iter().map(|nal| nal[0] & 0x1f).collect();
        assert_eq!(kinds.contains(&5), kinds.contains(&7) && kinds.contains(&8), "{kinds:?}");
        assert!(!kinds.contains(&9), "a delimiter: {kinds:?}");
    }
    // 25 pictures in a second, by a clock of 90 kHz; times are told in milliseconds.
    for pair in units.windows(2) {
        let step = pair[1].0.wrapping_sub(pair[0].0);
        assert!((3_510..=3_690).contains(&step), "{step}");
    }
    let marked = viewer.of(MediaKind::Video).iter().filter(|got| got.marker).count();
    assert_eq!(marked, units.len());
}

/// When a packet was taken, on the publisher's clock, as reports tell.
fn taken(viewer: &RtcClient, got: &Got) -> Duration {
    let (wall, timestamp) = viewer.reports[&got.kind];
    let rate = if got.kind == MediaKind::Audio { 48_000.0 } else { 90_000.0 };
    let apart = f64::from(got.timestamp.wrapping_sub(timestamp).cast_signed()) / rate;
    Duration::from_secs_f64(wall.as_secs_f64() + apart)
}

/// What has one timestamp in RTMP has one time in WebRTC.
#[test]
fn reports_say_which_sound_belongs_to_which_picture() {
    let server = TestServer::configured(BRIDGED);
    let mut publisher = RtmpClient::publish(&server.rtmp_url("s"));
    publisher.send(Rtmp::Video, 0, video_header());
    // 40 ms of sound with each picture, which come 300 ms later than it, as some encoders have them.
    let mut send = |number: u32| {
        publisher.send(Rtmp::Video, number * 40, key_frame(number, 100));
        if let Some(number) = number.checked_sub(8) {
            let sound = [&b"\x91Opus\xe1"[..], &number.to_be_bytes(), &[0; 8]].concat();
            publisher.send(Rtmp::Audio, number * 40, Bytes::from(sound));
        }
    };
    (0..30).for_each(&mut send);
    let mut viewer = RtcClient::play(server.api, "s").connect();
    for number in 30..100 {
        send(number);
        viewer.poll(Duration::from_millis(40));
    }
    assert_eq!(viewer.reports.len(), 2);
    let number = |payload: &[u8]| u32::from_be_bytes(payload[1..5].try_into().unwrap());
    let sounds = viewer.of(MediaKind::Audio);
    let mut compared = 0;
    for picture in viewer.of(MediaKind::Video) {
        let sound = sounds.iter().find(|got| number(&got.payload) == number(&picture.payload));
        let Some(sound) = sound else { continue };
        let apart = taken(&viewer, sound).abs_diff(taken(&viewer, picture));
        assert!(apart < Duration::from_millis(2), "{apart:?}");
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}
