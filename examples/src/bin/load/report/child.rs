//! Processes on cores of their own, which end with their owner.

use std::{
    fs::File,
    io::{self, Read},
    process::{Child, Command, ExitStatus, Stdio, exit},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    runtime, select,
    signal::unix::{self, SignalKind},
};

/// What this ends with after a signal, as shells have it.
const INTERRUPTED: i32 = 130;

/// Cores by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cores(Vec<usize>);

impl Cores {
    /// Those that this process may use.
    pub(super) fn all() -> io::Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        let is_ours = |&core: &usize| set.is_set(core).unwrap_or(false);
        Ok(Self((0..CpuSet::count()).filter(is_ours).collect()))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The first `count` for a server, and the others for the load; all for it where none is left.
    pub(super) fn split(&self, count: usize) -> (Self, Self) {
        let (server, load) = self.0.split_at(count.min(self.0.len()));
        let load = if load.is_empty() { &self.0 } else { load };
        (Self(server.to_vec()), Self(load.to_vec()))
    }

    /// Has this thread, and what it starts, run on these alone.
    fn apply(&self) -> io::Result<()> {
        let mut set = CpuSet::new();
        for &core in &self.0 {
            set.set(core)?;
        }
        Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
    }
}

/// Processes that have not been waited for.
static LIVE: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn live() -> MutexGuard<'static, Vec<u32>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the usual signals end the processes too: nothing is dropped then.
pub(super) fn end_all_on_signals() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = {
        let _entered = runtime.enter();
        (unix::signal(SignalKind::terminate())?, unix::signal(SignalKind::interrupt())?)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        for &id in &*live() {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGKILL);
        }
        exit(INTERRUPTED);
    })?;
    Ok(())
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts it on `cores`. What it says on standard error goes to `log`; standard output too,
    /// if `output` is no pipe.
    pub(super) fn start(
        command: &mut Command,
        cores: &Cores,
        log: File,
        is_read: bool,
    ) -> io::Result<Self> {
        let output = if is_read { Stdio::piped() } else { log.try_clone()?.into() };
        command.stdin(Stdio::null()).stdout(output).stderr(log);
        // A process starts with the cores of the thread that starts it.
        let ours = Cores::all()?;
        cores.apply()?;
        let child = command.spawn();
        ours.apply()?;
        let child = child.map_err(|error| {
            io::Error::new(error.kind(), format!("{:?}: {error}", command.get_program()))
        })?;
        live().push(child.id());
        Ok(Self(child))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Waits for its end, `limit` at most, and takes what it said on standard output.
    pub(super) fn output(mut self, limit: Duration) -> io::Result<String> {
        let deadline = Instant::now() + limit;
        // What a load says fits into a pipe: nothing has to be read before the end.
        while self.0.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "a load didn't end in time"));
            }
            sleep(Duration::from_millis(20));
        }
        let mut said = String::new();
        if let Some(mut output) = self.0.stdout.take() {
            output.read_to_string(&mut said)?;
        }
        Ok(said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        live().retain(|id| *id != self.0.id());
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_load_share_no_core_where_there_are_enough() {
        let cores = Cores(vec![0, 1, 5]);
        assert_eq!(cores.split(1), (Cores(vec![0]), Cores(vec![1, 5])));
        assert_eq!(cores.split(3), (cores.clone(), cores.clone()));
        assert_eq!(Cores(vec![2]).split(2), (Cores(vec![2]), Cores(vec![2])));
    }

    #[test]
    fn a_process_runs_on_its_cores_and_this_one_goes_on_as_before() {
        let all = Cores::all().unwrap();
        let (one, _) = all.split(1);
        let log = File::options().write(true).open("/dev/null").unwrap();
        let mut command = Command::new("grep");
        command.args(["Cpus_allowed_list", "/proc/self/status"]);
        let process = Process::start(&mut command, &one, log, true).unwrap();
        let said = process.output(Duration::from_secs(20)).unwrap();
        assert_eq!(said, format!("Cpus_allowed_list:\t{}\n", one.0[0]));
        assert_eq!(Cores::all().unwrap(), all);
    }

    #[test]
    fn a_process_ends_with_its_owner() {
        let log = File::options().write(true).open("/dev/null").unwrap();
        let cores = Cores::all().unwrap();
        let mut command = Command::new("sleep");
        let process = Process::start(command.arg("600"), &cores, log, false).unwrap();
        let entry = format!("/proc/{}", process.id());
        assert!(std::path::Path::new(&entry).exists());
        drop(process);
        assert!(!std::path::Path::new(&entry).exists());
    }
}
