#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

#[macro_use]
mod block;
mod check;
mod directives;
mod environment;
mod grammar;
mod include;
mod legacy;
mod load;
mod reading;
mod report;

pub use block::{
    Named, Spec, Support,
    codec::{Action, ClientRule, Clients, EngineOption, arguments},
};
pub use directives::*;
pub use grammar::{Directive, Position, SyntaxError, SyntaxErrorKind, parse};
pub use load::{Loaded, Source, load, specs};
pub use report::{Finding, Problem, Severity, State};
