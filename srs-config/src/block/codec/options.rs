//! Blocks of options for another program.

use super::{Codec, Form, shown};
use crate::Directive;

/// An option for another program, such as `preset` in `vparams { preset fast; }`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOption {
    /// Its name, with or without a leading dash.
    pub name: String,
    /// What follows it.
    pub values: Vec<String>,
}

/// The options as arguments of a program: each name gets a leading dash, and only the first value
/// of each is given, as SRS does.
pub fn arguments(options: &[EngineOption]) -> Vec<String> {
    let mut arguments = Vec::new();
    for EngineOption { name, values } in options {
        let dash = if name.starts_with('-') { "" } else { "-" };
        arguments.push(format!("{dash}{name}"));
        arguments.extend(values.first().filter(|value| !value.is_empty()).cloned());
    }
    arguments
}

/// A block of options.
pub(crate) struct Options;

impl Codec<Vec<EngineOption>> for Options {
    fn expects(&self) -> String {
        "a block of options".to_owned()
    }
    fn form(&self) -> Form {
        Form::Options
    }
    fn read(&self, _: &[&str]) -> Option<Vec<EngineOption>> {
        None
    }
    fn read_all(&self, all: &[Directive]) -> Result<Vec<EngineOption>, usize> {
        let options = all.first().map(Directive::children).unwrap_or_default();
        if options.iter().any(|option| option.children.is_some()) {
            return Err(0);
        }
        let option = |directive: &Directive| EngineOption {
            name: directive.name.clone(),
            values: directive.args.clone(),
        };
        Ok(options.iter().map(option).collect())
    }
    fn write(&self, _: &Vec<EngineOption>) -> Vec<String> {
        Vec::new()
    }
    fn show(&self, name: &str, value: &Vec<EngineOption>, out: &mut Vec<Directive>) {
        if !value.is_empty() {
            let option = |option: &EngineOption| shown(&option.name, option.values.clone(), None);
            out.push(shown(name, Vec::new(), Some(value.iter().map(option).collect())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn options_become_arguments() {
        let text = "vparams { -preset fast; tune zerolatency psnr; re; s ''; }";
        let options = Options.read_all(&parse("a", text).unwrap()).unwrap();
        assert_eq!(arguments(&options), ["-preset", "fast", "-tune", "zerolatency", "-re", "-s"]);
    }

    #[test]
    fn a_block_within_options_is_refused() {
        let nested = parse("a", "vparams { a { b c; } }").unwrap();
        assert_eq!(Options.read_all(&nested), Err(0));
    }
}
