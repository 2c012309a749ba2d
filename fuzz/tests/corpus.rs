//! Replays every committed input through its target.

use std::{fs, path::Path};

#[test]
fn every_corpus_file_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in fuzz::TARGETS {
        let mut files: Vec<_> = fs::read_dir(corpus.join(name))
            .unwrap_or_else(|error| panic!("corpus of {name}: {error}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no inputs");
        for file in files {
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_corpus_and_program_belongs_to_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in ["corpus", "fuzz_targets"] {
        let mut names: Vec<_> = fs::read_dir(root.join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
            .collect();
        names.sort();
        let mut targets = fuzz::TARGETS.map(|(name, _)| name);
        targets.sort_unstable();
        assert_eq!(names, targets, "{directory}");
    }
}

#[test]
fn the_empty_input_holds() {
    for (_, target) in fuzz::TARGETS {
        target(&[]);
    }
}
