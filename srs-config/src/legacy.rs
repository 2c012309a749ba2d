//! Old spellings, rewritten to those of today before anything is read.

use crate::{Directive, block::codec::join, reading::Reading, report::shortened};

/// What an old directive has become.
enum Change {
    /// It has another name.
    Renamed(&'static str),
    /// It stands in a block now, under this name.
    MovedInto(&'static str, &'static str),
    /// It stands in a block now, under this name, and the block must be enabled.
    MovedAndEnabled(&'static str, &'static str),
    /// It was a block; its directives stand in another one (or here) now, under new names.
    Unfolded(&'static str, &'static [(&'static str, &'static str)]),
    /// It is a switch now, which is on where the old one had this value.
    Switch(&'static str, &'static str),
    /// It has no effect, in SRS neither.
    Gone,
}

use Change::*;

/// The block, the old name, and what becomes of it.
const CHANGES: [(&str, &str, Change); 48] = [
    ("", "http_stream", Renamed("http_server")),
    // This one is new, of SRS 7; the directives here keep their old place.
    ("", "rtmp", Unfolded("", &[("listen", "listen"), ("chunk_size", "chunk_size")])),
    ("rtc_server", "perf_stat", Gone),
    ("rtc_server", "queue_length", Gone),
    ("srt_server", "tlpkdrop", Renamed("tlpktdrop")),
    ("stream_caster", "tcp_enable", Gone),
    ("stream_caster", "rtp_port_min", Gone),
    ("stream_caster", "rtp_port_max", Gone),
    ("stream_caster", "wait_keyframe", Gone),
    ("stream_caster", "rtp_idle_timeout", Gone),
    ("stream_caster", "audio_enable", Gone),
    ("stream_caster", "auto_create_channel", Gone),
    ("stream_caster", "host", MovedInto("sip", "candidate")),
    ("stream_caster.sip", "serial", Gone),
    ("stream_caster.sip", "realm", Gone),
    ("stream_caster.sip", "ack_timeout", Gone),
    ("stream_caster.sip", "keepalive_timeout", Gone),
    ("stream_caster.sip", "invite_port_fixed", Gone),
    ("stream_caster.sip", "query_catalog_interval", Gone),
    ("stream_caster.sip", "auto_play", Gone),
    ("vhost", "http", Renamed("http_static")),
    ("vhost.http_remux", "hstrs", Gone),
    ("vhost", "refer", MovedAndEnabled("refer", "all")),
    ("vhost", "refer_play", MovedAndEnabled("refer", "play")),
    ("vhost", "refer_publish", MovedAndEnabled("refer", "publish")),
    ("vhost", "mr", Unfolded("publish", &[("enabled", "mr"), ("latency", "mr_latency")])),
    ("vhost", "publish_1stpkt_timeout", MovedInto("publish", "firstpkt_timeout")),
    ("vhost", "publish_normal_timeout", MovedInto("publish", "normal_timeout")),
    ("vhost", "time_jitter", MovedInto("play", "time_jitter")),
    ("vhost", "mix_correct", MovedInto("play", "mix_correct")),
    ("vhost", "atc", MovedInto("play", "atc")),
    ("vhost", "atc_auto", MovedInto("play", "atc_auto")),
    ("vhost", "mw_latency", MovedInto("play", "mw_latency")),
    ("vhost", "gop_cache", MovedInto("play", "gop_cache")),
    ("vhost", "gop_cache_max_frames", MovedInto("play", "gop_cache_max_frames")),
    ("vhost", "queue_length", MovedInto("play", "queue_length")),
    ("vhost", "send_min_interval", MovedInto("play", "send_min_interval")),
    ("vhost", "reduce_sequence_header", MovedInto("play", "reduce_sequence_header")),
    ("vhost", "forward", MovedAndEnabled("forward", "destination")),
    ("vhost", "mode", MovedInto("cluster", "mode")),
    ("vhost", "origin", MovedInto("cluster", "origin")),
    ("vhost", "token_traverse", MovedInto("cluster", "token_traverse")),
    ("vhost", "vhost", MovedInto("cluster", "vhost")),
    ("vhost", "debug_srs_upnode", MovedInto("cluster", "debug_srs_upnode")),
    ("vhost", "nack", Unfolded("rtc", &[("enabled", "nack"), ("no_copy", "nack_no_copy")])),
    ("vhost", "twcc", Unfolded("rtc", &[("enabled", "twcc")])),
    ("vhost.rtc", "aac", Switch("rtmp_to_rtc", "transcode")),
    ("vhost.rtc", "bframe", Switch("keep_bframe", "keep")),
];

/// Rewrites the old spellings in a whole configuration. What is moved keeps its position, and a
/// warning tells where it belongs now.
pub(crate) fn rewrite(directives: &mut Vec<Directive>, reading: &mut Reading<'_>) {
    rewrite_block(directives, "", reading);
}

fn rewrite_block(block: &mut Vec<Directive>, path: &str, reading: &mut Reading<'_>) {
    // Almost every block has no old spelling.
    if block.iter().any(|directive| change(path, directive).is_some()) {
        let mut moved = Vec::new();
        for directive in std::mem::take(block) {
            match change(path, &directive) {
                Some(change) => apply(directive, change, path, block, &mut moved, reading),
                None => block.push(directive),
            }
        }
        for target in ["", "sip", "publish", "play", "refer", "forward", "cluster", "rtc"] {
            move_into(block, target, &mut moved);
        }
    }
    for directive in block {
        let path = join(path, &directive.name);
        if let Some(children) = &mut directive.children {
            rewrite_block(children, &path, reading);
        }
    }
}

/// What becomes of a directive; `None` for one of today.
fn change(path: &str, directive: &Directive) -> Option<&'static Change> {
    let is_it = |row: &&(&str, &str, Change)| row.0 == path && row.1 == directive.name;
    let change = &CHANGES.iter().find(is_it)?.2;
    // The same name may be a block of today.
    let is_old = match change {
        MovedInto(..) | MovedAndEnabled(..) => directive.children.is_none(),
        Unfolded(..) => directive.children.is_some(),
        Renamed(_) | Switch(..) | Gone => true,
    };
    is_old.then_some(change)
}

