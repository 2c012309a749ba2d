//! What carries WebRTC's packets: frames of TCP, and DTLS handshakes.

use std::future::poll_fn;
use std::sync::OnceLock;
use std::task::{Poll, Waker};

use bytes::{Bytes, BytesMut};
use rtc_stack::dtls::{Dtls, Handshake, HandshakeEvent, Role};
use rtc_stack::transport::dtls::{Certificate, DtlsEndpoint, DtlsOptions};
use rtc_stack::transport::tcp::{FrameReader, encode};
use tokio::runtime::{Builder, Runtime};

/// A split, then a stream of frames: any split gives the same datagrams, and writing them gives the stream again but
/// for empty frames.
pub fn ice_tcp(data: &[u8]) {
    let Some((&split, stream)) = data.split_first() else { return };
    let frames = |size: usize| {
        let (mut reader, mut read) = (FrameReader::default(), Vec::new());
        for piece in stream.chunks(size) {
            reader.receive(piece);
            read.extend(std::iter::from_fn(|| reader.poll()));
            assert!(reader.pending() < 2 + 65_535);
        }
        (read, reader.pending())
    };
    let whole = frames(stream.len().max(1));
    assert_eq!(frames(usize::from(split) + 1), whole);
    let mut written = BytesMut::new();
    for datagram in &whole.0 {
        assert!(!datagram.is_empty());
        encode(datagram, &mut written).expect("no longer than it was");
    }
    assert!(written.len() + whole.1 <= stream.len());
    let mut again = FrameReader::default();
    again.receive(&written);
    assert!(std::iter::from_fn(|| again.poll()).eq(whole.0));
}

const MTU: usize = 400;

/// Our role, then steps: a byte that says what comes, one for a length, and so many bytes. They are a datagram as it
/// is, a record, a handshake message that is cut into pieces that overlap, or the extensions of a client's hello, which
/// has the cookie that we have given.
///
/// What we send fits its datagrams; a handshake ends once.
pub fn dtls_handshake(data: &[u8]) {
    let Some((&role, mut rest)) = data.split_first() else { return };
    let role = if role % 2 == 0 { Role::Server } else { Role::Client };
    let Ok(runtime) = Builder::new_current_thread().enable_time().build() else { return };
    let mut peer = Peer::new(role, runtime);
    peer.settle();
    let mut steps = 0;
    while let [what, length, after @ ..] = rest {
        let (bytes, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        steps += 1;
        if steps > 40 {
            break;
        }
        match what % 5 {
            0 => peer.send(bytes.to_vec()),
            1 => peer.record(22, 0, bytes),
            2 => peer.record(20 + what / 5 % 4, what / 20 % 3, bytes),
            3 => peer.message(bytes),
            _ => peer.hello(bytes),
        }
        peer.settle();
    }
}

struct Peer {
    handshake: Box<dyn Handshake>,
    runtime: Runtime,
    sequence: u16,
    cookie: Vec<u8>,
    is_over: bool,
}

impl Peer {
    fn new(role: Role, runtime: Runtime) -> Self {
        static MADE: OnceLock<Certificate> = OnceLock::new();
        let certificate = MADE.get_or_init(|| Certificate::generate().expect("a certificate"));
        let options = DtlsOptions { mtu: MTU, ..DtlsOptions::default() };
        let known = vec![certificate.fingerprint().clone()];
        let endpoint = DtlsEndpoint::new(certificate.clone(), options, runtime.handle().clone());
        let handshake = endpoint.start(role, known, Waker::noop().clone()).expect("it starts");
        Self { handshake, runtime, sequence: 0, cookie: Vec::new(), is_over: false }
    }

    fn send(&mut self, datagram: Vec<u8>) {
        self.handshake.receive(Bytes::from(datagram));
    }

    fn record(&mut self, kind: u8, epoch: u8, content: &[u8]) {
        self.sequence += 1;
        let [s0, s1] = self.sequence.to_be_bytes();
        let [l0, l1] = (content.len() as u16).to_be_bytes();
        let head = [kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, s0, s1, l0, l1];
        self.send([&head[..], content].concat());
    }

    /// The kind, the number, the length of a piece and by how much pieces overlap; then the message.
    fn message(&mut self, bytes: &[u8]) {
        let [kind, number, piece, overlap, body @ ..] = bytes else { return };
        let size = usize::from(piece % 64) + 1;
        let mut start = 0;
        loop {
            let end = body.len().min(start + size);
            let part = &body[start..end];
            let offset = start as u8;
            let head = [
                kind % 24,
                0,
                0,
                body.len() as u8,
                0,
                number % 6,
                0,
                0,
                offset,
                0,
                0,
                part.len() as u8,
            ];
            self.record(22, 0, &[&head[..], part].concat());
            if end == body.len() {
                return;
            }
            start = end - usize::from(*overlap) % size;
        }
    }

    fn hello(&mut self, extensions: &[u8]) {
        let mut body = vec![0xfe, 0xfd];
        body.extend([5; 32]);
        body.push(0);
        body.push(self.cookie.len() as u8);
        body.extend(&self.cookie);
        body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
        // Curves, signatures and SRTP, without which nothing follows; then the given ones.
        let known = [
            &[0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3][..],
            &[0, 14, 0, 5, 0, 2, 0, 7, 0],
            extensions,
        ];
        let known = known.concat();
        body.extend((known.len() as u16).to_be_bytes());
        body.extend(known);
        let [l0, l1] = (body.len() as u16).to_be_bytes();
        let number = u8::from(!self.cookie.is_empty());
        let head = [1, 0, l0, l1, 0, number, 0, 0, 0, 0, l0, l1];
        self.record(22, 0, &[&head[..], &body].concat());
    }

    /// Lets the handshake do what it can, and looks at what it has done.
    fn settle(&mut self) {
        let mut turns = 0;
        self.runtime.block_on(poll_fn(|context| {
            turns += 1;
            context.waker().wake_by_ref();
            if turns > 12 { Poll::Ready(()) } else { Poll::Pending }
        }));
        while let Some(event) = self.handshake.poll() {
            assert!(!self.is_over, "{event:?} after the end");
            match event {
                HandshakeEvent::Transmit(datagram) => {
                    assert!(datagram.len() <= MTU);
                    // A request for a hello with this cookie (RFC 6347, 4.2.1).
                    if let (Some(3), Some(&length)) = (datagram.get(13), datagram.get(27)) {
                        let end = (28 + usize::from(length)).min(datagram.len());
                        self.cookie = datagram[28..end].to_vec();
                    }
                }
                HandshakeEvent::Established(_) => panic!("a handshake with nobody's keys"),
                HandshakeEvent::Failed(_) => self.is_over = true,
            }
        }
    }
}
