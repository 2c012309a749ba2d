//! What a request asks for: query parameters and ids, where nothing is an error.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use utoipa::IntoParams;

use crate::server::Shared;

/// A request's query.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().split('&');
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name, true), decode(value, true)))
                .collect(),
        )
    }

    /// The value of a parameter; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

impl FromRequestParts<Arc<Shared>> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri))
    }
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many of the first to leave out.
    #[param(required = false)]
    pub(super) start: usize,
    /// How many to tell at most: 1 at least, 10 where nothing is said.
    #[param(required = false)]
    pub(super) count: usize,
}

impl FromRequestParts<Arc<Shared>> for Page {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Infallible> {
        Ok(Self::of(&Query::of(&parts.uri)))
    }
}

impl Page {
    fn of(query: &Query) -> Self {
        let count = match query.get("count") {
            "" => 10,
            count => number(count).max(1),
        };
        Self { start: number(query.get("start")), count }
    }
}

/// The number that a text begins with, as C's atoi reads it; what is below 0 is 0.
fn number(text: &str) -> usize {
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text).bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number: usize, digit| {
        number.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    })
}

/// The id that a path ends with.
#[derive(Debug)]
pub(super) struct Id(pub(super) String);

impl FromRequestParts<Arc<Shared>> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Infallible> {
        let last = parts.uri.path().rsplit('/').next().unwrap_or_default();
        Ok(Self(decode(last, false)))
    }
}

/// Decodes what a URL encodes; bytes that are no UTF-8 become replacement characters.
pub(super) fn decode(text: &str, plus_is_space: bool) -> String {
    let hex = |digit: Option<&u8>| digit.and_then(|&digit| char::from(digit).to_digit(16));
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let escaped = hex(bytes.get(at + 1)).zip(hex(bytes.get(at + 2)));
        let (byte, len) = match (byte, escaped) {
            (b'%', Some((high, low))) => ((high * 16 + low) as u8, 3),
            (b'+', _) if plus_is_space => (b' ', 1),
            _ => (byte, 1),
        };
        decoded.push(byte);
        at += len;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_atoi_does() {
        for (text, expected) in [
            ("", 0),
            ("7", 7),
            (" +7x", 7),
            ("-1", 0),
            ("abc", 0),
            ("1e9", 1),
            ("18446744073709551616", usize::MAX),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn pages_have_bounds() {
        let page = |query: &str| {
            let uri = format!("/?{query}").parse::<Uri>().unwrap();
            let Page { start, count } = Page::of(&Query::of(&uri));
            (start, count)
        };
        assert_eq!(page(""), (0, 10));
        assert_eq!(page("start=3&count=4"), (3, 4));
        assert_eq!(page("start=-1&count=-1"), (0, 1));
        assert_eq!(page("count=0"), (0, 1));
        assert_eq!(page("count="), (0, 10));
        assert_eq!(page("count=abc&start=%33"), (3, 1));
    }

    #[test]
    fn anything_is_decoded() {
        assert_eq!(decode("a%20b+c", true), "a b c");
        assert_eq!(decode("a+b", false), "a+b");
        assert_eq!(decode("%ff%c0%80", false), "\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(decode("%", false), "%");
        assert_eq!(decode("%4", false), "%4");
        assert_eq!(decode("%zz%", false), "%zz%");
        assert_eq!(decode("%%41", false), "%A");
    }
}
