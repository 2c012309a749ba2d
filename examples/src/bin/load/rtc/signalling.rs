//! The offer's way to the server and the answer's way back: WHIP and WHEP are the same here. What else
//! is spoken with a server goes by the same requests.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    client::{self, ClientError},
    url::HttpUrl,
    walk::{ChunkedError, ChunkedWalk},
};

/// The longest answer.
const MAX_ANSWER: usize = 256 * 1024;

/// Posts an offer, and gives the answer.
pub(super) async fn post(
    socket: &mut TcpStream,
    url: &HttpUrl,
    offer: &str,
) -> Result<String, ClientError> {
    let HttpUrl { host, port, path } = url;
    let length = offer.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: load\r\nConnection: close\r\n\
         Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{offer}"
    );
    exchange(socket, &request).await
}

/// Sends a request, and gives the body of what comes back.
pub(super) async fn exchange(socket: &mut TcpStream, request: &str) -> Result<String, ClientError> {
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let read = client::read(socket, |bytes| {
            answer.extend_from_slice(bytes);
            Ok(())
        });
        let is_over = match read.await {
            Ok(()) => false,
            Err(ClientError::Closed) => true,
            Err(error) => return Err(error),
        };
        if let Some(body) = body(&answer, is_over)? {
            return Ok(body);
        }
        if is_over || answer.len() > MAX_ANSWER {
            return Err(ClientError::NoHttp);
        }
    }
}

/// The body of an answer once it is whole: by its length, by its chunks, or by the connection's end.
fn body(answer: &[u8], is_over: bool) -> Result<Option<String>, ClientError> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&answer[..end]);
    let body = &answer[end + 4..];
    let mut lines = head.lines();
    let mut status = lines.next().unwrap_or_default().split(' ');
    if !status.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(ClientError::NoHttp);
    }
    let status = status.next().unwrap_or_default();
    if status != "200" && status != "201" {
        return Err(ClientError::Rejected(format!("HTTP {status}")));
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    let value = |wanted| {
        let mut found = headers.clone().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim())
    };
    if value("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return joined(body);
    }
    let length = value("content-length").and_then(|value| value.parse::<usize>().ok());
    let is_whole = match length {
        Some(length) => body.len() >= length,
        None => is_over,
    };
    let body = &body[..length.unwrap_or(body.len()).min(body.len())];
    Ok(is_whole.then(|| String::from_utf8_lossy(body).into_owned()))
}

/// The chunks of a body in one, once the last is there and the empty line behind it.
fn joined(mut chunks: &[u8]) -> Result<Option<String>, ClientError> {
    let (mut walk, mut body) = (ChunkedWalk::default(), Vec::new());
    loop {
        match walk.next(&mut chunks) {
            Ok(Some(piece)) => body.extend_from_slice(piece),
            Ok(None) => return Ok(None),
            Err(ChunkedError::End) if chunks.starts_with(b"\r\n") => {
                return Ok(Some(String::from_utf8_lossy(&body).into_owned()));
            }
            Err(ChunkedError::End) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(answer: &str, is_over: bool) -> Option<String> {
        body(answer.as_bytes(), is_over).unwrap()
    }

    #[test]
    fn an_answer_ends_by_its_length_or_with_the_connection() {
        let answer = "HTTP/1.1 201 Created\r\nLocation: /x\r\ncontent-length: 5\r\n\r\nv=0\r\n";
        assert_eq!(whole(answer, false).as_deref(), Some("v=0\r\n"));
        for end in 0..answer.len() {
            assert_eq!(whole(&answer[..end], false), None);
        }
        let open = "HTTP/1.1 200 OK\r\n\r\nv=0\r\n";
        assert_eq!(whole(open, false), None);
        assert_eq!(whole(open, true).as_deref(), Some("v=0\r\n"));
    }

    #[test]
    fn an_answer_in_chunks_ends_behind_the_last() {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                      4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
        assert_eq!(whole(answer, false).as_deref(), Some("{\"a\":1}"));
        for end in 0..answer.len() {
            assert_eq!(whole(&answer[..end], false), None, "{end}");
        }
    }

    #[test]
    fn a_refusal_is_told() {
        let refused = body(b"HTTP/1.1 409 Conflict\r\n\r\n", false).unwrap_err();
        assert_eq!(refused.to_string(), "refused: HTTP 409");
        assert!(matches!(body(b"RTSP/1.0 200 OK\r\n\r\n", false), Err(ClientError::NoHttp)));
    }
}
