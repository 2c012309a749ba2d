//! From text to words, semicolons and braces.

use std::{iter::Peekable, str::Chars, sync::Arc};

use super::{Position, SyntaxError, SyntaxErrorKind, is_space};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// `;`, `{` or `}`.
    Mark(char),
}

pub(super) struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    file: Arc<str>,
    line: u32,
    column: u32,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(file: &str, text: &'a str) -> Self {
        // Editors of Windows put a mark before the first character.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { chars: text.chars().peekable(), file: file.into(), line: 1, column: 1 }
    }

    pub(super) fn position(&self) -> Position {
        Position { file: self.file.clone(), line: self.line, column: self.column }
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            (self.line, self.column) = (self.line.saturating_add(1), 1);
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(c)
    }

    /// The next token with its place; `None` at the end.
    pub(super) fn token(&mut self) -> Result<Option<(Position, Token)>, SyntaxError> {
        while let Some(&c) = self.chars.peek() {
            if c == '#' {
                while self.bump().is_some_and(|c| c != '\n') {}
            } else if is_space(c) {
                self.bump();
            } else {
                break;
            }
        }
        let position = self.position();
        let token = match self.chars.peek() {
            None => return Ok(None),
            Some(&mark @ (';' | '{' | '}')) => {
                self.bump();
                Token::Mark(mark)
            }
            Some('"' | '\'') => Token::Word(self.quoted()?),
            Some(_) => Token::Word(self.bare()),
        };
        Ok(Some((position, token)))
    }

    /// A word without quotes at its beginning: up to white space, `;` or `{`. As in SRS, quotes
    /// and `}` within it are part of it.
    fn bare(&mut self) -> String {
        let mut word = String::new();
        while let Some(&c) = self.chars.peek() {
            if ends_word(c) {
                break;
            }
            self.bump();
            word.push(c);
        }
        word
    }

    /// All that stands in quotes; where one quotation follows upon the other, both. As in SRS, a
    /// backslash is a character like any other.
    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let mut word = String::new();
        while let Some(&quote @ ('"' | '\'')) = self.chars.peek() {
            let position = self.position();
            self.bump();
            loop {
                match self.bump() {
                    Some(c) if c == quote => break,
                    Some(c) => word.push(c),
                    None => {
                        let kind = SyntaxErrorKind::QuoteNotClosed(quote);
                        return Err(SyntaxError { position, kind });
                    }
                }
            }
        }
        match self.chars.peek() {
            Some(&c) if !ends_word(c) => {
                let (position, kind) = (self.position(), SyntaxErrorKind::BehindQuote(c));
                Err(SyntaxError { position, kind })
            }
            _ => Ok(word),
        }
    }
}

fn ends_word(c: char) -> bool {
    matches!(c, ';' | '{') || is_space(c)
}
