//! What is called supported is tested: each directive names the test here that sees it at work.

use std::{collections::BTreeSet, fs, path::Path};

use srs_config::{Support, specs};

#[test]
fn every_supported_directive_has_its_test() {
    let tests = tests_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat"));
    assert!(tests.contains("every_supported_directive_has_its_test"), "{tests:?}");
    let missing: BTreeSet<String> = specs()
        .into_iter()
        .filter_map(|spec| {
            let test = match spec.support {
                Support::Same { test } | Support::Added { test } => test,
                Support::Differs { test, .. } => test,
                _ => return None,
            };
            (!tests.contains(test)).then(|| format!("{test}, for {}", spec.path))
        })
        .collect();
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

/// The names of all tests in the files of a folder and below: functions that follow upon a line
/// which makes them tests.
fn tests_in(folder: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests.extend(tests_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[") {
                    is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                } else if !line.starts_with("//") {
                    let name = line.trim_start_matches("async ").strip_prefix("fn ");
                    if let (true, Some((name, _))) =
                        (is_test, name.and_then(|it| it.split_once('(')))
                    {
                        tests.insert(name.to_owned());
                    }
                    is_test = false;
                }
            }
        }
    }
    tests
}
