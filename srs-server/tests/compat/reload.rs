//! A configuration that is read again: it holds for who comes from then on.

use std::time::Duration;

use nix::sys::signal::Signal::SIGHUP;
use rtmp_proto::Purpose;

use crate::support::{Home, HookServer, RtmpClient, Running, wait_for};

const TOP: &str = "listen 0; daemon off; srs_log_tank console;\n";

fn vhost(name: &str, hooks: &HookServer) -> String {
    let urls: String = ["on_publish", "on_unpublish", "on_play", "on_stop"]
        .map(|event| format!("{event} {}; ", hooks.url("/")))
        .concat();
    format!("vhost {name} {{ http_hooks {{ enabled on; {urls} }} }}\n")
}

/// Reads `conf` again for the `times`th time.
#[track_caller]
fn reload(home: &Home, server: &mut Running, conf: &str, times: usize) {
    home.write("srs.conf", conf);
    server.signal(SIGHUP);
    wait_for("reload", Duration::from_secs(30), || {
        let told = server.stderr().matches("the configuration was read again").count();
        (told == times).then_some(())
    });
}

/// Whoever was asked about a client is told of its end; who comes later is others' business.
#[test]
fn hooks_that_change_are_asked_about_who_comes_later() {
    let (old, new) = (HookServer::start(), HookServer::start());
    let home = Home::with(&format!("{TOP}{}", vhost("__defaultVhost__", &old)));
    let mut server = home.start(&["-c", "srs.conf"]);
    let url = format!("rtmp://127.0.0.1:{}/live/a", server.port("rtmp"));
    let publisher = RtmpClient::publish(&url);
    reload(&home, &mut server, &format!("{TOP}{}", vhost("__defaultVhost__", &new)), 1);

    drop(RtmpClient::play(&url));
    new.wait_for_action("on_play");
    new.wait_for_action("on_stop");
    drop(publisher);
    old.wait_for_action("on_unpublish");
    assert_eq!(old.actions(), ["on_publish", "on_unpublish"]);
    assert_eq!(new.actions(), ["on_play", "on_stop"]);

    // Hooks that are gone let everybody in, and are told nothing.
    reload(&home, &mut server, &format!("{TOP}vhost __defaultVhost__ {{ }}"), 2);
    drop(RtmpClient::publish(&url));
    assert_eq!(new.actions(), ["on_play", "on_stop"]);
}

#[test]
fn vhosts_come_and_go() {
    let hooks = HookServer::start();
    let home = Home::with(&format!("{TOP}{}", vhost("a.example", &hooks)));
    let mut server = home.start(&["-c", "srs.conf"]);
    let port = server.port("rtmp");
    let url = |vhost: &str| format!("rtmp://127.0.0.1:{port}/live/s?vhost={vhost}");
    let _publisher = RtmpClient::publish(&url("a.example"));
    assert!(RtmpClient::open(&url("b.example"), Purpose::publish()).is_err());

    reload(&home, &mut server, &format!("{TOP}{}", vhost("b.example", &hooks)), 1);
    let _other = RtmpClient::publish(&url("b.example"));
    assert!(RtmpClient::open(&url("a.example"), Purpose::play()).is_err());
    let told: Vec<_> = hooks
        .wait_for(2, |call| call.action() == "on_publish")
        .iter()
        .map(|call| call.json["vhost"].clone())
        .collect();
    assert_eq!(told, ["a.example", "b.example"]);
}

#[test]
fn fewer_connections_are_allowed_from_then_on() {
    let conf = |most: usize| format!("{TOP}max_connections {most}; vhost __defaultVhost__ {{ }}");
    let home = Home::with(&conf(3));
    let mut server = home.start(&["-c", "srs.conf"]);
    let url = format!("rtmp://127.0.0.1:{}/live/a", server.port("rtmp"));
    let mut players: Vec<_> = (0..3).map(|_| RtmpClient::play(&url)).collect();
    assert!(RtmpClient::open(&url, Purpose::play()).is_err());

    reload(&home, &mut server, &conf(4), 1);
    players.push(RtmpClient::play(&url));
    reload(&home, &mut server, &conf(1), 2);
    assert!(RtmpClient::open(&url, Purpose::play()).is_err());
    // Who is there stays until it goes by itself.
    for player in &mut players {
        player.socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(!matches!(std::io::Read::read(&mut &player.socket, &mut [0; 4096]), Ok(0)));
    }
    drop(players);
    drop(wait_for("player", Duration::from_secs(30), || {
        RtmpClient::open(&url, Purpose::play()).ok()
    }));
}
