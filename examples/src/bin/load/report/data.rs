//! What has been measured, kept in a file from run to run.

use std::{collections::BTreeMap, fs, io, path::Path, process::Command};

use serde::{Deserialize, Serialize};

use crate::histogram::Percentiles;

/// Where this program's sources were when it was built.
const SOURCES: &str = env!("CARGO_MANIFEST_DIR");

/// All measurements, and where they were made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) about: About,
    pub(super) measurements: Vec<Measurement>,
}

/// The machine and the programs, at the last run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) date: String,
    pub(super) commit: String,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_gib: f64,
    pub(super) kernel: String,
    /// Of TCP.
    #[serde(default)]
    pub(super) congestion: String,
    pub(super) command: String,
    /// By server.
    pub(super) versions: BTreeMap<String, String>,
}

/// One server under one load, once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Measurement {
    pub(super) group: String,
    pub(super) clients: u32,
    pub(super) server: String,
    pub(super) repeat: u32,
    /// Percent of a core.
    pub(super) cpu: f64,
    /// The same by thread, the busiest first; the idle are left out.
    pub(super) threads: Vec<(String, f64)>,
    /// Percent of the cores that the load has.
    pub(super) load_cpu: f64,
    /// More than before the clients came, for each.
    pub(super) rss_kib: f64,
    pub(super) pss_kib: f64,
    /// The kernel's, at both ends of the connection.
    pub(super) socket_kib: f64,
    /// For each client, per second; 0 where unknown.
    pub(super) writes: f64,
    pub(super) reads: f64,
    /// Of all threads, per second.
    pub(super) switches: f64,
    pub(super) latency_ms: Option<Percentiles>,
    pub(super) join_ms: Option<Percentiles>,
    /// After the load has gone.
    pub(super) after_ms: Option<Percentiles>,
    /// System calls for each RTP packet that is sent or received; `None` where nobody counts them.
    #[serde(default)]
    pub(super) calls: Option<f64>,
    /// Clients that joined meanwhile, per second.
    #[serde(default)]
    pub(super) joins: f64,
    /// Resident memory after each time that all clients had come and gone.
    #[serde(default)]
    pub(super) rounds_kib: Vec<u64>,
    /// What the client got (or sent) that got least, of the bitrate; a bit less or more than 1, as
    /// the keyframes fall.
    #[serde(default)]
    pub(super) share: f64,
    /// Why it doesn't count.
    pub(super) faults: Vec<String>,
}

impl Data {
    /// Reads the file; one that isn't there has nothing.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file, so that it is whole whenever this is ended.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(new, path)
    }

    /// Adds a measurement, in the place of the one that was made by the same.
    pub(super) fn add(&mut self, new: Measurement) {
        self.measurements.retain(|old| {
            (&old.group, old.clients, &old.server, old.repeat)
                != (&new.group, new.clients, &new.server, new.repeat)
        });
        self.measurements.push(new);
    }

    pub(super) fn has(&self, group: &str, clients: u32, server: &str, repeat: u32) -> bool {
        self.measurements.iter().any(|old| {
            (old.group.as_str(), old.clients, old.server.as_str(), old.repeat)
                == (group, clients, server, repeat)
        })
    }
}

impl About {
    pub(super) fn now(cores: usize, versions: BTreeMap<String, String>) -> Self {
        let value = |path: &str, name: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches([' ', '\t', ':']).to_owned()
        };
        let memory = value("/proc/meminfo", "MemTotal");
        let memory: f64 = memory.trim_end_matches(" kB").parse().unwrap_or(0.0);
        Self {
            date: said("date", &["-u", "+%F"]),
            commit: said("git", &["-C", SOURCES, "describe", "--always", "--dirty"]),
            cpu: value("/proc/cpuinfo", "model name"),
            cores,
            memory_gib: memory / 1024.0 / 1024.0,
            kernel: value("/proc/sys/kernel/osrelease", ""),
            congestion: value("/proc/sys/net/ipv4/tcp_congestion_control", ""),
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            versions,
        }
    }
}

/// What a program says; nothing where it isn't there.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_kept_and_replaced() {
        let path = std::env::temp_dir().join(format!("load-data-{}.json", std::process::id()));
        assert!(Data::read(&path).unwrap().measurements.is_empty());
        let mut data = Data::default();
        let one = Measurement { group: "a".into(), clients: 5, ..Measurement::default() };
        data.add(one.clone());
        data.add(Measurement { repeat: 1, ..one.clone() });
        data.add(Measurement { cpu: 7.0, ..one.clone() });
        data.write(&path).unwrap();
        let read = Data::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(read.measurements, data.measurements);
        assert_eq!(read.measurements.len(), 2);
        assert!(read.has("a", 5, "", 1) && !read.has("a", 6, "", 1));
        assert_eq!(read.measurements[1].cpu, 7.0);
    }
}
