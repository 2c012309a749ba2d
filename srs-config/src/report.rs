//! What there is to say of a configuration.

use std::fmt;

use crate::{Position, Spec, Support};

/// Something that is wrong, or that its author may not have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub position: Position,
    /// What, with the text that is wrong, and what is most likely meant.
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
    /// Where it stands; line 0 of the variable's name for one that the environment sets.
    pub position: Position,
    /// Its path with dots.
    pub path: String,
    /// Its value as it was written; `***` for a password.
    pub value: String,
    /// What becomes of it.
    pub state: State,
    /// Whether its value is what it would be if it weren't set.
    pub is_default: bool,
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

impl Problem {
    pub(crate) fn error(position: Position, text: String) -> Self {
        Self { severity: Severity::Error, position, text }
    }

    pub(crate) fn warning(position: Position, text: String) -> Self {
        Self { severity: Severity::Warning, position, text }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.text)
    }
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

/// A line that names those directives that were set to no avail: they are accepted, and nothing
/// follows from them. A directive that is set to its default is not worth a word, nor is one of a
/// block that isn't enabled.
pub(crate) fn not_applied(findings: &[Finding], specs: &[Spec]) -> Option<String> {
    let of = |wanted: fn(&State) -> bool| {
        let mut paths: Vec<&str> = Vec::new();
        for finding in findings.iter().filter(|it| !it.is_default && wanted(&it.state)) {
            let path = finding.path.as_str();
            if !paths.contains(&path) && is_enabled(path, findings, specs) {
                paths.push(&finding.path);
            }
        }
        paths.join(", ")
    };
    let not_yet = of(|state| *state == State::NotYet);
    let never = of(|state| matches!(state, State::Never(_)));
    let parts: Vec<String> = [("not applied yet", not_yet), ("never applied", never)]
        .into_iter()
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(what, paths)| format!("{what}: {paths}"))
        .collect();
    (!parts.is_empty()).then(|| format!("accepted, but {}", parts.join("; ")))
}

/// Whether every block in which the directive at `path` stands is enabled, or has no such switch.
fn is_enabled(path: &str, findings: &[Finding], specs: &[Spec]) -> bool {
    let mut blocks = path.match_indices('.').filter_map(|(at, _)| path.get(..at));
    blocks.all(|block| {
        let switch = format!("{block}.enabled");
        let Some(spec) = specs.iter().find(|spec| spec.path == switch) else { return true };
        let is_on = |value: &str| matches!(value, "on" | "true");
        let mut set = findings.iter().filter(|it| it.path == switch).peekable();
        if set.peek().is_none() { is_on(&spec.default) } else { set.any(|it| is_on(&it.value)) }
    })
}

/// The name that a misspelt one most likely means.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    // Nobody misspells at such a length, and comparing costs the product of both.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let near = names.iter().map(|&known| (distance(name, known), known)).min()?;
    (near.0 <= 1.max(name.len() / 3)).then_some(near.1)
}

/// How many characters must be put in, left out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left_above = i;
        let mut left = i.saturating_add(1);
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            let changed = left_above.saturating_add(usize::from(x != *y));
            left = left.saturating_add(1).min(above.saturating_add(1)).min(changed);
            left_above = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A text from a file as a message may quote it: of bounded length, and on one line.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    if short.contains(char::is_control) {
        short = short.escape_debug().to_string();
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["listen", "chunk_size", "daemon"];
        assert_eq!(nearest("lisen", &names), Some("listen"));
        assert_eq!(nearest("chunksize", &names), Some("chunk_size"));
        assert_eq!(nearest("deamon", &["dash", "daemon"]), Some("daemon"));
        assert_eq!(nearest("zzz", &names), None);
        assert_eq!(nearest(&"listen".repeat(20), &names), None);
        assert_eq!(nearest("a", &[]), None);
    }

    #[test]
    fn long_texts_are_cut_and_controls_escaped() {
        assert_eq!(shortened("on"), "on");
        assert_eq!(shortened("a\nb"), "a\\nb");
        assert_eq!(shortened(&"ä".repeat(100)), format!("{}…", "ä".repeat(80)));
    }

    #[test]
    fn one_line_names_what_is_not_applied() {
        let finding = |path: &str, state, is_default| Finding {
            position: Position::none(),
            path: path.to_owned(),
            value: String::new(),
            state,
            is_default,
        };
        assert_eq!(not_applied(&[finding("listen", State::Applied, false)], &[]), None);
        assert_eq!(not_applied(&[finding("hls.enabled", State::NotYet, true)], &[]), None);
        let findings = [
            finding("a", State::NotYet, false),
            finding("c", State::Never("why".to_owned()), false),
            finding("b", State::NotYet, false),
            finding("a", State::NotYet, false),
        ];
        let line = "accepted, but not applied yet: a, b; never applied: c";
        assert_eq!(not_applied(&findings, &[]).as_deref(), Some(line));
    }
}
