//! Whether a queue on the path grows (draft-ietf-rmcat-gcc, 5).

use super::sent::millis_between;

/// Packets that were sent within so many milliseconds are one group: a frame leaves at once.
const BURST: f64 = 5.0;
/// Groups by which the trend is told.
const WINDOW: usize = 20;
/// How much of the smoothed delay stays with each group.
const SMOOTHING: f64 = 0.9;
/// What the trend is multiplied with before it is compared: so many groups at most, and a gain.
const MOST_GROUPS: u32 = 60;
const GAIN: f64 = 4.0;
/// A queue must grow for so many milliseconds: senders do not pace, and a keyframe is no congestion.
const OVERUSE_TIME: f64 = 100.0;
/// How far, in parts of what it varies by, a queue may be below its longest and still grow.
const BELOW_LONGEST: f64 = 0.1;
/// How fast the threshold follows a trend above and below it, per millisecond.
const FOLLOWS_UP: f64 = 0.0087;
const FOLLOWS_DOWN: f64 = 0.039;

/// How a path is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Usage {
    /// Its queue becomes shorter.
    Under,
    /// There is no queue that changes.
    #[default]
    Normal,
    /// Its queue grows.
    Over,
}

/// The trend of the delay: a line through what each group took longer than the one before, all of it added up.
#[derive(Debug)]
pub(super) struct DelayTrend {
    present: Option<Group>,
    before: Option<Group>,
    /// The latest groups, each in the place that its number gives.
    points: [Point; WINDOW],
    groups: u32,
    delay: f64,
    smoothed: f64,
    last_slope: f64,
    threshold: f64,
    /// For how long the trend has been above the threshold, and in how many groups.
    over: (f64, u32),
    usage: Usage,
}

/// What is kept of a group, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    arrival: f64,
    smoothed: f64,
    delay: f64,
}

/// Packets that were sent together.
#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: u32,
    last_sent: u32,
    /// Of the last one, in units of 250 us.
    arrival: i64,
}

impl Default for DelayTrend {
    fn default() -> Self {
        Self {
            present: None,
            before: None,
            points: [Point::default(); WINDOW],
            groups: 0,
            delay: 0.0,
            smoothed: 0.0,
            last_slope: 0.0,
            threshold: 12.5,
            over: (0.0, 0),
            usage: Usage::Normal,
        }
    }
}

impl DelayTrend {
    /// Takes a packet: when it was sent, in ticks of its clock, and when it arrived, in units of 250 us.
    pub(super) fn receive(&mut self, sent: u32, arrival: i64) -> Usage {
        let packet = Group { first_sent: sent, last_sent: sent, arrival };
        let Some(present) = &mut self.present else {
            self.present = Some(packet);
            return self.usage;
        };
        let since_first = millis_between(present.first_sent, sent);
        if since_first < 0.0 {
            // It comes late, and would say that time runs backwards.
            return self.usage;
        }
        let sent_apart = millis_between(present.last_sent, sent);
        let arrived_apart = millis(arrival.saturating_sub(present.arrival));
        // What had waited somewhere and came at once says nothing of a queue.
        let is_burst = (0.0..=BURST).contains(&arrived_apart) && arrived_apart < sent_apart;
        if since_first <= BURST || is_burst {
            present.last_sent = sent;
            present.arrival = present.arrival.max(arrival);
            return self.usage;
        }
        let closed = *present;
        self.present = Some(packet);
        if let Some(before) = self.before.replace(closed) {
            let sent_apart = millis_between(before.last_sent, closed.last_sent);
            let arrived_apart = millis(closed.arrival.saturating_sub(before.arrival));
            if arrived_apart.abs() > 3_000.0 || sent_apart.abs() > 3_000.0 {
                // A pause, or another clock.
                *self = Self { present: self.present, ..Self::default() };
            } else {
                self.add(millis(closed.arrival), arrived_apart - sent_apart, sent_apart);
            }
        }
        self.usage
    }

    fn add(&mut self, at: f64, longer: f64, sent_apart: f64) {
        self.delay += longer;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.delay;
        if let Some(place) = self.points.get_mut(self.groups as usize % WINDOW) {
            *place = Point { arrival: at, smoothed: self.smoothed, delay: self.delay };
        }
        self.groups = self.groups.saturating_add(1);
        let slope = if self.groups as usize >= WINDOW { slope(&self.points) } else { 0.0 };
        let trend = f64::from(self.groups.min(MOST_GROUPS)) * slope * GAIN;
        self.judge(trend, slope, sent_apart);
        self.last_slope = slope;
    }

