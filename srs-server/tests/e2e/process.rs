//! The process: signals, ports, several side by side.

use std::{
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Clip, Ffmpeg, RtmpClient, TestServer, clip, wait_for};

#[test]
fn a_signal_ends_it_cleanly_with_clients_attached() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = TestServer::start();
        let mut publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
        let mut flv = Ffmpeg::record(&server.flv_url("a"));
        let mut player = RtmpClient::play(&server.rtmp_url("a"));
        server.wait_for_client("a", "flv-play");
        player.next().unwrap();
        server.signal(signal);
        let status = server.wait();
        assert_eq!(status.code(), Some(0), "{signal}: {status}");
        server.wait_for_log(&format!("stops on {signal}"));
        publisher.wait();
        flv.wait();
    }
}

/// What is logged changes nothing about what is done.
#[test]
fn it_runs_on_where_the_log_is_quiet() {
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
    let server = Command::new(env!("CARGO_BIN_EXE_srs-server"))
        .envs([("RUST_LOG", "off"), ("SRS_HTTP_SERVER_LISTEN", "0"), ("SRS_HTTP_API_LISTEN", "0")])
        .env("SRS_LISTEN", port.to_string())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("server", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
    let mut player = RtmpClient::play(&format!("rtmp://127.0.0.1:{port}/live/a"));
    assert!(player.collect(Duration::from_millis(100)).is_empty());
    kill(Pid::from_raw(server.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let output = server.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_fatal() {
    let server = TestServer::start();
    let output = Command::new(env!("CARGO_BIN_EXE_srs-server"))
        .envs([
            ("SRS_LISTEN", server.rtmp.to_string()),
            ("SRS_HTTP_SERVER_LISTEN", "0".to_owned()),
            ("SRS_HTTP_API_LISTEN", "0".to_owned()),
            ("NO_COLOR", "1".to_owned()),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    let expected = format!("rtmp: cannot listen on [::]:{}: ", server.rtmp);
    assert!(log.contains(&expected), "{log}");
}

#[test]
fn a_setting_that_means_nothing_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_srs-server"))
        .env("SRS_LISTEN", "rtmp://")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(255));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("SRS_LISTEN: error: `listen rtmp://`: expected [ip:]port"), "{log}");
}

#[test]
fn four_processes_run_side_by_side() {
    let servers: Vec<_> = (0..4).map(|_| TestServer::start()).collect();
    for server in &servers {
        let mut player = RtmpClient::play(&server.rtmp_url("a"));
        assert!(player.collect(Duration::from_millis(100)).is_empty());
        assert_eq!(server.clients("a", "rtmp-play").len(), 1);
    }
}
