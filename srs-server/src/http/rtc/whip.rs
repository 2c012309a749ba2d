//! WHIP (RFC 9725) and WHEP: an offer is posted, the session that comes of it is a resource, which
//! is patched and deleted.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rtc_stack::sdp::{IceFragment, MAX_TEXT, Offer};
use subtle::ConstantTimeEq;
use tracing::warn;

use super::{
    super::query::{Query, decode},
    Call, Endpoint, Problem, body,
    stream::{Named, Said, encoded, raw_query},
};
use crate::rtc::{Begun, EndReason, Hints, Role, RtcError, Session, begin};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const ALLOWED: &str = "OPTIONS, POST, PATCH, DELETE";
/// The methods of a session that has begun.
const ALLOWED_OF_SESSION: &str = "OPTIONS, PATCH, DELETE";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The app and stream of a query that names none, as SRS has it.
const DEFAULT: (&str, &str) = ("live", "livestream");

pub(super) async fn serve(call: &Call, endpoint: Endpoint<'_>, request: Request) -> Response {
    let result = match *request.method() {
        Method::OPTIONS => Ok(options()),
        Method::POST => post(call, endpoint, request).await,
        Method::DELETE => delete(call, endpoint, request.uri()),
        Method::PATCH => patch(call, endpoint, request).await,
        _ => Err(Problem::Method { allowed: ALLOWED }),
    };
    result.unwrap_or_else(|problem| {
        warn!(code = problem.code(), "whip refused: {problem}");
        problem.into_response()
    })
}

/// The answer to a method that isn't done anywhere here.
pub(super) fn unknown_method() -> Response {
    Problem::Method { allowed: ALLOWED }.into_response()
}

/// By which header a client is told that a body must be of this type.
pub(super) fn accepted(content_type: &str) -> HeaderName {
    if content_type == FRAGMENT { ACCEPT_PATCH } else { ACCEPT_POST }
}

fn options() -> Response {
    let head = [(header::ALLOW, ALLOWED), (ACCEPT_POST, SDP), (ACCEPT_PATCH, FRAGMENT)];
    (StatusCode::NO_CONTENT, head).into_response()
}

async fn post(call: &Call, endpoint: Endpoint<'_>, request: Request) -> Result<Response, Problem> {
    if session(call, endpoint, request.uri()).is_ok() {
        // An offer to what an offer has begun already (RFC 9725, 4.3).
        return Err(Problem::Method { allowed: ALLOWED_OF_SESSION });
    }
    let said = Said::of(&request);
    let (role, named) = asked(endpoint, &said, request.uri())?;
    let named = named.with_token(request.headers());
    body::check_type(request.headers(), SDP)?;
    let (parts, body) = request.into_parts();
    let time = call.shared.tuning.request_timeout;
    let text = body::text(&parts.headers, body, MAX_TEXT, time).await?;
    let offer = Offer::parse(&text).map_err(RtcError::Offer)?;
    let request = said.request(call, role, named, offer).await?;
    let key = (request.address.app.clone(), request.address.stream.clone());
    let Begun { sdp, session } = begin(&call.shared, &call.rtc, request).await?;
    let location = match endpoint {
        Endpoint::Path { role, .. } => {
            let app: Vec<String> = key.0.split('/').map(encoded).collect();
            let root = if role == Role::Publish { "whip" } else { "whep" };
            format!("/{root}/{}/{}/{}", app.join("/"), encoded(&key.1), session.token())
        }
        _ => format!(
            "/rtc/v1/whip/?action=delete&token={}&app={}&stream={}&session={}",
            session.token(),
            encoded(&key.0),
            encoded(&key.1),
            encoded(session.id())
        ),
    };
    let mut response = (StatusCode::CREATED, sdp).into_response();
    let headers = response.headers_mut();
    put(headers, header::CONTENT_TYPE, SDP);
    put(headers, header::LOCATION, &location);
    put(headers, header::ETAG, &session.etag());
    put(headers, ACCEPT_PATCH, FRAGMENT);
    for server in &call.shared.config().rtc_server.ice_servers {
        if let Ok(value) = HeaderValue::from_str(&format!("<{server}>; rel=\"ice-server\"")) {
            headers.append(header::LINK, value);
        }
    }
    Ok(response)
}

