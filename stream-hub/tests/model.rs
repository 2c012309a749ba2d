//! Random lives of a stream, checked at every look against a plain list of all that was pushed.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Count, Frame, Stream, Text, Wire, ms};
use stream_hub::{
    BusyPolicy, Convert, ConvertError, Limits, Lost, OnLag, OnUnpublish, Output, Place, Publisher,
    ReadEnd, Reader, Start, SubscribeOptions, TrackId, WakeGroup, Window, Writer,
};

const BYTES: usize = 20_000;
const TIME: Duration = Duration::from_secs(4);
/// The largest item, and what a segment may hold besides the one that lags.
const LARGEST: usize = 2000;
const GRACE: Duration = Duration::from_millis(500);

/// Xorshift: the same for ever from the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    Plain,
    Config(u64),
}

struct Pushed {
    kind: Kind,
    size: usize,
    time: Duration,
}

/// All that happened to the lane.
#[derive(Default)]
struct Log {
    items: Vec<Pushed>,
    /// Takeovers, returns and ends, by the item they came before.
    breaks: BTreeSet<usize>,
    ends: Vec<usize>,
}

impl Log {
    fn head(&self) -> usize {
        self.items.len()
    }

    fn is_key(&self, at: usize) -> bool {
        self.items[at].kind == Kind::Key
    }

    /// Configuration in force before item `at`, of its own publisher.
    fn configs(&self, at: usize) -> Vec<usize> {
        let from = self.breaks.range(..=at).next_back().copied().unwrap_or(0);
        let mut slots = BTreeMap::new();
        for seq in from..at {
            if let Kind::Config(slot) = self.items[seq].kind {
                slots.insert(slot, seq);
            }
        }
        slots.into_values().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The latest place to join, as far as no bound cuts it.
    fn latest(&self) -> Option<usize> {
        let from = self.breaks.last().copied().unwrap_or(0);
        (from..self.head()).rev().find(|seq| self.is_key(*seq))
    }

    fn first_key(&self, from: usize) -> Option<usize> {
        (from..self.head()).find(|seq| self.is_key(*seq))
    }

    fn lag(&self, at: usize) -> (usize, Duration) {
        let bytes = self.items[at..].iter().map(|item| item.size).sum();
        let newest = self.items.last().map_or(Duration::ZERO, |item| item.time);
        let time = self.items.get(at).map_or(Duration::ZERO, |item| newest - item.time);
        (bytes, time)
    }

    /// Whether the bounds leave it no room.
    fn must_be_gone(&self, at: usize) -> bool {
        let (bytes, time) = self.lag(at);
        at + 1 < self.head() && (bytes > BYTES || time > TIME)
    }

    /// Whether the bounds may have cut it, in steps of a segment.
    fn may_be_gone(&self, at: usize) -> bool {
        let (bytes, time) = self.lag(at);
        bytes > BYTES - LARGEST || time > TIME * 15 / 16
    }
}

#[derive(Debug)]
enum Spot {
    /// Configuration to come first, and the next item.
    At { replay: Vec<usize>, next: usize },
    /// Waits for the first join point from here on; what it lost by lagging counts from `lost`.
    Waits { since: usize, lost: Option<usize> },
}

/// A reader, and where it must be.
struct Viewer<T: Text> {
    reader: Reader<T>,
    options: SubscribeOptions,
    place: Spot,
    read: BTreeSet<usize>,
    /// Where the last batch began; breaks up to here were told. `None` before it has a place.
    told: Option<usize>,
    /// Where it stood when it last looked: what is held for it is held from here on.
    held: usize,
    /// Ends of the stream it has gone past.
    ends: usize,
    over: Option<ReadEnd>,
    count: Arc<Count>,
    waker: Waker,
    /// It was told to wait, and has not been woken since.
    asleep: bool,
    loss: u64,
}

/// What a look came to.
enum Seen {
    Ok,
    /// The bounds leave open what is right.
    Unknown,
}

struct World<T: Text> {
    stream: Stream,
    random: Random,
    log: Log,
    group: WakeGroup,
    publisher: Option<(Publisher, Writer<Frame>)>,
    viewers: Vec<Viewer<T>>,
    time: Duration,
    /// Keeps the lane, and is always at the head.
    anchor: Reader<T>,
    publishers: u32,
    /// Every item is a join point, as in a stream of pure audio.
    audio: bool,
}

struct Same;

impl Convert<Frame, Wire<1>> for Same {
    fn push(
        &mut self,
        _: TrackId,
        item: &Frame,
        out: &mut Output<Wire<1>>,
    ) -> Result<(), ConvertError> {
        out.push(Wire(item.clone()));
        Ok(())
    }
    fn gap(&mut self, _: Lost, _: &mut Output<Wire<1>>) {}
}

fn number(text: &str) -> usize {
    text.rsplit('#').next().unwrap().parse().unwrap()
}

impl<T: Text> World<T> {
    fn new(seed: u64) -> Self {
        let limits =
            Limits { lane_bytes: BYTES, lane_time: TIME, grace: GRACE, ..Limits::default() };
        let stream = Stream::new(limits);
        stream.hub.register::<Frame, Wire<1>>(Place::Inline, |_, _| {
            Ok(Box::new(Same) as Box<dyn Convert<_, _>>)
        });
        let anchor = SubscribeOptions { start: Start::Live, ..Default::default() };
        Self {
            anchor: stream.reader(anchor),
            stream,
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            log: Log::default(),
            group: WakeGroup::new(),
            publisher: None,
            viewers: Vec::new(),
            time: Duration::ZERO,
            publishers: 0,
            audio: seed.is_multiple_of(3),
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..60 => self.push(),
            60..84 => {
                if !self.viewers.is_empty() {
                    let at = self.random.below(self.viewers.len() as u64) as usize;
                    self.look(at);
                }
            }
            84..90 => self.subscribe(),
            90..94 => {
                if !self.viewers.is_empty() {
                    let at = self.random.below(self.viewers.len() as u64) as usize;
                    self.viewers.swap_remove(at);
                }
            }
            94..97 => self.change_publisher(),
            _ => {
                let millis = self.random.below(100);
                self.stream.pass(ms(millis));
            }
        }
        self.drain_anchor();
        let stats = self.stream.hub.stream(&self.stream.key).unwrap();
        for lane in &stats.lanes {
            assert!(lane.held_bytes <= BYTES && lane.held_time <= TIME, "{lane:?}");
        }
        assert_eq!(stats.readers, self.viewers.len() + 1);
    }

