//! From text to words, semicolons and braces.

use std::{iter::Peekable, str::Chars, sync::Arc};

use super::{Position, SyntaxError, SyntaxErrorKind};

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
            } else if c.is_whitespace() {
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
            Some(_) => Token::Word(self.word()?),
        };
        Ok(Some((position, token)))
    }

    /// A word: up to white space or a mark, or all that stands in quotes.
    fn word(&mut self) -> Result<String, SyntaxError> {
        let mut word = String::new();
        if let Some(&quote @ ('"' | '\'')) = self.chars.peek() {
            self.quoted(quote, &mut word)?;
            return Ok(word);
        }
        while let Some(&c) = self.chars.peek() {
            if matches!(c, ';' | '{' | '}') || c.is_whitespace() {
                break;
            }
            self.bump();
            word.push(c);
        }
        Ok(word)
    }

    fn quoted(&mut self, quote: char, word: &mut String) -> Result<(), SyntaxError> {
        let position = self.position();
        self.bump();
        loop {
            match self.bump() {
                None => {
                    let kind = SyntaxErrorKind::QuoteNotClosed(quote);
                    return Err(SyntaxError { position, kind });
                }
                Some(c) if c == quote => return Ok(()),
                Some('\\') => match self.chars.peek() {
                    Some(&escaped @ ('"' | '\'' | '\\')) => {
                        self.bump();
                        word.push(escaped);
                    }
                    _ => word.push('\\'),
                },
                Some(c) => word.push(c),
            }
        }
    }
}
