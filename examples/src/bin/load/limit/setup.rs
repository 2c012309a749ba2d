//! What a client asks for, and just enough of an answer.

use std::{error::Error, io, net::TcpStream as StdTcpStream, time::Instant};

use rtmp_proto::{MessageStreamId, ServerConfig, ServerEvent, ServerOutput, ServerSession};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{mpsc, oneshot},
};

use super::{
    fan_out::{Form, Viewer},
    rtc::Offer,
};
use crate::client;

/// C0 of a client that speaks RTMP.
const RTMP: u8 = 0x03;
/// The longest request, with the offer in it.
const MAX_REQUEST: usize = 32 * 1024;
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nTransfer-Encoding: chunked\r\n\r\n";
/// The message stream of the bytes that all players share.
pub(super) const PLAY_MSID: MessageStreamId = MessageStreamId(1);

pub(super) enum Asked {
    Play(Viewer),
    Publish(TcpStream),
    /// To play by WebRTC, of which nothing more happens here.
    Watch,
}

/// Answers until the client plays or publishes.
pub(super) async fn answer(
    mut socket: TcpStream,
    offers: &mpsc::Sender<Offer>,
) -> Result<Asked, Box<dyn Error + Send + Sync>> {
    socket.set_nodelay(true)?;
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err("a client left without a word".into());
    }
    if first[0] == RTMP {
        return answer_rtmp(socket).await;
    }
    let mut request = Vec::new();
    let body = loop {
        read(&mut socket, &mut request).await?;
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    if request.starts_with(b"POST ") {
        let end = body + content_length(&request[..body]).ok_or("an offer of no length")?;
        while request.len() < end {
            read(&mut socket, &mut request).await?;
        }
        answer_offer(socket, String::from_utf8(request[body..end].to_vec())?, offers).await?;
        return Ok(Asked::Watch);
    }
    socket.write_all(RESPONSE).await?;
    Ok(Asked::Play(viewer(socket, Form::Flv)?))
}

/// Reads more of a request.
async fn read(
    socket: &mut TcpStream,
    request: &mut Vec<u8>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let take = |bytes: &[u8]| {
        request.extend_from_slice(bytes);
        Ok(())
    };
    client::read(socket, take).await?;
    match request.len() > MAX_REQUEST {
        true => Err(format!("a request of more than {MAX_REQUEST} bytes").into()),
        false => Ok(()),
    }
}

/// How long the body is that follows a head.
fn content_length(head: &[u8]) -> Option<usize> {
    let head = str::from_utf8(head).ok()?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let (_, length) = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok().filter(|length| *length <= MAX_REQUEST)
}

async fn answer_offer(
    mut socket: TcpStream,
    sdp: String,
    offers: &mpsc::Sender<Offer>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (answer, answered) = oneshot::channel();
    offers.send(Offer { sdp, answer }).await?;
    let sdp = answered.await??;
    let head = format!(
        "HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n",
        sdp.len()
    );
    Ok(socket.write_all([head, sdp].concat().as_bytes()).await?)
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
