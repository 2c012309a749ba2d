//! A converter on a task of its own.

use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::{Convert, Output, contained};
use crate::lane::{AnyLane, Lane};
use crate::stream::Stream;
use crate::wake::Wakes;
use crate::{
    ConvertError, Item, OnUnpublish, ReadEnd, Reader, Start, SubscribeOptions, TrackId, Unavailable,
};

/// Items converted in one poll: between two, other tasks have their turn.
const ITEMS_PER_POLL: usize = 16;
const BYTES_PER_POLL: usize = 256 << 10;

/// The work of a [`Place::Task`](super::Place::Task) converter, to be polled to its end.
///
/// The caller runs it on whatever executor it likes; dropping it ends the derived lane with
/// [`Unavailable::TaskDropped`]. It ends by itself with its stream, or when the last reader of
/// the derived lane has been gone for [`Limits::linger`](crate::Limits::linger).
#[must_use = "a converter does nothing unless its task is polled"]
pub struct ConvertTask {
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
    name: &'static str,
}

impl Future for ConvertTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(cx)
    }
}

impl fmt::Debug for ConvertTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConvertTask").field("output", &self.name).finish_non_exhaustive()
    }
}

/// Which converter of a stream a task is.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub(crate) index: usize,
    pub(crate) serial: u64,
}

/// A task's end in its stream.
pub(crate) trait TaskNode: Send + Sync {
    /// The source has another track.
    fn add_input(&self, track: TrackId, lane: Arc<dyn AnyLane>, wakes: &mut Wakes);
    /// The result is no longer wanted.
    fn cancel(&self, wakes: &mut Wakes);
}

/// Shared between a task and its stream.
struct Link<In: Item> {
    state: Mutex<LinkState<In>>,
}

struct LinkState<In: Item> {
    new: Vec<(TrackId, Reader<In>)>,
    waker: Option<Waker>,
    over: bool,
}

impl<In: Item> Link<In> {
    fn state(&self) -> MutexGuard<'_, LinkState<In>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A converter reads to the end of its stream, and starts where a viewer would. Where join points are
/// soon none any more it can't wait for one: it may be what asks for the next.
fn reader<In: Item>(lane: &Arc<Lane<In>>) -> Reader<In> {
    let start = match In::JOIN_BOUND {
        Some(_) => Start::LatestJoinPointOrLive,
        None => Start::LatestJoinPoint,
    };
    let options = SubscribeOptions { start, on_unpublish: OnUnpublish::End, ..Default::default() };
    lane.subscribe(&options, None, None)
}

impl<In: Item> TaskNode for Link<In> {
    fn add_input(&self, track: TrackId, lane: Arc<dyn AnyLane>, wakes: &mut Wakes) {
        let lane: Arc<dyn Any + Send + Sync> = lane;
        let Ok(lane) = lane.downcast::<Lane<In>>() else { return };
        let mut state = self.state();
        if !state.over {
            state.new.push((track, reader(&lane)));
        }
        if let Some(waker) = state.waker.take() {
            wakes.add(waker);
        }
    }

