//! One reader, and where it must be.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use stream_hub::{Batch, OnLag, OnUnpublish, ReadEnd, Reader, SubscribeOptions, Window};

use crate::common::{Count, Random, Text};
use crate::log::Log;

#[derive(Debug)]
pub(crate) enum Spot {
    /// Configuration to come first, and the next item.
    At { replay: Vec<usize>, next: usize },
    /// Waits for the first join point from here on; what it lost by lagging counts from `lost`.
    Waits { since: usize, lost: Option<usize> },
}

/// A reader, and where it must be.
pub(crate) struct Viewer<T: Text> {
    pub(crate) reader: Reader<T>,
    pub(crate) options: SubscribeOptions,
    pub(crate) place: Spot,
    pub(crate) read: BTreeSet<usize>,
    /// Where the last batch began; breaks up to here were told. `None` before it has a place.
    pub(crate) told: Option<usize>,
    /// Where it stood when it last looked: what is held for it is held from here on.
    pub(crate) held: usize,
    /// Ends of the stream it has gone past.
    pub(crate) ends: usize,
    pub(crate) over: Option<ReadEnd>,
    pub(crate) count: Arc<Count>,
    pub(crate) waker: Waker,
    /// It was told to wait, and has not been woken since.
    pub(crate) asleep: bool,
    pub(crate) loss: u64,
}

/// What a look came to.
pub(crate) enum Seen {
    Ok,
    /// The bounds leave open what is right.
    Unknown,
}

fn number(text: &str) -> usize {
    text.rsplit('#').next().unwrap().parse().unwrap()
}

impl<T: Text> std::fmt::Debug for Viewer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer")
            .field("options", &self.options)
            .field("place", &self.place)
            .field("told", &self.told)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

impl<T: Text> Viewer<T> {
    pub(crate) fn look(&mut self, log: &Log, random: &mut Random) -> Seen {
        let max = random.pick(&[1, 700, 5000, usize::MAX]);
        let paced = self.options.window != Window::Every;
        let woken = self.count.take() > 0;
        let result = self.reader.poll_batch(&mut Context::from_waker(&self.waker), max);
        let was_asleep = std::mem::replace(&mut self.asleep, result.is_pending());
        if let Some(over) = &self.over {
            assert_eq!(result.map(Result::err), Poll::Ready(Some(over.clone())), "for good");
            return Seen::Ok;
        }
        if result.is_ready() && was_asleep && !paced {
            assert!(woken, "not woken: {self:?}");
        }
        // A reader of a window may be told to wait whatever there is.
        if paced && result.is_pending() {
            let next_end = log.ends.get(self.ends);
            return match &self.place {
                // Whether it took note of a loss or an end meanwhile cannot be seen.
                Spot::At { next, .. } if *next < log.head() && log.may_be_gone(self.held) => {
                    Seen::Unknown
                }
                Spot::At { next, .. } if next_end == Some(next) => Seen::Unknown,
                _ => Seen::Ok,
            };
        }
        let lagged = match &self.place {
            Spot::At { next, .. } => {
                let gap = match &result {
                    Poll::Ready(Ok(batch)) => batch.gap().is_some(),
                    Poll::Ready(Err(end)) => matches!(end, ReadEnd::Lagged(_)),
                    Poll::Pending => false,
                };
                let crossed = log.ends.iter().skip(self.ends).any(|end| end >= next);
                if log.may_be_gone(self.held) && *next < log.head() && !gap && crossed {
                    // Lag and end at once: whether it lagged cannot be seen.
                    return Seen::Unknown;
                }
                assert!(!gap || log.may_be_gone(self.held), "lost within the bound: {self:?}");
                let unseen =
                    result.is_pending() && log.may_be_gone(self.held) && *next < log.head();
                assert!(gap || unseen || !log.must_be_gone(*next), "not told of loss: {self:?}");
                gap || unseen
            }
            Spot::Waits { .. } => false,
        };
        if lagged {
            let Spot::At { next, .. } = self.place else { unreachable!() };
            if self.options.on_lag == OnLag::Close {
                let Poll::Ready(Err(end @ ReadEnd::Lagged(_))) = result else {
                    panic!("not closed: {self:?}")
                };
                self.over = Some(end);
                return Seen::Ok;
            }
            self.place = Spot::Waits { since: next, lost: Some(next) };
            if self.ends != log.ends.len() {
                assert_eq!(self.options.on_unpublish, OnUnpublish::Wait, "{self:?}");
            }
            self.ends = log.ends.len();
            return self.arrive(log, result, random, log.latest().filter(|key| *key >= next));
        }
        self.expect(log, result, random)
    }

