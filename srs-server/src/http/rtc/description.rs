//! Signalling in the API's description. It has no routes of the API: it is served on every port, and
//! answers as its own specifications say.

use utoipa::OpenApi;

use super::json::{Answered, Asked, Lost};

/// What is described.
#[derive(OpenApi)]
#[openapi(paths(whip, whep, end, change, publish, play, nack))]
pub(in crate::http) struct Description;

/// Publishes by WHIP (RFC 9725). Also `POST /rtc/v1/whip/?app=&stream=`.
#[utoipa::path(
    post,
    path = "/whip/{app}/{stream}",
    params(("app" = String, Path), ("stream" = String, Path)),
    request_body(content = String, content_type = "application/sdp", description = "The offer"),
    responses(
        (status = 201, body = String, content_type = "application/sdp", description = "The answer",
         headers(("Location", description = "The session"), ("ETag", description = "Its ICE session"))),
        (status = "4XX", description = "A problem document (RFC 9457)"),
    )
)]
#[expect(dead_code, reason = "stands for what the dispatcher does")]
fn whip() {}

/// Plays by WHEP. Also `POST /rtc/v1/whep/?app=&stream=`.
#[utoipa::path(
    post,
    path = "/whep/{app}/{stream}",
    params(("app" = String, Path), ("stream" = String, Path)),
    request_body(content = String, content_type = "application/sdp", description = "The offer"),
    responses(
        (status = 201, body = String, content_type = "application/sdp", description = "The answer",
         headers(("Location", description = "The session"), ("ETag", description = "Its ICE session"))),
        (status = "4XX", description = "A problem document (RFC 9457)"),
    )
)]
#[expect(dead_code, reason = "stands for what the dispatcher does")]
fn whep() {}

/// Ends a session of WHIP or WHEP.
#[utoipa::path(
    delete,
    path = "/whip/{app}/{stream}/{session}",
    params(("app" = String, Path), ("stream" = String, Path), ("session" = String, Path)),
    responses((status = 200, description = "It is over"), (status = 404, description = "It was over"))
)]
#[expect(dead_code, reason = "stands for what the dispatcher does")]
fn end() {}

/// Adds candidates to a session, or begins ICE anew.
#[utoipa::path(
    patch,
    path = "/whip/{app}/{stream}/{session}",
    params(("app" = String, Path), ("stream" = String, Path), ("session" = String, Path)),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    responses(
        (status = 200, body = String, content_type = "application/trickle-ice-sdpfrag",
         description = "ICE begins anew"),
        (status = 204, description = "Nothing else is needed"),
        (status = 412, description = "If-Match has another ETag"),
        (status = 428, description = "If-Match is missing"),
    )
)]
#[expect(dead_code, reason = "stands for what the dispatcher does")]
fn change() {}

/// Publishes by SRS's JSON. Whatever goes wrong is `{"code":400}`.
#[utoipa::path(
    post,
    path = "/rtc/v1/publish",
    request_body = Asked,
    responses((status = 200, body = Answered))
)]
#[expect(dead_code, reason = "stands for what the dispatcher does")]
fn publish() {}

/// Plays by SRS's JSON. Whatever goes wrong is `{"code":400}`.
#[utoipa::path(
    post,
    path = "/rtc/v1/play",
    request_body = Asked,
    responses((status = 200, body = Answered))
)]
#[expect(dead_code, reason = "stands for what the dispatcher does")]
fn play() {}

/// Loses packets of a session on purpose, for tests. Whatever goes wrong is `{"code":400}`.
#[utoipa::path(
    post,
    path = "/rtc/v1/nack",
    params(
        ("username" = String, Query, description = "The `sessionid`"),
        ("drop" = u16, Query, description = "How many packets"),
    ),
    responses((status = 200, body = Lost))
)]
#[expect(dead_code, reason = "stands for what the dispatcher does")]
fn nack() {}
