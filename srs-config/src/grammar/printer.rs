//! From directives to text.

use std::fmt::{self, Write};

use super::{Directive, is_space};

/// Writes directives so that [`parse`](super::parse) reads the same, a line each.
pub(crate) fn print(f: &mut impl Write, directives: &[Directive], depth: usize) -> fmt::Result {
    for directive in directives {
        write!(f, "{:1$}", "", depth.saturating_mul(4))?;
        word(f, &directive.name)?;
        for arg in &directive.args {
            f.write_char(' ')?;
            word(f, arg)?;
        }
        match &directive.children {
            None => f.write_str(";\n")?,
            Some(children) => {
                f.write_str(" {\n")?;
                print(f, children, depth.saturating_add(1))?;
                writeln!(f, "{:1$}}}", "", depth.saturating_mul(4))?;
            }
        }
    }
    Ok(())
}

/// A word, with quotes where it could not stand without. There is no escape for a quote in quotes,
/// so that a word with both kinds becomes quotations side by side.
fn word(f: &mut impl Write, word: &str) -> fmt::Result {
    let is_bare = !word.is_empty()
        && !word.starts_with(['"', '\'', '#', '}', '\u{feff}'])
        && !word.contains(|c: char| is_space(c) || matches!(c, ';' | '{'));
    if is_bare {
        return f.write_str(word);
    }
    if !word.contains('"') {
        return write!(f, "\"{word}\"");
    }
    for (at, piece) in word.split('\'').enumerate() {
        if at > 0 {
            f.write_str("\"'\"")?;
        }
        if !piece.is_empty() || at == 0 {
            write!(f, "'{piece}'")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Position, parse};

    fn written(text: &str) -> String {
        let mut out = String::new();
        word(&mut out, text).unwrap();
        out
    }

    #[test]
    fn words_get_quotes_where_they_need_them() {
        for (text, expected) in [
            ("on", "on"),
            ("a}b", "a}b"),
            ("it's", "it's"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("'a", "\"'a\""),
            ("say \"a\"", "'say \"a\"'"),
            ("'\" ", "''\"'\"'\" '"),
        ] {
            assert_eq!(written(text), expected);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["on", "", "a b", "}", "{", "#", ";", "\u{feff}", "'\"", "\"' '\"'", "\n", "\\"]
        {
            let directive = |children| Directive {
                name: "name".to_owned(),
                args: vec![text.to_owned(), text.to_owned()],
                children,
                position: Position::none(),
            };
            let nested = directive(Some(vec![directive(Some(Vec::new())), directive(None)]));
            let mut out = String::new();
            print(&mut out, std::slice::from_ref(&nested), 0).unwrap();
            let mut read = parse("", &out).unwrap();
            forget_positions(&mut read);
            assert_eq!(read, [nested], "{out}");
        }
    }

    fn forget_positions(directives: &mut [Directive]) {
        for directive in directives {
            directive.position = Position::none();
            forget_positions(directive.children.as_deref_mut().unwrap_or_default());
        }
    }
}
