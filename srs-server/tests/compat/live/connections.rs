//! What a connection is told, what it may take, and who gets one.

use std::{net::TcpStream, os::fd::OwnedFd, time::Duration};

use rtmp_proto::{MessageStreamId, MessageType, Purpose};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::SockRef;

use super::{send, server, take, url};
use crate::support::{RawClient, RtmpClient, TestServer, key_frame, wait_for};

/// What the server tells a client that connects to `vhost`: the values of its control messages by
/// type.
fn told(server: &TestServer, vhost: &str) -> Vec<(u8, u32)> {
    let mut client = RawClient::shake_hands(server.rtmp);
    client.call_connect(&format!("rtmp://{vhost}/live"), "live");
    let mut told = Vec::new();
    loop {
        let message = client.next().unwrap();
        if message.type_id == MessageType::COMMAND_AMF0 {
            return told;
        }
        let value = u32::from_be_bytes(message.payload[..4].try_into().unwrap());
        told.push((message.type_id.0, value));
    }
}

#[test]
fn chunk_size_is_told_to_the_client() {
    let server = TestServer::configured(
        "chunk_size 4096;
         vhost __defaultVhost__ { play { mw_latency 0; mw_msgs 0; } }
         vhost small.example { chunk_size 128; play { mw_latency 0; mw_msgs 0; } }",
    );
    let size = |vhost: &str| {
        let told = told(&server, vhost);
        told.iter().find(|(kind, _)| *kind == MessageType::SET_CHUNK_SIZE.0).unwrap().1
    };
    assert_eq!(size("127.0.0.1"), 4096);
    assert_eq!(size("small.example"), 128);

    // What comes is in such chunks: else the client could not make messages of it.
    for vhost in ["127.0.0.1", "small.example"] {
        let mut publisher = RtmpClient::publish(&url(&server, vhost, "a"));
        let mut player = RtmpClient::play(&url(&server, vhost, "a"));
        send(&mut publisher, &[(0, &key_frame(1, 100_000))]);
        assert_eq!(take(&mut player, 1)[0].1, key_frame(1, 100_000));
    }

    // A stream of another vhost than was connected to, and back.
    let mut player = RawClient::connect(server.rtmp, "rtmp://127.0.0.1/live", "live");
    let msid = player.create_stream();
    for (name, vhost, size) in
        [("b?vhost=small.example", "small.example", 128_u32), ("b", "127.0.0.1", 4096)]
    {
        let mut publisher = RtmpClient::publish(&url(&server, vhost, "b"));
        player.call(msid, "play", vec![name.into()]);
        let told = player.next_of(MessageType::SET_CHUNK_SIZE);
        assert_eq!(told.payload[..], size.to_be_bytes());
        player.wait_for_status("NetStream.Play.Start");
        send(&mut publisher, &[(0, &key_frame(2, 100_000))]);
        assert_eq!(player.next_of(MessageType::VIDEO).payload, key_frame(2, 100_000));
        player.call(msid, "closeStream", vec![]);
        player.wait_for_status("NetStream.Play.Stop");
    }
}

#[test]
fn out_ack_size_is_told() {
    let server =
        server(&[("some.example", "out_ack_size 123456;"), ("none.example", "out_ack_size 0;")]);
    const WINDOW: u8 = MessageType::WINDOW_ACKNOWLEDGEMENT_SIZE.0;
    const BANDWIDTH: u8 = MessageType::SET_PEER_BANDWIDTH.0;
    const CHUNK_SIZE: u8 = MessageType::SET_CHUNK_SIZE.0;
    let rest = [(BANDWIDTH, 2_500_000), (CHUNK_SIZE, 60_000)];
    let with = |window| [&[(WINDOW, window)], &rest[..]].concat();
    assert_eq!(told(&server, "127.0.0.1"), with(2_500_000));
    assert_eq!(told(&server, "some.example"), with(123_456));
    assert_eq!(told(&server, "none.example"), rest);
}