fn apply(
    mut directive: Directive,
    change: &Change,
    path: &str,
    block: &mut Vec<Directive>,
    moved: &mut Vec<Moved>,
    reading: &mut Reading<'_>,
) {
    let old = join(path, &directive.name);
    let position = directive.position.clone();
    let now = |target: &str, name: &str| join(path, &join(target, name));
    let told = match *change {
        Renamed(name) => {
            directive.name = name.to_owned();
            block.push(directive);
            format!("is now `{}`", now("", name))
        }
        MovedInto(target, name) | MovedAndEnabled(target, name) => {
            directive.name = name.to_owned();
            let must_be_enabled = matches!(change, MovedAndEnabled(..));
            moved.push(Moved { target, directive, must_be_enabled });
            format!("is now `{}`", now(target, name))
        }
        Unfolded(target, names) => {
            for mut child in directive.children.unwrap_or_default() {
                match names.iter().find(|(old, _)| *old == child.name) {
                    Some((_, name)) => {
                        child.name = (*name).to_owned();
                        moved.push(Moved { target, directive: child, must_be_enabled: false });
                    }
                    None => {
                        let name = shortened(&child.name);
                        let text = format!("unknown directive `{name}` in `{old}`");
                        reading.error(&child.position, text);
                    }
                }
            }
            if target.is_empty() {
                return;
            }
            format!("is now part of `{}`", join(path, target))
        }
        Switch(name, on) => {
            let value = if directive.arg() == on { "on" } else { "off" };
            let new =
                Directive { name: name.to_owned(), args: vec![value.to_owned()], ..directive };
            block.push(new);
            format!("is now `{} {value}`", now("", name))
        }
        Gone => "has no effect any more".to_owned(),
    };
    reading.warning(&position, format!("`{old}` is an old spelling: it {told}"));
}

