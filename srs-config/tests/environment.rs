//! What the environment sets.

use std::{collections::BTreeMap, path::Path, time::Duration};

use srs_config::{Config, DEFAULT_VHOST, Loaded, Source, load, specs};

fn read(source: Source<'_>, text: &str, variables: &[(&str, &str)]) -> Loaded {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let env = |name: &str| variables.get(name).map(|&value| value.to_owned());
    load(source, &env, &|_| Ok(text.to_owned()))
        .with_variables(variables.keys().map(|&name| name.to_owned()))
}

fn environment(variables: &[(&str, &str)]) -> Config {
    let loaded = read(Source::Environment, "", variables);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.config
}

const FILE: Source<'_> = Source::File("a.conf");

#[test]
fn variables_set_directives_and_lists_are_divided_by_white_space() {
    let config = environment(&[
        ("SRS_LISTEN", "1936 127.0.0.1:1937"),
        ("SRS_MAX_CONNECTIONS", "77"),
        ("SRS_HTTP_API_ENABLED", "on"),
        ("SRS_HTTP_API_RAW_API_ALLOW_RELOAD", "on"),
        ("SRS_RTC_SERVER_TCP_ENABLED", "on"),
        ("SRS_HEARTBEAT_DEVICE_ID", " my device "),
        ("SRS_HTTP_SERVER_DIR", "/var/www/a b"),
    ]);
    assert_eq!(config.listen[1], "127.0.0.1:1937".parse().unwrap());
    assert_eq!(config.max_connections, Some(77));
    assert!(config.http_api.enabled && config.http_api.raw_api.allow_reload);
    assert!(config.rtc_server.tcp.enabled);
    assert_eq!(config.heartbeat.device_id, "my device");
    assert_eq!(config.http_server.dir, Path::new("/var/www/a b"));
}

#[test]
fn the_log_is_set_by_the_long_name_and_the_short_one() {
    for name in ["SRS_SRS_LOG_TANK", "SRS_LOG_TANK"] {
        assert_eq!(environment(&[(name, "file")]).srs_log_tank, "file");
    }
    let both = environment(&[("SRS_SRS_LOG_LEVEL", "warn"), ("SRS_LOG_LEVEL", "error")]);
    assert_eq!(both.srs_log_level, "warn");
}

#[test]
fn without_a_file_there_is_a_default_vhost_and_a_console() {
    let config = environment(&[("SRS_VHOST_HTTP_HOOKS_ON_PUBLISH", "http://a/1 http://a/2")]);
    assert_eq!(config.vhosts[0].name, DEFAULT_VHOST);
    assert_eq!(config.vhosts[0].http_hooks.on_publish, ["http://a/1", "http://a/2"]);
    assert!(!config.daemon);
    assert_eq!(config.srs_log_tank, "console");
    assert!(environment(&[("SRS_DAEMON", "on")]).daemon);
}

#[test]
fn variables_of_vhosts_hold_for_all_of_them_and_lie_over_the_file() {
    let text = "vhost a { play { queue_length 5; } } vhost b { }";
    let variables = [("SRS_VHOST_PLAY_QUEUE_LENGTH", "7"), ("SRS_VHOST_SRT_TO_RTMP", "off")];
    let loaded = read(FILE, text, &variables);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    for vhost in &loaded.config.vhosts {
        assert_eq!(vhost.play.queue_length, Duration::from_secs(7));
        assert!(!vhost.srt.srt_to_rtmp);
    }
    let found: Vec<_> = loaded.findings.iter().map(|it| it.position.to_string()).collect();
    assert!(found.contains(&"SRS_VHOST_PLAY_QUEUE_LENGTH".to_owned()), "{found:?}");
}

