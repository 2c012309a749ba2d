//! What there is to say of a configuration.

use std::fmt;

use crate::{Position, Support};

/// Something that is wrong, or that its author may not have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub position: Position,
    /// What.
    pub text: String,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A server must not start.
    Error,
    /// A server starts.
    Warning,
}

/// A directive that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Where it stands.
    pub position: Position,
    /// Its path with dots.
    pub path: String,
    /// Its value as it was written.
    pub value: String,
    /// What becomes of it.
    pub state: State,
}

/// What becomes of a directive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It has the effect that it has in SRS, or one that only this server has.
    Applied,
    /// It has another effect.
    Differs(String),
    /// It has no effect yet.
    NotYet,
    /// It has no effect, and never will.
    Never(String),
    /// It could not be read.
    Error(String),
}

impl From<Support> for State {
    fn from(support: Support) -> Self {
        match support {
            Support::Same { .. } | Support::Added { .. } => Self::Applied,
            Support::Differs { how, .. } => Self::Differs(how.to_owned()),
            Support::NotYet => Self::NotYet,
            Support::Never { why } => Self::Never(why.to_owned()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.text)
    }
}

/// The name that a misspelt one most likely means.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let near = names.iter().map(|&known| (distance(name, known), known)).min()?;
    (near.0 <= 1.max(name.len() / 3)).then_some(near.1)
}

/// How many characters must be put in, left out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left_above = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (left + 1).min(above + 1).min(left_above + usize::from(x != *y));
            left_above = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
