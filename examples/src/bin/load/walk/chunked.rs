//! A chunked HTTP body (RFC 9112, 7.1), its chunks in place.

use thiserror::Error;

use super::take;

/// Digits of a chunk's size; more would be more than memory has.
const MAX_DIGITS: u32 = 8;
/// What may follow a size on its line.
const MAX_EXTENSION: usize = 1024;

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ChunkedError {
    #[error("byte {0:#04x} in the size of a chunk")]
    Size(u8),
    #[error("a chunk's size of more than {MAX_DIGITS} digits")]
    TooLong,
    #[error("a chunk's extension of more than {MAX_EXTENSION} bytes")]
    Extension,
    #[error("byte {0:#04x} behind a chunk")]
    NoLineEnd(u8),
    #[error("the body has ended")]
    End,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Size {
        size: usize,
        digits: u32,
    },
    /// The rest of the line of a size.
    Extension {
        size: usize,
        seen: usize,
    },
    Data {
        left: usize,
    },
    /// The line end behind data.
    LineEnd,
}

/// Takes the framing off a chunked body.
#[derive(Debug)]
pub(crate) struct ChunkedWalk(Next);

impl Default for ChunkedWalk {
    fn default() -> Self {
        Self(Next::Size { size: 0, digits: 0 })
    }
}

impl ChunkedWalk {
    /// Takes the next piece of the body off the front of `input`; `None` when it needs more.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<&'a [u8]>, ChunkedError> {
        loop {
            if let Next::Data { left: left @ 1.. } = self.0 {
                let piece = take(input, left);
                self.0 = Next::Data { left: left - piece.len() };
                return Ok((!piece.is_empty()).then_some(piece));
            }
            let [byte] = *take(input, 1) else { return Ok(None) };
            self.0 = match (self.0, byte) {
                (Next::Size { size, digits: 1.. } | Next::Extension { size, .. }, b'\n') => {
                    match size {
                        0 => return Err(ChunkedError::End),
                        left => Next::Data { left },
                    }
                }
                (
                    Next::Size { digits: MAX_DIGITS, .. },
                    b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F',
                ) => {
                    return Err(ChunkedError::TooLong);
                }
                (Next::Size { size, digits }, byte) => {
                    match (char::from(byte).to_digit(16), byte) {
                        (Some(digit), _) => {
                            Next::Size { size: size << 4 | digit as usize, digits: digits + 1 }
                        }
                        (None, b'\r' | b';' | b' ') if digits > 0 => {
                            Next::Extension { size, seen: 0 }
                        }
                        _ => return Err(ChunkedError::Size(byte)),
                    }
                }
                (Next::Extension { seen: MAX_EXTENSION, .. }, _) => {
                    return Err(ChunkedError::Extension);
                }
                (Next::Extension { size, seen }, _) => Next::Extension { size, seen: seen + 1 },
                (Next::Data { .. }, b'\r') => Next::LineEnd,
                (Next::Data { .. } | Next::LineEnd, b'\n') => Next::Size { size: 0, digits: 0 },
                (Next::Data { .. } | Next::LineEnd, byte) => {
                    return Err(ChunkedError::NoLineEnd(byte));
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8], step: usize) -> (Vec<u8>, Option<ChunkedError>) {
        let (mut walk, mut body) = (ChunkedWalk::default(), Vec::new());
        for mut rest in bytes.chunks(step) {
            loop {
                match walk.next(&mut rest) {
                    Ok(Some(piece)) => body.extend_from_slice(piece),
                    Ok(None) => break,
                    Err(error) => return (body, Some(error)),
                }
            }
        }
        (body, None)
    }

    #[test]
    fn chunks_are_joined_however_their_bytes_are_split() {
        let bytes = b"4\r\nlive\r\n0A;name=value\r\n\r\n stream \r\n1\n!\n0\r\n\r\n";
        for step in 1..=bytes.len() {
            let expected = (b"live\r\n stream !".to_vec(), Some(ChunkedError::End));
            assert_eq!(body(bytes, step), expected, "{step}");
        }
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for (bytes, error) in [
            (&b"FLV\x01"[..], ChunkedError::Size(b'L')),
            (b"\r\n", ChunkedError::Size(b'\r')),
            (b"123456789\r\n", ChunkedError::TooLong),
            (b"1\r\nab", ChunkedError::NoLineEnd(b'b')),
        ] {
            assert_eq!(body(bytes, bytes.len()).1, Some(error));
        }
        let endless = [&b"1;"[..], &[b'x'; 2000]].concat();
        assert_eq!(body(&endless, 100).1, Some(ChunkedError::Extension));
    }
}