#[test]
fn variables_of_blocks_within_vhosts_hold_for_all_of_them() {
    let text = "vhost a { ingest x { engine { } } transcode { engine one { } engine two { } } }";
    let loaded = read(
        FILE,
        text,
        &[("SRS_VHOST_INGEST_ENABLED", "on"), ("SRS_VHOST_TRANSCODE_ENGINE_VBITRATE", "800")],
    );
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let vhost = &loaded.config.vhosts[0];
    assert!(vhost.ingests[0].enabled);
    let rates: Vec<_> = vhost.transcodes[0].engines.iter().map(|it| it.vbitrate).collect();
    assert_eq!(rates, [800, 800]);
}

#[test]
fn a_variable_that_is_wrong_is_an_error_that_names_it() {
    let loaded = read(Source::Environment, "", &[("SRS_HTTP_API_LISTEN", "many")]);
    let told: Vec<_> = loaded.errors().map(ToString::to_string).collect();
    let error = "SRS_HTTP_API_LISTEN: `http_api.listen many`: expected [ip:]port, one or more";
    assert_eq!(told, [error]);
    let loaded = read(Source::ZeroConfig, "", &[("SRS_LISTEN", "8080")]);
    let told: Vec<_> = loaded.errors().map(ToString::to_string).collect();
    assert_eq!(told, ["SRS_LISTEN: `listen` and `http_server.listen` both listen on 8080"]);
}

#[test]
fn an_empty_variable_sets_nothing() {
    assert_eq!(environment(&[("SRS_LISTEN", ""), ("SRS_DAEMON", " ")]), environment(&[]));
}

#[test]
fn variables_that_set_nothing_are_told() {
    let loaded = read(
        FILE,
        "listen 1;",
        &[
            ("SRS_LISTN", "1"),
            ("SRS_VHOST_HLS_ENABLED", "on"),
            ("SRS_CONFIG_FILE", "a.conf"),
            ("PATH", "/bin"),
        ],
    );
    let told: Vec<_> = loaded.warnings().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "SRS_LISTN: names no directive; did you mean SRS_LISTEN?",
            "SRS_VHOST_HLS_ENABLED: sets `vhost.hls.enabled`, but there is no block that it could apply to",
        ]
    );
    assert_eq!(loaded.errors().count(), 0);
}

#[test]
fn a_block_of_options_cannot_be_set_by_a_variable() {
    let text = "vhost a { transcode { engine e { } } }";
    let loaded = read(FILE, text, &[("SRS_VHOST_TRANSCODE_ENGINE_VPARAMS", "x")]);
    let told: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["SRS_VHOST_TRANSCODE_ENGINE_VPARAMS: `vhost.transcode.engine.vparams` is a \
                       block, which no variable can set"]
    );
}

#[test]
fn a_dollar_names_a_variable() {
    let text = "listen $PORTS; rtc_server { candidate $CANDIDATE; } server_id $$ID;";
    let loaded = read(FILE, text, &[("PORTS", "1 2"), ("CANDIDATE", "1.2.3.4"), ("ID", "x")]);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert_eq!(loaded.config.listen.len(), 2);
    assert_eq!(loaded.config.rtc_server.candidate, "1.2.3.4");
    assert_eq!(loaded.config.server_id.as_deref(), Some("$ID"));
    let unset = read(FILE, text, &[("PORTS", "1 2")]);
    assert_eq!(unset.config.rtc_server.candidate, "*");
    let told: Vec<_> = unset.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["a.conf:1:29: `rtc_server.candidate`: the variable CANDIDATE is not set, so \
                       that the default stays; the text itself is written `$$CANDIDATE`"]
    );
}

#[test]
fn every_directive_has_a_variable() {
    // Each is asked for, where there is a block of each kind.
    let text = "stream_caster { } vhost a { ingest i { engine { } } transcode { engine { } } }";
    let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let env = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    let _ = load(FILE, &env, &|_| Ok(text.to_owned()));
    let asked = asked.into_inner();
    for spec in specs() {
        let name = format!("SRS_{}", spec.path.replace('.', "_").to_uppercase());
        assert!(asked.contains(&name), "{name}");
    }
    assert!(specs().len() > 200, "SRS has more than that");
}
