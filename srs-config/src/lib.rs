#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[macro_use]
mod block;
mod directives;
mod grammar;
mod load;
mod report;

pub use block::{Named, Spec, Support};
pub use directives::*;
pub use grammar::{Directive, Position, SyntaxError, parse};
pub use load::{Loaded, Source, load, specs};
pub use report::{Finding, Problem, Severity, State};
