//! WebRTC in, WebRTC out: by sockets, through handshakes.

mod codecs;
mod ends;
mod from_rtmp;
mod keyframes;
mod lossy;
mod media;
mod numbers;
mod publishers;
mod sound;
mod strangers;
mod to_rtmp;

use std::time::Duration;

use bytes::Bytes;
use rtc_stack::MediaKind;

use crate::support::{RtcClient, TestServer};

/// WebRTC on ports that the system chooses, told as 127.0.0.1.
const RTC: &str = "rtc_server { enabled on; listen 0; candidate 127.0.0.1;
    tcp { enabled on; listen 0; } protocol all; }
vhost __defaultVhost__ { rtc { enabled on; } }
";

fn server() -> TestServer {
    TestServer::configured(RTC)
}

/// The packets of a picture: a slice of an IDR picture or of another, cut into two.
fn picture(number: u32, is_key: bool) -> [Vec<u8>; 2] {
    let nal = if is_key { 5 } else { 1 };
    let part = |start: u8, length: usize| {
        // FU-A: an indicator, a header, and what says which slice it is.
        let mut payload = vec![0x7c, start | nal, 0x88];
        payload.extend(number.to_be_bytes());
        payload.extend((0..length).map(|at| (at as u32 ^ number) as u8));
        payload
    };
    [part(0x80, 1100), part(0x40, 900)]
}

/// The body of a message of RTMP with a picture of one packet: its slice is the first of the picture.
fn message(number: u32, is_key: bool) -> Bytes {
    let (first, slice) = if is_key { (0x17, [0x65, 0x88]) } else { (0x27, [0x41, 0x9a]) };
    let unit = [&slice[..], &number.to_be_bytes(), &[0x55; 80]].concat();
    [&[first, 1, 0, 0, 0, 0, 0, 0, unit.len() as u8][..], &unit].concat().into()
}

/// Sends a picture and the sound that goes with it.
fn send(publisher: &mut RtcClient, number: u32, is_key: bool) {
    let [first, last] = picture(number, is_key);
    publisher.send(MediaKind::Video, number * 3000, false, &first);
    publisher.send(MediaKind::Video, number * 3000, true, &last);
    publisher.send(MediaKind::Audio, number * 960, false, &sound(number));
}

fn sound(number: u32) -> Vec<u8> {
    [&[0x78][..], &number.to_be_bytes(), &[number as u8; 80]].concat()
}

/// The numbers of the pictures that a viewer has got whole, as their publisher sent them.
fn pictures(viewer: &RtcClient) -> Vec<u32> {
    let got = viewer.of(MediaKind::Video);
    let mut numbers = Vec::new();
    for pair in got.chunks_exact(2) {
        let number = u32::from_be_bytes(pair[0].payload[3..7].try_into().unwrap());
        let is_key = pair[0].payload[1] & 0x1f == 5;
        let expected = picture(number, is_key);
        assert_eq!([&pair[0].payload, &pair[1].payload], [&expected[0], &expected[1]]);
        assert_eq!((pair[0].marker, pair[1].marker), (false, true));
        assert_eq!(pair[0].timestamp, pair[1].timestamp);
        numbers.push(number);
    }
    numbers
}

/// Sends pictures until the viewer has got some of them.
fn flows(publisher: &mut RtcClient, viewer: &mut RtcClient, number: &mut u32) {
    let seen = pictures(viewer).len();
    viewer.until("pictures", |viewer| {
        *number += 1;
        send(publisher, *number, true);
        publisher.poll(Duration::from_millis(10));
        (pictures(viewer).len() > seen + 3).then_some(())
    });
}
