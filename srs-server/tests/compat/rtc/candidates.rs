//! The addresses that clients are told.

use std::{
    io::{Read, Write},
    time::Duration,
};

use rtc_stack::MediaKind;

use super::{SDP, attributes, fixture, vhost};
use crate::support::{RtcClient, TestServer, free_ports, http};

/// A server with these settings of WebRTC.
fn with(settings: &str) -> TestServer {
    with_variables(settings, &[])
}

fn with_variables(settings: &str, variables: &[(&str, &str)]) -> TestServer {
    let rtc = format!("rtc_server {{ enabled on; {settings} }}\n{}", vhost(""));
    TestServer::configured_with(&rtc, variables)
}

/// The candidates of an answer: `udp 127.0.0.1:8000`.
fn candidates(server: &TestServer, query: &str, host: &str) -> Vec<String> {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let line = format!("POST /whep/live/{number}?{query}");
    let reply = http(server.api, &line, &[SDP, ("Host", host)], &fixture("chrome-play"));
    assert_eq!(reply.status, 201, "{reply:?}");
    let mut seen = Vec::new();
    for candidate in attributes(&reply.body, "candidate") {
        let words: Vec<_> = candidate.split(' ').collect();
        assert_eq!(words[6..8], ["typ", "host"], "{candidate}");
        let tcp = if words[2] == "tcp" { "tcp " } else { "" };
        let text = format!("{tcp}{}:{}", words[4], words[5]);
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

#[test]
fn rtc_ports_are_told_as_candidates() {
    let [udp, tcp] = free_ports();
    let server = with(&format!(
        "listen {udp}; tcp {{ enabled on; listen {tcp}; }} protocol all; candidate 192.0.2.1;"
    ));
    let expected = [format!("192.0.2.1:{udp}"), format!("tcp 192.0.2.1:{tcp}")];
    assert_eq!(candidates(&server, "", ""), expected);
    server.wait_for_log(&format!("rtc: listening on [::]:{udp} (UDP)"));
    server.wait_for_log(&format!("rtc: listening on [::]:{tcp} (TCP)"));
    let told = format!("rtc: clients are offered 192.0.2.1:{udp} by UDP, 192.0.2.1:{tcp} by TCP");
    server.wait_for_log(&told);
    // They are open: nobody else has them.
    std::net::TcpStream::connect(("127.0.0.1", tcp)).unwrap();
    assert!(std::net::UdpSocket::bind(("0.0.0.0", udp)).is_err());
}

/// As with SRS, what a connection begins with says whether it is HTTP or WebRTC.
#[test]
fn webrtc_by_tcp_may_share_a_port_of_http() {
    let [api, streams] = free_ports();
    for (listen, port) in [(api, api), (streams, streams)] {
        let server = TestServer::configured(&format!(
            "http_api {{ enabled on; listen {api}; }}\n\
             http_server {{ enabled on; listen {streams}; }}\n\
             rtc_server {{ enabled on; listen 0; candidate 127.0.0.1; protocol all;\n\
             tcp {{ enabled on; listen {listen}; }} }}\n{}",
            vhost("")
        ));
        server.wait_for_log(&format!("rtc: listening on [::]:{port} (TCP)"));
        let path = "/rtc/v1/whip/?app=live&stream=a";
        let mut publisher = RtcClient::begin(server.api, path, true, true).connect();
        assert_eq!(publisher.server().port(), port);
        let path = "/rtc/v1/whep/?app=live&stream=a";
        let mut viewer = RtcClient::begin(server.api, path, false, true).connect();
        let mut time = 0;
        viewer.until("sound", |viewer| {
            time += 1;
            publisher.send(MediaKind::Audio, time * 960, false, &[0x78, 1, 2, 3]);
            publisher.poll(Duration::from_millis(10));
            (viewer.of(MediaKind::Audio).len() > 5).then_some(())
        });
        // Both ports are still those of HTTP, though a client may think before it asks.
        for http_port in [api, streams] {
            assert_eq!(
                http(http_port, "GET /api/v1/versions", &[], "").status == 200,
                http_port == api
            );
            let mut slow = std::net::TcpStream::connect(("127.0.0.1", http_port)).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            slow.write_all(b"\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
            let mut reply = String::new();
            slow.read_to_string(&mut reply).unwrap();
            assert!(reply.starts_with("HTTP/1.1 "), "{reply}");
        }
    }
}

#[test]
fn rtc_protocol_says_which_candidates_are_told() {
    let [udp, tcp] = free_ports();
    let settings = |protocol: &str, is_on: &str| {
        format!(
            "listen {udp}; protocol {protocol}; candidate 192.0.2.1; \
             tcp {{ enabled {is_on}; listen {tcp}; }}"
        )
    };
    let (by_udp, by_tcp) = (format!("192.0.2.1:{udp}"), format!("tcp 192.0.2.1:{tcp}"));
    let of = |protocol, is_on| candidates(&with(&settings(protocol, is_on)), "", "");
    assert_eq!(of("udp", "on"), [&*by_udp]);
    assert_eq!(of("tcp", "on"), [by_tcp]);
    assert_eq!(of("all", "off"), [by_udp]);
}

#[test]
fn rtc_candidate_is_told() {
    let [port] = free_ports();
    let server = with_variables(
        &format!("listen {port}; candidate $CANDIDATE;"),
        &[("CANDIDATE", "192.0.2.7")],
    );
    let own = format!("192.0.2.7:{port}");
    assert_eq!(candidates(&server, "", ""), [&*own]);
    // What the client asks for comes first, with a port of its own or without.
    let eip = ["192.0.2.8:9000".to_owned(), own.clone()];
    assert_eq!(candidates(&server, "eip=192.0.2.8:9000", ""), eip);
    let candidate = [format!("192.0.2.9:{port}"), own.clone()];
    assert_eq!(candidates(&server, "candidate=192.0.2.9", ""), candidate);
    assert_eq!(candidates(&server, "eip=nonsense", ""), [own]);
}

#[test]
fn rtc_candidate_of_the_api_host() {
    let [port] = free_ports();
    let settings = format!("listen {port}; candidate 192.0.2.1;");
    let of = |ip: &str| format!("{ip}:{port}");
    let server = with(&settings);
    assert_eq!(candidates(&server, "", "192.0.2.5:1985"), [of("192.0.2.1"), of("192.0.2.5")]);
    assert_eq!(candidates(&server, "", "localhost"), [of("192.0.2.1"), of("127.0.0.1")]);
    // A name that the system resolves without asking anybody: an address in an old form.
    assert_eq!(candidates(&server, "", "192.0.517"), [of("192.0.2.1"), of("192.0.2.5")]);
    drop(server);
    let server = with(&format!("{settings} resolve_api_domain off;"));
    assert_eq!(candidates(&server, "", "192.0.517"), [of("192.0.2.1")]);
    assert_eq!(candidates(&server, "", "192.0.2.5"), [of("192.0.2.1"), of("192.0.2.5")]);
    drop(server);
    let server = with(&format!("{settings} api_as_candidates off;"));
    assert_eq!(candidates(&server, "", "192.0.2.5:1985"), [of("192.0.2.1")]);
}

#[test]
fn rtc_addresses_are_found_where_asked() {
    let server = with("listen 0; api_as_candidates off;");
    let found = candidates(&server, "", "");
    assert!(!found.is_empty());
    // The first is what the simplest clients take.
    assert!(!found[0].starts_with("tcp"), "{found:?}");
    assert!(found.iter().all(|it| it.matches(':').count() == 1), "IPv4 alone: {found:?}");
    server.wait_for_log("rtc: clients are offered ");
    let all = with("listen 0; api_as_candidates off; ip_family all;");
    assert!(candidates(&all, "", "").len() >= found.len());

    let server = with("listen 0; use_auto_detect_network_ip off;");
    server.wait_for_log("rtc: no address to offer: set rtc_server.candidate");
    assert_eq!(candidates(&server, "", "127.0.0.1").len(), 1);
    let line = "POST /whep/live/a";
    let reply = http(server.api, line, &[SDP, ("Host", "")], &fixture("chrome-play"));
    assert_eq!(reply.status, 503, "{reply:?}");
}

#[test]
fn private_addresses_alone_are_warned_of() {
    let private = with("listen 0; candidate 10.1.2.3;");
    private.wait_for_log("rtc: only private addresses are offered");
    let public = with("listen 0; candidate 8.8.8.8;");
    public.wait_for_log("rtc: clients are offered 8.8.8.8");
    assert!(!public.log().iter().any(|line| line.contains("only private")));
}
