//! Where live streams are: the paths that a vhost's `mount` stands for.

use srs_config::HttpRemux;

use super::Format;

/// Where streams are unless a vhost says otherwise.
const DEFAULT: &str = "[vhost]/[app]/[stream].flv";
/// What stands for the virtual host.
const VHOST: &str = "[vhost]";

/// What a path names. What the mount has no variable for isn't known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) app: Option<&'a str>,
    pub(super) stream: Option<&'a str>,
    pub(super) format: Format,
}

/// What `path`, without its first slash, names where `remux` says so of a vhost; `host` is what the
/// client asked.
///
/// The mount's extension is the format; `formats` may take its place. A mount that doesn't begin
/// with a slash begins with the host. As many segments are looked for as the mount has, but where
/// it is the default one, apps may have several.
pub(super) fn find<'a>(
    remux: &HttpRemux,
    vhost: &str,
    host: &str,
    path: &'a str,
) -> Option<Found<'a>> {
    let (mount_host, mount) = remux.mount.split_once('/')?;
    if !mount_host.is_empty() && ![VHOST, host, vhost].contains(&mount_host) {
        return None;
    }
    let mount = mount.replace(VHOST, vhost);
    let (mount, own) = mount.rsplit_once('.')?;
    let (path, extension) = path.rsplit_once('.')?;
    if extension != own && !remux.formats.iter().any(|other| other == extension) {
        return None;
    }
    let format = Format::of(extension)?;
    if remux.mount == DEFAULT {
        let (app, stream) = path.rsplit_once('/')?;
        let is_whole = !stream.is_empty() && app.split('/').all(|segment| !segment.is_empty());
        return is_whole.then_some(Found { app: Some(app), stream: Some(stream), format });
    }
    let mut found = Found { app: None, stream: None, format };
    let (mut patterns, mut segments) = (mount.split('/'), path.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return Some(found),
            (Some(pattern), Some(segment)) => take(pattern, segment, &mut found)?,
            _ => return None,
        }
    }
}

/// Takes one segment of a path; `None` where it doesn't match.
fn take<'a>(pattern: &str, segment: &'a str, found: &mut Found<'a>) -> Option<()> {
    let (mut pattern, mut rest) = (pattern, segment);
    while let Some((before, is_app, after)) = variable(pattern) {
        rest = rest.strip_prefix(before)?;
        // The text up to the next variable ends this one; the last text is at the very end.
        let (value, left) = match variable(after) {
            None => (rest.strip_suffix(after)?, ""),
            Some((text, ..)) if !text.is_empty() => rest.split_at(rest.find(text)?),
            // Nothing is between the two: the first takes all, and the second nothing.
            Some(_) => return None,
        };
        if value.is_empty() {
            return None;
        }
        *(if is_app { &mut found.app } else { &mut found.stream }) = Some(value);
        pattern = if left.is_empty() { "" } else { after };
        rest = left;
    }
    (pattern == rest).then_some(())
}

/// The first variable: the text before it, whether it is the app, and the text after it.
fn variable(pattern: &str) -> Option<(&str, bool, &str)> {
    let app = pattern.split_once("[app]").map(|(before, after)| (before, true, after));
    let stream = pattern.split_once("[stream]").map(|(before, after)| (before, false, after));
    [app, stream].into_iter().flatten().min_by_key(|(before, ..)| before.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remux(mount: &str, formats: &[&str]) -> HttpRemux {
        let mut remux = HttpRemux::default();
        remux.mount = mount.to_owned();
        remux.formats = formats.iter().map(|&format| format.to_owned()).collect();
        remux
    }

    /// What paths name: app, stream and extension.
    #[track_caller]
    fn is(mount: &str, paths: &[(&str, Option<(&str, &str)>)]) {
        let remux = remux(mount, &[]);
        for &(path, expected) in paths {
            let found = find(&remux, "v.example", "10.0.0.1", path);
            let names = found.map(|found| (found.app.unwrap_or("-"), found.stream.unwrap_or("-")));
            assert_eq!(names, expected, "{path} at {mount}");
        }
    }

    #[test]
    fn the_default_mount_takes_nested_apps() {
        is(
            DEFAULT,
            &[
                ("live/a.flv", Some(("live", "a"))),
                ("a/b/c.flv", Some(("a/b", "c"))),
                ("live/a.b.flv", Some(("live", "a.b"))),
                ("live/a.ts", None),
                ("a.flv", None),
                ("live/.flv", None),
                ("/a.flv", None),
                ("live//a.flv", None),
                ("live/a", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn other_mounts_have_as_many_segments_as_they_say() {
        is(
            "[vhost]/x/[app]/[stream].flv",
            &[
                ("x/live/a.flv", Some(("live", "a"))),
                ("y/live/a.flv", None),
                ("live/a.flv", None),
                ("x/a/b/c.flv", None),
            ],
        );
        is("/hot/[stream].ts", &[("hot/a.ts", Some(("-", "a"))), ("hot/a.flv", None)]);
        is("/[app]/index.aac", &[("b/index.aac", Some(("b", "-"))), ("b/c.aac", None)]);
        is("/only.mp3", &[("only.mp3", Some(("-", "-"))), ("only/a.mp3", None)]);
    }

    #[test]
    fn a_segment_may_have_text_around_its_variables() {
        is(
            "/[app]-[stream].x.flv",
            &[
                ("live-a.x.flv", Some(("live", "a"))),
                ("live-a-b.x.flv", Some(("live", "a-b"))),
                ("live-.x.flv", None),
                ("-a.x.flv", None),
                ("live.x.flv", None),
                ("live-a.flv", None),
            ],
        );
        is("/[stream]@[app].flv", &[("a@live.flv", Some(("live", "a")))]);
        is("/[app][stream].flv", &[("livea.flv", None)]);
    }

    #[test]
    fn the_host_may_be_part_of_the_mount() {
        is("/[vhost]/[app]/[stream].flv", &[("v.example/live/a.flv", Some(("live", "a")))]);
        is("v.example/[app]/[stream].flv", &[("live/a.flv", Some(("live", "a")))]);
        is("10.0.0.1/[app]/[stream].flv", &[("live/a.flv", Some(("live", "a")))]);
        is("w.example/[app]/[stream].flv", &[("live/a.flv", None)]);
    }

    #[test]
    fn a_mount_that_names_no_format_is_nowhere() {
        for mount in ["", "/", "[vhost]", "[vhost]/[app]/[stream]", "/[app]/[stream].m3u8"] {
            is(mount, &[("live/a.flv", None), ("live/a.m3u8", None), ("live/a", None)]);
        }
    }

    #[test]
    fn further_formats_take_the_place_of_the_extension() {
        let remux = remux(DEFAULT, &["ts", "aac", "m3u8"]);
        let format = |path| find(&remux, "v", "h", path).map(|found| found.format);
        let formats = ["live/a.flv", "live/a.ts", "live/a.aac", "live/a.mp3", "live/a.m3u8"];
        let expected = [Some(Format::Flv), Some(Format::Ts), Some(Format::Aac), None, None];
        assert_eq!(formats.map(format), expected);
    }
}
