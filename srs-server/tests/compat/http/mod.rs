//! Live streams and files over HTTP.

mod files;
mod live;
mod remux;

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

/// An answer as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// The head; the server writes names in lower case.
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The answer to a request head, to which `Connection: close` is added. A chunked body is put
/// together.
#[track_caller]
fn request(port: u16, head: &str) -> Answer {
    let mut socket = send(port, &format!("{head}\r\nConnection: close\r\n\r\n"));
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    answer(&bytes)
}

/// The answer to `GET` of a path, by HTTP/1.0 and so without chunks.
#[track_caller]
fn get(port: u16, path: &str) -> Answer {
    request(port, &format!("GET {path} HTTP/1.0\r\nHost: localhost"))
}

/// The head of the answer to `HEAD` of a path on a host: its status and content type.
#[track_caller]
fn probe(port: u16, host: &str, path: &str) -> (u16, String) {
    let answer = request(port, &format!("HEAD {path} HTTP/1.1\r\nHost: {host}"));
    (answer.status, answer.header("content-type").unwrap_or_default().to_owned())
}

fn send(port: u16, bytes: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    socket
}

#[track_caller]
fn answer(bytes: &[u8]) -> Answer {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let at = at.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    let mut body = bytes[at + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = unchunked(&body);
    }
    Answer { status, head, body }
}

/// The bytes of a chunked body, as far as it came.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        let chunk = &body[end + 2..];
        bytes.extend_from_slice(&chunk[..size.min(chunk.len())]);
        body = chunk.get(size + 2..).unwrap_or_default();
    }
    bytes
}

/// A client that takes the answer to its request until it ends.
struct Taking(thread::JoinHandle<Vec<u8>>);

impl Taking {
    fn start(port: u16, host: &str, path: &str) -> Self {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let mut socket = send(port, &head);
        Self(thread::spawn(move || {
            let mut bytes = Vec::new();
            socket.read_to_end(&mut bytes).unwrap();
            bytes
        }))
    }

    #[track_caller]
    fn finish(self) -> Answer {
        answer(&self.0.join().unwrap())
    }
}
