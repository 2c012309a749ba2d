//! What a hook server's answer means.

use serde_json::Value;

use super::HookError;

/// Most bytes of an answer that are read.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// Bytes of an answer that are told in the log.
const EXCERPT: usize = 128;

/// A hook server's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body; `None` when it is longer than [`MAX_BODY`].
    pub(super) body: Option<Vec<u8>>,
}

impl Reply {
    /// Whether the answer is yes: status 200 or 201, and a body that is `0` or a JSON object with
    /// the integer 0 as its `code`.
    pub(super) fn allows(&self, url: &str) -> Result<(), HookError> {
        let url = || url.to_owned();
        let whole = self.body.as_deref();
        let body = || {
            let bytes = whole.unwrap_or_default();
            String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT)]).into_owned()
        };
        if !matches!(self.status, 200 | 201) {
            return Err(HookError::Status { url: url(), status: self.status, body: body() });
        }
        let Some(whole) = whole else {
            return Err(HookError::TooLong { url: url(), limit: MAX_BODY });
        };
        // White space around it is no other answer: many frameworks end a text with a new line.
        if whole.trim_ascii() == b"0" {
            return Ok(());
        }
        let code = match serde_json::from_slice(whole) {
            Ok(Value::Object(object)) => object.get("code").and_then(Value::as_i64),
            _ => None,
        };
        match code {
            Some(0) => Ok(()),
            Some(code) => Err(HookError::Denied { url: url(), code, body: body() }),
            None => Err(HookError::Reply { url: url(), body: body() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_is_zero_or_code_zero() {
        for status in [200, 201] {
            for body in ["0", "0\r\n", " 0", r#"{"code":0}"#, r#" {"code": 0, "data": null} "#] {
                assert_eq!(answer(status, body), Ok(()), "{status} {body}");
            }
        }
    }

    #[test]
    fn everything_else_is_no() {
        let no = |status, body: &str| answer(status, body).unwrap_err().code();
        for status in [202, 204, 302, 400, 403, 500] {
            assert_eq!(no(status, "0"), 4005, "{status}");
        }
        for body in [
            "",
            "1",
            "00",
            "-0",
            "0.0",
            "ok",
            "null",
            "[0]",
            "\"0\"",
            "{}",
            "{\"code\":",
            "[]",
            r#"{"code":"0"}"#,
            r#"{"code":0.0}"#,
            r#"{"code":null}"#,
            r#"{"Code":0}"#,
            "\0",
        ] {
            assert_eq!(no(200, body), 3008, "{body}");
        }
        for code in ["1", "-1", "403", "9223372036854775807"] {
            assert_eq!(no(200, &format!(r#"{{"code":{code},"data":{{}}}}"#)), 3064, "{code}");
        }
        let nested = "[".repeat(60_000);
        assert_eq!(no(200, &nested), 3008);
    }

    #[test]
    fn an_error_says_what_was_read() {
        let told = |status, body: &str| answer(status, body).unwrap_err().to_string();
        assert_eq!(told(500, "oh\n"), r#"http://h/ answered HTTP 500: "oh\n""#);
        assert_eq!(told(200, r#"{"code":7}"#), r#"http://h/ answered code 7: "{\"code\":7}""#);
        assert!(told(200, &"é".repeat(10_000)).len() < 1000);
        let long = Reply { status: 200, body: None }.allows("http://h/").unwrap_err();
        assert_eq!(long.to_string(), "http://h/ answered more than 65536 bytes");
        assert_eq!(long.code(), 3008);
    }

    fn answer(status: u16, body: &str) -> Result<(), HookError> {
        Reply { status, body: Some(body.as_bytes().to_vec()) }.allows("http://h/")
    }
}