    /// The reader does not lag: what it gets follows from its place.
    fn expect(
        &mut self,
        log: &Log,
        result: Poll<Result<Batch<T>, ReadEnd>>,
        random: &mut Random,
    ) -> Seen {
        let next_end = log.ends.get(self.ends).copied();
        match &self.place {
            Spot::At { replay, next } => {
                if replay.is_empty() && next_end == Some(*next) {
                    if self.options.on_unpublish == OnUnpublish::End {
                        return self.ends_here(&result);
                    }
                    let from = *next;
                    self.ends = log.ends.len();
                    if log.ends.last() != Some(&from) {
                        // Several ends while it did not look.
                        return Seen::Unknown;
                    }
                    self.place = Spot::Waits { since: log.head(), lost: None };
                    let latest = log.latest().filter(|key| *key >= from);
                    return self.arrive(log, result, random, latest);
                }
                if replay.is_empty() && *next == log.head() {
                    assert!(result.is_pending(), "out of nothing: {self:?}");
                    return Seen::Ok;
                }
                self.take(log, result, random)
            }
            Spot::Waits { since, .. } => {
                let first = log.first_key(*since);
                if let Some(end) = next_end
                    && first.is_none_or(|first| first >= end)
                {
                    if self.options.on_unpublish == OnUnpublish::End {
                        return self.ends_here(&result);
                    }
                    self.ends = log.ends.len();
                    if first.is_some_and(|first| log.ends.last().is_some_and(|end| first < *end)) {
                        return Seen::Unknown;
                    }
                }
                self.arrive(log, result, random, first)
            }
        }
    }

    fn ends_here(&mut self, result: &Poll<Result<Batch<T>, ReadEnd>>) -> Seen {
        assert!(matches!(result, Poll::Ready(Err(ReadEnd::Ended))), "no end: {self:?} {result:?}");
        self.over = Some(ReadEnd::Ended);
        Seen::Ok
    }

    /// The reader comes to a join point, if there is one.
    fn arrive(
        &mut self,
        log: &Log,
        result: Poll<Result<Batch<T>, ReadEnd>>,
        random: &mut Random,
        key: Option<usize>,
    ) -> Seen {
        let Some(key) = key else {
            assert!(result.is_pending(), "no join point: {self:?} {result:?}");
            if let Spot::Waits { since, .. } = &mut self.place {
                *since = log.head();
            }
            return Seen::Ok;
        };
        if log.may_be_gone(key) {
            return Seen::Unknown;
        }
        let Poll::Ready(Ok(batch)) = &result else { panic!("{key} is there: {self:?} {result:?}") };
        let Spot::Waits { lost, .. } = self.place else { unreachable!() };
        let loss = lost.map_or(0, |from| (key - from) as u64);
        assert_eq!(batch.gap().map_or(0, |lost| lost.items), loss, "{self:?}");
        self.loss += loss;
        assert_eq!(self.reader.stats().lost, self.loss);
        let replay = log.configs(key).into_iter().filter(|seq| !self.read.contains(seq)).collect();
        self.place = Spot::At { replay, next: key };
        self.told = self.told.or(Some(key));
        let Poll::Ready(Ok(batch)) = result else { unreachable!() };
        self.check(log, &batch, random);
        Seen::Ok
    }

    fn take(
        &mut self,
        log: &Log,
        result: Poll<Result<Batch<T>, ReadEnd>>,
        random: &mut Random,
    ) -> Seen {
        let Poll::Ready(Ok(batch)) = result else { panic!("nothing: {self:?} {result:?}") };
        assert_eq!(batch.gap(), None, "{self:?}");
        self.check(log, &batch, random);
        Seen::Ok
    }

    /// A batch has what follows, up to the next break, and says whether it follows.
    fn check(&mut self, log: &Log, batch: &Batch<T>, random: &mut Random) {
        let Spot::At { replay, next } = &self.place else { unreachable!() };
        let (replay, next) = (replay.clone(), *next);
        self.held = next;
        let got: Vec<usize> = batch.iter().map(|item| number(&item.frame().text)).collect();
        let limit = log.breaks.range(next + 1..).next().copied().unwrap_or(log.head());
        let expected: Vec<usize> = replay.iter().copied().chain(next..limit).collect();
        assert_eq!(got, expected[..got.len().min(expected.len())], "{self:?}");
        assert_eq!(got.len(), batch.len());
        let bytes: usize = got.iter().map(|seq| log.items[*seq].size).sum();
        assert_eq!(bytes, batch.bytes());
        let breaks =
            |from: usize| from <= next && log.breaks.range(from..=next).any(|at| *at > from);
        let broken = got.len() > replay.len() && self.told.is_some_and(breaks);
        assert_eq!(batch.discontinuity(), broken, "{self:?} {:?}", log.breaks);
        if got.len() > replay.len() {
            self.told = Some(next);
        }
        let items =
            if random.chance(80) { got.len() } else { random.below(got.len() as u64) as usize };
        self.reader.advance(items);
        self.read.extend(&got[..items]);
        let rest = replay.get(items..).unwrap_or_default().to_vec();
        self.place = Spot::At { next: next + items.saturating_sub(replay.len()), replay: rest };
    }
}
