//! What a directive's value may be: how it is read and written.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use super::Block;
use crate::{Directive, Position};

/// How a value of type `T` is written in a configuration.
pub(crate) trait Codec<T> {
    /// What the value may be, for people: ``a number from 1 to 10``.
    fn expects(&self) -> String;
    /// Reads the arguments of one directive; `None` where they are not what is expected.
    fn read(&self, args: &[&str]) -> Option<T>;
    /// The arguments, as they would stand in a file; none for a value that is not set.
    fn write(&self, value: &T) -> Vec<String>;
    /// Reads all directives of this name, the first of which counts unless it says otherwise.
    fn read_all(&self, all: &[&Directive]) -> Option<T> {
        let args: Vec<&str> = all.first()?.args.iter().map(String::as_str).collect();
        self.read(&args)
    }
    /// Whether the directive may stand several times, or has a block of words.
    fn is_repeated(&self) -> bool {
        false
    }
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(crate) fn doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn line(args: &[String]) -> String {
    args.join(" ")
}

fn shown(name: &str, args: Vec<String>, children: Option<Vec<Directive>>) -> Directive {
    let position = Position { file: "".into(), line: 0, column: 0 };
    Directive { name: name.to_owned(), args, children, position }
}

pub(crate) fn show_leaf(out: &mut Vec<Directive>, name: &str, args: Vec<String>) {
    if !args.is_empty() {
        out.push(shown(name, args, None));
    }
}

pub(crate) fn show_block(out: &mut Vec<Directive>, name: &str, arg: &str, block: &impl Block) {
    let mut children = Vec::new();
    block.show(&mut children);
    let args = if arg.is_empty() { Vec::new() } else { vec![arg.to_owned()] };
    out.push(shown(name, args, Some(children)));
}

/// A text for a default.
pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}
/// Milliseconds for a default.
pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
/// Seconds for a default.
pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
/// Ports of every address, for a default.
pub(crate) fn ports(ports: &[u16]) -> Vec<SocketAddr> {
    ports.iter().map(|&port| any(port)).collect()
}

fn any(port: u16) -> SocketAddr {
    (IpAddr::from(Ipv6Addr::UNSPECIFIED), port).into()
}

fn one<'a>(args: &[&'a str]) -> Option<&'a str> {
    match args {
        [one] => Some(one),
        _ => None,
    }
}

/// `on` or `off`.
pub(crate) struct OnOff;

impl Codec<bool> for OnOff {
    fn expects(&self) -> String {
        "on or off".to_owned()
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

/// A whole number within a range.
pub(crate) struct Number<N>(pub(crate) RangeInclusive<N>);

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Codec<$type> for Number<$type> {
            fn expects(&self) -> String {
                format!("a number from {} to {}", self.0.start(), self.0.end())
            }
            fn read(&self, args: &[&str]) -> Option<$type> {
                one(args)?.parse().ok().filter(|number| self.0.contains(number))
            }
            fn write(&self, value: &$type) -> Vec<String> {
                vec![value.to_string()]
            }
        }
    )*};
}
number!(u16, u32, u64, usize, i32, i64, f64);

/// A time in milliseconds within a range.
pub(crate) struct Millis(pub(crate) RangeInclusive<u64>);

impl Codec<Duration> for Millis {
    fn expects(&self) -> String {
        format!("milliseconds from {} to {}", self.0.start(), self.0.end())
    }
    fn read(&self, args: &[&str]) -> Option<Duration> {
        let ms = one(args)?.parse().ok().filter(|ms| self.0.contains(ms))?;
        Some(Duration::from_millis(ms))
    }
    fn write(&self, value: &Duration) -> Vec<String> {
        vec![value.as_millis().to_string()]
    }
}

/// A time in seconds, which may have a fraction, within a range.
pub(crate) struct Seconds(pub(crate) RangeInclusive<f64>);