    fn judge(&mut self, trend: f64, slope: f64, sent_apart: f64) {
        let (time, groups) = self.over;
        self.over = (0.0, 0);
        if trend > self.threshold {
            let time = if groups == 0 { sent_apart / 2.0 } else { time + sent_apart };
            self.over = (time, groups.saturating_add(1));
            if time > OVERUSE_TIME && groups > 0 && slope >= self.last_slope && self.is_long() {
                self.usage = Usage::Over;
                self.over = (0.0, 0);
            }
        } else if trend < -self.threshold {
            self.usage = Usage::Under;
        } else {
            self.usage = Usage::Normal;
        }
        let above = trend.abs() - self.threshold;
        // A leap is no path that others fill too, which the threshold is to follow.
        if above <= 15.0 {
            let follows = if above > 0.0 { FOLLOWS_UP } else { FOLLOWS_DOWN };
            let time = sent_apart.clamp(0.0, 100.0);
            self.threshold = (self.threshold + follows * above * time).clamp(6.0, 600.0);
        }
    }

    /// Whether the queue is about as long as it was lately. The smoothed delay still grows when a burst is long over.
    fn is_long(&self) -> bool {
        let delays = || self.points.iter().map(|point| point.delay);
        let (longest, shortest) =
            (delays().fold(f64::MIN, f64::max), delays().fold(f64::MAX, f64::min));
        longest - self.delay <= (longest - shortest) * BELOW_LONGEST
    }
}

fn millis(units: i64) -> f64 {
    units as f64 / 4.0
}

/// The slope of the line that is nearest to all points.
fn slope(points: &[Point]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.arrival / count, y + point.smoothed / count));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        let apart = point.arrival - x;
        (above + apart * (point.smoothed - y), below + apart * apart)
    });
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups that are sent each 20 ms and arrive so much later, in ms; what is told of the last.
    fn fed(trend: &mut DelayTrend, delays: impl Iterator<Item = f64>) -> Vec<Usage> {
        let usage = delays.zip(0u32..).map(|(delay, number)| {
            let sent = f64::from(number) * 20.0;
            let ticks = (sent / 1_000.0 * f64::from(1 << 18)) as u32 & 0xff_ffff;
            trend.receive(ticks, ((sent + delay) * 4.0) as i64)
        });
        usage.collect()
    }

    #[test]
    fn a_queue_that_grows_is_overuse_and_one_that_shrinks_is_not() {
        let mut trend = DelayTrend::default();
        let steady = fed(&mut trend, (0..200).map(|n| 30.0 + f64::from(n % 3)));
        assert!(steady.iter().all(|usage| *usage == Usage::Normal), "{steady:?}");
        // 3 ms more with each of 20 ms: 15 % too much.
        let mut trend = DelayTrend::default();
        let growing = fed(&mut trend, (0..60).map(|n| 30.0 + 3.0 * f64::from(n.max(20) - 20)));
        let first = growing.iter().position(|usage| *usage == Usage::Over).unwrap();
        assert!((21..50).contains(&first), "{first}");
        let mut trend = DelayTrend::default();
        let shrinking = fed(&mut trend, (0..60).map(|n| 200.0 - 3.0 * f64::from(n)));
        assert_eq!(*shrinking.last().unwrap(), Usage::Under);
        assert!(!shrinking.contains(&Usage::Over));
    }

    #[test]
    fn a_burst_is_no_overuse() {
        let mut trend = DelayTrend::default();
        // A keyframe makes a queue of 120 ms, which goes by 5 ms with each group.
        let burst = |n: i32| if n < 30 { 30.0 } else { f64::from((150 - 5 * (n - 30)).max(30)) };
        let usage = fed(&mut trend, (0..80).map(burst));
        assert!(!usage.contains(&Usage::Over), "{usage:?}");
    }

    #[test]
    fn times_of_any_size_are_borne() {
        let mut trend = DelayTrend::default();
        for (sent, arrival) in
            [(0, i64::MAX), (1 << 20, i64::MIN), (u32::MAX, 0), (1 << 23, i64::MAX), (7, 5)]
        {
            trend.receive(sent, arrival);
        }
        assert!(trend.threshold.is_finite() && trend.smoothed.is_finite());
    }
}
