//! Configuration: files, environment, messages.

use std::{fs, time::Duration};

use rtmp_proto::Purpose;
use serde_json::Value;

use crate::support::{Home, RtmpClient, free_ports, wait_for, wait_for_port};

/// What a user gets wrong, and every word that the program says about it.
const BROKEN: [(&str, &str); 15] = [
    ("listen 1935", "srs.conf:1:1: error: `listen` is not ended: `;` or `{ … }` is due"),
    ("listen 1935;\n}\n", "srs.conf:2:1: error: `}` closes no block"),
    ("vhost a {\n", "srs.conf:1:1: error: the block of `vhost` is not closed: `}` is due"),
    (
        "vhost a {\n  enabled on\n}\n",
        "srs.conf:2:3: error: `enabled` is not ended: `;` is due before `}`",
    ),
    ("listen 1935;\n{ }\n", "srs.conf:2:1: error: `{` where the name of a directive is due"),
    ("pid \"a.pid;\n", "srs.conf:1:5: error: the quote \" is not closed"),
    ("lisen 1935;\n", "srs.conf:1:1: error: unknown directive `lisen`; did you mean `listen`?"),
    (
        "vhost a {\n\tplay { gop_cach on; }\n}\n",
        "srs.conf:2:9: error: unknown directive `gop_cach` in `vhost.play`; did you mean `gop_cache`?",
    ),
    ("listen rtmp;\n", "srs.conf:1:1: error: `listen rtmp`: expected [ip:]port, one or more"),
    ("daemon maybe;\n", "srs.conf:1:1: error: `daemon maybe`: expected on or off"),
    ("chunk_size 1;\n", "srs.conf:1:1: error: `chunk_size 1`: expected a number from 128 to 65536"),
    ("http_api on;\n", "srs.conf:1:1: error: `http_api` is a block: `{ … }` is due"),
    (
        "vhost a { play { gop_cache { on; } } }\n",
        "srs.conf:1:18: error: `vhost.play.gop_cache` is no block: a value and `;` are due",
    ),
    (
        "daemon on;\nasprocess on;\n",
        "srs.conf:2:1: error: `asprocess` and `daemon` exclude each other: set `daemon off`",
    ),
    (
        "\n\n  include no.conf;\n",
        "srs.conf:3:3: error: cannot read no.conf: No such file or directory (os error 2)",
    ),
];

