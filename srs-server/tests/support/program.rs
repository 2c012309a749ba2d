//! The program as its users start it: in a directory, with arguments, a file and variables, and
//! nothing else that says how it is to run.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{TestDir, wait_for};

const PROGRAM: &str = env!("CARGO_BIN_EXE_srs-server");

/// A directory, and the servers that run in it or below: they end with it, wherever they went.
pub(crate) struct Home(TestDir);

/// A server in the foreground; killed when dropped.
pub(crate) struct Running {
    child: Child,
    stderr: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(TestDir::new())
    }

    /// A home with this `srs.conf`.
    pub(crate) fn with(conf: &str) -> Self {
        let home = Self::new();
        home.write("srs.conf", conf);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Another program, to start this one.
    pub(crate) fn other(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).stdin(Stdio::null()).env("NO_COLOR", "1");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("SRS_") || text == "RUST_LOG" {
                command.env_remove(&name);
            }
        }
        command
    }

    /// The program with these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.other(PROGRAM);
        command.args(args);
        command
    }

    /// What the program says and ends with, which it must do by itself.
    #[track_caller]
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.output_of(&mut self.command(args))
    }

    /// As [`Home::output`], of another command.
    #[track_caller]
    pub(crate) fn output_of(&self, command: &mut Command) -> Output {
        let (out, err) = (self.path("out.txt"), self.path("err.txt"));
        let files = (File::create(&out).unwrap(), File::create(&err).unwrap());
        let mut child = command.stdout(files.0).stderr(files.1).spawn().unwrap();
        let ended = |child: &mut Child| child.try_wait().unwrap();
        let mut tries = 0;
        let status = loop {
            match ended(&mut child) {
                Some(status) => break status,
                None if tries < 1000 => thread::sleep(Duration::from_millis(20)),
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("it doesn't end: {}", self.read("err.txt"));
                }
            }
            tries += 1;
        };
        Output { status, stdout: fs::read(out).unwrap(), stderr: fs::read(err).unwrap() }
    }

    /// A server with these arguments, which stays in the foreground.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_by(&mut self.command(args))
    }

    /// As [`Home::start`], by another command.
    pub(crate) fn start_by(&self, command: &mut Command) -> Running {
        let stderr = self.path(&format!("stderr-{}.txt", fastrand::u64(..)));
        let child = command.stderr(File::create(&stderr).unwrap()).spawn().unwrap();
        Running { child, stderr }
    }

    /// Waits until a file here has a line with `text` in it.
    #[track_caller]
    pub(crate) fn wait_for(&self, file: &str, text: &str) -> String {
        wait_for(&format!("`{text}` in {file}"), Duration::from_secs(30), || {
            self.read(file).lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }

    /// Waits for the process whose id is in a file here.
    #[track_caller]
    pub(crate) fn wait_for_pid(&self, file: &str) -> i32 {
        wait_for(&format!("process id in {file}"), Duration::from_secs(30), || {
            self.read(file).trim().parse().ok()
        })
    }

    /// The servers that run in this directory or below.
    fn servers(&self) -> Vec<i32> {
        let here = fs::canonicalize(self.0.path()).unwrap();
        let program = fs::canonicalize(PROGRAM).unwrap();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let is = |link: &str, is: &dyn Fn(PathBuf) -> bool| {
                fs::read_link(format!("/proc/{pid}/{link}")).is_ok_and(is)
            };
            is("exe", &|exe| exe == program) && is("cwd", &|cwd| cwd.starts_with(&here))
        })
        .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for pid in self.servers() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until a line with `text` in it is on standard error.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        wait_for(&format!("`{text}` on standard error"), Duration::from_secs(30), || {
            let line = self.stderr().lines().find(|line| line.contains(text)).map(str::to_owned);
            if line.is_none() {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "it ended, {ended:?}: {}", self.stderr());
            }
            line
        })
    }

    /// The port that it serves RTMP, HTTP or the API on, by its log on standard error.
    #[track_caller]
    pub(crate) fn port(&mut self, of: &str) -> u16 {
        port_of(&self.wait_for(&format!("{of}: listening on [::]:")))
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits until it ends.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("end of the process", Duration::from_secs(30), || self.child.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- standard error\n{}\n---", self.stderr());
        }
    }
}

/// The port at the end of a line that tells where the server listens.
pub(crate) fn port_of(line: &str) -> u16 {
    line.rsplit(':').next().unwrap().parse().unwrap()
}

/// Whether a process runs; one that ended and that nobody asked about yet does not.
pub(crate) fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Ports that nothing listens on.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: Vec<_> = (0..N).map(|_| TcpListener::bind("[::]:0").unwrap()).collect();
    std::array::from_fn(|index| listeners[index].local_addr().unwrap().port())
}

/// Waits until somebody listens on a port of this machine.
#[track_caller]
pub(crate) fn wait_for_port(port: u16) {
    wait_for(&format!("server on port {port}"), Duration::from_secs(30), || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
}
