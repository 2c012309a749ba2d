//! An event a line.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// Longest line, bytes; what a client calls its stream may be longer.
const MAX_LINE: usize = 4096;

/// Takes an event at each write and keeps it on one line, whatever a peer put into it: with a
/// line break in its name a stream could forge events, with an escape sequence the terminal.
pub(super) struct Lines<W> {
    pub(super) out: W,
    /// Escape sequences are ours: the formatter has made the peers' harmless.
    pub(super) ansi: bool,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            if line.len() >= MAX_LINE {
                line.push('…');
                break;
            }
            match c {
                '\x1b' if self.ansi => line.push(c),
                c if c.is_control() => _ = write!(line, "{}", c.escape_default()),
                c => line.push(c),
            }
        }
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &str, ansi: bool) -> String {
        let mut lines = Lines { out: Vec::new(), ansi };
        lines.write_all(event.as_bytes()).unwrap();
        String::from_utf8(lines.out).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let event = "INFO play stream=a\r\nERROR forged\x1b[31m\u{85}\u{fc}\n";
        let line = "INFO play stream=a\\r\\nERROR forged\\u{1b}[31m\\u{85}\u{fc}\n";
        assert_eq!(written(event, false), line);
    }

    #[test]
    fn colours_stay_where_they_are_ours() {
        assert_eq!(written("\x1b[32mINFO\x1b[0m a\nb\n", true), "\x1b[32mINFO\x1b[0m a\\nb\n");
    }

    #[test]
    fn a_line_has_an_end() {
        let line = written(&format!("{}\n", "\u{fc}".repeat(60_000)), false);
        assert!(line.len() < MAX_LINE + 8, "{} bytes", line.len());
        assert!(line.ends_with("…\n"));
    }
}
