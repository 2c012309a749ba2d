//! Signalling of WebRTC: WHIP (RFC 9725) and WHEP, and SRS's own API in JSON, on every port.

mod body;
mod description;
mod json;
mod problem;
mod stream;
mod whip;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

pub(super) use self::description::Description;
use self::problem::Problem;
use super::{Connection, Site};
use crate::{
    rtc::{Role, Rtc},
    server::Shared,
};

/// What pages may see of an answer.
const EXPOSED: &str = "*, Accept-Patch, Accept-Post, Allow, ETag, Link, Location, Retry-After";

/// What is served at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint<'a> {
    /// WHIP or WHEP, where SRS has it: everything else is said by the query.
    Query {
        /// What is done there, where the query doesn't say that it is played.
        role: Role,
    },
    /// WHIP or WHEP, with the stream in the path, or the session.
    Path {
        /// What is done there.
        role: Role,
        /// The rest of the path, encoded, without a slash at its ends.
        rest: &'a str,
    },
    /// SRS's API in JSON.
    Json(Role),
    /// Packets that are lost on purpose.
    Nack,
}

impl<'a> Endpoint<'a> {
    fn at(path: &'a str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        Some(match path {
            "/rtc/v1/whip" => Self::Query { role: Role::Publish },
            "/rtc/v1/whip-play" | "/rtc/v1/whep" => Self::Query { role: Role::Play },
            "/rtc/v1/publish" => Self::Json(Role::Publish),
            "/rtc/v1/play" => Self::Json(Role::Play),
            "/rtc/v1/nack" => Self::Nack,
            _ => {
                let below = |root| {
                    let rest: &str = path.strip_prefix(root)?;
                    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
                };
                let publish = below("/whip").map(|rest| (Role::Publish, rest));
                let (role, rest) = publish.or_else(|| Some((Role::Play, below("/whep")?)))?;
                Self::Path { role, rest }
            }
        })
    }

    /// Whether requests of this method are for it. Nobody gets anything from WHIP by GET, while a
    /// live stream may have an app of that name.
    fn takes(self, site: Site, method: &Method) -> bool {
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        site != Site::Media || !is_read || !matches!(self, Self::Path { .. })
    }
}

/// Answers what is signalling's, and leaves the rest to the routes of the port.
pub(super) async fn before(
    State((shared, site)): State<(Arc<Shared>, Site)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let endpoint = Endpoint::at(&path);
    match endpoint.is_some_and(|endpoint| endpoint.takes(site, request.method())) {
        // Boxed: it is large, and most requests are others.
        true => Box::pin(answer(shared, site, request)).await,
        false => {
            let response = next.run(request).await;
            // Nothing else is there: then the method is what is wrong (RFC 9725, 4.2).
            let is_ours = endpoint.is_some() && response.status() == StatusCode::NOT_FOUND;
            if is_ours { whip::unknown_method() } else { response }
        }
    }
}

async fn answer(shared: Arc<Shared>, site: Site, request: Request) -> Response {
    let config = shared.config();
    let is_shared = match site {
        Site::Media => config.http_server.crossdomain,
        Site::Api | Site::Metrics => config.http_api.crossdomain,
    };
    let mut response = route(&shared, request).await;
    if is_shared {
        share(response.headers_mut());
    }
    response
}

async fn route(shared: &Arc<Shared>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let Some(endpoint) = Endpoint::at(&path) else { return Problem::NoSession.into_response() };
    let Some(rtc) = shared.rtc.clone() else { return Problem::Off.into_response() };
    let Some(connection) = request.extensions().get::<Connection>().cloned() else {
        return Problem::NoSession.into_response();
    };
    let call = Call { shared: shared.clone(), rtc, connection };
    match endpoint {
        Endpoint::Query { .. } | Endpoint::Path { .. } => {
            whip::serve(&call, endpoint, request).await
        }
        Endpoint::Json(role) => json::serve(&call, role, request).await,
        Endpoint::Nack => json::nack(&call, request.uri()),
    }
}

/// What every handler needs.
struct Call {
    shared: Arc<Shared>,
    rtc: Arc<Rtc>,
    connection: Connection,
}

/// Lets pages of any origin use it. `*` doesn't stand for `Authorization` (Fetch, 3.3.2), and older
/// browsers don't know it among what they may see.
fn share(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*, Authorization"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "false"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        let publish = Endpoint::Query { role: Role::Publish };
        let play = Endpoint::Query { role: Role::Play };
        let path = |role, rest| Endpoint::Path { role, rest };
        for (given, expected) in [
            ("/rtc/v1/whip/", Some(publish)),
            ("/rtc/v1/whip", Some(publish)),
            ("/rtc/v1/whip-play/", Some(play)),
            ("/rtc/v1/whep/", Some(play)),
            ("/rtc/v1/publish/", Some(Endpoint::Json(Role::Publish))),
            ("/rtc/v1/play", Some(Endpoint::Json(Role::Play))),
            ("/rtc/v1/nack/", Some(Endpoint::Nack)),
            ("/whip/live/a", Some(path(Role::Publish, "live/a"))),
            ("/whep/a/b/c/", Some(path(Role::Play, "a/b/c"))),
            ("/whip", Some(path(Role::Publish, ""))),
            ("/whipped/a", None),
            ("/live/a.flv", None),
            ("/rtc/v1", None),
        ] {
            assert_eq!(Endpoint::at(given), expected, "{given}");
        }
    }
}
