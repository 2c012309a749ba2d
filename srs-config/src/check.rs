//! What directives must be to each other.

mod listen;
mod vhosts;

use std::collections::BTreeSet;

use crate::{Config, Directive, Finding, Position, reading::Reading};

/// Tells what is wrong with a configuration that was read, beyond single values.
pub(crate) fn check(config: &mut Config, root: Option<&Directive>, reading: &mut Reading<'_>) {
    check_server(config, reading);
    listen::check(config, reading);
    vhosts::check(config, root, reading);
}

/// Where the first of `paths` that was set stands.
fn place(findings: &[Finding], paths: &[impl AsRef<str>]) -> Position {
    let found = |path: &_| {
        let path = AsRef::<str>::as_ref(path);
        findings.iter().find(|finding| finding.path == path)
    };
    let anywhere = || findings.first();
    let finding = paths.iter().find_map(found).or_else(anywhere);
    finding.map_or_else(Position::none, |finding| finding.position.clone())
}

fn check_server(config: &Config, reading: &mut Reading<'_>) {
    let mut wrong: Vec<(&[&str], String)> = Vec::new();
    if config.asprocess && config.daemon {
        let text = "`asprocess` and `daemon` exclude each other: set `daemon off`".to_owned();
        wrong.push((&["asprocess"], text));
    }
    let auth = &config.http_api.auth;
    if auth.enabled && (auth.username.is_empty() || auth.password.is_empty()) {
        let text = "`http_api.auth` needs a `username` and a `password`".to_owned();
        wrong.push((&["http_api.auth.enabled"], text));
    }
    if config.http_api.https.enabled && !config.http_api.enabled {
        let text = "`http_api.https` needs `http_api` to be enabled".to_owned();
        wrong.push((&["http_api.https.enabled"], text));
    }
    if config.http_server.https.enabled && !config.http_server.enabled {
        let text = "`http_server.https` needs `http_server` to be enabled".to_owned();
        wrong.push((&["http_server.https.enabled"], text));
    }
    let srt = &config.srt_server;
    if ![0, 16, 24, 32].contains(&srt.pbkeylen) {
        let text = format!("`srt_server.pbkeylen {}`: expected 0, 16, 24 or 32", srt.pbkeylen);
        wrong.push((&["srt_server.pbkeylen"], text));
    }
    let len = srt.passphrase.len();
    if len > 0 && !(10..=79).contains(&len) {
        let text = format!("`srt_server.passphrase` has {len} bytes: expected 10 to 79");
        wrong.push((&["srt_server.passphrase"], text));
    }
    for (paths, text) in wrong {
        let position = place(&reading.findings, paths);
        reading.error(&position, text);
    }
    check_thresholds(config, reading);
}

fn check_thresholds(config: &Config, reading: &mut Reading<'_>) {
    let breaker = &config.circuit_breaker;
    let rising = [breaker.high_threshold, breaker.critical_threshold, breaker.dying_threshold];
    if !rising.is_sorted() {
        let paths = ["high_threshold", "critical_threshold", "dying_threshold"]
            .map(|name| format!("circuit_breaker.{name}"));
        let position = place(&reading.findings, &paths);
        let text = "`circuit_breaker`: the thresholds high, critical and dying must not fall";
        reading.warning(&position, text.to_owned());
    }
}

/// Those of `names` that came before.
fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let mut seen = BTreeSet::new();
    names.map(|name| !seen.insert(name)).collect()
}