/// Puts those of the moved directives that belong there into a block among `block`'s directives,
/// or into `block` itself, before all others and the last of them first: as in SRS, the last old
/// spelling counts.
fn move_into(block: &mut Vec<Directive>, target: &str, moved: &mut Vec<Moved>) {
    let (here, others): (Vec<Moved>, Vec<Moved>) =
        std::mem::take(moved).into_iter().partition(|moved| moved.target == target);
    *moved = others;
    let Some(first) = here.first() else { return };
    let position = first.directive.position.clone();
    let must_be_enabled = here.iter().any(|moved| moved.must_be_enabled);
    let here = here.into_iter().rev().map(|moved| moved.directive);
    if target.is_empty() {
        block.splice(0..0, here);
        return;
    }
    let is_target = |it: &Directive| it.name == target && it.children.is_some();
    if !block.iter().any(is_target) {
        let (name, children) = (target.to_owned(), Some(Vec::new()));
        block.push(Directive { name, args: Vec::new(), children, position: position.clone() });
    }
    let Some(target) = block.iter_mut().find(|it| is_target(it)) else { return };
    let children = target.children.get_or_insert_default();
    if must_be_enabled && !children.iter().any(|child| child.name == "enabled") {
        let (name, args) = ("enabled".to_owned(), vec!["on".to_owned()]);
        children.push(Directive { name, args, children: None, position });
    }
    children.splice(0..0, here);
}