    fn drain_anchor(&mut self) {
        while let Poll::Ready(Ok(batch)) = common::poll(&mut self.anchor) {
            self.anchor.advance(batch.len());
        }
        assert_eq!(self.anchor.stats().lost, 0);
    }

    fn push(&mut self) {
        let Some((_, writer)) = &mut self.publisher else { return };
        let seq = self.log.head();
        let kind = match self.random.below(100) {
            0..4 => Kind::Config(self.random.below(3)),
            4..9 => Kind::Key,
            _ if self.audio => Kind::Key,
            _ => Kind::Plain,
        };
        self.time += ms(self.random.pick(&[0, 5, 20, 40, 200]));
        let size = 1 + self.random.below(LARGEST as u64) as usize;
        let text = match kind {
            Kind::Key => format!("key#{seq}"),
            Kind::Plain => format!("p#{seq}"),
            Kind::Config(slot) => format!("cfg{slot}#{seq}"),
        };
        let millis = self.time.as_millis() as u64;
        writer.push(Frame::sized(text, millis, size), self.stream.now).unwrap();
        self.log.items.push(Pushed { kind, size, time: self.time });
    }

    fn change_publisher(&mut self) {
        let who = format!("{}", self.publishers);
        self.publishers += 1;
        let head = self.log.head();
        let ended = match (self.publisher.take(), self.random.below(4)) {
            (Some((old, mut writer)), 0) => {
                // Taken over: the old one goes later, and must not matter any more.
                self.publish(&who);
                assert!(writer.push(Frame::new("late", 0), self.stream.now).is_err());
                drop(old);
                return;
            }
            (Some((old, _)), 1) => {
                old.end();
                true
            }
            (Some((old, _)), 2) => {
                drop(old);
                self.stream.pass(ms(1));
                self.stream.pass(GRACE);
                true
            }
            (Some((old, _)), _) => {
                drop(old);
                false
            }
            (None, _) => false,
        };
        if ended {
            self.log.breaks.insert(head);
            self.log.ends.push(head);
        } else {
            self.publish(&who);
        }
    }

    /// Lets a publisher in; what comes next does not follow if there was one since the last end.
    fn publish(&mut self, who: &str) {
        let mut publisher = self.stream.publish(who, BusyPolicy::TakeOver);
        let writer = publisher.track(TrackId(0)).unwrap();
        self.publisher = Some((publisher, writer));
        if self.publishers > 1 && self.log.head() > 0 {
            self.log.breaks.insert(self.log.head());
        }
    }

