//! A converter in the publisher's push.

use std::any::Any;
use std::mem;
use std::sync::Arc;

use super::{Convert, Output, contained};
use crate::lane::Lane;
use crate::stream::Graph;
use crate::wake::Wakes;
use crate::{ConvertError, Item, Lost, TrackId};

/// An inline converter whose item types the stream does not know.
pub(crate) trait InlineNode: Send {
    /// Converts the source's backlog.
    fn replay(&mut self, graph: &mut Graph, wakes: &mut Wakes) -> Result<(), ConvertError>;
    fn push(
        &mut self,
        input: TrackId,
        item: &dyn Any,
        graph: &mut Graph,
        wakes: &mut Wakes,
    ) -> Result<(), ConvertError>;
    fn gap(&mut self, graph: &mut Graph, wakes: &mut Wakes) -> Result<(), ConvertError>;
    fn end(&mut self, graph: &mut Graph, wakes: &mut Wakes);
}

pub(super) struct Inline<In: Item, Out: Item> {
    pub(super) convert: Box<dyn Convert<In, Out>>,
    pub(super) backlog: Vec<(TrackId, In)>,
    pub(super) out: Output<Out>,
    pub(super) lane: Arc<Lane<Out>>,
    pub(super) index: usize,
}

impl<In: Item, Out: Item> Inline<In, Out> {
    fn flush(&mut self, graph: &mut Graph, wakes: &mut Wakes) {
        let mut items = mem::take(&mut self.out.items);
        for item in items.drain(..) {
            graph.emit(self.index, &self.lane, item, wakes);
        }
        // Keeps its room for the next time.
        self.out.items = items;
    }
}

impl<In: Item, Out: Item> InlineNode for Inline<In, Out> {
    fn replay(&mut self, graph: &mut Graph, wakes: &mut Wakes) -> Result<(), ConvertError> {
        for (track, item) in mem::take(&mut self.backlog) {
            let result = contained(|| self.convert.push(track, &item, &mut self.out));
            self.flush(graph, wakes);
            result?;
        }
        Ok(())
    }

    fn push(
        &mut self,
        input: TrackId,
        item: &dyn Any,
        graph: &mut Graph,
        wakes: &mut Wakes,
    ) -> Result<(), ConvertError> {
        let Some(item) = item.downcast_ref::<In>() else { return Ok(()) };
        let result = contained(|| self.convert.push(input, item, &mut self.out));
        self.flush(graph, wakes);
        result
    }

    fn gap(&mut self, graph: &mut Graph, wakes: &mut Wakes) -> Result<(), ConvertError> {
        let result = contained(|| {
            self.convert.gap(Lost { items: 0 }, &mut self.out);
            Ok(())
        });
        self.flush(graph, wakes);
        result
    }

    fn end(&mut self, graph: &mut Graph, wakes: &mut Wakes) {
        // The lane ends now, whether this went well or not.
        _ = contained(|| {
            self.convert.end(&mut self.out);
            Ok::<_, ConvertError>(())
        });
        self.flush(graph, wakes);
    }
}