#[test]
fn in_ack_size_acknowledges() {
    let server = server(&[("ack.example", "in_ack_size 10000;")]);
    for (vhost, is_acknowledged) in [("ack.example", true), ("127.0.0.1", false)] {
        let mut encoder = RawClient::connect(server.rtmp, &format!("rtmp://{vhost}/live"), "live");
        let msid = encoder.create_stream();
        encoder.publish(msid, "a");
        for number in 0..50 {
            encoder.send_media(msid, MessageType::VIDEO, number * 40, key_frame(number, 1000));
        }
        if is_acknowledged {
            // 50 kB and a little; half a window at most is left out.
            let mut last = 0;
            while last < 46_000 {
                let payload = encoder.next_of(MessageType::ACKNOWLEDGEMENT).payload;
                let next = u32::from_be_bytes(payload[..].try_into().unwrap());
                assert!(next >= last + 5000, "{next} after {last}");
                last = next;
            }
            continue;
        }
        // What is read last is acknowledged after its answers: so there are two reads.
        for _ in 0..2 {
            encoder.call(MessageStreamId::CONTROL, "getStreamLength", vec!["a".into()]);
            loop {
                let message = encoder.next().unwrap();
                assert_ne!(message.type_id, MessageType::ACKNOWLEDGEMENT);
                if message.type_id == MessageType::COMMAND_AMF0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn tcp_nodelay_is_set() {
    let server = server(&[
        ("on.example", "tcp_nodelay on;"),
        ("off.example", "tcp_nodelay off;"),
        ("min.example", "min_latency on;"),
    ]);
    for (vhost, expected) in [("on.example", true), ("off.example", false), ("min.example", true)] {
        let player = RtmpClient::play(&url(&server, vhost, "a"));
        let socket = socket_of(&server, &player.socket);
        let is_set = || SockRef::from(&socket).tcp_nodelay().unwrap();
        // What the client was told is written by now, and the options are set before.
        assert_eq!(is_set(), expected, "{vhost}");
    }
}

/// The server's end of a connection.
fn socket_of(server: &TestServer, client: &TcpStream) -> OwnedFd {
    let process = pidfd_open(Pid::from_raw(server.pid()).unwrap(), PidfdFlags::empty()).unwrap();
    let address = client.local_addr().unwrap();
    std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|fd| pidfd_getfd(&process, fd, PidfdGetfdFlags::empty()).ok())
        .find(|fd| {
            let peer = SockRef::from(fd).peer_addr().ok().and_then(|peer| peer.as_socket());
            peer.is_some_and(|peer| {
                (peer.ip().to_canonical(), peer.port()) == (address.ip(), address.port())
            })
        })
        .unwrap()
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let server = TestServer::configured("max_connections 3;");
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    let mut players = vec![RtmpClient::play(&server.rtmp_url("a"))];
    players.push(RtmpClient::play(&server.rtmp_url("a")));
    for purpose in [Purpose::play(), Purpose::publish()] {
        RtmpClient::open(&server.rtmp_url("b"), purpose).err().unwrap();
    }
    assert!(ureq::get(server.flv_url("a")).call().is_err());
    let line = server.wait_for_log("a connection refused: max_connections are there");
    assert!(line.contains("code=1074"), "{line}");
    // Those that are there go on, and the API shows who they are.
    for number in 0..20 {
        send(&mut publisher, &[(number * 40, &key_frame(number, 50))]);
    }
    assert_eq!(take(&mut players[1], 9)[8].1, key_frame(8, 50));
    assert_eq!(server.clients("a", "rtmp-play").len(), 2);
    // One place is free again.
    players.pop();
    wait_for("a place", Duration::from_secs(5), || {
        RtmpClient::open(&server.rtmp_url("a"), Purpose::play()).ok()
    });
}

#[test]
fn a_disabled_vhost_is_refused() {
    let server = server(&[("off.example", "enabled off;")]);
    for purpose in [Purpose::publish(), Purpose::play()] {
        let refused = RtmpClient::open(&url(&server, "off.example", "a"), purpose).err().unwrap();
        assert!(refused.starts_with("NetStream."), "{refused}");
    }
    let line = server.wait_for_log("no vhost off.example");
    assert!(line.contains("code=2014"), "{line}");
    let answer = ureq::get(format!("{}?vhost=off.example", server.flv_url("a"))).call();
    assert!(matches!(answer, Err(ureq::Error::StatusCode(404))), "{answer:?}");
    // Others, and those without one of their own, are served.
    let _publisher = RtmpClient::publish(&url(&server, "other.example", "a"));
    assert_eq!(server.clients("a", "fmle-publish").len(), 1);
}

/// Its codes are SRS's, so that who looks for them in a log finds them.
#[test]
fn a_connection_without_a_stream_name_is_refused() {
    let server = server(&[]);
    let mut client = RawClient::connect(server.rtmp, "rtmp://127.0.0.1/live", "live");
    let msid = client.create_stream();
    client.call(msid, "publish", vec!["".into(), "live".into()]);
    client.wait_for_status("NetStream.Publish.BadName");
    let line = server.wait_for_log("no stream is named");
    assert!(line.contains("code=2051"), "{line}");
    assert_eq!(client.next(), Err("closed".to_owned()));
}
