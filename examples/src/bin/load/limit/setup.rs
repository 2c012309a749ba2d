//! What a client asks for, and just enough of an answer.

use std::{error::Error, io, net::TcpStream as StdTcpStream, time::Instant};

use rtmp_proto::{MessageStreamId, ServerConfig, ServerEvent, ServerOutput, ServerSession};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::fan_out::{Form, Viewer};
use crate::client;

/// C0 of a client that speaks RTMP.
const RTMP: u8 = 0x03;
/// The longest head of a request.
const MAX_HEAD: usize = 16 * 1024;
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nTransfer-Encoding: chunked\r\n\r\n";
/// The message stream of the bytes that all players share.
pub(super) const PLAY_MSID: MessageStreamId = MessageStreamId(1);

pub(super) enum Asked {
    Play(Viewer),
    Publish(TcpStream),
}

/// Answers until the client plays or publishes.
pub(super) async fn answer(mut socket: TcpStream) -> Result<Asked, Box<dyn Error + Send + Sync>> {
    socket.set_nodelay(true)?;
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err("a client left without a word".into());
    }
    if first[0] == RTMP {
        return answer_rtmp(socket).await;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let take = |bytes: &[u8]| {
            head.extend_from_slice(bytes);
            Ok(())
        };
        client::read(&mut socket, take).await?;
        if head.len() > MAX_HEAD {
            return Err(format!("a request of more than {MAX_HEAD} bytes").into());
        }
    }
    socket.write_all(RESPONSE).await?;
    Ok(Asked::Play(viewer(socket, Form::Flv)?))
}

async fn answer_rtmp(mut socket: TcpStream) -> Result<Asked, Box<dyn Error + Send + Sync>> {
    let mut session = ServerSession::new(ServerConfig::default(), Instant::now());
    let (mut plays, mut publishes) = (false, false);
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                ServerOutput::Transmit(bytes) => socket.write_all(&bytes).await?,
                ServerOutput::Event(ServerEvent::ConnectRequested { id, .. }) => {
                    session.accept(id)?;
                }
                ServerOutput::Event(ServerEvent::PublishRequested { id, .. }) => {
                    publishes = true;
                    session.accept(id)?;
                }
                ServerOutput::Event(ServerEvent::PlayRequested { id, msid, .. }) => {
                    if msid != PLAY_MSID {
                        return Err(format!("a player on message stream {}", msid.0).into());
                    }
                    plays = true;
                    session.accept(id)?;
                }
                ServerOutput::Event(_) => {}
            }
        }
        if plays {
            return Ok(Asked::Play(viewer(socket, Form::Rtmp)?));
        }
        if publishes {
            return Ok(Asked::Publish(socket));
        }
        client::read(&mut socket, |bytes| Ok(session.receive(Instant::now(), bytes)?)).await?;
    }
}

fn viewer(socket: TcpStream, form: Form) -> io::Result<Viewer> {
    // A runtime's socket would wake it whenever there is room to write.
    let socket: StdTcpStream = socket.into_std()?;
    Ok(Viewer::new(socket, form))
}

/// Reads what is published until it ends.
pub(super) async fn drop_all(mut socket: TcpStream) {
    while client::read(&mut socket, |_| Ok(())).await.is_ok() {}
}
