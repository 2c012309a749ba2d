//! Clients that send what they should not, or nothing: each costs itself only.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rtmp_proto::MediaKind;

use crate::support::{Clip, Ffmpeg, RtmpClient, TestServer, clip, key_frame, wait_for};

const MIB: u64 = 1 << 20;

/// A server with a publisher and a player that must notice nothing.
struct Bystanders {
    server: TestServer,
    publisher: RtmpClient,
    player: RtmpClient,
    sent: u32,
    rss: u64,
}

impl Bystanders {
    fn start() -> Self {
        // They are quiet while a test waits.
        let patient = [("SRS_VHOST_PUBLISH_NORMAL_TIMEOUT", "120000")];
        let server = TestServer::start_with(&patient);
        let publisher = RtmpClient::publish(&server.rtmp_url("quiet"));
        let player = RtmpClient::play(&server.rtmp_url("quiet"));
        let mut this = Self { server, publisher, player, sent: 0, rss: 0 };
        this.check();
        this.rss = this.server.rss();
        this
    }

    /// A frame goes through, with nothing lost before it.
    fn check(&mut self) {
        let frame = key_frame(self.sent, 1000);
        self.publisher.send(MediaKind::Video, self.sent * 40, frame.clone());
        assert_eq!(self.player.next().unwrap().2, frame);
        self.sent += 1;
    }

    /// Sends `bytes` after a handshake; the connection must close with `error` in the log.
    fn attack(&mut self, bytes: &[u8], error: &str) {
        let mut socket = handshake(self.server.rtmp);
        send(&mut socket, bytes);
        closed_within(&mut socket, Duration::from_secs(5));
        self.blamed(error);
    }

