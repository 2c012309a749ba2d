//! What is read at one time.

use serde::Serialize;
use utoipa::ToSchema;

/// What was read at one time; where something could not be, it is zero.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// Whether everything could be read.
    pub ok: bool,
    /// When, wall clock in ms.
    pub time_ms: i64,
    /// Units of CPU time in a second.
    pub ticks_per_second: i64,
    /// This process.
    pub process: Process,
    /// The machine's CPU time.
    pub cpu: Cpu,
    /// Processors that run.
    pub cpus: i64,
    /// The machine's memory.
    pub memory: Memory,
    /// The machine's load over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// How long the machine has been up, seconds.
    pub uptime: f64,
    /// How long its processors have been idle, seconds, summed.
    pub idle_time: f64,
    /// Its disks.
    pub disk: Disk,
    /// Its network interfaces.
    pub network: Network,
    /// Its sockets.
    pub sockets: Sockets,
}

/// This process, as `/proc/self/stat` has it.
///
/// Numbers are signed, as SRS tells them: a limit that isn't there is -1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs)] // The names are those of proc(5), and explained there.
pub struct Process {
    pub pid: i64,
    pub comm: String,
    pub state: String,
    pub ppid: i64,
    pub pgrp: i64,
    pub session: i64,
    pub tty_nr: i64,
    pub tpgid: i64,
    pub flags: i64,
    pub minflt: i64,
    pub cminflt: i64,
    pub majflt: i64,
    pub cmajflt: i64,
    pub utime: i64,
    pub stime: i64,
    pub cutime: i64,
    pub cstime: i64,
    pub priority: i64,
    pub nice: i64,
    pub num_threads: i64,
    pub itrealvalue: i64,
    pub starttime: i64,
    pub vsize: i64,
    pub rss: i64,
    pub rsslim: i64,
    pub startcode: i64,
    pub endcode: i64,
    pub startstack: i64,
    pub kstkesp: i64,
    pub kstkeip: i64,
    pub signal: i64,
    pub blocked: i64,
    pub sigignore: i64,
    pub sigcatch: i64,
    pub wchan: i64,
    pub nswap: i64,
    pub cnswap: i64,
    pub exit_signal: i64,
    pub processor: i64,
    pub rt_priority: i64,
    pub policy: i64,
    pub delayacct_blkio_ticks: i64,
    pub guest_time: i64,
    pub cguest_time: i64,
}

/// The machine's CPU time, as the first line of `/proc/stat` has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[allow(missing_docs)] // The names are those of proc(5), and explained there.
pub struct Cpu {
    pub user: i64,
    pub nice: i64,
    pub sys: i64,
    pub idle: i64,
    pub iowait: i64,
    pub irq: i64,
    pub softirq: i64,
    pub steal: i64,
    pub guest: i64,
}

impl Cpu {
    /// All of it; a guest's time is in `user` already.
    pub fn total(&self) -> i64 {
        let busy = self.user + self.nice + self.sys + self.irq + self.softirq + self.steal;
        busy + self.idle + self.iowait
    }
}

/// The machine's memory, kbyte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// All of it.
    pub total: i64,
    /// What nobody uses.
    pub free: i64,
    /// Buffers of block devices.
    pub buffers: i64,
    /// Cached files.
    pub cached: i64,
    /// All of the swap space.
    pub swap_total: i64,
    /// What of it nobody uses.
    pub swap_free: i64,
}

impl Memory {
    /// What programs use, buffers and cached files not counted.
    pub fn in_use(&self) -> i64 {
        self.total - self.free - self.buffers - self.cached
    }
}

/// The machine's disks, counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disk {
    /// What was read, kbyte.
    pub read_kbyte: i64,
    /// What was written, kbyte.
    pub written_kbyte: i64,
    /// How long the busiest disk was busy, ms.
    pub busy_ms: i64,
}

/// The machine's network interfaces, counted since it started, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// Received by interfaces that have a public address.
    pub outer_received: i64,
    /// Sent by them.
    pub outer_sent: i64,
    /// Received by all others.
    pub inner_received: i64,
    /// Sent by them.
    pub inner_sent: i64,
}

/// The machine's sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sockets {
    /// TCP, in any state.
    pub tcp: i64,
    /// TCP connections that stand.
    pub established: i64,
    /// TCP connections that wait for late packets.
    pub time_wait: i64,
    /// UDP.
    pub udp: i64,
}