    fn cancel(&self, wakes: &mut Wakes) {
        let mut state = self.state();
        state.over = true;
        if let Some(waker) = state.waker.take() {
            wakes.add(waker);
        }
    }
}

struct Work<In: Item, Out: Item> {
    link: Arc<Link<In>>,
    inputs: Vec<(TrackId, Reader<In>)>,
    convert: Box<dyn Convert<In, Out>>,
    out: Output<Out>,
    lane: Arc<Lane<Out>>,
    stream: Weak<Stream>,
    at: At,
    finished: bool,
}

/// Makes the task and its end in the stream.
pub(super) fn start<In: Item, Out: Item>(
    convert: Box<dyn Convert<In, Out>>,
    inputs: Vec<(TrackId, Arc<Lane<In>>)>,
    lane: Arc<Lane<Out>>,
    stream: &Arc<Stream>,
    at: At,
) -> (Arc<dyn TaskNode>, ConvertTask) {
    let state = LinkState { new: Vec::new(), waker: None, over: false };
    let link = Arc::new(Link { state: Mutex::new(state) });
    let inputs = inputs.iter().map(|(track, lane)| (*track, reader(lane))).collect();
    let work = Work {
        link: Arc::clone(&link),
        inputs,
        convert,
        out: Output::new(),
        lane,
        stream: Arc::downgrade(stream),
        at,
        finished: false,
    };
    (link, ConvertTask { work: Box::pin(work), name: type_name::<Out>() })
}

/// Whether to go on.
enum Turn {
    Progress,
    Idle,
    Over,
}

impl<In: Item, Out: Item> Work<In, Out> {
    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        {
            let mut state = self.link.state();
            if state.over {
                return Turn::Over;
            }
            self.inputs.append(&mut state.new);
            if !state.waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
                state.waker = Some(cx.waker().clone());
            }
        }
        let mut turn = Turn::Idle;
        let mut at = 0;
        while let Some((track, reader)) = self.inputs.get_mut(at) {
            let track = *track;
            let batch = match reader.poll_batch(cx, BYTES_PER_POLL) {
                Poll::Pending => {
                    at += 1;
                    continue;
                }
                Poll::Ready(Ok(batch)) => batch,
                Poll::Ready(Err(ReadEnd::Unavailable(why))) => return self.fail(why),
                Poll::Ready(Err(_)) => {
                    self.inputs.swap_remove(at);
                    continue;
                }
            };
            turn = Turn::Progress;
            let mut result = Ok(());
            if batch.discontinuity() || batch.gap().is_some() {
                result = contained(|| {
                    self.convert.gap(batch.gap().unwrap_or_default(), &mut self.out);
                    Ok(())
                });
                if batch.discontinuity() && !self.flush(true) {
                    return Turn::Over;
                }
            }
            let items = batch.len().min(ITEMS_PER_POLL);
            if result.is_ok() {
                let mut items = batch.iter().take(items);
                result = contained(|| {
                    items.try_for_each(|item| self.convert.push(track, item, &mut self.out))
                });
            }
            drop(batch);
            if let Some((_, reader)) = self.inputs.get_mut(at) {
                reader.advance(items);
            }
            if !self.flush(false) {
                return Turn::Over;
            }
            if let Err(error) = result {
                return self.fail(error.into());
            }
            at += 1;
        }
        if self.inputs.is_empty() {
            // The lane ends now, whether this goes well or not.
            _ = contained(|| {
                self.convert.end(&mut self.out);
                Ok::<_, ConvertError>(())
            });
            self.flush(false);
            if let Some(stream) = self.stream.upgrade() {
                stream.task_ended(self.at.index, self.at.serial);
            }
            return Turn::Over;
        }
        turn
    }

    /// Pushes what the converter made; false if nobody wants it from this task any more.
    fn flush(&mut self, discontinuity: bool) -> bool {
        let Some(stream) = self.stream.upgrade() else { return false };
        let mut wakes = Wakes::default();
        let mut graph = stream.graph();
        let current = graph.is_current(self.at.index, self.at.serial);
        if current {
            for item in self.out.items.drain(..) {
                graph.emit(self.at.index, &self.lane, item, &mut wakes);
            }
            if discontinuity {
                graph.broken(self.at.index, &mut wakes);
            }
        }
        drop(graph);
        wakes.wake_all();
        current
    }

    fn fail(&mut self, why: Unavailable) -> Turn {
        if let Some(stream) = self.stream.upgrade() {
            stream.task_failed(self.at.index, self.at.serial, why);
        }
        Turn::Over
    }
}

impl<In: Item, Out: Item> Unpin for Work<In, Out> {}

impl<In: Item, Out: Item> Future for Work<In, Out> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.turn(cx) {
            Turn::Progress => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Turn::Idle => Poll::Pending,
            Turn::Over => {
                self.finished = true;
                Poll::Ready(())
            }
        }
    }
}

impl<In: Item, Out: Item> Drop for Work<In, Out> {
    fn drop(&mut self) {
        if !self.finished {
            self.fail(Unavailable::TaskDropped);
        }
        // Readers it never adopted go outside of the lock.
        let mut state = self.link.state();
        state.over = true;
        let new = std::mem::take(&mut state.new);
        drop(state);
        drop(new);
    }
}
