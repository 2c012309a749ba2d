//! A client and a server against each other, over a wire that changes bytes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, MediaKind, MediaMessage, Output, Purpose, RtmpUrl,
    ServerConfig, ServerEvent, ServerSession,
};

/// What the wire does: every four bytes of the input are a direction, a place and a value that the
/// byte there is changed by.
struct Wire<'a> {
    changes: &'a [u8],
    /// Bytes that went to the server and to the client.
    carried: [usize; 2],
}

impl Wire<'_> {
    fn carry(&mut self, direction: usize, bytes: &mut [u8]) {
        let start = self.carried[direction];
        for change in self.changes.chunks_exact(4) {
            let place = usize::from(u16::from_be_bytes([change[1], change[2]]));
            if usize::from(change[0] & 1) == direction
                && let Some(byte) = place.checked_sub(start).and_then(|at| bytes.get_mut(at))
            {
                *byte ^= change[3];
            }
        }
        self.carried[direction] += bytes.len();
    }
}

fn media(number: u32) -> MediaMessage {
    let payload = Bytes::from(vec![0x27; 200]);
    MediaMessage { kind: MediaKind::Video, timestamp: number * 40, payload }
}

/// The first byte says whether the client publishes or plays; then the changes of the wire. Both
/// sides go on or end with an error that stays, whatever was changed; where nothing was, all media
/// arrives.
pub fn session_pair(data: &[u8]) {
    const MESSAGES: u32 = 10;
    let (&first, changes) = data.split_first().unwrap_or((&0, &[]));
    let publishes = first & 1 == 0;
    let purpose = if publishes { Purpose::publish() } else { Purpose::play() };
    let url: RtmpUrl = "rtmp://127.0.0.1/live/livestream".parse().expect("a valid address");
    let mut now = Instant::now();
    let mut client = ClientSession::new(ClientConfig::new(url, purpose), now);
    let mut server = ServerSession::new(ServerConfig::default(), now);
    let mut wire = Wire { changes, carried: [0; 2] };
    let (mut sent, mut arrived) = (0, Vec::new());
    let (mut started, mut played) = (None, None);
    let (mut client_end, mut server_end) = (None, None);
    for _ in 0..100 {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while let Some(output) = client.poll_output() {
            match output {
                Output::Transmit(bytes) => to_server.extend_from_slice(&bytes),
                Output::Event(ClientEvent::PublishStarted { msid }) => started = Some(msid),
                Output::Event(ClientEvent::Media { message, .. }) => arrived.push(message),
                Output::Event(_) => {}
            }
        }
        while let Some(output) = server.poll_output() {
            match output {
                Output::Transmit(bytes) => to_client.extend_from_slice(&bytes),
                Output::Event(event) => match event {
                    ServerEvent::ConnectRequested { id, .. }
                    | ServerEvent::PublishRequested { id, .. } => {
                        // What was asked for may be taken back in the same bytes.
                        let _ = server.accept(id);
                    }
                    ServerEvent::PlayRequested { id, msid, .. } => {
                        let _ = server.accept(id);
                        played = Some(msid);
                    }
                    ServerEvent::Media { message, .. } => arrived.push(message),
                    _ => {}
                },
            }
        }
        if sent < MESSAGES {
            let sending = match (publishes, started, played) {
                (true, Some(msid), _) => Some(client.send_media(msid, &media(sent)).is_ok()),
                (false, _, Some(msid)) => Some(server.send_media(msid, &media(sent)).is_ok()),
                _ => None,
            };
            sent += u32::from(sending == Some(true));
        }
        wire.carry(0, &mut to_server);
        wire.carry(1, &mut to_client);
        now += Duration::from_millis(10);
        step(&mut server_end, server.receive(now, &to_server), server.handle_timeout(now));
        step(&mut client_end, client.receive(now, &to_client), client.handle_timeout(now));
    }
    if changes.len() < 4 {
        assert_eq!((server_end, client_end), (None, None));
        assert_eq!(arrived, (0..MESSAGES).map(media).collect::<Vec<_>>());
    }
}

/// Takes note of how a session ended; an error that is there stays.
fn step<E: Clone + PartialEq + std::fmt::Debug>(
    end: &mut Option<E>,
    received: Result<(), E>,
    timed: Result<(), E>,
) {
    for result in [received, timed] {
        match (&end, result) {
            (Some(error), result) => assert_eq!(result.as_ref(), Err(error)),
            (None, Err(error)) => *end = Some(error),
            (None, Ok(())) => {}
        }
    }
}