#[test]
fn each_error_is_told_with_its_place_before_anything_starts() {
    let home = Home::new();
    for (conf, message) in BROKEN {
        home.write("srs.conf", conf);
        for args in [&["-t", "-c", "srs.conf"][..], &["-c", "srs.conf"]] {
            let output = home.output(args);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(stderr.lines().collect::<Vec<_>>(), [message], "{args:?} of {conf}");
            assert_eq!(output.status.code(), Some(255), "{args:?} of {conf}");
            assert!(output.stdout.is_empty());
        }
    }
    // Nothing was made or written either.
    let mut left: Vec<_> = fs::read_dir(home.path("")).unwrap().flatten().collect();
    left.retain(|entry| !entry.file_name().to_string_lossy().ends_with(".txt"));
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn all_errors_are_told_at_once() {
    let home = Home::with("daemon maybe;\nvhost a {\n  foobar 1;\n  play { mw_latency x; }\n}\n");
    let output = home.output(&["-c", "srs.conf"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let places: Vec<_> =
        stderr.lines().map(|line| line.split(" error: ").next().unwrap()).collect();
    assert_eq!(places, ["srs.conf:1:1:", "srs.conf:3:3:", "srs.conf:4:10:"], "{stderr}");
}

#[test]
fn a_configuration_that_is_right_is_told_so() {
    let home = Home::with("listen 1935;\nvhost __defaultVhost__ { }\n");
    let output = home.output(&["-t", "-c", "srs.conf"]);
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "srs.conf: the configuration is valid\n");
    // What makes one wonder is told, and is no error.
    home.write("srs.conf", "listen 1935;\nlisten 1936;\nff_log_level warn;\nvhost a { }\n");
    let output = home.output(&["-t", "-c", "srs.conf"]);
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr.lines().collect::<Vec<_>>(),
        [
            "srs.conf:2:1: warning: `listen` stands at srs.conf:1:1 already, which counts",
            "accepted, but not applied yet: ff_log_level",
            "srs.conf: the configuration is valid",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let home = Home::new();
    fs::create_dir(home.path("dir")).unwrap();
    home.write("latin.conf", b"listen 1935;\nserver_id caf\xe9;\n");
    fs::File::create(home.path("big.conf")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    for (file, message) in [
        ("none.conf", "No such file or directory (os error 2)"),
        ("dir", "Is a directory (os error 21)"),
        ("latin.conf", "line 2, column 14: 0xe9 is not UTF-8"),
        ("big.conf", "it has more than 1048576 bytes, which is the limit"),
        ("/dev/zero", "it has more than 1048576 bytes, which is the limit"),
    ] {
        let output = home.output(&["-c", file]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr, format!("{file}: error: cannot read {file}: {message}\n"));
        assert_eq!(output.status.code(), Some(255));
    }
    // Comments of old files are in whatever encoding their authors had.
    home.write("gbk.conf", b"# \xd6\xd0\xce\xc4\nlisten 1935;\nvhost a { }\n");
    assert_eq!(home.output(&["-t", "-c", "gbk.conf"]).status.code(), Some(0));
}

#[test]
fn environment_sets_ten_keys() {
    let home = Home::new();
    fs::create_dir(home.path("sub")).unwrap();
    let [rtmp, http, api] = free_ports();
    let mut server = home.start_by(home.command(&["-e"]).envs([
        ("SRS_LISTEN", rtmp.to_string().as_str()),
        ("SRS_HTTP_SERVER_ENABLED", "on"),
        ("SRS_HTTP_SERVER_LISTEN", &http.to_string()),
        ("SRS_HTTP_API_ENABLED", "on"),
        ("SRS_HTTP_API_LISTEN", &api.to_string()),
        ("SRS_WORK_DIR", "sub"),
        ("SRS_PID", "own/env.pid"),
        ("SRS_LOG_TANK", "file"),
        ("SRS_SRS_LOG_FILE", "env.log"),
        ("SRS_SRS_LOG_LEVEL", "info"),
        ("SRS_UTC_TIME", "on"),
        ("SRS_SERVER_ID", "vid-env"),
        ("SRS_VHOST_PUBLISH_FIRSTPKT_TIMEOUT", "3000"),
    ]));
    let cwd = || fs::read_link(format!("/proc/{}/cwd", server.pid())).unwrap();
    wait_for_port(api);
    assert_eq!(cwd(), fs::canonicalize(home.path("sub")).unwrap());
    wait_for_port(rtmp);
    wait_for_port(http);
    assert_eq!(home.wait_for_pid("sub/own/env.pid"), server.pid());
    let url = |path: &str| format!("http://127.0.0.1:{api}/api/v1/{path}");
    let get = |path: &str| -> Value {
        ureq::get(url(path)).call().unwrap().body_mut().read_json().unwrap()
    };
    assert_eq!(get("versions")["server"], "vid-env");

    // A publisher that says nothing is closed long before SRS's default of 20 s.
    let publisher =
        RtmpClient::open(&format!("rtmp://127.0.0.1:{rtmp}/live/env"), Purpose::publish());
    wait_for("publisher", Duration::from_secs(5), || {
        get("clients")["clients"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["name"] == "env")
            .then_some(())
    });
    wait_for("end of the publisher", Duration::from_secs(12), || {
        get("clients")["clients"]
            .as_array()
            .unwrap()
            .iter()
            .all(|c| c["name"] != "env")
            .then_some(())
    });
    drop(publisher);

    let line = home.wait_for("sub/env.log", "DEBUG");
    assert!(line.split(' ').next().unwrap().ends_with('Z'), "{line}");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(server.stderr(), "");
}

#[test]
fn the_environment_lies_over_the_file() {
    let home = Home::with("listen 1;\nmax_connections 5;\nvhost a { }\nvhost b { enabled off; }\n");
    let shown = |vars: &[(&str, &str)], args: &[&str]| {
        let mut command = home.command(args);
        let output = home.output_of(command.envs(vars.iter().copied()));
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(str::trim).map(str::to_owned);
        lines.filter(|l| l.starts_with("listen 1") || l.starts_with("max_conn")).collect::<Vec<_>>()
    };
    let show = ["conf", "show", "-c", "srs.conf"];
    let has = |lines: Vec<String>, line: &str| lines.iter().any(|l| l == line);
    assert!(has(shown(&[], &show), "listen 1;"));
    assert!(has(shown(&[("SRS_LISTEN", "19 [::1]:18")], &show), "listen 19 [::1]:18;"));
    assert!(has(shown(&[("SRS_LISTEN", "19")], &show), "max_connections 5;"));
    // Neither `-c` nor the file counts where the environment is to be all there is.
    assert!(has(shown(&[], &["conf", "show", "-e"]), "max_connections 1000;"));
    assert!(has(shown(&[("SRS_ENV_ONLY", "on")], &show), "max_connections 1000;"));
    // Another file may be named by the environment.
    home.write("other.conf", "max_connections 6;\nvhost a { }\n");
    assert!(has(shown(&[("SRS_CONFIG_FILE", "other.conf")], &show), "max_connections 6;"));
    assert!(has(
        shown(&[("SRS_CONFIG_FILE", "other.conf")], &["conf", "show"]),
        "max_connections 6;"
    ));
    // A variable that means nothing is named.
    let mut command = home.command(&["-t", "-c", "srs.conf"]);
    let output = home.output_of(command.env("SRS_LISTENS", "1"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("SRS_LISTENS: warning: names no directive; did you mean SRS_LISTEN?"),
        "{stderr}"
    );
    let mut command = home.command(&["-c", "srs.conf"]);
    let output = home.output_of(command.env("SRS_LISTEN", "x"));
    assert_eq!(output.status.code(), Some(255));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "SRS_LISTEN: error: `listen x`: expected [ip:]port, one or more\n");
}

const CHECKED: &str = "listen 1935;
ff_log_level warn;
empty_ip_ok off;
vhost a {
    play { atc off; atc on; }
    nonsense 1;
}
";

#[test]
fn conf_check_tells_what_becomes_of_each_directive() {
    let home = Home::with(CHECKED);
    let output = home.output(&["conf", "check", "srs.conf"]);
    assert_eq!(output.status.code(), Some(255));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "srs.conf:1:1: applied: listen 1935",
            "srs.conf:2:1: accepted but not applied: ff_log_level warn",
            "srs.conf:3:1: never applied: empty_ip_ok off: every client has an address here",
            "srs.conf:5:12: applied: vhost.play.atc off",
            "srs.conf:5:21: warning: `vhost.play.atc` stands at srs.conf:5:12 already, which counts",
            "srs.conf:6:5: error: unknown directive `nonsense` in `vhost`",
            "2 applied, 0 differ, 1 accepted but not applied, 1 never applied, 1 warnings, 1 errors",
        ]
    );
    home.write("right.conf", "listen 1935;\nvhost a { }\n");
    let output = home.output(&["conf", "check", "right.conf"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!output.stdout.is_empty());
}

#[test]
fn conf_check_tells_programs_the_same() {
    let home = Home::with(CHECKED);
    let mut command = home.command(&["conf", "check", "srs.conf", "--json"]);
    let output = home.output_of(command.env("SRS_UTC_TIME", "on"));
    assert_eq!(output.status.code(), Some(255));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"], 1);
    assert_eq!(report["warnings"], 1);
    let directives = report["directives"].as_array().unwrap();
    assert_eq!(directives.len(), 5);
    let find = |name: &str| directives.iter().find(|it| it["directive"] == name).unwrap();
    assert_eq!(
        *find("vhost.play.atc"),
        serde_json::json!({
            "file": "srs.conf", "line": 5, "column": 12,
            "directive": "vhost.play.atc", "value": "off", "state": "applied",
        })
    );
    assert_eq!(find("utc_time")["variable"], "SRS_UTC_TIME");
    assert_eq!(find("ff_log_level")["state"], "accepted but not applied");
    assert_eq!(find("empty_ip_ok")["note"], "every client has an address here");
    let problems = report["problems"].as_array().unwrap();
    let error = problems.iter().find(|it| it["severity"] == "error").unwrap();
    assert_eq!(
        *error,
        serde_json::json!({
            "file": "srs.conf", "line": 6, "column": 5, "severity": "error",
            "text": "unknown directive `nonsense` in `vhost`",
        })
    );
}

#[test]
fn conf_show_prints_what_is_read_back_to_the_same() {
    let home = Home::with("listen 19350;\nvhost a.example { play { gop_cache off; } }\n");
    let show = |args: &[&str]| {
        let output = home.output(&[&["conf", "show"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for args in [&["-c", "srs.conf"][..], &["-e"], &[]] {
        let shown = show(args);
        home.write("shown.conf", &shown);
        assert_eq!(show(&["-c", "shown.conf"]), shown, "{args:?}");
        assert_eq!(shown.contains("vhost a.example {"), args.contains(&"-c"), "{shown}");
        assert_eq!(shown.contains("gop_cache off;"), args.contains(&"-c"), "{shown}");
    }
}
