use super::{UrlError, query_value, split_authority, split_query};

/// The vhost of streams that name none.
pub const DEFAULT_VHOST: &str = "__defaultVhost__";
/// The app of streams that name none.
pub const DEFAULT_APP: &str = "__defaultApp__";

/// What Flash encoders put behind the app for "the default instance".
const DEFAULT_INSTANCE: &str = "/_definst_";

/// A stream as a server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamAddress {
    /// `vhost=` or `domain=` of the query; without one the host; without a host [`DEFAULT_VHOST`].
    pub vhost: String,
    /// The host the client connected to; empty if it did not say.
    pub host: String,
    /// The app, without query; may be nested.
    pub app: String,
    /// The stream, without query; never empty.
    pub stream: String,
    /// The whole query with its mark ("?token=…"), or nothing.
    pub param: String,
}

/// Finds the stream meant by the `tcUrl` and `app` of a `connect` and the name of a `publish` or `play`.
///
/// All forms of addresses give the same answer, wherever the client put the query and however it split the path. `app`
/// counts only where `tcUrl` has no path or is no address. Queries of both are joined by `&`.
///
/// # Errors
///
/// [`UrlError::EmptyStream`] if there is no name and none can be guessed from app or query.
pub fn resolve(tc_url: &str, app: &str, stream_name: &str) -> Result<StreamAddress, UrlError> {
    let (host, path) = match split_authority(tc_url) {
        Ok((authority, path)) => (authority.host, path),
        Err(_) => ("", ""),
    };
    let path = Some(path).filter(|path| !path.trim_matches('/').is_empty()).unwrap_or(app);
    let path = plain_marks(path.trim_start_matches('/'));
    let (app, app_query) = split_query(&path);
    let (name, name_query) = split_query(stream_name);

    // The stream is what follows the last slash, wherever the client cut app and name.
    let whole = format!("{}/{}", app.trim_end_matches('/'), name.trim_start_matches('/'))
        .replace(DEFAULT_INSTANCE, "");
    let (app, stream) = whole.rsplit_once('/').unwrap_or(("", &whole));
    let (mut app, mut stream) = (app.trim_matches('/').to_owned(), stream.to_owned());
    let mut param = join_queries(name_query, app_query);
    if stream.is_empty() {
        guess_stream(&mut app, &mut stream, &mut param);
    }
    if stream.is_empty() {
        return Err(UrlError::EmptyStream);
    }
    if app.is_empty() {
        DEFAULT_APP.clone_into(&mut app);
    }

    let named = query_value(&param, "vhost").or_else(|| query_value(&param, "domain"));
    let vhost = match named {
        Some(vhost) if vhost != DEFAULT_VHOST => vhost,
        _ if host.is_empty() => DEFAULT_VHOST,
        _ => host,
    };
    let vhost = vhost.to_owned();
    // A query that only says the default is none.
    if named == Some(DEFAULT_VHOST) && !param.contains('&') {
        param.clear();
    }
    Ok(StreamAddress { vhost, host: host.to_owned(), app, stream, param })
}

/// Turns `app...vhost...v` into `app?vhost=v`: the form for encoders that allow no marks in an address.
fn plain_marks(app: &str) -> String {
    let Some((before, after)) = app.split_once("...") else { return app.to_owned() };
    let mut parts = after.split("...");
    let mut query = String::new();
    while let Some(key) = parts.next() {
        query.push_str(if query.is_empty() { "?" } else { "&" });
        query.push_str(key);
        if let Some(value) = parts.next() {
            query.push('=');
            query.push_str(value);
        }
    }
    format!("{before}{query}")
}

fn join_queries(first: &str, second: &str) -> String {
    match (first.len(), second.get(1..).unwrap_or_default()) {
        (0, _) => second.to_owned(),
        (_, "") => first.to_owned(),
        (_, second) => format!("{first}&{second}"),
    }
}

/// The clients of a server that gave its whole address as `tcUrl` send no name.
fn guess_stream(app: &mut String, stream: &mut String, param: &mut String) {
    if let Some((before, after)) = app.split_once('/') {
        (*app, *stream) = (before.to_owned(), after.to_owned());
    } else if let Some((before, after)) = param.split_once('/') {
        (*param, *stream) = (before.to_owned(), after.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(tc_url: &str, name: &str, [vhost, app, stream, param]: [&str; 4]) {
        let address = resolve(tc_url, "unused", name).unwrap();
        assert_eq!(
            [&address.vhost, &address.app, &address.stream, &address.param],
            [vhost, app, stream, param],
            "{tc_url} {name}"
        );
    }

    #[test]
    fn every_form_names_the_same_stream() {
        let vhost = ["v", "live", "s", "?vhost=v"];
        is("rtmp://h/live", "s?vhost=v", vhost);
        is("rtmp://h/live?vhost=v", "s", vhost);
        is("rtmp://h/live#vhost=v", "s", ["v", "live", "s", "#vhost=v"]);
        is("rtmp://h/live...vhost...v", "s", vhost);
        is("rtmp://h/live", "s?domain=v", ["v", "live", "s", "?domain=v"]);
        is("rtmp://v:1935/live", "s", ["v", "live", "s", ""]);
        is("rtmp://[::1]:1935/live/", "s", ["::1", "live", "s", ""]);
        is("rtmp://h/live/_definst_", "s", ["h", "live", "s", ""]);
        is("rtmp://h/live/_definst_?vhost=v", "s", vhost);
        is("rtmp://h/live", "_definst_/s", ["h", "live", "s", ""]);
        is("rtmp://u:p@h/live", "s", ["h", "live", "s", ""]);
    }

    #[test]
    fn nested_apps() {
        is("rtmp://h/a/b", "s", ["h", "a/b", "s", ""]);
        is("rtmp://h/a", "b/s", ["h", "a/b", "s", ""]);
        is("rtmp://h/a", "/s", ["h", "a", "s", ""]);
    }

    #[test]
    fn the_query_is_kept_whole() {
        is("rtmp://h/live", "s?token=a/b==", ["h", "live", "s", "?token=a/b=="]);
        is("rtmp://h/live?vhost=v", "s?token=t", ["v", "live", "s", "?token=t&vhost=v"]);
        is("rtmp://h/live?", "s?token=t", ["h", "live", "s", "?token=t"]);
    }

    #[test]
    fn the_default_vhost() {
        is("rtmp://h/live", "s?vhost=__defaultVhost__", ["h", "live", "s", ""]);
        is(
            "rtmp://h/live",
            "s?vhost=__defaultVhost__&t=1",
            ["h", "live", "s", "?vhost=__defaultVhost__&t=1"],
        );
        let address = resolve("", "live", "s").unwrap();
        assert_eq!((address.vhost.as_str(), address.host.as_str()), (DEFAULT_VHOST, ""));
    }

    #[test]
    fn the_default_app() {
        let address = resolve("rtmp://h", "", "s").unwrap();
        assert_eq!(address.app, DEFAULT_APP);
        assert_eq!(resolve("rtmp://h/", "live", "s").unwrap().app, "live");
    }

    #[test]
    fn an_empty_name_is_guessed() {
        is("rtmp://h/live/livestream", "", ["h", "live", "livestream", ""]);
        is("rtmp://h/live/livestream?token=t", "", ["h", "live", "livestream", "?token=t"]);
        is("rtmp://h/live?vhost=v/livestream", "", ["v", "live", "livestream", "?vhost=v"]);
        assert_eq!(resolve("rtmp://h/live", "live", ""), Err(UrlError::EmptyStream));
        assert_eq!(resolve("", "", ""), Err(UrlError::EmptyStream));
    }
}
