//! Numbers of this process and of the machine it runs on, for the API.
//!
//! They are read every few seconds, never by a request.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod other;
mod reading;
mod usage;

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::interval;

pub use self::{
    reading::{Cpu, Disk, Memory, Network, Process, Reading, Sockets},
    usage::ResourceUsage,
};

#[cfg(target_os = "linux")]
use self::linux::read;
#[cfg(not(target_os = "linux"))]
use self::other::read;

/// How often the numbers are read.
pub const INTERVAL: Duration = Duration::from_secs(3);

/// The latest numbers.
#[derive(Debug)]
pub struct System {
    /// When the server started, wall clock in ms.
    pub started_ms: i64,
    latest: RwLock<Arc<Sample>>,
    last: Mutex<Reading>,
}

/// What was read last, and how fast the counters rose before that.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// What was read.
    pub reading: Reading,
    /// The process's CPU time per time; 1 is one core.
    pub process_cpu: f64,
    /// The share of the machine's CPU time that wasn't idle.
    pub system_cpu: f64,
    /// What disks read, kbyte/s.
    pub disk_read: i64,
    /// What disks wrote, kbyte/s.
    pub disk_write: i64,
    /// The share of the time that the busiest disk was busy.
    pub disk_busy: f64,
}

impl System {
    /// Reads the numbers for the first time.
    pub fn new() -> Self {
        let reading = read();
        Self {
            started_ms: wall_clock_ms(),
            latest: RwLock::new(Arc::new(Sample::between(&reading, &reading))),
            last: Mutex::new(reading),
        }
    }

    /// The numbers as they were read last.
    pub fn latest(&self) -> Arc<Sample> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the numbers again.
    pub fn sample(&self) {
        let reading = read();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = Arc::new(Sample::between(&last, &reading));
        *last = reading;
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = sample;
    }

    /// Reads the numbers for as long as it is polled.
    pub async fn keep(&self) {
        let mut ticks = interval(INTERVAL);
        loop {
            ticks.tick().await;
            self.sample();
        }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Sample {
    /// What `now` says, and the rates since `before`.
    pub fn between(before: &Reading, now: &Reading) -> Self {
        let ms = now.time_ms.saturating_sub(before.time_ms).max(0) as f64;
        let ratio = |part: i64, whole: f64| {
            if whole > 0.0 { (part.max(0) as f64 / whole).min(1e9) } else { 0.0 }
        };
        let cpu_time = |reading: &Reading| reading.process.utime + reading.process.stime;
        let ticks = cpu_time(now) - cpu_time(before);
        let total = now.cpu.total() - before.cpu.total();
        let idle = now.cpu.idle - before.cpu.idle;
        let per_second = |part: i64| ratio(part, ms / 1000.0) as i64;
        Self {
            process_cpu: ratio(ticks, ms / 1000.0 * now.ticks_per_second as f64),
            system_cpu: ratio(total - idle, total as f64).min(1.0),
            disk_read: per_second(now.disk.read_kbyte - before.disk.read_kbyte),
            disk_write: per_second(now.disk.written_kbyte - before.disk.written_kbyte),
            disk_busy: ratio(now.disk.busy_ms - before.disk.busy_ms, ms).min(1.0),
            reading: now.clone(),
        }
    }
}

/// The wall clock, ms since 1970.
pub fn wall_clock_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences_over_time() {
        let before = Reading { ticks_per_second: 100, time_ms: 10_000, ..Reading::default() };
        let mut now = Reading { time_ms: 12_000, ..before.clone() };
        (now.process.utime, now.process.stime) = (200, 100);
        (now.cpu.user, now.cpu.idle) = (100, 300);
        (now.disk.read_kbyte, now.disk.written_kbyte, now.disk.busy_ms) = (10, 20, 500);
        let sample = Sample::between(&before, &now);
        assert_eq!((sample.process_cpu, sample.system_cpu), (1.5, 0.25));
        assert_eq!((sample.disk_read, sample.disk_write, sample.disk_busy), (5, 10, 0.25));
        // A clock or a counter that went back makes no rate.
        let back = Sample::between(&now, &before);
        assert_eq!((back.process_cpu, back.system_cpu, back.disk_read), (0.0, 0.0, 0));
    }

    #[test]
    fn where_nothing_can_be_read_everything_is_zero() {
        let reading = other::read();
        assert!(!reading.ok);
        assert!(reading.time_ms > 0);
        assert_eq!(reading.memory, Memory::default());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_and_machine_are_found() {
        let system = System::new();
        let reading = &system.latest().reading;
        assert!(reading.ok, "{reading:?}");
        assert_eq!(reading.process.pid, i64::from(std::process::id()));
        assert!(reading.process.rss > 0);
        assert!(reading.memory.total > reading.memory.free);
        assert!(reading.cpu.idle > 0 && reading.cpus > 0 && reading.uptime > 0.0);
        assert!(reading.network.inner_received > 0 || reading.network.outer_received > 0);
        system.sample();
        assert!(system.latest().reading.time_ms >= system.started_ms);
    }
}