    fn subscribe(&mut self) {
        let options = SubscribeOptions {
            start: self.random.pick(&[
                Start::LatestJoinPoint,
                Start::LatestJoinPoint,
                Start::NextJoinPoint,
                Start::Live,
            ]),
            on_lag: self.random.pick(&[OnLag::Resume, OnLag::Resume, OnLag::Close]),
            on_unpublish: self.random.pick(&[OnUnpublish::Wait, OnUnpublish::End]),
            window: self.random.pick(&[Window::Every, Window::Fixed(ms(50))]),
            ..Default::default()
        };
        let group = self.random.chance(70).then_some(&self.group);
        let reader = self.stream.hub.subscribe(&self.stream.key, options, group).unwrap();
        let head = self.log.head();
        let (place, told) = match options.start {
            Start::Live => {
                let told = if self.log.breaks.contains(&head) { head } else { head.max(1) - 1 };
                (Spot::At { replay: self.log.configs(head), next: head }, Some(told))
            }
            Start::NextJoinPoint => (Spot::Waits { since: head, lost: None }, None),
            Start::LatestJoinPoint => match self.log.latest() {
                Some(key) if self.log.may_be_gone(key) => return,
                Some(key) => (Spot::At { replay: self.log.configs(key), next: key }, Some(key)),
                None => (Spot::Waits { since: head, lost: None }, None),
            },
        };
        let (count, waker) = Count::new();
        self.viewers.push(Viewer {
            reader,
            options,
            read: BTreeSet::new(),
            held: match &place {
                Spot::At { next, .. } => *next,
                Spot::Waits { since, .. } => *since,
            },
            place,
            told,
            ends: self.log.ends.len(),
            over: None,
            count,
            waker,
            asleep: false,
            loss: 0,
        });
    }

    /// Lets a viewer look, after its group was served.
    fn look(&mut self, at: usize) {
        _ = self.group.wake_due(self.stream.now);
        let viewer = &mut self.viewers[at];
        if let Seen::Unknown = viewer.look(&self.log, &mut self.random) {
            self.viewers.swap_remove(at);
        }
    }

    /// All who are woken read, until nobody has anything left to read.
    fn settle(&mut self) {
        for _ in 0..60 {
            self.stream.pass(ms(10));
            for at in (0..self.viewers.len()).rev() {
                for _ in 0..200 {
                    _ = self.group.wake_due(self.stream.now);
                    let viewer = &mut self.viewers[at];
                    if viewer.over.is_some() || viewer.asleep && viewer.count.take() == 0 {
                        break;
                    }
                    viewer.asleep = false;
                    if let Seen::Unknown = viewer.look(&self.log, &mut self.random) {
                        self.viewers.swap_remove(at);
                        break;
                    }
                }
            }
        }
        for viewer in &self.viewers {
            match &viewer.place {
                _ if viewer.over.is_some() => {}
                Spot::At { replay, next } => {
                    assert!(replay.is_empty() && *next == self.log.head(), "forgotten: {viewer:?}");
                }
                Spot::Waits { since, .. } => {
                    let from = self.log.breaks.last().copied().unwrap_or(0).max(*since);
                    let key = self.log.first_key(from);
                    assert!(
                        key.is_none_or(|key| self.log.may_be_gone(key)),
                        "forgotten: {viewer:?}"
                    );
                }
            }
        }
        // Nobody lags: what is held is what a joiner gets, and what shares a segment with it.
        let needed = self.log.latest().map_or(0, |key| self.log.head() - key) as u64;
        let stats = self.stream.hub.stream(&self.stream.key).unwrap();
        for lane in &stats.lanes {
            assert!(lane.held_items <= needed + 128, "{needed} needed of {lane:?}");
        }
    }
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
    fn look(&mut self, log: &Log, random: &mut Random) -> Seen {
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
        result: Poll<Result<stream_hub::Batch<T>, ReadEnd>>,
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

    fn ends_here(&mut self, result: &Poll<Result<stream_hub::Batch<T>, ReadEnd>>) -> Seen {
        assert!(matches!(result, Poll::Ready(Err(ReadEnd::Ended))), "no end: {self:?} {result:?}");
        self.over = Some(ReadEnd::Ended);
        Seen::Ok
    }

    /// The reader comes to a join point, if there is one.
    fn arrive(
        &mut self,
        log: &Log,
        result: Poll<Result<stream_hub::Batch<T>, ReadEnd>>,
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
        result: Poll<Result<stream_hub::Batch<T>, ReadEnd>>,
        random: &mut Random,
    ) -> Seen {
        let Poll::Ready(Ok(batch)) = result else { panic!("nothing: {self:?} {result:?}") };
        assert_eq!(batch.gap(), None, "{self:?}");
        self.check(log, &batch, random);
        Seen::Ok
    }

    /// A batch has what follows, up to the next break, and says whether it follows.
    fn check(&mut self, log: &Log, batch: &stream_hub::Batch<T>, random: &mut Random) {
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

fn live<T: Text>(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        println!("seed {seed}");
        let mut world = World::<T>::new(seed);
        for _ in 0..4 {
            for _ in 0..400 {
                world.step();
            }
            world.settle();
        }
    }
}

#[test]
fn of_a_source_lane() {
    live::<Frame>(0..60);
}

#[test]
fn of_a_derived_lane() {
    live::<Wire<1>>(1000..1060);
}