impl Codec<Duration> for Seconds {
    fn expects(&self) -> String {
        format!("seconds from {} to {}", self.0.start(), self.0.end())
    }
    fn read(&self, args: &[&str]) -> Option<Duration> {
        let seconds: f64 = one(args)?.parse().ok().filter(|seconds| self.0.contains(seconds))?;
        Duration::try_from_secs_f64(seconds).ok()
    }
    fn write(&self, value: &Duration) -> Vec<String> {
        vec![value.as_secs_f64().to_string()]
    }
}

/// What `inner` reads, or a word that stands for none.
pub(crate) struct Or<C>(pub(crate) &'static str, pub(crate) C);

impl<T, C: Codec<T>> Codec<Option<T>> for Or<C> {
    fn expects(&self) -> String {
        format!("{}, or {}", self.1.expects(), self.0)
    }
    fn read(&self, args: &[&str]) -> Option<Option<T>> {
        if args == [self.0] { Some(None) } else { self.1.read(args).map(Some) }
    }
    fn write(&self, value: &Option<T>) -> Vec<String> {
        value.as_ref().map_or_else(|| vec![self.0.to_owned()], |value| self.1.write(value))
    }
}

/// What `inner` reads, or nothing where the directive isn't there.
pub(crate) struct Maybe<C>(pub(crate) C);

impl<T, C: Codec<T>> Codec<Option<T>> for Maybe<C> {
    fn expects(&self) -> String {
        self.0.expects()
    }
    fn read(&self, args: &[&str]) -> Option<Option<T>> {
        self.0.read(args).map(Some)
    }
    fn write(&self, value: &Option<T>) -> Vec<String> {
        value.as_ref().map_or_else(Vec::new, |value| self.0.write(value))
    }
}

/// One word; an empty one is not written.
pub(crate) struct Text;

impl Codec<String> for Text {
    fn expects(&self) -> String {
        "a text".to_owned()
    }
    fn read(&self, args: &[&str]) -> Option<String> {
        one(args).map(str::to_owned)
    }
    fn write(&self, value: &String) -> Vec<String> {
        if value.is_empty() { Vec::new() } else { vec![value.clone()] }
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

/// Several words.
pub(crate) struct Words;

impl Codec<Vec<String>> for Words {
    fn expects(&self) -> String {
        "words".to_owned()
    }
    fn read(&self, args: &[&str]) -> Option<Vec<String>> {
        Some(args.iter().map(|&arg| arg.to_owned()).collect())
    }
    fn write(&self, value: &Vec<String>) -> Vec<String> {
        value.clone()
    }
}

/// One of a few words.
pub(crate) struct OneOf(pub(crate) &'static [&'static str]);

impl Codec<String> for OneOf {
    fn expects(&self) -> String {
        self.0.join(", ")
    }
    fn read(&self, args: &[&str]) -> Option<String> {
        one(args).filter(|word| self.0.contains(word)).map(str::to_owned)
    }
    fn write(&self, value: &String) -> Vec<String> {
        vec![value.clone()]
    }
}

/// Addresses to listen on: `[ip:]port`, several divided by white space.
pub(crate) struct Listen;

impl Codec<Vec<SocketAddr>> for Listen {
    fn expects(&self) -> String {
        "[ip:]port, one or more".to_owned()
    }
    fn read(&self, args: &[&str]) -> Option<Vec<SocketAddr>> {
        let read = |arg: &&str| match arg.parse::<u16>() {
            Ok(port) => Some(any(port)),
            Err(_) => arg.parse().ok(),
        };
        args.iter().map(read).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
    }
    fn write(&self, value: &Vec<SocketAddr>) -> Vec<String> {
        value
            .iter()
            .map(|address| match address.ip() {
                ip if ip == IpAddr::from(Ipv6Addr::UNSPECIFIED) => address.port().to_string(),
                _ => address.to_string(),
            })
            .collect()
    }
}
