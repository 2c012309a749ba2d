//! Plays by HTTP-FLV.

use std::time::Instant;

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    client::{self, ClientError},
    player::Player,
    target::Target,
    url::HttpUrl,
    walk::{ChunkedWalk, FlvWalk},
};

/// The longest head of an answer.
const MAX_HEAD: usize = 16 * 1024;

/// Plays until the server ends it.
pub(crate) async fn play(player: &mut Player, target: Target, url: HttpUrl) -> ClientError {
    let mut socket = match target.connect(player.report.index).await {
        Ok(socket) => socket,
        Err(error) => return ClientError::Connect(error),
    };
    player.connected();
    match run(player, &mut socket, &url).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn run(
    player: &mut Player,
    socket: &mut TcpStream,
    url: &HttpUrl,
) -> Result<std::convert::Infallible, ClientError> {
    let HttpUrl { host, port, path } = url;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: load\r\n\r\n");
    let mut response = Response { asked: Instant::now(), head: Vec::new(), body: None };
    socket.write_all(request.as_bytes()).await?;
    loop {
        client::read(socket, |bytes| response.take(bytes, player)).await?;
        player.rest().await;
    }
}

/// An answer as far as it has come.
struct Response {
    asked: Instant,
    head: Vec<u8>,
    body: Option<Body>,
}

/// What is behind the head.
struct Body {
    chunked: Option<ChunkedWalk>,
    flv: FlvWalk,
}

impl Response {
    fn take(&mut self, bytes: &[u8], player: &mut Player) -> Result<(), ClientError> {
        player.read(bytes.len());
        if let Some(body) = &mut self.body {
            return body.take(bytes, player);
        }
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
            return match self.head.len() {
                ..MAX_HEAD => Ok(()),
                _ => Err(ClientError::NoHttp),
            };
        };
        let chunked = is_chunked(&self.head[..end])?.then(ChunkedWalk::default);
        self.head = Vec::new();
        player.started(self.asked.elapsed());
        let body = self.body.insert(Body { chunked, flv: FlvWalk::default() });
        // The end of the head was not there before these bytes came.
        body.take(&bytes[end + 4 - before..], player)
    }
}

impl Body {
    fn take(&mut self, mut bytes: &[u8], player: &mut Player) -> Result<(), ClientError> {
        let Some(chunked) = &mut self.chunked else {
            return tags(&mut self.flv, bytes, player);
        };
        while let Some(piece) = chunked.next(&mut bytes)? {
            tags(&mut self.flv, piece, player)?;
        }
        Ok(())
    }
}

fn tags(flv: &mut FlvWalk, mut bytes: &[u8], player: &mut Player) -> Result<(), ClientError> {
    while let Some(found) = flv.next(&mut bytes)? {
        player.message(&found);
    }
    Ok(())
}

/// Whether the body is chunked; an error where the answer is not 200.
fn is_chunked(head: &[u8]) -> Result<bool, ClientError> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut status = lines.next().unwrap_or_default().split(' ');
    if !status.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(ClientError::NoHttp);
    }
    match status.next() {
        Some("200") => {}
        other => return Err(ClientError::Rejected(format!("HTTP {}", other.unwrap_or_default()))),
    }
    Ok(lines.filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("transfer-encoding")
            && value.trim().eq_ignore_ascii_case("chunked")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{player::tests::probe, summary::ClientReport};
    use bytes::BytesMut;
    use flv_mux::{TagKind, mux};

    fn play(answer: &[u8], step: usize) -> (ClientReport, Option<String>) {
        let mut player = probe();
        let mut response = Response { asked: Instant::now(), head: Vec::new(), body: None };
        let mut error = None;
        for piece in answer.chunks(step) {
            if let Err(cause) = response.take(piece, &mut player) {
                error = Some(cause.to_string());
                break;
            }
        }
        (player.report, error)
    }

    #[test]
    fn a_body_is_played_with_and_without_chunks() {
        let mut flv = BytesMut::new();
        mux::encode_header(&mut flv, true, true);
        for timestamp in [0, 23, 46] {
            mux::encode_tag(&mut flv, TagKind::Audio, timestamp, &[0xaf; 200]).unwrap();
        }
        let plain = [b"HTTP/1.0 200 OK\r\nServer: s\r\n\r\n", &flv[..]].concat();
        let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-Encoding: Chunked\r\n\r\n".to_vec();
        for piece in flv.chunks(99) {
            chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunked.extend_from_slice(piece);
            chunked.extend_from_slice(b"\r\n");
        }
        for answer in [plain, chunked] {
            for step in [1, 5, 64, answer.len()] {
                let (report, error) = play(&answer, step);
                assert_eq!(error, None);
                assert!(report.started);
                assert_eq!((report.messages, report.bytes), (3, 600));
            }
        }
    }

    #[test]
    fn other_answers_are_told_of() {
        for (answer, expected) in [
            (&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], "refused: HTTP 404"),
            (b"SSH-2.0-x\r\n\r\n", "no answer in HTTP"),
            (&[b'x'; 20_000], "no answer in HTTP"),
        ] {
            let (report, error) = play(answer, 1000);
            assert_eq!(error.as_deref(), Some(expected));
            assert!(!report.started);
        }
    }
}
