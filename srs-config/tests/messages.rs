//! What is told of a configuration that is wrong, word by word.

use srs_config::{Loaded, Severity, Source, State, load};

fn read(text: &str) -> Loaded {
    load(Source::File("a.conf"), &|_| None, &|_| Ok(text.to_owned()))
}

/// The problems of a text, the errors marked.
fn problems(text: &str) -> Vec<String> {
    let told = |problem: &srs_config::Problem| match problem.severity {
        Severity::Error => format!("error {problem}"),
        Severity::Warning => format!("warning {problem}"),
    };
    read(text).problems.iter().map(told).collect()
}

/// Says that `text` has this one problem.
#[track_caller]
fn one(text: &str, problem: &str) {
    assert_eq!(problems(text), [problem], "{text}");
}

#[test]
fn an_unknown_directive_is_an_error_with_a_suggestion() {
    one("lisen 1935;", "error a.conf:1:1: unknown directive `lisen`; did you mean `listen`?");
    one("xyzzy on;", "error a.conf:1:1: unknown directive `xyzzy`");
    one(
        "vhost a {\n  hls {\n    hls_fragmnt 5;\n  }\n}",
        "error a.conf:3:5: unknown directive `hls_fragmnt` in `vhost.hls`; did you mean \
         `hls_fragment`?",
    );
    one(
        "http_api { listen 1985; raw_api { alow_reload on; } }",
        "error a.conf:1:35: unknown directive `alow_reload` in `http_api.raw_api`; did you mean \
         `allow_reload`?",
    );
}

#[test]
fn an_unknown_directive_is_a_warning_where_srs_does_not_look() {
    one(
        "circuit_breaker { enable on; }",
        "warning a.conf:1:19: unknown directive `enable` in `circuit_breaker`; did you mean \
         `enabled`?",
    );
}

#[test]
fn a_wrong_value_is_an_error_that_says_what_is_right() {
    one(
        "vhost a { play { gop_cache onn; } }",
        "error a.conf:1:18: `vhost.play.gop_cache onn`: expected on or off; did you mean `on`?",
    );
    one(
        "chunk_size 100;",
        "error a.conf:1:1: `chunk_size 100`: expected a number from 128 to 65536",
    );
    one(
        "listen localhost:1935;",
        "error a.conf:1:1: `listen localhost:1935`: expected [ip:]port, one or more",
    );
    one(
        "vhost a { dvr { dvr_plan sesion; } }",
        "error a.conf:1:17: `vhost.dvr.dvr_plan sesion`: expected session or segment; did you mean \
         `session`?",
    );
    one(
        "vhost a { security { allow play all; deny play 10.0.0.300; } }",
        "error a.conf:1:38: `vhost.security.deny play 10.0.0.300`: expected publish or play, then \
         all, an address or a network such as 10.0.0.0/8",
    );
}

#[test]
fn a_number_that_srs_resets_is_a_warning() {
    one(
        "vhost a { rtc { pli_for_rtmp 60; } }",
        "warning a.conf:1:17: `vhost.rtc.pli_for_rtmp 60`: expected seconds from 0.5 to 30; taken \
         as 6, as SRS does",
    );
    let loaded = read("vhost a { play { mw_msgs 256; } rtc { opus_bitrate 1; aac_bitrate 1; } }");
    assert_eq!(loaded.errors().count(), 0);
    let vhost = &loaded.config.vhosts[0];
    assert_eq!(vhost.play.mw_msgs, Some(128));
    assert_eq!((vhost.rtc.opus_bitrate, vhost.rtc.aac_bitrate), (48_000, 48_000));
    one(
        "vhost a { rtc { pli_for_rtmp soon; } }",
        "error a.conf:1:17: `vhost.rtc.pli_for_rtmp soon`: expected seconds from 0.5 to 30",
    );
}

#[test]
fn a_wrong_number_of_values_is_an_error() {
    one("listen;", "error a.conf:1:1: `listen` has no value: expected [ip:]port, one or more");
    one("daemon;", "error a.conf:1:1: `daemon` has no value: expected on or off");
    one("daemon on off;", "error a.conf:1:1: `daemon on off` has 2 values: expected on or off");
}

#[test]
fn blocks_and_values_are_not_taken_for_each_other() {
    one("daemon { on; }", "error a.conf:1:1: `daemon` is no block: a value and `;` are due");
    one("http_api on;", "error a.conf:1:1: `http_api` is a block: `{ … }` is due");
    one("vhost a;", "error a.conf:1:1: `vhost` is a block: `{ … }` is due");
    one(
        "vhost a { transcode { engine { vparams fast; } } }",
        "error a.conf:1:32: `vhost.transcode.engine.vparams` is a block: `{ … }` is due",
    );
    one("http_api x { }", "warning a.conf:1:1: `http_api` has no name: `x` means nothing");
}

#[test]
fn a_missing_semicolon_is_told_where_it_is_due() {
    one(
        "listen 1935\nmax_connections 5;",
        "error a.conf:1:1: `listen` is not ended: `;` is due before `max_connections` on the next \
         line",
    );
    one(
        "vhost a { enabled on }",
        "error a.conf:1:11: `enabled` is not ended: `;` is due before `}`",
    );
    one("vhost a {", "error a.conf:1:1: the block of `vhost` is not closed: `}` is due");
}

