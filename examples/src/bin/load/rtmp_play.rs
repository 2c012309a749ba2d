//! Plays by RTMP: the session does the talking, the walk finds the media.

use std::time::Instant;

use bytes::{BufMut, BytesMut};
use rtmp_proto::{
    ClientEvent, ClientOutput, ClientSession, MessageType, Purpose, RtmpUrl, chunk::ChunkWriter,
    message::WindowAcknowledgementSize,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    client::{self, ClientError},
    player::Player,
    target::Target,
    walk::{RtmpWalk, Walked},
};

/// S0, S1 and S2.
const HANDSHAKE: usize = 1 + 1536 + 1536;
/// Our acknowledgements' chunk stream: one that the session doesn't use, so that no header of its
/// own builds on one of ours.
const ACKNOWLEDGEMENT_CSID: u8 = 4;

/// Plays until the server ends it.
pub(crate) async fn play(player: &mut Player, target: Target, url: RtmpUrl) -> ClientError {
    let index = player.report.index;
    let mut socket = match target.connect(index).await {
        Ok(socket) => socket,
        Err(error) => return ClientError::Connect(error),
    };
    player.connected();
    let mut dialogue = Dialogue::new(client::session(index, url, Purpose::play()));
    loop {
        if let Err(error) = dialogue.turn(&mut socket, player).await {
            return error;
        }
        player.rest().await;
    }
}

/// What is said on a connection. Media doesn't pass through the session, which would put it
/// together: only what it needs for the dialogue does.
struct Dialogue {
    session: ClientSession,
    /// Bytes of the handshake that have not come yet.
    handshake: usize,
    walk: RtmpWalk,
    /// Frames the session's messages again, at the default chunk size.
    writer: ChunkWriter,
    framed: BytesMut,
    /// When the session last had something to send: before a play starts, its `play` command.
    last_sent: Instant,
    received: u32,
    acknowledged: u32,
    /// How many bytes the server wants to be acknowledged at a time; 0 for none.
    window: u32,
}

impl Dialogue {
    fn new(session: ClientSession) -> Self {
        Self {
            session,
            handshake: HANDSHAKE,
            walk: RtmpWalk::default(),
            writer: ChunkWriter::new(),
            framed: BytesMut::new(),
            last_sent: Instant::now(),
            received: 0,
            acknowledged: 0,
            window: 0,
        }
    }

    /// Sends what there is to send, then waits for bytes and takes them.
    async fn turn(
        &mut self,
        socket: &mut TcpStream,
        player: &mut Player,
    ) -> Result<(), ClientError> {
        while let Some(output) = self.session.poll_output() {
            match output {
                ClientOutput::Transmit(bytes) => {
                    self.last_sent = Instant::now();
                    socket.write_all(&bytes).await?;
                }
                ClientOutput::Event(event) => match client::checked(event)? {
                    ClientEvent::PlayStarted { .. } => player.started(self.last_sent.elapsed()),
                    ClientEvent::Media { message, .. } => player.message(&(&message).into()),
                    _ => {}
                },
            }
        }
        if self.window > 0 && self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            socket.write_all(&acknowledgement(self.received)).await?;
        }
        client::read(socket, |bytes| self.take(bytes, player)).await
    }

    fn take(&mut self, mut bytes: &[u8], player: &mut Player) -> Result<(), ClientError> {
        player.read(bytes.len());
        self.received = self.received.wrapping_add(bytes.len() as u32);
        if self.handshake > 0 {
            let (handshake, rest) = bytes.split_at(bytes.len().min(self.handshake));
            self.session.receive(Instant::now(), handshake)?;
            self.handshake -= handshake.len();
            bytes = rest;
        }
        while let Some(walked) = self.walk.next(&mut bytes)? {
            match walked {
                Walked::Media(found) => {
                    // Some servers send media without having said that it will come.
                    player.started(self.last_sent.elapsed());
                    player.message(&found);
                }
                Walked::Other(message)
                    if message.type_id == MessageType::WINDOW_ACKNOWLEDGEMENT_SIZE =>
                {
                    let window = WindowAcknowledgementSize::decode(&message.payload);
                    self.window = window.map_or(0, |window| window.0);
                }
                Walked::Other(message) => {
                    self.writer.write(&message, &mut self.framed)?;
                    let framed = self.framed.split();
                    self.session.receive(Instant::now(), &framed)?;
                }
            }
        }
        Ok(())
    }
}

/// An acknowledgement in a chunk of its own.
fn acknowledgement(received: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut out = &mut bytes[..];
    out.put_u8(ACKNOWLEDGEMENT_CSID);
    out.put_uint(0, 3);
    out.put_uint(4, 3);
    out.put_u8(MessageType::ACKNOWLEDGEMENT.0);
    out.put_u32_le(0);
    out.put_u32(received);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player::tests::probe;
    use rtmp_proto::{
        MediaKind, MediaMessage, ServerConfig, ServerEvent, ServerOutput, ServerSession,
        chunk::ChunkReader, message::Acknowledgement,
    };

    /// Lets both talk until neither has anything to say.
    fn talk(dialogue: &mut Dialogue, server: &mut ServerSession, player: &mut Player) {
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            while let Some(output) = dialogue.session.poll_output() {
                if let ClientOutput::Transmit(bytes) = output {
                    server.receive(Instant::now(), &bytes).unwrap();
                    is_quiet = false;
                }
            }
            while let Some(output) = server.poll_output() {
                is_quiet = false;
                match output {
                    ServerOutput::Transmit(bytes) => {
                        for piece in bytes.chunks(100) {
                            dialogue.take(piece, player).unwrap();
                        }
                    }
                    ServerOutput::Event(
                        ServerEvent::ConnectRequested { id, .. }
                        | ServerEvent::PlayRequested { id, .. },
                    ) => server.accept(id).unwrap(),
                    ServerOutput::Event(_) => {}
                }
            }
        }
    }

    #[test]
    fn a_dialogue_finds_the_media_and_answers_pings() {
        let url = RtmpUrl::parse("rtmp://127.0.0.1/live/s").unwrap();
        let mut dialogue = Dialogue::new(client::session(0, url, Purpose::play()));
        let mut server = ServerSession::new(ServerConfig::default(), Instant::now());
        let mut player = probe();
        talk(&mut dialogue, &mut server, &mut player);
        assert_eq!(dialogue.window, 2_500_000);

        for timestamp in [0, 23, 46] {
            let payload = vec![0xaf; 100_000].into();
            let message = MediaMessage { kind: MediaKind::Audio, timestamp, payload };
            server.send_media(rtmp_proto::MessageStreamId(1), &message).unwrap();
            server.ping(Instant::now());
        }
        talk(&mut dialogue, &mut server, &mut player);
        assert_eq!((player.report.messages, player.report.bytes), (3, 300_000));
        assert!(server.stats().received_bytes > 3073 + 3 * 10, "no pong came");
    }

    #[test]
    fn an_acknowledgement_is_one() {
        let mut reader = ChunkReader::new(&rtmp_proto::Limits::default());
        let bytes = acknowledgement(0x0102_0304);
        let message = reader.read(&mut &bytes[..]).unwrap().unwrap();
        assert_eq!(message.type_id, MessageType::ACKNOWLEDGEMENT);
        assert_eq!(Acknowledgement::decode(&message.payload), Ok(Acknowledgement(0x0102_0304)));
    }
}
