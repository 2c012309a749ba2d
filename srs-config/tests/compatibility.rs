//! The page on compatibility says what is declared.
//!
//! `UPDATE=1 cargo test -p srs-config --test compatibility` writes it anew. What is not about
//! directives stands in `compatibility/*.md`.

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path};

use srs_config::{Spec, Support, specs};

const BEFORE: [&str; 8] = [
    include_str!("../compatibility/introduction.md"),
    include_str!("../compatibility/process.md"),
    include_str!("../compatibility/configuration.md"),
    include_str!("../compatibility/streams.md"),
    include_str!("../compatibility/http.md"),
    include_str!("../compatibility/hooks.md"),
    include_str!("../compatibility/rtc.md"),
    include_str!("../compatibility/directives.md"),
];

#[test]
fn the_page_says_what_is_declared() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COMPATIBILITY.md");
    let page = page();
    if env::var("UPDATE").is_ok_and(|update| update == "1") {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let is_current = written == page;
    assert!(is_current, "docs/COMPATIBILITY.md is not what is declared: run this with UPDATE=1");
}

#[test]
fn every_directive_is_described() {
    let mut paths = BTreeMap::new();
    for spec in specs() {
        assert!(spec.doc.ends_with('.'), "{}: {}", spec.path, spec.doc);
        assert!(!spec.expects.is_empty(), "{}", spec.path);
        assert_eq!(paths.insert(spec.path.clone(), ()), None, "{} is declared twice", spec.path);
    }
}

fn page() -> String {
    let specs = specs();
    let mut page = BEFORE.join("\n");
    writeln!(page, "\n{}", summary(&specs)).unwrap();
    for (block, directives) in blocks(&specs) {
        let heading = if block.is_empty() { "Top level".to_owned() } else { format!("`{block}`") };
        writeln!(page, "\n### {heading}\n").unwrap();
        writeln!(page, "| Directive | SRS's default | Value | Support |").unwrap();
        writeln!(page, "|---|---|---|---|").unwrap();
        for spec in directives {
            writeln!(page, "{}", row(spec)).unwrap();
        }
    }
    page
}

/// The directives of each block, in the order in which they are declared.
fn blocks(specs: &[Spec]) -> Vec<(&str, Vec<&Spec>)> {
    let mut blocks: Vec<(&str, Vec<&Spec>)> = Vec::new();
    for spec in specs {
        let block = spec.path.rsplit_once('.').map_or("", |(block, _)| block);
        match blocks.iter_mut().find(|(name, _)| *name == block) {
            Some((_, directives)) => directives.push(spec),
            None => blocks.push((block, vec![spec])),
        }
    }
    blocks
}

fn row(spec: &Spec) -> String {
    let name = spec.path.rsplit('.').next().unwrap_or_default();
    let default =
        if spec.default.trim().is_empty() { String::new() } else { format!("`{}`", spec.default) };
    let support = match spec.support {
        Support::Same { .. } => "same".to_owned(),
        Support::Differs { how, .. } => format!("differs: {how}"),
        Support::Added { .. } => "own".to_owned(),
        Support::NotYet => "not yet".to_owned(),
        Support::Never { why } => format!("never: {why}"),
        _ => unreachable!("a kind of support that the page doesn't know"),
    };
    format!("| `{name}` | {default} | {} | {support} |", spec.expects.replace('|', "\\|"))
}

fn summary(specs: &[Spec]) -> String {
    let count =
        |wanted: fn(&Support) -> bool| specs.iter().filter(|it| wanted(&it.support)).count();
    format!(
        "Of {} directives, {} are the same, {} differ, {} are own, {} have no effect yet, and {} \
         never will.",
        specs.len(),
        count(|it| matches!(it, Support::Same { .. })),
        count(|it| matches!(it, Support::Differs { .. })),
        count(|it| matches!(it, Support::Added { .. })),
        count(|it| matches!(it, Support::NotYet)),
        count(|it| matches!(it, Support::Never { .. })),
    )
}
