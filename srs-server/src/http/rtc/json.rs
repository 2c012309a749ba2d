//! SRS's own signalling: offers and answers in JSON.

use axum::{
    Json,
    extract::Request,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rtc_stack::sdp::{MAX_TEXT, Offer};
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::ToSchema;

use super::{
    super::{api::Head, query::Query},
    Call, Problem, body,
    stream::{Named, Said},
};
use crate::rtc::{Begun, Role, RtcError, begin};

/// Most bytes of a request: in JSON a description may take twice its length.
const MAX_BODY: usize = 2 * MAX_TEXT + 8192;

/// What clients send. What else SRS's do, their own address among it, is not believed.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Asked {
    /// The offer.
    sdp: String,
    /// The stream, by a URL of any scheme: `webrtc://host/app/stream`.
    streamurl: String,
}

/// What they get.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Answered {
    #[serde(flatten)]
    head: Head,
    /// The answer.
    sdp: String,
    /// Both sides' user name fragments, the server's before the colon.
    sessionid: String,
}

/// What `nack` answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lost {
    #[serde(flatten)]
    head: Head,
    query: LostQuery,
}

#[derive(Debug, Serialize, ToSchema)]
struct LostQuery {
    username: String,
    drop: u16,
}

/// Whatever goes wrong.
#[derive(Debug, Serialize)]
struct Failed {
    code: u32,
}

const FAILED: Json<Failed> = Json(Failed { code: 400 });

pub(super) async fn serve(call: &Call, role: Role, request: Request) -> Response {
    if *request.method() == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, "OPTIONS, POST")]).into_response();
    }
    match answer(call, role, request).await {
        Ok(answered) => Json(answered).into_response(),
        Err(problem) => {
            warn!(code = problem.code(), "rtc {role} refused: {problem}");
            FAILED.into_response()
        }
    }
}

async fn answer(call: &Call, role: Role, request: Request) -> Result<Answered, Problem> {
    let said = Said::of(&request);
    let (parts, body) = request.into_parts();
    let time = call.shared.tuning.request_timeout;
    let text = body::text(&parts.headers, body, MAX_BODY, time).await?;
    let asked: Asked = serde_json::from_str(&text)
        .map_err(|error| Problem::Unreadable(format!("the body: {error}")))?;
    let offer = Offer::parse(&asked.sdp).map_err(RtcError::Offer)?;
    let named = Named::of_url(&asked.streamurl)?.with_token(&parts.headers);
    let request = said.request(call, role, named, offer).await?;
    let Begun { sdp, session } = begin(&call.shared, &call.rtc, request).await?;
    Ok(Answered { head: Head::new(&call.shared), sdp, sessionid: session.id().to_owned() })
}

/// Loses packets of a session on purpose, as SRS does for tests: `username` is its `sessionid`.
pub(super) fn nack(call: &Call, uri: &Uri) -> Response {
    let query = Query::of(uri);
    let (username, drop) = (query.get("username"), query.get("drop").parse::<u16>());
    match (call.rtc.named(username), drop) {
        (Some(session), Ok(drop)) => {
            call.rtc.lose(&session, drop);
            let query = LostQuery { username: username.to_owned(), drop };
            Json(Lost { head: Head::new(&call.shared), query }).into_response()
        }
        _ => FAILED.into_response(),
    }
}
