//! What there is to say of a configuration, for people and for programs.

use std::fmt::Write;

use serde::Serialize;
use srs_config::{Finding, Loaded, Position, Problem, Severity, State};

/// What a line says of a directive.
fn verdict(state: &State) -> Option<(&'static str, &str)> {
    match state {
        State::Applied => Some(("applied", "")),
        State::Differs(how) => Some(("differs", how)),
        State::NotYet => Some(("accepted but not applied", "")),
        State::Never(why) => Some(("never applied", why)),
        // Told as a problem. What else there may be one day is not ours to guess.
        _ => None,
    }
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A problem on one line.
pub(super) fn problem(problem: &Problem) -> String {
    format!("{}: {}: {}", problem.position, severity(problem), problem.text)
}

/// A line per directive and problem, in the order of the file, and one of sums.
pub(super) fn text(loaded: &Loaded) -> String {
    let mut lines: Vec<(&Position, String)> = Vec::new();
    for finding in &loaded.findings {
        if let Some((verdict, note)) = verdict(&finding.state) {
            let Finding { position, path, value, .. } = finding;
            let divide = if note.is_empty() { "" } else { ": " };
            let line = format!("{position}: {verdict}: {path} {value}{divide}{note}");
            lines.push((position, line));
        }
    }
    lines.extend(loaded.problems.iter().map(|it| (&it.position, problem(it))));
    lines.sort_by(|a, b| a.0.cmp(b.0));
    let mut text = String::new();
    for (_, line) in lines {
        let _ = writeln!(text, "{}", on_one_line(&line));
    }
    let state = |of: &str| {
        let verdicts = loaded.findings.iter().filter_map(|finding| verdict(&finding.state));
        verdicts.filter(|(verdict, _)| *verdict == of).count()
    };
    let _ = writeln!(
        text,
        "{} applied, {} differ, {} accepted but not applied, {} never applied, {} warnings, {} errors",
        state("applied"),
        state("differs"),
        state("accepted but not applied"),
        state("never applied"),
        loaded.warnings().count(),
        loaded.errors().count(),
    );
    text
}

/// A value in quotes may have line breaks in it.
fn on_one_line(line: &str) -> String {
    let mut one = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() { one.extend(c.escape_default()) } else { one.push(c) }
    }
    one
}

#[derive(Serialize)]
struct Report<'a> {
    directives: Vec<Directive<'a>>,
    problems: Vec<Told<'a>>,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct Directive<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    directive: &'a str,
    value: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    severity: &'static str,
    text: &'a str,
}

/// A place in a file, or a variable of the environment.
#[derive(Serialize)]
#[serde(untagged)]
enum Place<'a> {
    File { file: &'a str, line: u32, column: u32 },
    Variable { variable: &'a str },
    Whole { file: &'a str },
}

impl<'a> Place<'a> {
    fn of(position: &'a Position) -> Self {
        let Position { file, line, column } = position;
        match line {
            0 if file.starts_with("SRS_") => Self::Variable { variable: file },
            0 => Self::Whole { file },
            &line => Self::File { file, line, column: *column },
        }
    }
}

/// The same as JSON.
pub(super) fn json(loaded: &Loaded) -> String {
    let directives = loaded.findings.iter().filter_map(|finding| {
        let (state, note) = verdict(&finding.state)?;
        Some(Directive {
            place: Place::of(&finding.position),
            directive: &finding.path,
            value: &finding.value,
            state,
            note,
        })
    });
    let problems = loaded.problems.iter().map(|problem| Told {
        place: Place::of(&problem.position),
        severity: severity(problem),
        text: &problem.text,
    });
    let report = Report {
        directives: directives.collect(),
        problems: problems.collect(),
        errors: loaded.errors().count(),
        warnings: loaded.warnings().count(),
    };
    serde_json::to_string_pretty(&report).map_or_else(|_| String::new(), |json| json + "\n")
}
