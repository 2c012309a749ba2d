//! Whatever is sent to the API: it answers or closes, takes no memory for it, and lives.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::{LIMIT, body, exchange, get, request, status};
use crate::support::TestServer;

/// What proves that the server is none the worse.
fn is_well(server: &TestServer) {
    assert_eq!(server.api("versions")["code"], 0);
    let log = server.log().join("\n");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn ids_that_are_none() {
    let server = TestServer::start();
    for (list, code) in [("vhosts", 2047), ("streams", 2048), ("clients", 2049)] {
        for id in
            ["%ff", "%c0%af", "%00", "%", "%2", "..", "../..", "a/b/c", "%2e%2e%2f", "'\"", "//"]
        {
            let answer = get(server.api, &format!("/api/v1/{list}/{id}"));
            if status(&answer) == "200" {
                assert_eq!(body(&answer)["code"], code, "{list}/{id}");
            } else {
                assert_eq!(status(&answer), "400", "{list}/{id}: {answer}");
            }
        }
        let long = "x".repeat(30_000);
        assert_eq!(body(&get(server.api, &format!("/api/v1/{list}/{long}")))["code"], code);
    }
    let answer = request(server.api, "DELETE /api/v1/clients/%ff%fe", "");
    assert_eq!(body(&answer)["code"], 2049);
    is_well(&server);
}

#[test]
fn queries_that_say_nothing() {
    let server = TestServer::start();
    for query in ["", "&&&", "=", "=&=", "start", "start=%ff&count=%", "count=%00", "callback="] {
        let answer = body(&get(server.api, &format!("/api/v1/clients?{query}")));
        assert_eq!((&answer["code"], &answer["total"]), (&0.into(), &0.into()), "{query}");
    }
    let many = "a=b&".repeat(5_000);
    assert_eq!(body(&get(server.api, &format!("/api/v1/streams?{many}")))["code"], 0);
    is_well(&server);
}

#[test]
fn heads_that_are_too_large() {
    let server = TestServer::start();
    let before = server.rss();
    for _ in 0..20 {
        let url = "x".repeat(1_000_000);
        let answer = get(server.api, &format!("/api/v1/{url}"));
        assert!(answer.is_empty() || ["414", "431"].contains(&status(&answer)), "{answer}");
        let header = format!("X-Long: {}\r\n", "x".repeat(1_000_000));
        let answer = request(server.api, "GET /api/v1/versions", &header);
        assert!(answer.is_empty() || status(&answer) == "431", "{answer}");
        let headers: String = (0..5_000).map(|number| format!("X-{number}: y\r\n")).collect();
        let answer = request(server.api, "GET /api/v1/versions", &headers);
        assert!(answer.is_empty() || status(&answer) == "431", "{answer}");
    }
    let grown = server.rss().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
    is_well(&server);
}

#[test]
fn requests_of_other_forms() {
    let server = TestServer::start();
    // HTTP/1.0, with and without a host.
    for head in [
        "GET /api/v1/versions HTTP/1.0\r\n\r\n",
        "GET /api/v1/requests HTTP/1.0\r\nHost: a\r\n\r\n",
    ] {
        let answer = exchange(server.api, head);
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.ends_with('}'), "{answer}");
    }
    // The whole URL, as proxies send it.
    let answer = request(server.api, "GET http://localhost/api/v1/streams/", "");
    assert_eq!(body(&answer)["code"], 0);
    // A body where none belongs.
    for method in ["GET", "POST", "DELETE"] {
        let sent = format!(
            "{method} /api/v1/versions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
             Content-Length: 9\r\n\r\nsurprise!"
        );
        assert_eq!(body(&exchange(server.api, sent))["code"], 0);
    }
    // A body that is announced and never comes ends with the client.
    let mut waiting = TcpStream::connect(("127.0.0.1", server.api)).unwrap();
    waiting
        .write_all(
            b"POST /api/v1/versions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n",
        )
        .unwrap();
    waiting.set_read_timeout(Some(LIMIT)).unwrap();
    let mut first = [0; 12];
    waiting.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // No HTTP at all.
    for bytes in [&b"\x00\x01\x02\x03\r\n\r\n"[..], b"\xff\xff\xff\xff\r\n\r\n", b"GET\r\n\r\n"] {
        let answer = exchange(server.api, bytes);
        assert!(answer.is_empty() || status(&answer) == "400", "{answer}");
    }
    let odd = request(server.api, "BREW /api/v1/versions", "");
    assert!(["200", "405", "400"].contains(&status(&odd)), "{odd}");
    is_well(&server);
}

#[test]
fn many_requests_at_once_on_one_connection() {
    const COUNT: usize = 2_000;
    let server = TestServer::start();
    let mut socket = TcpStream::connect(("127.0.0.1", server.api)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut reader = socket.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let mut answers = Vec::new();
        reader.read_to_end(&mut answers).map(|_| answers)
    });
    let one = "GET /api/v1/tests/errors HTTP/1.1\r\nHost: a\r\n\r\n";
    socket.write_all(one.repeat(COUNT - 1).as_bytes()).unwrap();
    let last = one.replace("Host: a\r\n", "Host: a\r\nConnection: close\r\n");
    socket.write_all(last.as_bytes()).unwrap();
    let answers = String::from_utf8(reading.join().unwrap().unwrap()).unwrap();
    assert_eq!(answers.matches("{\"code\":100}").count(), COUNT);
    is_well(&server);
}

#[test]
fn a_client_that_reads_no_answers_is_read_no_further() {
    let server = TestServer::start();
    let before = server.rss();
    let mut socket = TcpStream::connect(("127.0.0.1", server.api)).unwrap();
    socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let many = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);
    // More answers than all buffers on the way hold; at some time nothing is taken any more.
    let is_stopped = (0..100).any(|_| socket.write_all(many.as_bytes()).is_err());
    assert!(is_stopped, "everything was taken");
    let grown = server.rss().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    is_well(&server);
}
