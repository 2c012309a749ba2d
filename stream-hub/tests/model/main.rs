//! Random lives of a stream, checked at every look against a plain list of all that was pushed.

#[path = "../common/mod.rs"]
mod common;
mod log;
mod viewer;

use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Duration;

use common::{Count, Frame, Random, Stream, Text, Wire, ms};
use log::{BYTES, Kind, LARGEST, Log, Pushed, TIME};
use stream_hub::{
    BusyPolicy, Convert, ConvertError, Limits, Lost, OnLag, OnUnpublish, Output, Place, Publisher,
    Reader, Start, SubscribeOptions, TrackId, WakeGroup, Window, Writer,
};
use viewer::{Seen, Spot, Viewer};

const GRACE: Duration = Duration::from_millis(500);

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
                Start::LatestJoinPointOrLive,
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
        let start = match options.start {
            Start::LatestJoinPointOrLive if self.log.latest().is_none() => Start::Live,
            start => start,
        };
        let (place, told) = match start {
            Start::Live => {
                let told = if self.log.breaks.contains(&head) { head } else { head.max(1) - 1 };
                (Spot::At { replay: self.log.configs(head), next: head }, Some(told))
            }
            Start::NextJoinPoint => (Spot::Waits { since: head, lost: None }, None),
            Start::LatestJoinPoint | Start::LatestJoinPointOrLive => match self.log.latest() {
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
