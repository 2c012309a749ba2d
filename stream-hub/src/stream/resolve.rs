//! Starting the converters that derived lanes need.

use std::any::TypeId;
use std::sync::Arc;

use super::Stream;
use super::graph::{Body, Graph, LaneKey, Node};
use crate::convert::{Registry, Start, Started};
use crate::hub::HubInner;
use crate::wake::Wakes;
use crate::{StreamInfo, TrackId, TrackInfo, Unavailable, Variant};

/// What is needed to start a converter, besides the graph.
pub(crate) struct Resolver<'a> {
    pub(crate) stream: &'a Arc<Stream>,
    pub(crate) hub: &'a HubInner,
    pub(crate) registry: &'a Registry,
}

impl Graph {
    /// Item types of the open source tracks, in the order of their lanes.
    fn source_types(&self) -> Vec<TypeId> {
        let mut types = Vec::new();
        for entry in self.entries.iter().flatten().filter(|entry| entry.source.is_some()) {
            if !types.contains(&entry.key.item) {
                types.push(entry.key.item);
            }
        }
        types
    }

    fn source_tracks(&self) -> Vec<TrackInfo> {
        self.entries.iter().flatten().filter_map(|entry| entry.source.clone()).collect()
    }

    /// Sees to it that a lane somebody wants is filled, if the source is known.
    pub(crate) fn resolve(&mut self, index: usize, cx: &Resolver<'_>, wakes: &mut Wakes) {
        let sources = self.source_types();
        let Some(entry) = self.entry(index) else { return };
        let key = entry.key;
        if sources.is_empty() || entry.failed.is_some() {
            return;
        }
        // The publisher's own type: its track is open, or may yet be.
        let own = sources.contains(&key.item) && key.variant.0 == 0;
        if entry.source.is_some() || own {
            if entry.node.is_some() {
                self.detach(index, wakes);
                self.broken(index, wakes);
            }
            return;
        }
        let result = match cx.registry.path(&sources, key.item) {
            Some(path) => self.start(index, &path, cx, wakes),
            None => Err(Unavailable::NoPath),
        };
        if let Err(why) = result {
            self.fail(index, &why, wakes);
        }
    }

    /// Resolves all lanes that are wanted: the source has changed.
    pub(super) fn resolve_all(&mut self, cx: &Resolver<'_>, wakes: &mut Wakes) {
        for index in 0..self.entries.len() {
            let Some(entry) = self.entry_mut(index) else { continue };
            if entry.failed.take().is_some() {
                entry.lane.reopen();
            }
        }
        for index in 0..self.entries.len() {
            if self.entry(index).is_some_and(|entry| entry.readers > 0) {
                self.resolve(index, cx, wakes);
            }
        }
    }

    /// Starts the converters of a path to a lane, unless they run.
    fn start(
        &mut self,
        index: usize,
        path: &[usize],
        cx: &Resolver<'_>,
        wakes: &mut Wakes,
    ) -> Result<(), Unavailable> {
        let Some((edge, before)) = path.split_last() else { return Err(Unavailable::NoPath) };
        let Some(entry) = self.entry(index) else { return Ok(()) };
        if let Some((why, _)) = &entry.failed {
            return Err(why.clone());
        }
        let variant = cx.registry.input_variant(*edge, entry.key.variant);
        let inputs = self.inputs(*edge, variant, before, cx, wakes)?;
        let Some(entry) = self.entry(index) else { return Ok(()) };
        if let Some(node) = &entry.node {
            let draining = node.draining;
            if node.path == path && !draining {
                return Ok(());
            }
            self.detach(index, wakes);
            if draining {
                self.end_from(index, wakes);
            } else {
                self.broken(index, wakes);
            }
        }
        let tracks = self.source_tracks();
        let serial = self.started;
        let Some(entry) = self.entry(index) else { return Ok(()) };
        let started = cx.registry.start(
            *edge,
            Start {
                info: StreamInfo { key: cx.stream.key.clone(), tracks, track: entry.key.track },
                variant: entry.key.variant,
                inputs: inputs.iter().filter_map(|input| self.input(*input)).collect(),
                output: Arc::clone(&entry.lane),
                index,
                serial,
                stream: cx.stream,
            },
        )?;
        self.started += 1;
        let body = match started {
            Started::Inline(node) => Body::Inline(Some(node)),
            Started::Task(node, task) => {
                cx.hub.add_task(task, wakes);
                Body::Task(node)
            }
        };
        let inline = matches!(body, Body::Inline(_));
        for input in &inputs {
            if let Some(entry) = self.entry_mut(*input) {
                entry.downstream += 1;
                if inline {
                    entry.stages.push(index);
                }
            }
        }
        if let Some(entry) = self.entry_mut(index) {
            entry.node = Some(Node { path: path.to_vec(), inputs, serial, draining: false, body });
        }
        let replay = self.with_inline(index, wakes, |node, graph, wakes| node.replay(graph, wakes));
        replay.unwrap_or(Ok(())).map_err(Unavailable::from)
    }

    /// The lanes a converter reads: all source tracks of its type, or a variant of the step before.
    fn inputs(
        &mut self,
        edge: usize,
        variant: Variant,
        before: &[usize],
        cx: &Resolver<'_>,
        wakes: &mut Wakes,
    ) -> Result<Vec<usize>, Unavailable> {
        let Some(previous) = before.last() else {
            let item = cx.registry.input(edge);
            let is_input = |index: &usize| {
                self.entry(*index).is_some_and(|e| e.source.is_some() && e.key.item == item)
            };
            return Ok((0..self.entries.len()).filter(is_input).collect());
        };
        let item = cx.registry.output(*previous);
        let key = LaneKey { item, track: TrackId::default(), variant };
        let limit = self.limits.lanes_per_stream;
        let index = self
            .lane_index(key, |limits| cx.registry.new_lane(*previous, limits))
            .ok_or(Unavailable::TooManyLanes { limit })?;
        if let Err(why) = self.start(index, before, cx, wakes) {
            self.fail(index, &why, wakes);
            return Err(why);
        }
        Ok(vec![index])
    }

    fn input(&self, index: usize) -> Option<(crate::TrackId, Arc<dyn crate::lane::AnyLane>)> {
        let entry = self.entry(index)?;
        Some((entry.key.track, Arc::clone(&entry.lane)))
    }

    /// Lets converters that read all source tracks of a type read one more.
    pub(super) fn attach_input(&mut self, input: usize, registry: &Registry, wakes: &mut Wakes) {
        let Some((track, lane)) = self.input(input) else { return };
        let Some(item) = self.entry(input).map(|entry| entry.key.item) else { return };
        let mut inline = Vec::new();
        let mut added = 0;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let Some(node) = entry.as_mut().and_then(|entry| entry.node.as_mut()) else { continue };
            let reads = matches!(node.path.as_slice(), [edge] if registry.input(*edge) == item);
            if !reads || node.inputs.contains(&input) {
                continue;
            }
            node.inputs.push(input);
            added += 1;
            match &node.body {
                Body::Inline(_) => inline.push(index),
                Body::Task(task) => task.add_input(track, Arc::clone(&lane), wakes),
            }
        }
        if let Some(entry) = self.entry_mut(input) {
            entry.downstream += added;
            entry.stages.append(&mut inline);
        }
    }
}
