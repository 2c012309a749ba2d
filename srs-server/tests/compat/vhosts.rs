//! How an address names a stream: every form of it that SRS takes means the same here, whether the
//! client publishes, plays, or plays by HTTP.

use std::{path::Path, process::Command, time::Duration};

use rtmp_proto::{MediaKind, MessageType, Purpose};
use serde_json::{Value, json};

use crate::support::{
    Clip, Ffmpeg, HookServer, RawClient, RtmpClient, TestServer, clip, key_frame, wait_for,
};

const DEFAULT: &str = "__defaultVhost__";

/// What a client says, and the stream that it means.
struct Form {
    tc_url: &'static str,
    app: &'static str,
    name: &'static str,
    /// Vhost, app and stream.
    stream: [&'static str; 3],
    /// The query as hook servers get it.
    param: &'static str,
}

const fn form(
    [tc_url, app, name]: [&'static str; 3],
    stream: [&'static str; 3],
    param: &'static str,
) -> Form {
    Form { tc_url, app, name, stream, param }
}

/// The stream that most forms mean.
const OURS: [&str; 3] = ["v.example", "live", "s"];
const THEIRS: [&str; 3] = [DEFAULT, "live", "s"];
const NESTED: [&str; 3] = [DEFAULT, "a/b", "s"];

const FORMS: &[Form] = &[
    form(["rtmp://127.0.0.1/live", "live", "s"], THEIRS, ""),
    form(["rtmp://127.0.0.1:1935/live/", "live/", "s"], THEIRS, ""),
    form(["rtmp://127.0.0.1/live", "live", "/s"], THEIRS, ""),
    form(["", "live", "s"], THEIRS, ""),
    form(["rtmp://127.0.0.1/live", "live", "s?token=a/b=="], THEIRS, "?token=a/b=="),
    // The vhost in the query, of the stream or of the app.
    form(["rtmp://127.0.0.1/live", "live", "s?vhost=v.example"], OURS, "?vhost=v.example"),
    form(
        ["rtmp://127.0.0.1/live", "live", "s?token=t&vhost=v.example"],
        OURS,
        "?token=t&vhost=v.example",
    ),
    form(["rtmp://127.0.0.1/live", "live", "s?domain=v.example"], OURS, "?domain=v.example"),
    form(
        ["rtmp://127.0.0.1/live?vhost=v.example", "live?vhost=v.example", "s"],
        OURS,
        "?vhost=v.example",
    ),
    form(
        ["rtmp://127.0.0.1/live?vhost=v.example", "live?vhost=v.example", "s?token=t"],
        OURS,
        "?token=t&vhost=v.example",
    ),
    form(["", "live?vhost=v.example", "s"], OURS, "?vhost=v.example"),
    // For encoders that allow no question mark.
    form(
        ["rtmp://127.0.0.1/live...vhost...v.example", "live...vhost...v.example", "s"],
        OURS,
        "?vhost=v.example",
    ),
    form(
        ["rtmp://127.0.0.1/live#vhost=v.example", "live#vhost=v.example", "s"],
        OURS,
        "#vhost=v.example",
    ),
    // By the host's name.
    form(["rtmp://v.example/live", "live", "s"], OURS, ""),
    form(["rtmp://v.example:19350/live", "live", "s?token=t"], OURS, "?token=t"),
    form(["rtmp://v.example/live", "live", "s?vhost=__defaultVhost__"], OURS, ""),
    form(["rtmp://other.example/live", "live", "s?vhost=v.example"], OURS, "?vhost=v.example"),
    form(["rtmp://user:pass@v.example/live", "live", "s"], OURS, ""),
    // A vhost that isn't configured is the default one.
    form(["rtmp://other.example/live", "live", "s"], THEIRS, ""),
    form(
        ["rtmp://v.example/live", "live", "s?vhost=other.example"],
        THEIRS,
        "?vhost=other.example",
    ),
    // An app of several parts; the last part is the stream, wherever it is cut.
    form(["rtmp://127.0.0.1/a/b", "a/b", "s"], NESTED, ""),
    form(["rtmp://127.0.0.1/a", "a", "b/s"], NESTED, ""),
    form(["rtmp://127.0.0.1/live/_definst_", "live/_definst_", "s"], THEIRS, ""),
    form(["rtmp://127.0.0.1/live", "live", "_definst_/s"], THEIRS, ""),
    form(
        ["rtmp://127.0.0.1/live/_definst_?vhost=v.example", "live/_definst_?vhost=v.example", "s"],
        OURS,
        "?vhost=v.example",
    ),
    form(["rtmp://127.0.0.1", "", "s"], [DEFAULT, "__defaultApp__", "s"], ""),
    // No name: the address is taken for the whole.
    form(["rtmp://127.0.0.1/live/s", "live/s", ""], THEIRS, ""),
    form(["rtmp://127.0.0.1/live/s?token=t", "live/s?token=t", ""], THEIRS, "?token=t"),
    form(
        ["rtmp://127.0.0.1/live?vhost=v.example/s", "live?vhost=v.example/s", ""],
        OURS,
        "?vhost=v.example",
    ),
];

fn server(hooks: &HookServer) -> TestServer {
    let directives = format!(
        "play {{ mw_latency 0; mw_msgs 0; }} http_remux {{ enabled on; }}
         http_hooks {{ enabled on; on_publish {0}/on_publish; on_play {0}/on_play; }}",
        hooks.url("")
    );
    TestServer::configured(&format!(
        "vhost {DEFAULT} {{ {directives} }}\nvhost v.example {{ {directives} }}"
    ))
}

/// The stream of the one client of this kind, by the API: vhost, app and name.
#[track_caller]
fn stream_of(server: &TestServer, kind: &str) -> [String; 3] {
    let client = wait_for(kind, Duration::from_secs(20), || {
        let clients = server.api("clients?count=100");
        let clients = clients["clients"].as_array()?;
        clients.iter().find(|client| client["type"] == kind).cloned()
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let stream = server.api(&format!("streams/{}", text(&client["stream"])))["stream"].clone();
    assert_eq!(stream["vhost"], client["vhost"]);
    let vhost = server.api(&format!("vhosts/{}", text(&stream["vhost"])))["vhost"].clone();
    [text(&vhost["name"]), text(&stream["app"]), text(&stream["name"])]
}

/// What the hook servers were told last: vhost, app, stream and param.
#[track_caller]
fn told(hooks: &HookServer, action: &str) -> Value {
    let calls = hooks.calls();
    let call = calls.last().unwrap();
    assert_eq!(call.action(), action);
    let url = call.json["stream_url"].as_str().unwrap();
    let vhost = Some(call.json["vhost"].as_str().unwrap()).filter(|&vhost| vhost != DEFAULT);
    let (app, stream) = (&call.json["app"], &call.json["stream"]);
    let expected = [vhost.unwrap_or_default(), app.as_str().unwrap(), stream.as_str().unwrap()];
    assert_eq!(url, expected.join("/"));
    json!([call.json["vhost"], app, stream, call.json["param"]])
}

fn gone(server: &TestServer) {
    wait_for("end of the client", Duration::from_secs(10), || {
        server.api("clients")["clients"].as_array()?.is_empty().then_some(())
    });
}

#[test]
fn every_form_of_an_address_publishes_the_stream_it_means() {
    let hooks = HookServer::start();
    let server = server(&hooks);
    for Form { tc_url, app, name, stream, param } in FORMS {
        let mut client = RawClient::connect(server.rtmp, tc_url, app);
        let msid = client.create_stream();
        client.publish(msid, name);
        assert_eq!(stream_of(&server, "flash-publish"), *stream, "{tc_url} {name}");
        let expected = json!([stream[0], stream[1], stream[2], param]);
        assert_eq!(told(&hooks, "on_publish"), expected, "{tc_url} {name}");
        drop(client);
        gone(&server);
    }
}

#[test]
fn every_form_of_an_address_plays_the_stream_it_means() {
    let hooks = HookServer::start();
    let server = server(&hooks);
    let streams = [OURS, THEIRS, NESTED, [DEFAULT, "__defaultApp__", "s"]];
    // Each sends its own number.
    let _publishers: Vec<_> = (0..)
        .zip(streams)
        .map(|(number, [vhost, app, stream])| {
            let url = format!("rtmp://{vhost}:{}/{app}/{stream}", server.rtmp);
            let mut publisher = RtmpClient::publish(&url);
            publisher.send(MediaKind::Video, 0, key_frame(number, 50));
            publisher
        })
        .collect();
    for Form { tc_url, app, name, stream, param } in FORMS {
        let mut client = RawClient::connect(server.rtmp, tc_url, app);
        let msid = client.create_stream();
        client.play(msid, name);
        let number = (0..).zip(streams).find(|(_, other)| other == stream).unwrap().0;
        let got = client.next_of(MessageType::VIDEO).payload;
        assert_eq!(got, key_frame(number, 50), "{tc_url} {name}");
        let expected = json!([stream[0], stream[1], stream[2], param]);
        assert_eq!(told(&hooks, "on_play"), expected, "{tc_url} {name}");
    }
}

/// The vhost of an HTTP request: by its query, else by its host.
#[test]
fn http_flv_finds_the_vhost_as_rtmp_does() {
    let hooks = HookServer::start();
    let server = server(&hooks);
    for (path, host, vhost, param) in [
        ("live/s.flv", "127.0.0.1", DEFAULT, ""),
        ("live/s.flv?token=t", "127.0.0.1", DEFAULT, "?token=t"),
        ("live/s.flv?vhost=v.example", "127.0.0.1", "v.example", "?vhost=v.example"),
        ("live/s.flv?domain=v.example", "127.0.0.1", "v.example", "?domain=v.example"),
        ("live/s.flv?t=1&vhost=v.example", "127.0.0.1", "v.example", "?t=1&vhost=v.example"),
        ("live/s.flv", "v.example", "v.example", ""),
        ("live/s.flv?token=t", "v.example:8080", "v.example", "?token=t"),
        ("live/s.flv", "other.example", DEFAULT, ""),
        ("live/s.flv?vhost=other.example", "v.example", DEFAULT, "?vhost=other.example"),
    ] {
        let url = format!("http://127.0.0.1:{}/{path}", server.http);
        let response = ureq::get(url).header("Host", host).call().unwrap();
        assert_eq!(stream_of(&server, "flv-play"), [vhost, "live", "s"], "{path} {host}");
        assert_eq!(told(&hooks, "on_play"), json!([vhost, "live", "s", param]), "{path} {host}");
        drop(response);
        gone(&server);
    }
}

/// ffmpeg, as people call it.
#[test]
fn ffmpeg_publishes_to_vhosts() {
    let hooks = HookServer::start();
    let server = server(&hooks);
    let port = server.rtmp;
    for (arguments, url, stream) in [
        (&[][..], format!("rtmp://127.0.0.1:{port}/live/s"), THEIRS),
        (&[], format!("rtmp://127.0.0.1:{port}/live/s?vhost=v.example"), OURS),
        (&[], format!("rtmp://127.0.0.1:{port}/live?vhost=v.example/s"), OURS),
        (&[], format!("rtmp://127.0.0.1:{port}/live...vhost...v.example/s"), OURS),
        (&[], format!("rtmp://127.0.0.1:{port}/a/b/s"), NESTED),
        (
            &["-rtmp_tcurl", "rtmp://v.example/live"],
            format!("rtmp://127.0.0.1:{port}/live/s"),
            OURS,
        ),
    ] {
        let mut ffmpeg = publish(&clip(Clip::Avc), arguments, &url);
        assert_eq!(stream_of(&server, "fmle-publish"), stream, "{url}");
        ffmpeg.kill();
        gone(&server);
    }
}

fn publish(file: &Path, arguments: &[&str], url: &str) -> Ffmpeg {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-i"]).arg(file).args(["-c", "copy", "-f", "flv"]);
    command.args(arguments).arg(url);
    Ffmpeg::spawn(command, "".into())
}

/// Without a default vhost, only those that are configured are served.
#[test]
fn without_a_default_vhost_others_are_refused() {
    let server = TestServer::configured("vhost v.example { http_remux { enabled on; } }");
    let url = |host: &str| format!("rtmp://{host}:{}/live/s", server.rtmp);
    for purpose in [Purpose::publish(), Purpose::play()] {
        let refused = RtmpClient::open(&url("other.example"), purpose).err().unwrap();
        assert!(refused.starts_with("NetStream."), "{refused}");
    }
    let line = server.wait_for_log("no vhost other.example");
    assert!(line.contains("code=2014"), "{line}");
    let flv = |query: &str| ureq::get(format!("{}{query}", server.flv_url("s"))).call();
    assert!(matches!(flv(""), Err(ureq::Error::StatusCode(404))));

    let mut publisher = RtmpClient::publish(&url("v.example"));
    publisher.send(MediaKind::Video, 0, key_frame(1, 50));
    let mut player = RtmpClient::play(&format!("{}?vhost=v.example", url("127.0.0.1")));
    drop(publisher);
    assert_eq!(player.next().unwrap().2, key_frame(1, 50));
    assert_eq!(flv("?vhost=v.example").unwrap().status(), 200);
}
