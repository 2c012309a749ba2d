//! Any text is read without a panic, and what is read is written so that it is read to the same.

use proptest::prelude::*;
use srs_config::{Loaded, Source, load, parse, specs};

fn read(text: &str) -> Loaded {
    load(Source::File("a"), &|_| None, &|_| Ok(text.to_owned()))
}

/// Values of all kinds, as they are written.
const VALUES: [&str; 40] = [
    "on",
    "off",
    "0",
    "1",
    "16",
    "1935",
    "1936 127.0.0.1:0",
    "0.5",
    "10.25",
    "600",
    "9000",
    "60000",
    "full",
    "zero",
    "file",
    "console",
    "trace",
    "auto",
    "unlimited",
    "session",
    "segment",
    "remote",
    "flv",
    "udp",
    "ipv6",
    "passive",
    "dtls1.2",
    "gb28181",
    "disconnect",
    "same",
    "stream",
    "play all",
    "publish 10.0.0.0/8",
    "./a}b/[app]",
    "'a b; {c} #d'",
    "\"it's\"\"'\"'say \"x\"'",
    "$$HOME",
    "a b 'c d'",
    "\"\"",
    "long-enough-to-be-a-passphrase",
];

/// A file with one directive, within the blocks that it needs.
fn file_with(path: &str, value: &str, is_options: bool) -> String {
    let mut parts: Vec<&str> = path.split('.').collect();
    let name = parts.pop().unwrap();
    let blocks: String = parts.iter().map(|block| format!("{block} name {{ ")).collect();
    let directive = match is_options {
        true => format!("{name} {{ {value}; b {value}; }}"),
        false => format!("{name} {value};"),
    };
    format!("{blocks}{directive}{}", " }".repeat(parts.len()))
}

/// Files with one directive that can be read, for every directive.
fn valid_files() -> Vec<String> {
    let mut files = Vec::new();
    for spec in specs() {
        let is_options = spec.expects == "a block of options";
        // Three of each are enough; to read one costs a millisecond.
        let fits = VALUES
            .iter()
            .map(|value| file_with(&spec.path, value, is_options))
            .filter(|file| read(file).errors().next().is_none());
        let fitting: Vec<_> = fits.take(3).collect();
        assert!(!fitting.is_empty(), "no value fits {}", spec.path);
        files.extend(fitting);
    }
    files
}

#[test]
fn every_directive_is_written_so_that_it_is_read_to_the_same() {
    let files = valid_files();
    assert!(files.len() > 400, "{}", files.len());
    for file in files {
        let config = read(&file).config;
        let text = config.to_string();
        let again = read(&text);
        assert_eq!(again.errors().collect::<Vec<_>>(), [] as [&srs_config::Problem; 0], "{file}");
        assert_eq!(again.config, config, "{file}\n{text}");
    }
}

/// A directive of any name and shape.
fn directive() -> impl Strategy<Value = String> {
    let paths: Vec<String> = specs().into_iter().map(|spec| spec.path).collect();
    let known = (prop::sample::select(paths), prop::sample::select(VALUES.to_vec()), any::<bool>())
        .prop_map(|(path, value, is_options)| file_with(&path, value, is_options));
    prop_oneof![8 => known, 1 => "[a-z_ {};#'\"$\n]{0,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_is_read_or_told_where_it_is_wrong(text in ".*") {
        if let Err(error) = parse("a", &text) {
            prop_assert!((1..=text.lines().count().max(1)).contains(&(error.position.line as usize)));
            prop_assert!(error.position.column >= 1);
        }
        let _ = read(&text);
    }

    #[test]
    fn any_directives_are_read_and_each_problem_has_a_place(
        directives in prop::collection::vec(directive(), 0..12)
    ) {
        let text = directives.join("\n");
        let loaded = read(&text);
        for problem in &loaded.problems {
            let line = problem.position.line as usize;
            prop_assert!((1..=text.lines().count().max(1)).contains(&line), "{}", problem);
        }
        if loaded.errors().next().is_none() {
            let again = read(&loaded.config.to_string());
            prop_assert_eq!(again.errors().count(), 0);
            prop_assert_eq!(again.config, loaded.config);
        }
    }
}
