//! The server as a process of its own, on ports that the system chose.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use super::wait_for;

pub(crate) struct TestServer {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) rtmp: u16,
    pub(crate) http: u16,
    pub(crate) api: u16,
    dir: Option<TestDir>,
}

/// A new directory that goes when this is dropped.
pub(crate) struct TestDir(PathBuf);

impl TestDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let dir = std::env::temp_dir().join(format!("srs-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl TestServer {
    /// A server with no configuration but its ports.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with these environment variables too.
    pub(crate) fn start_with(vars: &[(&str, &str)]) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_srs-server")).envs(vars.iter().copied()))
    }

    /// A server that may open this many files.
    pub(crate) fn start_with_open_files(limit: u32) -> Self {
        let run = format!("ulimit -n {limit} && exec {}", env!("CARGO_BIN_EXE_srs-server"));
        Self::run(Command::new("sh").args(["-c", &run]))
    }

    /// A server with a file of configuration: `text`, and what every test needs of RTMP, HTTP and
    /// the API where `text` doesn't say it. Its working directory is new and goes with it.
    pub(crate) fn configured(text: &str) -> Self {
        Self::configured_with(text, &[])
    }

    /// As [`TestServer::configured`], with these environment variables too.
    pub(crate) fn configured_with(text: &str, vars: &[(&str, &str)]) -> Self {
        let dir = TestDir::new();
        let says = |directive: &str| {
            text.lines().any(|line| line.split_whitespace().next() == Some(directive))
        };
        let mut whole = String::new();
        for (directive, line) in [
            ("listen", "listen 0;"),
            ("daemon", "daemon off;"),
            ("srs_log_tank", "srs_log_tank console;"),
            ("http_api", "http_api { enabled on; listen 0; }"),
            ("http_server", "http_server { enabled on; listen 0; }"),
            ("vhost", "vhost __defaultVhost__ { http_remux { enabled on; } }"),
        ] {
            if !says(directive) {
                whole.push_str(line);
                whole.push('\n');
            }
        }
        whole.push_str(text);
        let file = dir.path().join("srs.conf");
        std::fs::write(&file, whole).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_srs-server"));
        command.arg("-c").arg(file).current_dir(dir.path()).envs(vars.iter().copied());
        let mut server = Self::launch(&mut command);
        server.dir = Some(dir);
        server.wait_for_ports();
        server
    }

    fn run(command: &mut Command) -> Self {
        let mut server = Self::launch(command.envs([
            ("SRS_LISTEN", "0"),
            ("SRS_HTTP_SERVER_LISTEN", "0"),
            ("SRS_HTTP_API_LISTEN", "0"),
            ("SRS_RTC_SERVER_LISTEN", "0"),
            ("SRS_RTC_SERVER_TCP_LISTEN", "0"),
        ]));
        server.wait_for_ports();
        server
    }

    fn launch(command: &mut Command) -> Self {
        let mut child = command
            .envs([("RUST_LOG", "info"), ("NO_COLOR", "1")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = log.clone();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Self { child, log, rtmp: 0, http: 0, api: 0, dir: None }
    }

    fn wait_for_ports(&mut self) {
        let port = |server: &Self, what: &str| {
            let text = format!("{what}: listening on [::]:");
            let line = server.wait_for_log(&text);
            line.rsplit(':').next().unwrap().parse().unwrap()
        };
        self.rtmp = port(self, "rtmp");
        self.http = port(self, "http");
        self.api = port(self, "api");
    }

    /// The directory of a server with a file of configuration.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub(crate) fn rtmp_url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{stream}", self.rtmp)
    }

    pub(crate) fn flv_url(&self, stream: &str) -> String {
        format!("http://127.0.0.1:{}/live/{stream}.flv", self.http)
    }

    pub(crate) fn api_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/api/v1/{path}", self.api)
    }

    /// The JSON that the API answers to `GET`.
    pub(crate) fn api(&self, path: &str) -> Value {
        let mut response = ureq::get(self.api_url(path)).call().unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        response.body_mut().read_json().unwrap()
    }

    /// The clients of this kind on this stream, by the API.
    pub(crate) fn clients(&self, stream: &str, kind: &str) -> Vec<Value> {
        let all = self.api("clients?count=1000");
        let list = all["clients"].as_array().unwrap().iter();
        list.filter(|c| c["name"] == stream && c["type"] == kind).cloned().collect()
    }

    /// Waits for a client of this kind on this stream; its id.
    pub(crate) fn wait_for_client(&self, stream: &str, kind: &str) -> String {
        wait_for(&format!("{kind} of {stream}"), Duration::from_secs(20), || {
            Some(self.clients(stream, kind).first()?["id"].as_str()?.to_owned())
        })
    }

    /// Closes a client by the API.
    pub(crate) fn kick(&self, id: &str) {
        let url = self.api_url(&format!("clients/{id}"));
        let answer: Value = ureq::delete(url).call().unwrap().body_mut().read_json().unwrap();
        assert_eq!(answer["code"], 0, "{answer}");
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log that has `text` in it.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        wait_for(&format!("`{text}` in the log"), Duration::from_secs(40), || {
            self.log.lock().unwrap().iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// Resident memory, bytes.
    pub(crate) fn rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the process to end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("end of the server", Duration::from_secs(10), || self.child.try_wait().unwrap())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of the server\n{}\n---", self.log().join("\n"));
        }
    }
}
