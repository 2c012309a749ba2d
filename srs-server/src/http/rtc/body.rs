//! The bodies of requests, within bounds.

use std::{future::poll_fn, pin::pin, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use http_body::Body as _;
use tokio::time::timeout;

use super::Problem;

/// Reads a body of UTF-8.
pub(super) async fn text(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    time: Duration,
) -> Result<String, Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|it| it > limit as u64) {
        return Err(Problem::TooLong { limit });
    }
    let bytes =
        timeout(time, read(body, limit)).await.map_err(|_| Problem::Slow { limit: time })??;
    String::from_utf8(bytes).map_err(|_| Problem::Unreadable("the body is not UTF-8".to_owned()))
}

async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut body) = (Vec::new(), pin!(body));
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| Problem::Unreadable(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(Problem::TooLong { limit });
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Checks what a body is said to be; one that is said to be nothing is taken for what is due.
pub(super) fn check_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let found = String::from_utf8_lossy(value.as_bytes());
    let essence = found.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(Problem::ContentType { found: essence.to_owned(), expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_have_bounds() {
        let none = HeaderMap::new();
        let read = |body: &'static str| text(&none, Body::from(body), 4, Duration::from_secs(10));
        assert_eq!(read("1234").await.unwrap(), "1234");
        assert!(matches!(read("12345").await, Err(Problem::TooLong { limit: 4 })));
        let latin = Body::from(&b"\xe9"[..]);
        let result = text(&HeaderMap::new(), latin, 4, Duration::from_secs(10)).await;
        assert!(matches!(result, Err(Problem::Unreadable(_))));
    }

    #[test]
    fn types_have_parameters_and_no_case() {
        let is_right = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            check_type(&headers, "application/sdp").is_ok()
        };
        assert!(is_right("application/sdp") && is_right("Application/SDP; charset=utf-8"));
        assert!(!is_right("application/json") && !is_right("application/sdpx") && !is_right(""));
        assert!(check_type(&HeaderMap::new(), "application/sdp").is_ok());
    }
}
