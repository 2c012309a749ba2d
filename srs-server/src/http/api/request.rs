//! Requests as they come, and as the routes know them.

use axum::{
    extract::Request,
    http::{Method, Uri, uri::PathAndQuery},
};

use super::query::Query;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Original {
    pub(super) method: Method,
    pub(super) uri: Uri,
}

/// The lists that heed the method.
const RESOURCES: [&str; 3] = ["vhosts", "streams", "clients"];

/// Brings a request into the form that the routes know: no slash at the end, and `GET` wherever
/// SRS doesn't look at the method.
pub(super) fn normalise(mut request: Request) -> Request {
    let original = Original { method: request.method().clone(), uri: request.uri().clone() };
    let path = original.uri.path();
    let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
    let resource = path
        .strip_prefix("/api/v1/")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        .filter(|(name, _)| RESOURCES.contains(name));
    match resource {
        // A script element can do nothing but GET.
        Some(_) if original.method == Method::GET => {
            let query = Query::of(&original.uri);
            if !query.get("callback").is_empty()
                && let Ok(method @ (Method::DELETE | Method::POST | Method::PUT)) =
                    query.get("method").parse()
            {
                *request.method_mut() = method;
            }
        }
        Some(_) => {}
        None if original.method == Method::HEAD => {}
        None => *request.method_mut() = Method::GET,
    }
    let path = match resource {
        // No id has a slash, and so whatever follows is no stream's or client's.
        Some((name, id)) if id.contains('/') => {
            format!("/api/v1/{name}/{}", id.replace('/', "%2F"))
        }
        _ => path.to_owned(),
    };
    if path != original.uri.path() {
        let query = original.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(uri) = format!("{path}{query}").parse::<PathAndQuery>() {
            *request.uri_mut() = uri.into();
        }
    }
    request.extensions_mut().insert(original);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(method: Method, uri: &str) -> (Method, String) {
        let mut request = Request::default();
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        let request = normalise(request);
        (request.method().clone(), request.uri().to_string())
    }

    #[test]
    fn slashes_at_the_end_go() {
        for (given, expected) in [
            ("/", "/"),
            ("/api/", "/api"),
            ("/api/v1/streams/", "/api/v1/streams"),
            ("/api/v1/streams/abc/?a=/", "/api/v1/streams/abc?a=/"),
            ("/api/v1/streams/a/b", "/api/v1/streams/a%2Fb"),
            ("/api/v1/versions/x/", "/api/v1/versions/x"),
        ] {
            assert_eq!(normalised(Method::GET, given), (Method::GET, expected.to_owned()));
        }
    }

    #[test]
    fn only_resources_heed_the_method() {
        let of = |method, uri| normalised(method, uri).0;
        assert_eq!(of(Method::POST, "/api/v1/versions"), Method::GET);
        assert_eq!(of(Method::HEAD, "/api/v1/versions"), Method::HEAD);
        assert_eq!(of(Method::POST, "/api/v1/streams"), Method::POST);
        assert_eq!(of(Method::GET, "/api/v1/clients/x?method=DELETE"), Method::GET);
        assert_eq!(of(Method::GET, "/api/v1/clients/x?callback=f&method=DELETE"), Method::DELETE);
        assert_eq!(of(Method::GET, "/api/v1/clients/x?callback=f&method=%3C%3E"), Method::GET);
    }
}
