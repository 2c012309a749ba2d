//! Ways that are not a good network: TCP alone, and UDP with loss and delay.

use serde_json::Value;

use super::{
    Browser,
    codecs::{check_flow, tell},
    relay::Relay,
    server, stream,
};
use crate::support::{TestServer, free_ports};

/// Publishes and plays for some seconds.
fn measured(server: &TestServer, seconds: u32) -> Value {
    measured_at(&stream(server, "path"), seconds)
}

/// The same of a stream at these addresses.
fn measured_at(stream: &str, seconds: u32) -> Value {
    Browser::start().run(format!(
        "{stream}
        const publisher = new Publisher(new Source(), {{ codec: 'VP8' }});
        await publisher.begin(whip);
        await publisher.connected();
        const viewer = new Viewer();
        await viewer.begin(whep);
        await viewer.connected();
        const seen = await measure(publisher, viewer, {seconds});
        return {{ ...seen, ways: [await publisher.path(), await viewer.path()] }};"
    ))
}

#[test]
fn tcp_alone_carries_a_stream() {
    let server = TestServer::configured(
        "rtc_server {
            enabled on; listen 0; protocol tcp; candidate 127.0.0.1;
            tcp { enabled on; listen 0; }
        }
        vhost __defaultVhost__ { rtc { enabled on; } }",
    );
    let seen = measured(&server, 5);
    assert_eq!(seen["ways"][0]["protocol"], "tcp", "{seen:#}");
    assert_eq!(seen["ways"][1]["protocol"], "tcp", "{seen:#}");
    tell("TCP", &seen);
    check_flow(&seen);
}

#[test]
fn version_six_of_ip_carries_a_stream() {
    let server = server();
    let seen = measured_at(&stream(&server, "path").replace("127.0.0.1", "[::1]"), 3);
    for way in 0..2 {
        assert_eq!(seen["ways"][way]["address"], "::1", "{seen:#}");
    }
    tell("IPv6", &seen);
    check_flow(&seen);
}

/// A server that is reached through a relay alone, and the relay.
fn relayed(loss: u32, delay_ms: u64) -> (TestServer, Relay) {
    let [port] = free_ports();
    let relay = Relay::start(port, loss, delay_ms);
    let server = TestServer::configured(&format!(
        "rtc_server {{
            enabled on; listen {port}; protocol udp; candidate 127.0.0.1:{};
            api_as_candidates off; use_auto_detect_network_ip off;
        }}
        vhost __defaultVhost__ {{ rtc {{ enabled on; }} }}",
        relay.port()
    ));
    (server, relay)
}

#[test]
fn stream_survives_the_loss_of_one_packet_in_twenty() {
    let (server, relay) = relayed(5, 50);
    let seen = measured(&server, 10);
    let (passed, lost) = relay.counts();
    tell(&format!("{lost} of {passed} packets lost"), &seen);
    assert!(lost > 20, "the relay loses nothing: {lost} of {passed}");
    assert!(seen["video"]["nackCount"].as_u64() > Some(0), "nothing was asked for again: {seen:#}");
    assert!(seen["freeze"].as_f64().unwrap() < 1000.0, "{seen:#}");
    let (got, sent) = (seen["got"].as_f64().unwrap(), seen["sent"].as_f64().unwrap());
    assert!(got > 0.8 * sent, "{seen:#}");
}

#[test]
fn stream_goes_on_when_one_packet_in_seven_is_lost() {
    let (server, relay) = relayed(15, 50);
    let seen = measured(&server, 10);
    let (passed, lost) = relay.counts();
    tell(&format!("{lost} of {passed} packets lost"), &seen);
    assert!(lost > 60, "the relay loses nothing: {lost} of {passed}");
    let (got, sent) = (seen["got"].as_f64().unwrap(), seen["sent"].as_f64().unwrap());
    assert!(got > 0.3 * sent, "{seen:#}");
}
