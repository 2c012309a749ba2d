//! The grammar: `name argument…;` and `name argument… { … }`, comments and quotes.

mod lexer;
mod parser;
mod printer;

use std::{fmt, sync::Arc};

use crate::report::shortened;

pub(crate) use parser::MAX_LEN;
pub use parser::parse;
pub(crate) use printer::print;

/// A place in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1; 0 for what stands in no file, such as an environment variable.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// A directive as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: String,
    /// What follows the name, without quotes.
    pub args: Vec<String>,
    /// The directives of its block; `None` where a semicolon ended it.
    pub children: Option<Vec<Directive>>,
    /// Where its name stands.
    pub position: Position,
}

/// Text that is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {kind}")]
pub struct SyntaxError {
    /// Where.
    pub position: Position,
    /// What is wrong.
    pub kind: SyntaxErrorKind,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// A closing brace too many.
    #[error("`}}` closes no block")]
    UnexpectedClose,
    /// A block or an end of line without the name of a directive before it.
    #[error("`{0}` where the name of a directive is due")]
    NameExpected(char),
    /// The text ended within a directive.
    #[error("`{}` is not ended: `;` or `{{ … }}` is due", shortened(.0))]
    NotEnded(String),
    /// A block was closed before its last directive was ended.
    #[error("`{}` is not ended: `;` is due before `}}`", shortened(.0))]
    NoSemicolon(String),
    /// A block that is not closed before the end.
    #[error("the block of `{}` is not closed: `}}` is due", shortened(.0))]
    NotClosed(String),
    /// A line that ended within a directive.
    #[error("`{}` is not ended: `;` is due before `{}` on the next line", shortened(.name), shortened(.next))]
    LineNotEnded {
        /// The directive.
        name: String,
        /// What follows.
        next: String,
    },
    /// A directive whose name is an empty quotation.
    #[error("an empty name of a directive")]
    EmptyName,
    /// A quote that is not closed before the end.
    #[error("the quote {0} is not closed")]
    QuoteNotClosed(char),
    /// Something else than a word's end right after the closing quote.
    #[error("`{0}` right behind a quote: white space, `;` or `{{` is due")]
    BehindQuote(char),
    /// Blocks in blocks beyond the limit.
    #[error("blocks lie more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More bytes than the limit.
    #[error("{len} bytes, the limit is {limit}")]
    TooLong {
        /// What there was.
        len: usize,
        /// The limit.
        limit: usize,
    },
}

/// What divides words, as in SRS.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

impl Position {
    /// A place in no file.
    pub(crate) fn none() -> Self {
        Self::of("")
    }

    /// A place in something that has no lines: a variable of the environment.
    pub(crate) fn of(name: &str) -> Self {
        Self { file: name.into(), line: 0, column: 0 }
    }
}

impl Directive {
    /// The first argument, or an empty text.
    pub fn arg(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// What follows the name.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// The directives of its block.
    pub fn children(&self) -> &[Directive] {
        self.children.as_deref().unwrap_or_default()
    }
}