/// A directive that belongs into another block of the same parent.
struct Moved {
    target: &'static str,
    directive: Directive,
    must_be_enabled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Loaded, Source, load};

    fn read(text: &str) -> Loaded {
        load(Source::File("a.conf"), &|_| None, &|_| Ok(text.to_owned()))
    }

    /// An old text, and what it means.
    const CASES: [(&str, &str); 48] = [
        ("http_stream { listen 81; }", "http_server { listen 81; }"),
        ("rtmp { listen 1936; chunk_size 4096; }", "listen 1936; chunk_size 4096;"),
        ("rtc_server { perf_stat on; }", ""),
        ("rtc_server { queue_length 10; }", ""),
        ("srt_server { tlpkdrop off; }", "srt_server { tlpktdrop off; }"),
        ("stream_caster { tcp_enable on; }", "stream_caster { }"),
        ("stream_caster { rtp_port_min 1; }", "stream_caster { }"),
        ("stream_caster { rtp_port_max 1; }", "stream_caster { }"),
        ("stream_caster { wait_keyframe on; }", "stream_caster { }"),
        ("stream_caster { rtp_idle_timeout 1; }", "stream_caster { }"),
        ("stream_caster { audio_enable on; }", "stream_caster { }"),
        ("stream_caster { auto_create_channel on; }", "stream_caster { }"),
        ("stream_caster { host 1.2.3.4; }", "stream_caster { sip { candidate 1.2.3.4; } }"),
        ("stream_caster { sip { serial 3; } }", "stream_caster { }"),
        ("stream_caster { sip { realm 3; } }", "stream_caster { }"),
        ("stream_caster { sip { ack_timeout 3; } }", "stream_caster { }"),
        ("stream_caster { sip { keepalive_timeout 3; } }", "stream_caster { }"),
        ("stream_caster { sip { invite_port_fixed on; } }", "stream_caster { }"),
        ("stream_caster { sip { query_catalog_interval 3; } }", "stream_caster { }"),
        ("stream_caster { sip { auto_play on; } }", "stream_caster { }"),
        ("vhost a { http { enabled on; } }", "vhost a { http_static { enabled on; } }"),
        ("vhost a { http_remux { hstrs on; } }", "vhost a { }"),
        ("vhost a { refer b.c d.e; }", "vhost a { refer { enabled on; all b.c d.e; } }"),
        ("vhost a { refer_play b; }", "vhost a { refer { enabled on; play b; } }"),
        ("vhost a { refer_publish b; }", "vhost a { refer { enabled on; publish b; } }"),
        (
            "vhost a { mr { enabled on; latency 500; } }",
            "vhost a { publish { mr on; mr_latency 500; } }",
        ),
        (
            "vhost a { publish_1stpkt_timeout 9000; }",
            "vhost a { publish { firstpkt_timeout 9000; } }",
        ),
        (
            "vhost a { publish_normal_timeout 9000; }",
            "vhost a { publish { normal_timeout 9000; } }",
        ),
        ("vhost a { time_jitter zero; }", "vhost a { play { time_jitter zero; } }"),
        ("vhost a { mix_correct on; }", "vhost a { play { mix_correct on; } }"),
        ("vhost a { atc on; }", "vhost a { play { atc on; } }"),
        ("vhost a { atc_auto on; }", "vhost a { play { atc_auto on; } }"),
        ("vhost a { mw_latency 10; }", "vhost a { play { mw_latency 10; } }"),
        ("vhost a { gop_cache off; }", "vhost a { play { gop_cache off; } }"),
        ("vhost a { gop_cache_max_frames 9; }", "vhost a { play { gop_cache_max_frames 9; } }"),
        ("vhost a { queue_length 9; }", "vhost a { play { queue_length 9; } }"),
        ("vhost a { send_min_interval 9; }", "vhost a { play { send_min_interval 9; } }"),
        (
            "vhost a { reduce_sequence_header on; }",
            "vhost a { play { reduce_sequence_header on; } }",
        ),
        (
            "vhost a { forward b:1 c:2; }",
            "vhost a { forward { enabled on; destination b:1 c:2; } }",
        ),
        ("vhost a { mode remote; }", "vhost a { cluster { mode remote; } }"),
        ("vhost a { origin b:1; }", "vhost a { cluster { origin b:1; } }"),
        ("vhost a { token_traverse on; }", "vhost a { cluster { token_traverse on; } }"),
        ("vhost a { vhost b; }", "vhost a { cluster { vhost b; } }"),
        ("vhost a { debug_srs_upnode off; }", "vhost a { cluster { debug_srs_upnode off; } }"),
        (
            "vhost a { nack { enabled off; no_copy off; } }",
            "vhost a { rtc { nack off; nack_no_copy off; } }",
        ),
        ("vhost a { twcc { enabled off; } }", "vhost a { rtc { twcc off; } }"),
        ("vhost a { rtc { aac transcode; } }", "vhost a { rtc { rtmp_to_rtc on; } }"),
        ("vhost a { rtc { bframe keep; } }", "vhost a { rtc { keep_bframe on; } }"),
    ];

    #[test]
    fn every_old_spelling_means_what_is_written_today() {
        for ((old, new), (_, name, _)) in CASES.iter().zip(&CHANGES) {
            assert!(
                old.contains(name),
                "a case per change, in their order: {old} is not for {name}"
            );
            let (old, new) = (read(old), read(new));
            assert_eq!(old.errors().collect::<Vec<_>>(), [] as [&crate::Problem; 0], "{name}");
            assert_eq!(old.config, new.config, "{name}");
            if *name != "rtmp" {
                let told =
                    old.warnings().filter(|it| it.text.contains("is an old spelling")).count();
                assert_eq!(told, 1, "{name}");
            }
        }
    }

    #[test]
    fn what_is_moved_keeps_its_position() {
        let loaded = read("vhost a {\n  gop_cache maybe;\n}");
        let error = loaded.errors().next().unwrap();
        assert_eq!(
            error.to_string(),
            "a.conf:2:3: `vhost.play.gop_cache maybe`: expected on or off"
        );
        let warning = loaded.warnings().next().unwrap();
        assert_eq!(
            warning.to_string(),
            "a.conf:2:3: `vhost.gop_cache` is an old spelling: it is now `vhost.play.gop_cache`"
        );
    }

    #[test]
    fn the_old_spelling_counts_where_both_are_there() {
        let loaded =
            read("vhost a { play { gop_cache on; mw_latency 9; } gop_cache off; atc on; }");
        let play = &loaded.config.vhosts[0].play;
        assert!(!play.gop_cache && play.atc);
        assert_eq!(play.mw_latency, Some(std::time::Duration::from_millis(9)));
        assert!(loaded.warnings().any(|it| it.text.contains("stands at a.conf:1:48 already")));
        let refer = read("vhost a { refer b; refer_play c; }").config.vhosts[0].refer.clone();
        assert_eq!((refer.all, refer.play), (vec!["b".to_owned()], vec!["c".to_owned()]));
    }

    #[test]
    fn what_an_old_block_never_had_is_an_error() {
        let loaded = read("rtmp { listen 1; lisen 2; }\nvhost a { mr { latenci 1; } }");
        let errors: Vec<_> = loaded.errors().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "a.conf:1:18: unknown directive `lisen` in `rtmp`",
                "a.conf:2:16: unknown directive `latenci` in `vhost.mr`",
            ]
        );
    }
}
