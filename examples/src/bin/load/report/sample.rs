//! What a process has used so far, as Linux tells it.

use std::{
    collections::BTreeMap,
    fs, io,
    thread::sleep,
    time::{Duration, Instant},
};

/// How often the memory of sockets is looked at: buffers are full for moments only.
const LOOK: Duration = Duration::from_millis(50);

/// A look at a process.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    at: Instant,
    /// By thread: its name, and its time on a core, of user and system, in nanoseconds.
    threads: BTreeMap<u32, (String, u64)>,
    pub(super) rss_kib: u64,
    pub(super) pss_kib: u64,
    /// Of all TCP sockets of the machine.
    pub(super) socket_kib: u64,
    writes: u64,
    switches: u64,
}

/// What a process used between two looks, per second.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usage {
    /// CPU, percent of a core.
    pub(super) cpu: f64,
    /// The same by thread, the busiest first.
    pub(super) threads: Vec<(String, f64)>,
    /// Calls of `write` and `writev`; those of `send` are not counted by the system.
    pub(super) writes: f64,
    /// Voluntary context switches.
    pub(super) switches: f64,
}

impl Sample {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let at = Instant::now();
        let process = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let (mut threads, mut switches) = (BTreeMap::new(), 0);
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = entry?.path();
            let read = |name: &str| fs::read_to_string(path.join(name));
            // A thread may end while this is read.
            let (Ok(name), Ok(used), Ok(status)) =
                (read("comm"), read("schedstat"), read("status"))
            else {
                continue;
            };
            let id = path.file_name().and_then(|id| id.to_str()?.parse().ok());
            if let (Some(id), Some(nanos)) = (id, field(&used, "")) {
                threads.insert(id, (name.trim_end().to_owned(), nanos));
            }
            switches += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        if threads.is_empty() {
            return Err(malformed("schedstat"));
        }
        let memory = process("smaps_rollup")?;
        Ok(Self {
            at,
            threads,
            rss_kib: field(&memory, "Rss:").ok_or_else(|| malformed("smaps_rollup"))?,
            pss_kib: field(&memory, "Pss:").ok_or_else(|| malformed("smaps_rollup"))?,
            socket_kib: socket_pages()? * page_kib()?,
            // Not told everywhere; zero is told as unknown.
            writes: process("io").ok().and_then(|io| field(&io, "syscw:")).unwrap_or(0),
            switches,
        })
    }

    /// What was used since an earlier sample.
    pub(super) fn since(&self, earlier: &Self) -> Usage {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64().max(1e-3);
        let percent = |nanos: u64| nanos as f64 / 1e9 / seconds * 100.0;
        let mut threads: Vec<_> = self
            .threads
            .iter()
            .map(|(id, (name, nanos))| {
                let before = earlier.threads.get(id).map_or(0, |(_, nanos)| *nanos);
                (name.clone(), percent(nanos.saturating_sub(before)))
            })
            .collect();
        threads.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Usage {
            cpu: threads.iter().map(|(_, cpu)| cpu).sum(),
            threads,
            writes: rate(self.writes, earlier.writes),
            switches: rate(self.switches, earlier.switches),
        }
    }
}

/// Watches the memory of all TCP sockets of the machine for a time; the most there was, in KiB.
pub(super) fn socket_peak(time: Duration) -> io::Result<u64> {
    let (end, mut most) = (Instant::now() + time, 0);
    loop {
        most = most.max(socket_pages()?);
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(most * page_kib()?);
        }
        sleep(left.min(LOOK));
    }
}

fn socket_pages() -> io::Result<u64> {
    let sockets = fs::read_to_string("/proc/net/sockstat")?;
    tcp_pages(&sockets).ok_or_else(|| malformed("sockstat"))
}

fn malformed(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc: {name} cannot be read"))
}

/// The first number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn tcp_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    line.split_once(" mem ")?.1.split_ascii_whitespace().next()?.parse().ok()
}

fn page_kib() -> io::Result<u64> {
    let maps = fs::read_to_string("/proc/self/smaps")?;
    field(&maps, "KernelPageSize:").ok_or_else(|| malformed("smaps"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_are_read() {
        assert_eq!(field("123456 7 8\n", ""), Some(123_456));
        assert_eq!(field("Rss:  12 kB\nPss:\t 7 kB\n", "Pss:"), Some(7));
        let sockets = "sockets: used 33\nTCP: inuse 2 orphan 0 tw 7 alloc 4 mem 68\n";
        assert_eq!(tcp_pages(sockets), Some(68));
        assert!(page_kib().unwrap() >= 4);
        let start = Instant::now();
        socket_peak(Duration::from_millis(120)).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(120));
    }

    #[test]
    fn this_process_uses_something() {
        let before = Sample::of(std::process::id()).unwrap();
        let start = Instant::now();
        let busy = std::thread::Builder::new().name("busy".to_owned());
        let busy = busy.spawn(move || {
            let mut rounds = 0_u64;
            while start.elapsed().as_millis() < 300 {
                rounds = std::hint::black_box(rounds + 1);
            }
            // Outlives the second look.
            std::thread::park_timeout(std::time::Duration::from_secs(20));
        });
        let busy = busy.unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
        let after = Sample::of(std::process::id()).unwrap();
        busy.thread().unpark();
        busy.join().unwrap();
        let usage = after.since(&before);
        assert!(usage.cpu > 0.0, "{usage:?}");
        let busiest = usage.threads.iter().find(|(name, _)| name == "busy");
        assert!(busiest.is_some_and(|(_, cpu)| *cpu > 0.0), "{usage:?}");
        assert!(after.pss_kib > 0 && after.rss_kib >= after.pss_kib);
    }
}