#[test]
fn the_first_of_two_counts() {
    one(
        "listen 1;\nlisten 2;",
        "warning a.conf:2:1: `listen` stands at a.conf:1:1 already, which counts",
    );
    assert_eq!(read("listen 1; listen 2;").config, read("listen 1;").config);
    one(
        "http_api { }\nhttp_api { enabled on; }",
        "warning a.conf:2:1: the block `http_api` stands at a.conf:1:1 already, which counts",
    );
    let twice = "vhost a { }\nvhost a { enabled off; }";
    one(twice, "warning a.conf:2:1: `vhost a` stands at a.conf:1:1 already, which counts");
    assert_eq!(read(twice).config, read("vhost a { }").config);
}

#[test]
fn what_can_never_work_is_warned_of() {
    one(
        "vhost a { http_hooks { enabled on; on_play http://a/ HTTPS://b/ localhost:8085/c; } }",
        "warning a.conf:1:36: `http_hooks.on_play localhost:8085/c`: no URL of http:// or \
         https://; as nobody answers there, who is asked about is refused",
    );
    assert_eq!(problems("vhost a { http_hooks { on_play localhost; } }"), [""; 0]);
    one(
        "vhost a { http_remux { enabled on; mount [vhost]/[app]/[stream].mp4; } }",
        "warning a.conf:1:36: `http_remux.mount` ends with none of .flv, .ts, .aac and .mp3: \
         nothing is served there",
    );
    for mount in ["/live.FLV", "[vhost]/[app]/[stream].ts", "/a.b/c.aac"] {
        let text = format!("vhost a {{ http_remux {{ enabled on; mount {mount}; }} }}");
        assert_eq!(problems(&text).is_empty(), !mount.contains("FLV"), "{mount}");
    }
}

#[test]
fn two_services_do_not_listen_on_one_port() {
    one(
        "listen 8080; http_server { enabled on; }",
        "error a.conf:1:28: `listen` and `http_server.listen` both listen on 8080",
    );
    one(
        "listen 127.0.0.1:1985; http_api { enabled on; listen 1985; }",
        "error a.conf:1:47: `listen` and `http_api.listen` both listen on 1985",
    );
    one(
        "rtc_server { enabled on; } srt_server { enabled on; listen 8000; }",
        "error a.conf:1:53: `rtc_server.listen` and `srt_server.listen` both listen on 8000",
    );
    one("listen 1935 0.0.0.0:1935;", "error a.conf:1:1: `listen` names 0.0.0.0:1935 twice");
}

#[test]
fn services_may_share_a_port_that_is_not_in_the_way() {
    for fine in [
        "http_api { enabled on; listen 8080; } http_server { enabled on; listen 8080; }",
        "http_server { enabled on; listen 8000; } rtc_server { enabled on; tcp { enabled on; } }",
        "listen 127.0.0.1:1985; http_api { enabled on; listen 127.0.0.2:1985; }",
        "listen 0; http_api { enabled on; listen 0; } exporter { enabled on; listen 0; }",
        "listen 8080; http_server { enabled off; }",
    ] {
        assert_eq!(problems(fine), [""; 0], "{fine}");
    }
}

#[test]
fn directives_that_exclude_or_need_each_other_are_told() {
    one(
        "asprocess on;",
        "error a.conf:1:1: `asprocess` and `daemon` exclude each other: set `daemon off`",
    );
    one(
        "http_api { enabled on; auth { enabled on; username a; } }",
        "error a.conf:1:31: `http_api.auth` needs a `username` and a `password`",
    );
    one(
        "http_api { https { enabled on; } }",
        "error a.conf:1:20: `http_api.https` needs `http_api` to be enabled",
    );
    one(
        "http_server { https { enabled on; } }",
        "error a.conf:1:23: `http_server.https` needs `http_server` to be enabled",
    );
    one(
        "http_api { enabled on; listen 80; https { enabled on; listen 443; } }\n\
         http_server { enabled on; listen 80; https { enabled on; listen 444; } }",
        "error a.conf:1:55: `http_api` and `http_server` must share both the port of HTTP and that \
         of HTTPS, or neither",
    );
    one(
        "vhost a { forward { enabled on; destination b:1; } publish { kickoff_for_idle 9; } }",
        "error a.conf:1:62: `publish.kickoff_for_idle` and `forward` exclude each other: who is \
         forwarded to is no player",
    );
    one(
        "srt_server { pbkeylen 17; }",
        "error a.conf:1:14: `srt_server.pbkeylen 17`: expected 0, 16, 24 or 32",
    );
    one(
        "srt_server { passphrase short; }",
        "error a.conf:1:14: `srt_server.passphrase` has 5 bytes: expected 10 to 79",
    );
    one(
        "vhost a { ingest i { } ingest i { } }",
        "error a.conf:1:24: a second `ingest i`: each needs a name of its own",
    );
}

