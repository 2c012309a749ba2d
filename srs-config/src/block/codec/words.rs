//! Words.

use std::path::PathBuf;

use super::{Codec, Form, leaf, one};
use crate::Directive;

/// A text for a default.
pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

/// `on` or `off`.
pub(crate) struct OnOff;

impl Codec<bool> for OnOff {
    fn expects(&self) -> String {
        "on or off".to_owned()
    }
    fn choices(&self) -> &'static [&'static str] {
        &["on", "off"]
    }
    fn read(&self, args: &[&str]) -> Option<bool> {
        match one(args)? {
            "on" | "true" => Some(true),
            "off" | "false" => Some(false),
            _ => None,
        }
    }
    fn write(&self, value: &bool) -> Vec<String> {
        vec![if *value { "on" } else { "off" }.to_owned()]
    }
}

/// One word, which may be empty.
pub(crate) struct Text;

impl Codec<String> for Text {
    fn expects(&self) -> String {
        "a text".to_owned()
    }
    fn read(&self, args: &[&str]) -> Option<String> {
        one(args).map(str::to_owned)
    }
    fn write(&self, value: &String) -> Vec<String> {
        vec![value.clone()]
    }
}

/// One word that is told to nobody.
pub(crate) struct Secret;

impl Codec<String> for Secret {
    fn expects(&self) -> String {
        Text.expects()
    }
    fn is_secret(&self) -> bool {
        true
    }
    fn read(&self, args: &[&str]) -> Option<String> {
        Text.read(args)
    }
    fn write(&self, value: &String) -> Vec<String> {
        Text.write(value)
    }
}

/// A path.
pub(crate) struct FilePath;

impl Codec<PathBuf> for FilePath {
    fn expects(&self) -> String {
        "a path".to_owned()
    }
    fn read(&self, args: &[&str]) -> Option<PathBuf> {
        one(args).filter(|path| !path.is_empty()).map(PathBuf::from)
    }
    fn write(&self, value: &PathBuf) -> Vec<String> {
        vec![value.display().to_string()]
    }
}

/// One of a few words.
pub(crate) struct OneOf(pub(crate) &'static [&'static str]);

impl Codec<String> for OneOf {
    fn expects(&self) -> String {
        match self.0 {
            [words @ .., last] if !words.is_empty() => format!("{} or {last}", words.join(", ")),
            words => words.join(", "),
        }
    }
    fn choices(&self) -> &'static [&'static str] {
        self.0
    }
    fn read(&self, args: &[&str]) -> Option<String> {
        one(args).filter(|word| self.0.contains(word)).map(str::to_owned)
    }
    fn write(&self, value: &String) -> Vec<String> {
        vec![value.clone()]
    }
}

/// Several words; none where the directive isn't there.
pub(crate) struct Words;

impl Codec<Vec<String>> for Words {
    fn expects(&self) -> String {
        "words".to_owned()
    }
    fn form(&self) -> Form {
        Form::Words
    }
    fn read(&self, args: &[&str]) -> Option<Vec<String>> {
        Some(args.iter().filter(|arg| !arg.is_empty()).map(|&arg| arg.to_owned()).collect())
    }
    fn write(&self, value: &Vec<String>) -> Vec<String> {
        value.clone()
    }
}

/// One word or more.
pub(crate) struct SomeWords;

impl Codec<Vec<String>> for SomeWords {
    fn expects(&self) -> String {
        "one word or more".to_owned()
    }
    fn form(&self) -> Form {
        Form::Words
    }
    fn read(&self, args: &[&str]) -> Option<Vec<String>> {
        Words.read(args).filter(|words| !words.is_empty())
    }
    fn write(&self, value: &Vec<String>) -> Vec<String> {
        value.clone()
    }
}

/// Commands, each a directive of its own: a program and its arguments.
pub(crate) struct Commands;

impl Codec<Vec<Vec<String>>> for Commands {
    fn expects(&self) -> String {
        "a program and its arguments".to_owned()
    }
    fn form(&self) -> Form {
        Form::Repeated
    }
    fn read(&self, args: &[&str]) -> Option<Vec<Vec<String>>> {
        let is_command = args.first().is_some_and(|program| !program.is_empty());
        is_command.then(|| vec![args.iter().map(|&arg| arg.to_owned()).collect()])
    }
    fn read_all(&self, all: &[Directive]) -> Result<Vec<Vec<String>>, usize> {
        let is_command = |all: &Directive| all.args.first().is_some_and(|arg| !arg.is_empty());
        match all.iter().position(|directive| !is_command(directive)) {
            Some(wrong) => Err(wrong),
            None => Ok(all.iter().map(|directive| directive.args.clone()).collect()),
        }
    }
    fn write(&self, _: &Vec<Vec<String>>) -> Vec<String> {
        Vec::new()
    }
    fn show(&self, name: &str, value: &Vec<Vec<String>>, out: &mut Vec<Directive>) {
        out.extend(value.iter().map(|command| leaf(name, command.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_on_or_off() {
        assert_eq!(OnOff.read(&["on"]), Some(true));
        assert_eq!(OnOff.read(&["false"]), Some(false));
        for wrong in ["", "ON", "yes", "1", "onn"] {
            assert_eq!(OnOff.read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(OnOff.read(&[]), None);
    }

    #[test]
    fn a_choice_names_all_of_its_words() {
        assert_eq!(
            OneOf(&["session", "segment", "append"]).expects(),
            "session, segment or append"
        );
        assert_eq!(OneOf(&["file"]).expects(), "file");
    }

    #[test]
    fn an_empty_text_is_one_and_an_empty_path_is_none() {
        assert_eq!(Text.read(&[""]), Some(String::new()));
        assert_eq!(Text.read(&[]), None);
        assert_eq!(FilePath.read(&[""]), None);
        assert_eq!(Words.read(&["", "a"]), Some(vec!["a".to_owned()]));
    }
}
