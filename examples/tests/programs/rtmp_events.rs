//! `rtmp_events` prints what a client session sent.

use std::{
    fs::{self, File},
    process::{Command, Output},
    time::Instant,
};

use bytes::Bytes;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, MediaKind, MediaMessage, Purpose, RtmpUrl,
    ServerConfig, ServerEvent, ServerSession, StatusCode,
};

use crate::support::{Folder, example, run, text};

const METADATA: &[u8] = b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09";

/// What a client sends to a server that lets it do what it asks for: the media, then the end.
fn client_half(purpose: Purpose, media: &[(MediaKind, u32, &'static [u8])]) -> Vec<u8> {
    let now = Instant::now();
    let url = RtmpUrl::parse("rtmp://127.0.0.1:19350/live/s?token=t").unwrap();
    let mut client = ClientSession::new(ClientConfig::new(url, purpose), now);
    let mut server = ServerSession::new(ServerConfig::default(), now);
    let mut sent = Vec::new();
    let mut is_started = false;
    loop {
        let mut progress = false;
        while let Some(output) = client.poll_output() {
            progress = true;
            match output {
                rtmp_proto::Output::Transmit(bytes) => {
                    sent.extend_from_slice(&bytes);
                    server.receive(now, &bytes).unwrap();
                }
                rtmp_proto::Output::Event(ClientEvent::PublishStarted { msid }) => {
                    is_started = true;
                    for &(kind, timestamp, payload) in media {
                        let payload = Bytes::from_static(payload);
                        let message = MediaMessage { kind, timestamp, payload };
                        client.send_media(msid, &message).unwrap();
                    }
                    client.stop();
                }
                rtmp_proto::Output::Event(ClientEvent::PlayStarted { .. }) => {
                    is_started = true;
                    client.stop();
                }
                rtmp_proto::Output::Event(_) => {}
            }
        }
        while let Some(output) = server.poll_output() {
            progress = true;
            match output {
                rtmp_proto::Output::Transmit(bytes) => client.receive(now, &bytes).unwrap(),
                rtmp_proto::Output::Event(
                    ServerEvent::ConnectRequested { id, .. }
                    | ServerEvent::PublishRequested { id, .. }
                    | ServerEvent::PlayRequested { id, .. },
                ) => server.accept(id).unwrap(),
                rtmp_proto::Output::Event(_) => {}
            }
        }
        if !progress {
            assert!(is_started, "{}", StatusCode::PLAY_FAILED);
            return sent;
        }
    }
}

fn events(bytes: &[u8]) -> Output {
    let folder = Folder::new();
    let path = folder.path("client.bin");
    fs::write(&path, bytes).unwrap();
    let by_name = run(example("rtmp_events"), &[&path]);
    let by_stdin = Command::new(example("rtmp_events"))
        .arg("-")
        .stdin(File::open(&path).unwrap())
        .output()
        .unwrap();
    assert_eq!(text(&by_stdin.stdout), text(&by_name.stdout));
    assert_eq!(by_stdin.status, by_name.status);
    by_name
}

#[test]
fn a_publish_is_printed_from_connect_to_end() {
    let bytes = client_half(
        Purpose::publish(),
        &[
            (MediaKind::Data, 0, METADATA),
            (MediaKind::Video, 0, &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe0, 0]),
            (MediaKind::Audio, 0, &[0xaf, 0, 0x12, 0x10]),
            (MediaKind::Video, 0, &[0x17, 1, 0, 0, 80, 0, 0, 0, 1, 0x65]),
            (MediaKind::Audio, 23, &[0xaf, 1, 0x21]),
            (MediaKind::Video, 40, &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]),
            (MediaKind::Video, 80, &[0x24, 1]),
            (MediaKind::Audio, 99, &[0x2f, 1]),
            (MediaKind::Video, 0x0100_0000, &[0x90, b'h', b'v', b'c', b'1', 1]),
            (MediaKind::Video, 0x0100_0001, &[0x17]),
        ],
    );
    let printed = events(&bytes);
    let expected = format!(
        "connect: app \"live\", tcUrl \"rtmp://127.0.0.1:19350/live\", flashVer \"FMLE/3.0 (compatible; rtmp-proto)\"
publish: \"s?token=t\" on stream 1, live
         0 ms       21 bytes  data  onMetaData
         0 ms       12 bytes  video avc1, sequence header
         0 ms        4 bytes  audio mp4a, sequence header
         0 ms       10 bytes  video avc1, keyframe, shown 80 ms later
        23 ms        3 bytes  audio mp4a
        40 ms       10 bytes  video avc1, shown 0 ms later
        80 ms        2 bytes  video Vp6, shown 0 ms later
        99 ms        2 bytes  audio .mp3
  16777216 ms        6 bytes  video hvc1, sequence header
  16777217 ms        1 bytes  video (video tag header: avc packet type needs 1 bytes, 0 left)
publish ended: stream 1, Unpublished
end: {} bytes, 0 messages ignored
",
        bytes.len()
    );
    assert_eq!(text(&printed.stdout), expected);
    assert!(printed.status.success());
}

#[test]
fn a_play_is_printed() {
    let printed = text(&events(&client_half(Purpose::play(), &[])).stdout);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[1], "play: \"s?token=t\" on stream 1, start -2, length -1");
    assert!(printed.contains("play ended: stream 1, Deleted"), "{printed}");
}

#[test]
fn a_capture_that_is_cut_off_says_so() {
    let video: &[u8] = &[0x27; 5000];
    let bytes = client_half(Purpose::publish(), &[(MediaKind::Video, 0, video)]);
    // The rest of the session after the video is some tens of bytes.
    let printed = events(&bytes[..bytes.len() - 1000]);
    assert!(printed.status.success());
    let printed = text(&printed.stdout);
    assert!(printed.lines().last().unwrap().starts_with("cut off: "), "{printed}");
}

#[test]
fn bytes_that_are_not_rtmp_are_an_error() {
    let printed = events(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(printed.status.code(), Some(1));
    assert!(text(&printed.stderr).contains("handshake: "), "{}", text(&printed.stderr));

    let printed = run(example("rtmp_events"), &["/does/not/exist"]);
    assert_eq!(printed.status.code(), Some(1));
    assert!(text(&printed.stderr).starts_with("/does/not/exist: No such file"));
    let printed = run(example("rtmp_events"), &[]);
    assert_eq!(printed.status.code(), Some(2));
    assert!(text(&printed.stderr).starts_with("usage: "));
}