#[test]
fn what_cannot_have_been_meant_is_a_warning() {
    one("vhost { }", "warning a.conf:1:1: a vhost without a name serves nobody");
    one(
        "vhost a { hls { enabled on; hls_window 5; } }",
        "warning a.conf:1:29: `hls.hls_window` is shorter than `hls.hls_fragment`: there is no \
         room for a segment",
    );
    one(
        "vhost a { cluster { mode remote; } }",
        "warning a.conf:1:21: `cluster.mode remote` without `cluster.origin`: there is nobody to ask",
    );
    one(
        "vhost a { forward { enabled on; } }",
        "warning a.conf:1:21: `forward` without `destination` and `backend` has no effect",
    );
    one(
        "vhost a { security { enabled on; } }",
        "warning a.conf:1:22: `security` without a rule denies everybody",
    );
    one(
        "circuit_breaker { critical_threshold 80; }",
        "warning a.conf:1:19: `circuit_breaker`: the thresholds high, critical and dying must not \
         fall",
    );
}

#[test]
fn files_are_included_in_their_place() {
    let file = |name: &str| match name {
        "a.conf" => Ok("vhost a { include conf/b.conf c.conf; }\ninclude d.conf;".to_owned()),
        "conf/b.conf" => Ok("play { gop_cache off; }".to_owned()),
        "c.conf" => Ok("\n\nhls { hls_windo 3; }".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    let loaded = load(Source::File("a.conf"), &|_| None, &file);
    assert!(!loaded.config.vhosts[0].play.gop_cache);
    let told: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.conf:2:1: cannot read d.conf: no such file",
            "c.conf:3:7: unknown directive `hls_windo` in `vhost.hls`; did you mean `hls_window`?",
        ]
    );
}

#[test]
fn files_that_include_themselves_end() {
    one("include a.conf;", "error a.conf:1:1: files are included more than 8 deep");
    let twice = problems("include a.conf; include a.conf;");
    assert!(twice.iter().any(|it| it.contains("more than 64 files are included")), "{twice:?}");
    one("include;", "error a.conf:1:1: `include` is followed by the names of files and `;`");
}

#[test]
fn no_more_than_a_hundred_problems_are_told() {
    let text: String = (0..1000).map(|n| format!("x{n} on;\n")).collect();
    let told = problems(&text);
    assert_eq!(told.len(), 101);
    let last = "error a.conf:100:1: more than 100 problems: the rest is not told";
    assert!(told.contains(&last.to_owned()), "{told:?}");
}

#[test]
fn no_more_than_ten_thousand_blocks_with_names_are_read() {
    let text: String = (0..10_001).map(|n| format!("vhost v{n} {{ }}\n")).collect();
    let loaded = read(&text);
    let told: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["a.conf:10001:1: more than 10000 blocks with names"]);
    assert_eq!(loaded.config.vhosts.len(), 10_000);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let loaded = load(Source::File("a.conf"), &|_| None, &|_| Err("no such file".to_owned()));
    let told: Vec<_> = loaded.errors().map(ToString::to_string).collect();
    assert_eq!(told, ["a.conf: cannot read a.conf: no such file"]);
}

#[test]
fn every_directive_that_is_set_is_found_with_its_state() {
    let loaded = read(
        "listen 1936;\nhttp_api { auth { password secret; } }\nthreads { interval 9; }\n\
         vhost a {\n  play { time_jitter off; gop_cache maybe; }\n  hls { enabled on; }\n}",
    );
    let found: Vec<_> = loaded
        .findings
        .iter()
        .map(|it| {
            let state = match &it.state {
                State::Applied => "applied",
                State::Differs(_) => "differs",
                State::NotYet => "not yet",
                State::Never(_) => "never",
                State::Error(_) => "error",
                _ => "else",
            };
            format!("{} {} {}: {state}", it.position, it.path, it.value)
        })
        .collect();
    assert_eq!(
        found,
        [
            "a.conf:1:1 listen 1936: applied",
            "a.conf:2:19 http_api.auth.password ***: applied",
            "a.conf:3:11 threads.interval 9: never",
            "a.conf:5:10 vhost.play.time_jitter off: differs",
            "a.conf:5:27 vhost.play.gop_cache maybe: error",
            "a.conf:6:9 vhost.hls.enabled on: not yet",
        ]
    );
}

#[test]
fn one_line_names_what_is_set_to_no_avail() {
    assert_eq!(read("listen 1; vhost a { hls { enabled off; } }").not_applied(), None);
    for disabled in [
        "vhost a { hls { enabled off; hls_fragment 2; } }",
        "vhost a { hls { hls_fragment 2; } }",
        "stream_caster { sip { timeout 9; } }",
    ] {
        assert_eq!(read(disabled).not_applied(), None, "{disabled}");
    }
    let stats = read("stats { disk sda; }").not_applied();
    assert_eq!(stats.as_deref(), Some("accepted, but not applied yet: stats.disk"));
    let line = "accepted, but not applied yet: vhost.hls.enabled; never applied: threads.interval";
    let loaded = read(
        "vhost a { hls { enabled on; } } vhost b { hls { enabled on; } } threads { interval 9; }",
    );
    assert_eq!(loaded.not_applied().as_deref(), Some(line));
}
