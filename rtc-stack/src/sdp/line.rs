//! The line grammar of a description (RFC 8866, 5): letters, values, and the attributes' names.

use super::error::shorten;
use super::{MAX_TEXT, SdpError};

/// One line that says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `a=name:value`; the value is empty where there is no colon.
    Attribute(&'a str, &'a str),
    /// `m=value`.
    Media(&'a str),
    /// Any other letter.
    Other(char, &'a str),
}

/// Checks the length of a text, and gives its lines with an error for what is none.
///
/// Lines may end with or without a carriage return; empty ones are skipped.
pub(super) fn lines(
    text: &str,
) -> Result<impl Iterator<Item = Result<Line<'_>, SdpError>>, SdpError> {
    if text.len() > MAX_TEXT {
        return Err(SdpError::TooLong { length: text.len(), limit: MAX_TEXT });
    }
    let numbered = text.split('\n').zip(1usize..);
    Ok(numbered
        .map(|(line, number)| (line.trim_matches(['\r', ' ', '\t']), number))
        .filter(|(line, _)| !line.is_empty())
        .map(|(line, number)| {
            read(line).ok_or_else(|| SdpError::Line { number, read: shorten(line) })
        }))
}

fn read(line: &str) -> Option<Line<'_>> {
    let (letter, value) = line.split_once('=')?;
    let mut letters = letter.chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    if letters.next().is_some() {
        return None;
    }
    Some(match letter {
        'a' => {
            let (name, value) = value.split_once(':').unwrap_or((value, ""));
            Line::Attribute(name.trim(), value.trim())
        }
        'm' => Line::Media(value),
        other => Line::Other(other, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_either_way() {
        let read: Vec<_> =
            lines("v=0\r\na=mid:0\na=rtcp-mux\n\r\nm=audio 9 X 0").unwrap().collect();
        assert_eq!(
            read,
            [
                Ok(Line::Other('v', "0")),
                Ok(Line::Attribute("mid", "0")),
                Ok(Line::Attribute("rtcp-mux", "")),
                Ok(Line::Media("audio 9 X 0")),
            ]
        );
    }

    #[test]
    fn what_is_no_line_is_named() {
        let mut read = lines("v=0\nfoo=1\nbar").unwrap();
        assert!(read.next().unwrap().is_ok());
        assert_eq!(read.next().unwrap(), Err(SdpError::Line { number: 2, read: "foo=1".into() }));
        assert_eq!(read.next().unwrap(), Err(SdpError::Line { number: 3, read: "bar".into() }));
    }

    #[test]
    fn a_megabyte_is_refused_unread() {
        let text = "a".repeat(1 << 20);
        let refused = lines(&text).err();
        assert_eq!(refused, Some(SdpError::TooLong { length: 1 << 20, limit: MAX_TEXT }));
    }
}
