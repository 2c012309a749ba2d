//! What is wrong within a vhost, and among them.

use std::time::Duration;

use super::{place, repeated};
use crate::{Config, Directive, Position, Vhost, reading::Reading, report::shortened};

pub(super) fn check(config: &mut Config, root: Option<&Directive>, reading: &mut Reading<'_>) {
    // The vhosts were read in this order, where they come from a file.
    let nodes: Vec<&Directive> = root
        .map(Directive::children)
        .unwrap_or_default()
        .iter()
        .filter(|directive| directive.name == "vhost")
        .collect();
    for (at, vhost) in config.vhosts.iter().enumerate() {
        let node = nodes.get(at).copied();
        let position = |reading: &Reading<'_>, path: &[&str]| match node {
            Some(node) => place_in(node, path),
            None => place(&reading.findings, &[format!("vhost.{}", path.join("."))]),
        };
        if vhost.name.is_empty() {
            let position = position(reading, &[]);
            reading.warning(&position, "a vhost without a name serves nobody".to_owned());
        }
        for (path, text) in errors(vhost) {
            let position = position(reading, path);
            reading.error(&position, text.to_owned());
        }
        for (path, text) in warnings(vhost) {
            let position = position(reading, path);
            reading.warning(&position, text.to_owned());
        }
        for (path, url) in hooks_without_scheme(vhost) {
            let position = position(reading, &path);
            let url = shortened(url);
            let text = format!(
                "`{} {url}`: no URL of http:// or https://; as nobody answers there, who is asked \
                 about is refused",
                path.join(".")
            );
            reading.warning(&position, text);
        }
        check_ingests(vhost, node, reading);
    }
    drop_repeated(config, &nodes, reading);
}

/// What SRS refuses too.
fn errors(vhost: &Vhost) -> Vec<(&'static [&'static str], &'static str)> {
    let mut errors: Vec<(&'static [&'static str], _)> = Vec::new();
    if vhost.forward.enabled && vhost.publish.kickoff_for_idle > Duration::ZERO {
        errors.push((
            &["publish", "kickoff_for_idle"],
            "`publish.kickoff_for_idle` and `forward` exclude each other: who is forwarded to is \
             no player",
        ));
    }
    errors
}

/// What SRS takes, and what cannot have been meant.
fn warnings(vhost: &Vhost) -> Vec<(&'static [&'static str], &'static str)> {
    let mut warnings: Vec<(&'static [&'static str], _)> = Vec::new();
    if vhost.hls.enabled && vhost.hls.hls_window < vhost.hls.hls_fragment {
        warnings.push((
            &["hls", "hls_window"],
            "`hls.hls_window` is shorter than `hls.hls_fragment`: there is no room for a segment",
        ));
    }
    if vhost.cluster.mode == "remote" && vhost.cluster.origin.is_empty() {
        let text = "`cluster.mode remote` without `cluster.origin`: there is nobody to ask";
        warnings.push((&["cluster", "mode"], text));
    }
    let forward = &vhost.forward;
    if forward.enabled && forward.destination.is_empty() && forward.backend.is_empty() {
        let text = "`forward` without `destination` and `backend` has no effect";
        warnings.push((&["forward", "enabled"], text));
    }
    let remux = &vhost.http_remux;
    let is_format = |extension: &str| ["flv", "ts", "aac", "mp3"].contains(&extension);
    let extension = remux.mount.rsplit_once('.').map_or("", |(_, extension)| extension);
    if remux.enabled && remux.formats.is_empty() && !is_format(extension) {
        let text = "`http_remux.mount` ends with none of .flv, .ts, .aac and .mp3: nothing is \
                    served there";
        warnings.push((&["http_remux", "mount"], text));
    }
    let security = &vhost.security;
    if security.enabled && security.allow.is_empty() && security.deny.is_empty() {
        warnings.push((&["security", "enabled"], "`security` without a rule denies everybody"));
    }
    warnings
}

/// Hooks that SRS takes too, and never reaches.
fn hooks_without_scheme(vhost: &Vhost) -> Vec<([&'static str; 2], &str)> {
    let hooks = &vhost.http_hooks;
    if !hooks.enabled {
        return Vec::new();
    }
    let has_scheme = |url: &str| {
        let is = |scheme: &str| {
            url.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme))
        };
        is("http://") || is("https://")
    };
    let lists = [
        ("on_connect", &hooks.on_connect),
        ("on_close", &hooks.on_close),
        ("on_publish", &hooks.on_publish),
        ("on_unpublish", &hooks.on_unpublish),
        ("on_play", &hooks.on_play),
        ("on_stop", &hooks.on_stop),
        ("on_dvr", &hooks.on_dvr),
        ("on_hls", &hooks.on_hls),
        ("on_hls_notify", &hooks.on_hls_notify),
    ];
    lists
        .into_iter()
        .flat_map(|(name, urls)| urls.iter().map(move |url| (["http_hooks", name], url.as_str())))
        .filter(|(_, url)| !has_scheme(url))
        .collect()
}

fn check_ingests(vhost: &Vhost, node: Option<&Directive>, reading: &mut Reading<'_>) {
    let ids = vhost.ingests.iter().map(|ingest| ingest.name.as_str());
    let nodes = node.map(Directive::children).unwrap_or_default();
    let nodes = nodes.iter().filter(|directive| directive.name == "ingest");
    for ((ingest, node), is_repeated) in vhost.ingests.iter().zip(nodes).zip(repeated(ids)) {
        if is_repeated {
            let name = shortened(&ingest.name);
            reading.error(
                &node.position,
                format!("a second `ingest {name}`: each needs a name of its own"),
            );
        }
    }
}

/// Of vhosts with the same name, the first counts.
fn drop_repeated(config: &mut Config, nodes: &[&Directive], reading: &mut Reading<'_>) {
    let repeated = repeated(config.vhosts.iter().map(|vhost| vhost.name.as_str()));
    for (node, _) in nodes.iter().zip(&repeated).filter(|(_, is_repeated)| **is_repeated) {
        let name = node.args.join(" ");
        let first = nodes.iter().find(|first| first.args == node.args);
        let first = first.map_or_else(Position::none, |first| first.position.clone());
        let name = shortened(&name);
        let text = format!("`vhost {name}` stands at {first} already, which counts");
        reading.warning(&node.position, text);
    }
    let mut repeated = repeated.into_iter();
    config.vhosts.retain(|_| !repeated.next().unwrap_or(false));
}

/// Where the directive at `path` in a block stands, or what of the path there is.
fn place_in(block: &Directive, path: &[&str]) -> Position {
    let mut at = block;
    for name in path {
        match at.children().iter().find(|child| child.name == *name) {
            Some(child) => at = child,
            None => break,
        }
    }
    at.position.clone()
}
