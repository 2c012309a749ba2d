//! Configuration files.

use srs_config::{Position, Source, load, parse};

/// A file, and, behind a zero byte, one that it may include as `b`. Nothing panics; what is wrong
/// is told with a place in one of the files, or with the name of a variable; what is right is
/// written so that it is read to the same again.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, included) = text.split_once('\0').unwrap_or((&text, ""));
    if let Err(error) = parse("a", first) {
        assert_is_within(&error.position, first, included);
    }
    let env = |name: &str| (name == "SRS_VHOST_ENABLED").then(|| "maybe".to_owned());
    let file = |name: &str| match name {
        "a" => Ok(first.to_owned()),
        "b" => Ok(included.to_owned()),
        _ => Err("no such file".to_owned()),
    };
    let loaded = load(Source::File("a"), &env, &file);
    for problem in &loaded.problems {
        assert!(!problem.text.is_empty());
        assert_is_within(&problem.position, first, included);
    }
    for finding in &loaded.findings {
        assert_is_within(&finding.position, first, included);
    }
    let loaded = load(Source::File("a"), &|_| None, &file);
    if loaded.errors().next().is_none() {
        let shown = loaded.config.to_string();
        let again = load(Source::File("a"), &|_| None, &|_| Ok(shown.clone()));
        assert_eq!(again.errors().next(), None, "{shown}");
        assert_eq!(again.config, loaded.config, "{shown}");
    }
}

fn assert_is_within(position: &Position, first: &str, included: &str) {
    let text = match &*position.file {
        "a" => first,
        "b" => included,
        variable => {
            assert!(variable.starts_with("SRS_"), "{position}");
            assert_eq!(position.line, 0, "{position}");
            return;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = (position.line as usize).checked_sub(1).expect("lines begin at 1");
    let line = text.split('\n').nth(line).unwrap_or_else(|| panic!("{position} is beyond the end"));
    let column = position.column as usize;
    assert!((1..=line.chars().count() + 1).contains(&column), "{position}");
}
