//! Which converters there are, and the shortest path between two types.

use std::any::{Any, TypeId};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::inline::Inline;
use super::task::{self, ConvertTask, TaskNode};
use super::{Convert, InlineNode, Output, Place, contained};
use crate::lane::{AnyLane, Lane};
use crate::stream::Stream;
use crate::{Item, Limits, StreamInfo, TrackId, Unavailable, Variant};

/// What a converter is started with.
pub(crate) struct Start<'a> {
    pub(crate) info: StreamInfo,
    pub(crate) variant: Variant,
    pub(crate) inputs: Vec<(TrackId, Arc<dyn AnyLane>)>,
    pub(crate) output: Arc<dyn AnyLane>,
    /// The output lane's index in its stream.
    pub(crate) index: usize,
    /// Tells this converter from earlier and later ones of the same lane.
    pub(crate) serial: u64,
    pub(crate) stream: &'a Arc<Stream>,
}

pub(crate) enum Started {
    Inline(Box<dyn InlineNode>),
    Task(Arc<dyn TaskNode>, ConvertTask),
}

type Starter = dyn Fn(Start<'_>) -> Result<Started, Unavailable> + Send + Sync;
type InputVariant = dyn Fn(Variant) -> Variant + Send + Sync;
type NewLane = dyn Fn(&Limits) -> Arc<dyn AnyLane> + Send + Sync;

struct Edge {
    input: TypeId,
    output: TypeId,
    start: Arc<Starter>,
    new_lane: Arc<NewLane>,
    /// The variant of the input lane that a variant of the output lane is made from.
    input_variant: Arc<InputVariant>,
}

/// The registered converters; a path is a list of their indices.
#[derive(Default)]
pub(crate) struct Registry {
    edges: Vec<Edge>,
}

/// The lane of items of type `T`; the stream's lanes are keyed by type, so it is one.
fn typed<T: Item>(lane: Arc<dyn AnyLane>) -> Result<Arc<Lane<T>>, Unavailable> {
    let lane: Arc<dyn Any + Send + Sync> = lane;
    lane.downcast().map_err(|_| Unavailable::NoPath)
}

impl Registry {
    pub(crate) fn register<In: Item, Out: Item>(
        &mut self,
        place: Place,
        input_variant: impl Fn(Variant) -> Variant + Send + Sync + 'static,
        make: impl Fn(&StreamInfo, Variant) -> Result<Box<dyn Convert<In, Out>>, Unavailable>
        + Send
        + Sync
        + 'static,
    ) {
        let start = move |start: Start<'_>| {
            let convert = contained(|| make(&start.info, start.variant))?;
            let lane = typed::<Out>(start.output)?;
            let inputs = start.inputs.into_iter();
            let inputs: Vec<_> = inputs
                .map(|(track, lane)| Ok((track, typed::<In>(lane)?)))
                .collect::<Result<_, Unavailable>>()?;
            Ok(match place {
                Place::Inline => Started::Inline(Box::new(Inline {
                    convert,
                    backlog: backlog(&inputs),
                    out: Output::new(),
                    lane,
                    index: start.index,
                })),
                Place::Task => {
                    let at = task::At { index: start.index, serial: start.serial };
                    let (node, task) = task::start(convert, inputs, lane, start.stream, at);
                    Started::Task(node, task)
                }
            })
        };
        self.edges.push(Edge {
            input: TypeId::of::<In>(),
            output: TypeId::of::<Out>(),
            start: Arc::new(start),
            new_lane: Arc::new(|limits| Arc::new(Lane::<Out>::new(limits))),
            input_variant: Arc::new(input_variant),
        });
    }

    /// The shortest path from any of `sources` to `target`, at least one step long; of equally
    /// short ones, that of the source opened and the converter registered first.
    pub(crate) fn path(&self, sources: &[TypeId], target: TypeId) -> Option<Vec<usize>> {
        let mut came_by: HashMap<TypeId, Option<usize>> =
            sources.iter().map(|source| (*source, None)).collect();
        let mut queue: VecDeque<TypeId> = sources.iter().copied().collect();
        while let Some(from) = queue.pop_front() {
            for (index, edge) in self.edges.iter().enumerate().filter(|(_, e)| e.input == from) {
                if edge.output == target {
                    let mut path = vec![index];
                    let mut at = from;
                    while let Some(Some(step)) = came_by.get(&at) {
                        path.push(*step);
                        at = self.edges[*step].input;
                    }
                    path.reverse();
                    return Some(path);
                }
                if let std::collections::hash_map::Entry::Vacant(entry) = came_by.entry(edge.output)
                {
                    entry.insert(Some(index));
                    queue.push_back(edge.output);
                }
            }
        }
        None
    }

    pub(crate) fn input(&self, edge: usize) -> TypeId {
        self.edges[edge].input
    }

    pub(crate) fn output(&self, edge: usize) -> TypeId {
        self.edges[edge].output
    }

    pub(crate) fn input_variant(&self, edge: usize, output: Variant) -> Variant {
        (self.edges[edge].input_variant)(output)
    }

    pub(crate) fn new_lane(&self, edge: usize, limits: &Limits) -> Arc<dyn AnyLane> {
        (self.edges[edge].new_lane)(limits)
    }

    pub(crate) fn start(&self, edge: usize, start: Start<'_>) -> Result<Started, Unavailable> {
        (self.edges[edge].start)(start)
    }
}

/// What the source lanes hold from their latest join points on, in order of time.
fn backlog<T: Item>(inputs: &[(TrackId, Arc<Lane<T>>)]) -> Vec<(TrackId, T)> {
    let mut items: Vec<(TrackId, T)> = inputs
        .iter()
        .flat_map(|(track, lane)| lane.replay().into_iter().map(|item| (*track, item)))
        .collect();
    if inputs.len() > 1 {
        // Configuration is older than what follows it, so that a stable sort keeps each track's
        // order.
        items.sort_by_key(|(_, item)| item.time());
    }
    items
}
