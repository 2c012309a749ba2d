//! Who may publish and play: by address, and by page.

use rtmp_proto::{ClientConfig, Purpose, RtmpUrl};

use crate::support::{RtmpClient, TestServer};

/// Whether publishing, playing and playing by HTTP-FLV are let in, from the page `page_url`.
fn let_in(server: &TestServer, page_url: &str) -> [bool; 3] {
    let open = |purpose| {
        let url = RtmpUrl::parse(&server.rtmp_url("a")).unwrap();
        let mut config = ClientConfig::new(url, purpose);
        config.connect_properties.push("pageUrl", page_url);
        match RtmpClient::open_with(config) {
            Ok(_) => true,
            Err(error) => {
                assert!(error.ends_with(": denied"), "{error}");
                false
            }
        }
    };
    let flv = ureq::get(server.flv_url("a")).header("Referer", page_url).call();
    let is_flv = match flv {
        Ok(_) => true,
        Err(ureq::Error::StatusCode(403)) => false,
        Err(error) => panic!("{error}"),
    };
    [open(Purpose::publish()), open(Purpose::play()), is_flv]
}

fn server(block: &str) -> TestServer {
    TestServer::configured(&format!(
        "vhost __defaultVhost__ {{ http_remux {{ enabled on; }} {block} }}"
    ))
}

#[test]
fn security_denies_by_address() {
    let let_in = |rules: &str| {
        let server = server(&format!("security {{ enabled on; {rules} }}"));
        (let_in(&server, ""), server)
    };
    let (seen, server) = let_in("deny publish 127.0.0.1; deny play 10.0.0.0/8;");
    assert_eq!(seen, [false, true, true]);
    server.wait_for_log("code=1053");
    let (seen, server) = let_in("allow publish 127.0.0.0/8;");
    assert_eq!(seen, [true, false, false]);
    server.wait_for_log("code=1054");
    let (seen, server) = let_in("allow play all; allow publish all; deny play 127.0.0.1;");
    assert_eq!(seen, [true, false, false]);
    server.wait_for_log("code=1053");
    let (seen, server) = let_in("");
    assert_eq!(seen, [false; 3]);
    server.wait_for_log("code=1052");
}

#[test]
fn refer_denies_other_pages() {
    let server = server("refer { enabled on; all example.com; publish admin.example.com; }");
    assert_eq!(let_in(&server, "http://admin.example.com/studio"), [true; 3]);
    assert_eq!(let_in(&server, "http://www.example.com/"), [false, true, true]);
    assert_eq!(let_in(&server, "http://example.com.evil.org/"), [false; 3]);
    server.wait_for_log("code=2015");
}
