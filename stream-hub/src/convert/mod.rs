//! Converters: one lane into another, once per stream.

mod inline;
mod registry;
mod task;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use inline::InlineNode;
pub(crate) use registry::{Registry, Start, Started};
pub use task::ConvertTask;
pub(crate) use task::TaskNode;

use crate::{ConvertError, Item, Lost, TrackId};

/// Runs a part of a converter; its panic is its failure, and ends nothing but its lane.
///
/// Unwind safety is given by not using a converter again once it has failed.
fn contained<R, E: From<ConvertError>>(work: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(ConvertError::new(format!("panic: {}", text.unwrap_or_default())).into())
    })
}

/// Where a converter runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the publisher's push: for cheap work. The stream is locked meanwhile.
    Inline,
    /// On a [`ConvertTask`] that reads the source lane like any reader: for dear work.
    Task,
}

/// Makes items of one type from items of another.
pub trait Convert<In: Item, Out: Item>: Send {
    /// Takes one item of a track; the items it makes go to `out`, any number of them.
    ///
    /// The first items are the configuration in force at the source's latest join point and what
    /// came since.
    ///
    /// # Errors
    ///
    /// An error ends the derived lane with [`Unavailable::Failed`](crate::Unavailable::Failed),
    /// not the stream. So does a panic, in any of the converter's functions.
    fn push(
        &mut self,
        input: TrackId,
        item: &In,
        out: &mut Output<Out>,
    ) -> Result<(), ConvertError>;

    /// Items were lost, or (with 0 items) another publisher goes on: what comes next does not
    /// follow from what came before.
    fn gap(&mut self, lost: Lost, out: &mut Output<Out>);

    /// The stream has ended for good: the last chance to put out what is held back.
    fn end(&mut self, out: &mut Output<Out>) {
        _ = out;
    }
}

/// Takes the items a converter makes.
#[derive(Debug)]
pub struct Output<T> {
    items: Vec<T>,
}

impl<T: Item> Output<T> {
    /// An empty output; the hub makes its own, this is for testing converters.
    #[must_use]
    pub fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Adds the next item.
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Takes out what was pushed.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.items.drain(..)
    }
}

impl<T: Item> Default for Output<T> {
    fn default() -> Self {
        Self::new()
    }
}