/// What is to be done with which stream.
fn asked(endpoint: Endpoint<'_>, said: &Said, uri: &Uri) -> Result<(Role, Named), RtcError> {
    let query = said.query();
    let or = |name: &str, default: &str| match query.get(name) {
        "" => default.to_owned(),
        value => value.to_owned(),
    };
    let (role, app, stream) = match endpoint {
        Endpoint::Path { role, rest } if !rest.is_empty() => {
            let rest = decode(rest, false);
            let (app, stream) = rest.rsplit_once('/').unwrap_or((DEFAULT.0, &rest));
            (role, app.to_owned(), stream.to_owned())
        }
        Endpoint::Path { role, .. } | Endpoint::Query { role } => {
            (role, or("app", DEFAULT.0), or("stream", DEFAULT.1))
        }
        Endpoint::Json(role) => (role, DEFAULT.0.to_owned(), DEFAULT.1.to_owned()),
        Endpoint::Nack => (Role::Play, DEFAULT.0.to_owned(), DEFAULT.1.to_owned()),
    };
    let role = if query.get("action") == "play" { Role::Play } else { role };
    Ok((role, Named::new(said.authority(), &app, &stream, raw_query(uri))?))
}

/// The session that a request is about; who it belongs to has its token.
fn session(call: &Call, endpoint: Endpoint<'_>, uri: &Uri) -> Result<Arc<Session>, Problem> {
    if let Endpoint::Path { rest, .. } = endpoint {
        let token = rest.rsplit('/').next().unwrap_or_default();
        return call.rtc.of_token(token).ok_or(Problem::NoSession);
    }
    let query = Query::of(uri);
    let session = call.rtc.named(query.get("session")).ok_or(Problem::NoSession)?;
    let is_right = session.token().as_bytes().ct_eq(query.get("token").as_bytes());
    match bool::from(is_right) {
        true => Ok(session),
        false => Err(Problem::WrongToken),
    }
}

fn delete(call: &Call, endpoint: Endpoint<'_>, uri: &Uri) -> Result<Response, Problem> {
    let session = session(call, endpoint, uri)?;
    call.rtc.end(&call.shared, &session, EndReason::Deleted);
    Ok(StatusCode::OK.into_response())
}

/// Candidates of a client need not be known to a server that only answers checks; but a client
/// whose network has changed begins ICE anew by them (RFC 9725, 4.3).
async fn patch(call: &Call, endpoint: Endpoint<'_>, request: Request) -> Result<Response, Problem> {
    let session = session(call, endpoint, request.uri())?;
    body::check_type(request.headers(), FRAGMENT)?;
    let said = Said::of(&request);
    let (parts, body) = request.into_parts();
    let time = call.shared.tuning.request_timeout;
    let text = body::text(&parts.headers, body, MAX_TEXT, time).await?;
    let fragment = IceFragment::parse(&text).map_err(RtcError::Offer)?;
    let etag = session.etag();
    let condition = parts.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let mut tags = condition.ok_or(Problem::NoCondition)?.split(',').map(str::trim);
    if !tags.any(|tag| tag == "*" || tag == etag) {
        return Err(Problem::Changed { now: etag });
    }
    if !fragment.restarts(&session.remote()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let server = &call.shared.config().rtc_server;
    let hints = Hints { host: said.host(), ..Hints::default() };
    let hosts = call.rtc.candidates().hosts(server, hints).await;
    let answer = call.rtc.restart(&session, &fragment, &hosts)?;
    let mut response = (StatusCode::OK, answer.to_string()).into_response();
    put(response.headers_mut(), header::CONTENT_TYPE, FRAGMENT);
    put(response.headers_mut(), header::ETAG, &session.etag());
    Ok(response)
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
