//! The grammar: `name argument…;` and `name argument… { … }`, comments and quotes.

mod lexer;
mod parser;

use std::{fmt, sync::Arc};

pub use parser::parse;

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
    #[error("`{0}` is not ended: `;` or `{{ … }}` is due")]
    NotEnded(String),
    /// A block was closed before its last directive was ended.
    #[error("`{0}` is not ended: `;` is due before `}}`")]
    NoSemicolon(String),
    /// A block that is not closed before the end.
    #[error("the block of `{0}` is not closed: `}}` is due")]
    NotClosed(String),
    /// A quote that is not closed before the end.
    #[error("the quote {0} is not closed")]
    QuoteNotClosed(char),
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

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

impl Directive {
    /// The first argument, or an empty text.
    pub fn arg(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// The directives of its block.
    pub fn children(&self) -> &[Directive] {
        self.children.as_deref().unwrap_or_default()
    }
}