    /// The log has `error`, the others are well, and memory is where it was.
    fn blamed(&mut self, error: &str) {
        self.server.wait_for_log(error);
        self.check();
        let grown = self.server.rss().saturating_sub(self.rss);
        assert!(grown < 24 * MIB, "rss grew by {grown} bytes");
    }
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// The simple handshake by hand.
fn handshake(port: u16) -> TcpStream {
    let mut socket = connect(port);
    let mut hello = vec![3, 0, 0, 0, 0, 0, 0, 0, 0];
    hello.resize(1 + 1536, 0x42);
    socket.write_all(&hello).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = vec![0; 1 + 2 * 1536];
    socket.read_exact(&mut answer).unwrap();
    socket.write_all(&answer[1..1537]).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket
}

/// Sends as much as the server takes before it closes.
fn send(socket: &mut TcpStream, bytes: &[u8]) {
    for part in bytes.chunks(16 * 1024) {
        if socket.write_all(part).is_err() {
            return;
        }
    }
}

fn closed_within(socket: &mut TcpStream, limit: Duration) -> Vec<u8> {
    let mut received = Vec::new();
    wait_for("close", limit, || {
        let mut buf = [0; 4096];
        match socket.read(&mut buf) {
            Ok(0) => Some(()),
            Ok(n) => {
                received.extend(&buf[..n]);
                None
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(_) => Some(()),
        }
    });
    received
}

/// A chunk of type 0 on chunk stream `csid` (3..=63) that announces `len` bytes.
fn chunk(csid: u8, type_id: u8, len: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![csid, 0, 0, 0];
    bytes.extend(&len.to_be_bytes()[1..]);
    bytes.push(type_id);
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

#[test]
fn chunk_size_zero_and_beyond_31_bits() {
    let mut others = Bystanders::start();
    others.attack(&chunk(2, 1, 4, &[0; 4]), "chunk size");
    others.attack(&chunk(2, 1, 4, &[0x80, 0, 0, 0]), "chunk size");
}

#[test]
fn wrongly_interleaved_and_headless_chunks() {
    let mut others = Bystanders::start();
    // A message is begun, and another begins on the same chunk stream before its end.
    let mut cut = chunk(5, 9, 200, &[0; 128]);
    cut.extend(chunk(5, 9, 200, &[0; 128]));
    others.attack(&cut, "chunk stream 5");
    // A chunk that continues what never began.
    others.attack(&[0xc7], "chunk stream 7");
}

#[test]
fn a_command_of_16_mib() {
    let mut others = Bystanders::start();
    others.attack(&chunk(3, 20, 0xff_ffff, &[2; 128]), "16777215");
}

/// As long as the wire allows, and announced on many chunk streams at once.
#[test]
fn messages_of_16_mib_hold_only_what_was_sent_and_are_bounded() {
    let mut others = Bystanders::start();
    let mut socket = handshake(others.server.rtmp);
    let mut bytes = Vec::new();
    for csid in 4..60 {
        bytes.extend(chunk(csid, 9, 0xff_ffff, &[0; 128]));
    }
    send(&mut socket, &bytes);
    thread::sleep(Duration::from_millis(300));
    let grown = others.server.rss().saturating_sub(others.rss);
    assert!(grown < 4 * MIB, "announced only, yet rss grew by {grown} bytes");
    others.check();
    // Now the bytes: in chunks of a megabyte, over and over.
    let mut bytes = chunk(2, 1, 4, &(MIB as u32).to_be_bytes());
    for _ in 0..3 {
        for csid in 4..60_u8 {
            bytes.push(0xc0 | csid);
            bytes.extend(vec![0; MIB as usize]);
        }
    }
    send(&mut socket, &bytes);
    closed_within(&mut socket, Duration::from_secs(10));
    others.server.wait_for_log("more than 33554432 bytes of unfinished messages");
    others.check();
    let grown = others.server.rss().saturating_sub(others.rss);
    assert!(grown < 48 * MIB, "rss grew by {grown} bytes");
}

#[test]
fn chunk_streams_without_end() {
    let mut others = Bystanders::start();
    let mut bytes = Vec::new();
    for csid in 0..65_000_u32 - 64 {
        bytes.push(1);
        bytes.extend(&(u16::try_from(csid).unwrap()).to_le_bytes());
        bytes.extend(&chunk(0, 9, 200, &[0; 128])[1..]);
    }
    others.attack(&bytes, "is one more than the limit of 64");
}

#[test]
fn amf_nested_ten_thousand_deep() {
    let mut others = Bystanders::start();
    let mut command = b"\x02\x00\x07connect\x00\x3f\xf0\0\0\0\0\0\0".to_vec();
    for _ in 0..10_000 {
        command.extend(b"\x03\x00\x01a");
    }
    let mut bytes = chunk(2, 1, 4, &(1_u32 << 20).to_be_bytes());
    bytes.extend(chunk(3, 20, command.len().try_into().unwrap(), &command));
    others.attack(&bytes, "deep");
}

/// Connects, makes a stream, and then `command`s on it with a name.
fn ask(command: &str, name: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut value = vec![2];
        value.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        value.extend(text.bytes());
        value
    };
    let zero = [0; 9];
    let connect = [text("connect"), zero.into(), b"\x03\0\x03app\x02\0\x04live\0\0\x09".into()];
    let create = [text("createStream"), zero.into(), vec![5]];
    let ask = [text(command), zero.into(), vec![5], text(name), text("live")];
    let mut bytes = Vec::new();
    for (msid, command) in [(0, connect.concat()), (0, create.concat()), (1, ask.concat())] {
        let mut chunk = chunk(3, 20, command.len().try_into().unwrap(), &command);
        chunk[8] = msid;
        bytes.extend(chunk);
    }
    bytes
}

/// Who asks for a stream without a name is told, and then closed.
#[test]
fn a_stream_without_a_name() {
    let mut others = Bystanders::start();
    for (command, status) in
        [("publish", "NetStream.Publish.BadName"), ("play", "NetStream.Play.Failed")]
    {
        let mut socket = handshake(others.server.rtmp);
        send(&mut socket, &ask(command, "?a=b"));
        let told = closed_within(&mut socket, Duration::from_secs(5));
        assert!(String::from_utf8_lossy(&told).contains(status), "{command}: {told:?}");
        others.blamed("no stream is named");
    }
}

/// A client that sends on is told as well: what it sent is read, or else the reset that the
/// kernel answers with would overtake the answer.
#[test]
fn a_refused_publisher_that_sends_on_learns_why() {
    let mut others = Bystanders::start();
    for _ in 0..10 {
        let mut socket = handshake(others.server.rtmp);
        let mut bytes = ask("publish", "quiet?other=1");
        bytes.resize(bytes.len() + 300_000, 0);
        socket.write_all(&bytes).unwrap();
        let mut told = Vec::new();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.read_to_end(&mut told).unwrap();
        // Closed in good order: after a reset this would fail.
        socket.write_all(&[0]).unwrap();
        assert!(String::from_utf8_lossy(&told).contains("NetStream.Publish.BadName"), "{told:?}");
    }
    others.check();
}

/// A player leaves while it waits for a publisher, with something unread before its end.
#[test]
fn an_http_client_that_sends_too_much_and_leaves_is_forgotten() {
    let server = TestServer::start();
    let mut http = connect(server.http);
    http.write_all(b"GET /live/a.flv HTTP/1.1\r\nHost: x\r\n\r\n\r\nand more").unwrap();
    server.wait_for_client("a", "flv-play");
    drop(http);
    wait_for("the viewer gone", Duration::from_secs(20), || {
        server.clients("a", "flv-play").is_empty().then_some(())
    });
}

/// The name of a stream is in the log, but not as an event of its own.
#[test]
fn a_name_with_a_line_break() {
    let server = TestServer::start();
    let _player = RtmpClient::play(&server.rtmp_url("a\nERROR forged"));
    server.wait_for_log("live/a\\nERROR forged");
}

/// All descriptors are taken: who is there goes on, and who comes later is served then.
#[test]
fn more_clients_than_open_files() {
    let server = TestServer::start_with_open_files(64);
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let crowd: Vec<_> = (0..100).map(|_| connect(server.rtmp)).collect();
    server.wait_for_log("cannot accept a connection");
    publisher.send(MediaKind::Video, 0, key_frame(1, 100));
    assert_eq!(player.next().unwrap().2, key_frame(1, 100));
    drop(crowd);
    RtmpClient::play(&server.rtmp_url("a")).next().unwrap();
    let told = server.log().join("\n").matches("cannot accept a connection").count();
    assert!(told < 15, "told {told} times");
}

#[test]
fn random_bytes_instead_of_a_handshake() {
    let mut others = Bystanders::start();
    let mut seed = 42_u32;
    let noise: Vec<u8> = (0..100_000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8 | 0x80
        })
        .collect();
    let mut socket = connect(others.server.rtmp);
    send(&mut socket, &noise);
    closed_within(&mut socket, Duration::from_secs(5));
    others.blamed("handshake: ");
}

#[test]
fn random_bytes_after_the_handshake() {
    let mut others = Bystanders::start();
    for mut seed in 1..40_u32 {
        let noise: Vec<u8> = (0..20_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        send(&mut handshake(others.server.rtmp), &noise);
    }
    others.check();
}

#[test]
fn http_on_the_rtmp_port_and_rtmp_on_the_http_port() {
    let mut others = Bystanders::start();
    let mut socket = connect(others.server.rtmp);
    send(&mut socket, b"GET /live/a.flv HTTP/1.1\r\nHost: x\r\n\r\n");
    closed_within(&mut socket, Duration::from_secs(5));
    others.blamed("handshake: ");

    for port in [others.server.http, others.server.api] {
        let mut socket = connect(port);
        let mut hello = vec![3];
        hello.resize(1537, 0x42);
        send(&mut socket, &hello);
        closed_within(&mut socket, Duration::from_secs(5));
        others.blamed("http connection failed: invalid HTTP");
    }
}

/// Within the 10 s that a handshake, or a request's head, may take.
#[test]
fn a_client_that_says_nothing() {
    let mut others = Bystanders::start();
    let mut rtmp = connect(others.server.rtmp);
    let mut http = connect(others.server.http);
    let started = Instant::now();
    closed_within(&mut rtmp, Duration::from_secs(15));
    closed_within(&mut http, Duration::from_secs(15));
    assert!(started.elapsed() > Duration::from_secs(9), "closed after {:?}", started.elapsed());
    others.blamed("no complete handshake within 10s");
    others.blamed("http connection failed: ");
}

/// A byte now and then is not progress: the handshake's time is for all of it.
#[test]
fn a_client_that_sends_a_byte_a_second() {
    let mut others = Bystanders::start();
    let mut rtmp = connect(others.server.rtmp);
    let mut http = connect(others.server.http);
    let mut open = true;
    for byte in [3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1] {
        open = rtmp.write_all(&[byte]).is_ok();
        let _ = http.write_all(b"G");
        thread::sleep(Duration::from_secs(1));
    }
    assert!(!open || rtmp.read(&mut [0]).is_ok_and(|n| n == 0), "still open after 13 s");
    others.blamed("no complete handshake within 10s");
}

/// After the handshake too: nothing is published or played within 30 s.
#[test]
fn a_client_that_never_asks_for_a_stream() {
    let mut others = Bystanders::start();
    let mut socket = handshake(others.server.rtmp);
    let started = Instant::now();
    closed_within(&mut socket, Duration::from_secs(35));
    assert!(started.elapsed() > Duration::from_secs(28), "closed after {:?}", started.elapsed());
    others.blamed("nothing published or played within 30s");
}

#[test]
fn a_publisher_that_falls_silent() {
    let server = TestServer::start();
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    publisher.send(MediaKind::Video, 0, key_frame(1, 100));
    let started = Instant::now();
    assert_eq!(
        wait_for("close", Duration::from_secs(10), || publisher
            .next()
            .err()
            .filter(|error| error == "closed")),
        "closed"
    );
    assert!(started.elapsed() > Duration::from_secs(4), "closed after {:?}", started.elapsed());
    server.wait_for_log("no media message for 5000 ms");
}

/// A ring for each: after 32 dialects one more is refused, and everybody else goes on.
#[test]
fn players_that_make_up_dialects() {
    let mut others = Bystanders::start();
    let url = others.server.rtmp_url("quiet");
    let codecs = ["avc1", "hvc1", "av01", "vp09", "vp08", "vvc1"];
    let set = |bits: usize| -> Vec<_> {
        codecs.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, c)| *c).collect()
    };
    let players: Vec<_> =
        (1..=32).map(|bits| RtmpClient::play_announcing(&url, &set(bits))).collect();
    let refused = RtmpClient::try_play_announcing(&url, &set(33)).err().unwrap();
    assert!(refused.starts_with("NetStream.Play.Failed: "), "{refused}");
    // A dialect that is there already, the common one, and HTTP-FLV.
    RtmpClient::play_announcing(&url, &set(1));
    RtmpClient::play(&url);
    let response = ureq::get(others.server.flv_url("quiet")).call().unwrap();
    assert_eq!(response.status(), 200);
    others.blamed("too many lanes: the limit is 32");
    drop(players);
}

/// A player that never reads is closed 30 s after its socket took the last byte; another goes on.
#[test]
fn players_that_never_read() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let mut feed = RtmpClient::publish(&server.rtmp_url("fat"));
    let stalled = RtmpClient::play(&server.rtmp_url("fat"));
    let mut stalled_http = connect(server.http);
    stalled_http.write_all(b"GET /live/fat.flv HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    server.wait_for_client("fat", "flv-play");
    let mut live = RtmpClient::play(&server.rtmp_url("fat"));
    let mut number = 0;
    wait_for("close of both", Duration::from_secs(45), || {
        for _ in 0..5 {
            feed.send(MediaKind::Video, number * 40, key_frame(number, 100_000));
            assert_eq!(live.next().unwrap().2, key_frame(number, 100_000));
            number += 1;
        }
        thread::sleep(Duration::from_millis(100));
        let left =
            server.clients("fat", "rtmp-play").len() + server.clients("fat", "flv-play").len();
        (left == 1).then_some(())
    });
    drop(stalled);
    let log = server.log().join("\n");
    assert_eq!(log.matches("the client took no bytes for 30000 ms").count(), 2, "{log}");
}
