//! What a directive's value may be: how it is read and written.

mod network;
mod numbers;
mod options;
mod rules;
mod words;
mod wrappers;

use std::net::SocketAddr;

use super::{Block, Spec, Support};
use crate::{Directive, Position};

pub(crate) use network::Listen;
pub(crate) use numbers::{Millis, Number, Seconds, ms, seconds};
pub(crate) use options::Options;
pub use options::{EngineOption, arguments};
pub(crate) use rules::Rules;
pub use rules::{Action, ClientRule, Clients};
pub(crate) use words::{Commands, FilePath, OnOff, OneOf, Secret, SomeWords, Text, Words, text};
pub(crate) use wrappers::{Maybe, Or, Reset};

/// How a value of type `T` is written in a configuration.
pub(crate) trait Codec<T> {
    /// What the value may be, for people: ``a number from 1 to 10``.
    fn expects(&self) -> String;

    /// Reads the arguments of one directive; `None` where they are not what is expected.
    fn read(&self, args: &[&str]) -> Option<T>;

    /// The arguments, as they would stand in a file; none for a value that is not set.
    fn write(&self, value: &T) -> Vec<String>;

    /// How the directive is laid out.
    fn form(&self) -> Form {
        Form::Word
    }

    /// The only words that the value may be, where there are few.
    fn choices(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the value must not be told in reports.
    fn is_secret(&self) -> bool {
        false
    }

    /// What stands for arguments that are not what is expected, and are no error either.
    fn instead(&self, _args: &[String]) -> Option<T> {
        None
    }

    /// Reads all directives of this name that count; else says which of them cannot be read.
    fn read_all(&self, all: &[Directive]) -> Result<T, usize> {
        let args: Vec<&str> = all
            .first()
            .map(Directive::args)
            .unwrap_or_default()
            .iter()
            .map(String::as_str)
            .collect();
        self.read(&args).ok_or(0)
    }

    /// Adds the directive, or directives, that `value` stands for.
    fn show(&self, name: &str, value: &T, out: &mut Vec<Directive>) {
        let args = self.write(value);
        if !args.is_empty() {
            out.push(leaf(name, args));
        }
    }
}

/// How a directive is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// It has one argument.
    Word,
    /// It has several arguments.
    Words,
    /// It has several arguments, and may stand several times.
    Repeated,
    /// It is a block of names with arguments that nobody here knows.
    Options,
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(crate) fn doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// What there is to say of a directive.
pub(crate) fn described<T, C: Codec<T>>(
    codec: &C,
    default: &T,
    path: String,
    doc: String,
    support: Support,
) -> Spec {
    let default = codec.write(default).join(" ");
    Spec { path, doc, expects: codec.expects(), default, support }
}

/// Adds the directive, or directives, that `value` stands for.
pub(crate) fn show<T>(codec: &impl Codec<T>, name: &str, value: &T, out: &mut Vec<Directive>) {
    codec.show(name, value, out);
}

fn shown(name: &str, args: Vec<String>, children: Option<Vec<Directive>>) -> Directive {
    Directive { name: name.to_owned(), args, children, position: Position::none() }
}

/// A directive whose arguments are read back as they are, though they look like a variable's name.
fn leaf(name: &str, args: Vec<String>) -> Directive {
    shown(name, args.into_iter().map(crate::environment::escaped).collect(), None)
}

pub(crate) fn show_block(out: &mut Vec<Directive>, name: &str, arg: &str, block: &impl Block) {
    let mut children = Vec::new();
    block.show(&mut children);
    let args = if arg.is_empty() { Vec::new() } else { vec![arg.to_owned()] };
    out.push(shown(name, args, Some(children)));
}

/// Ports of every address, for a default.
pub(crate) fn ports(ports: &[u16]) -> Vec<SocketAddr> {
    ports.iter().map(|&port| network::any(port)).collect()
}

fn one<'a>(args: &[&'a str]) -> Option<&'a str> {
    match args {
        [one] => Some(one),
        _ => None,
    }
}
