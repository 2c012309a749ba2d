//! Blocks: how directives are declared once, and from that read, described and shown.

pub(crate) mod codec;
#[macro_use]
mod declare;

use std::ops::{Deref, DerefMut};

use crate::reading::Reading;

/// A block of directives, or the top level of a configuration.
pub(crate) trait Block: Default {
    /// Takes what `nodes` and the environment say of this block, which lies at `path`.
    fn read(&mut self, reading: &mut Reading<'_>, node: Option<&crate::Directive>, path: &str);

    /// Tells every directive of this block and below.
    fn describe(path: &str, specs: &mut Vec<Spec>);

    /// Writes the block's directives, as they would stand in a file.
    fn show(&self, out: &mut Vec<crate::Directive>);
}

/// A directive as this crate knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spec {
    /// Its path with dots: `vhost.play.gop_cache`.
    pub path: String,
    /// What it means.
    pub doc: String,
    /// What its value may be, for people.
    pub expects: String,
    /// SRS's default, as it would stand in a file; empty where there is none.
    pub default: String,
    /// How far it is supported.
    pub support: Support,
}

/// How far a directive is supported, compared with SRS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Support {
    /// It does what it does there. The test sees it from outside.
    Same {
        /// The test's name.
        test: &'static str,
    },
    /// It does something better, or else.
    Differs {
        /// What, and why.
        how: &'static str,
        /// The name of the test that sees it from outside.
        test: &'static str,
    },
    /// SRS has no such directive.
    Added {
        /// The name of the test that sees it from outside.
        test: &'static str,
    },
    /// It is accepted and checked, and has no effect yet.
    NotYet,
    /// It is accepted and checked, and will never have an effect.
    Never {
        /// Why.
        why: &'static str,
    },
}

/// A block that has a name, such as `vhost example.com { }`.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Named<T> {
    /// What stands between the directive and its block; may be empty.
    pub name: String,
    /// What the block says.
    pub block: T,
}

impl<T> Named<T> {
    /// `block` with a name.
    pub fn new(name: impl Into<String>, block: T) -> Self {
        Self { name: name.into(), block }
    }
}

impl<T> Deref for Named<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.block
    }
}

impl<T> DerefMut for Named<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.block
    }
}
