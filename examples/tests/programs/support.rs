//! What the tests share: programs as processes, ffmpeg and ffprobe, and folders that go away.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant},
};

/// The path of an example, which `cargo test` has built.
pub(crate) fn example(name: &str) -> PathBuf {
    // target/PROFILE/deps/programs-HASH
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{path:?} is missing: cargo build -p examples --examples");
    path
}

/// Runs a program to its end.
pub(crate) fn run(program: impl AsRef<Path>, arguments: &[&str]) -> Output {
    Command::new(program.as_ref()).args(arguments).output().unwrap()
}

/// What a program said, whether or not it is text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder that goes away with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let path = std::env::temp_dir().join(format!("examples-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        Self::start_with(program, arguments, Stdio::inherit())
    }

    fn start_with(program: impl AsRef<Path>, arguments: &[&str], stderr: Stdio) -> Self {
        let child = Command::new(program.as_ref())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Starts a program, and waits until it says something on standard error.
    pub(crate) fn until_said(program: impl AsRef<Path>, arguments: &[&str], said: &str) -> Self {
        let mut running = Self::start_with(program, arguments, Stdio::piped());
        let mut lines =
            BufReader::new(running.0.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(said)), "it ended without {said:?}");
        // Its further words are read, so that it can go on talking.
        std::thread::spawn(move || lines.for_each(drop));
        running
    }

    pub(crate) fn ffmpeg(arguments: &[&str]) -> Self {
        Self::start("ffmpeg", &[&["-v", "error", "-y"], arguments].concat())
    }

    /// A current ffmpeg, which `test.sh` puts beside the build: it publishes by WHIP.
    pub(crate) fn current_ffmpeg(arguments: &[&str]) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = target.join("tools/imageio_ffmpeg/binaries");
        let mut files = fs::read_dir(&folder).into_iter().flatten().flatten();
        let is_program =
            |file: &fs::DirEntry| file.file_name().to_string_lossy().starts_with("ffmpeg-");
        let program = files.find(is_program);
        let program =
            program.unwrap_or_else(|| panic!("no ffmpeg in {folder:?}: run ./test.sh once"));
        Self::start(program.path(), &[&["-v", "error", "-y"], arguments].concat())
    }

    /// The `mini_server` and the address of its streams.
    pub(crate) fn mini_server() -> (Self, String) {
        let (server, address) = Self::listening("mini_server", &[]);
        (server, format!("rtmp://{address}/live"))
    }

    /// The `sfu` and its address.
    pub(crate) fn sfu() -> (Self, String) {
        let (server, address) = Self::listening("sfu", &[]);
        (server, format!("http://{address}"))
    }

    /// An example that says where it listens, which is wherever there is room.
    pub(crate) fn listening(name: &str, more: &[&str]) -> (Self, String) {
        let mut server = Self::start(example(name), &[&["127.0.0.1:0"], more].concat());
        let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        // Its further words are read, so that it can go on talking.
        std::thread::spawn(move || lines.for_each(drop));
        (server, line.strip_prefix("listening on ").unwrap().to_owned())
    }

    /// `load limit`, and its address.
    pub(crate) fn limit(arguments: &[&str]) -> (Self, String) {
        let mut limit = Self::start(env!("CARGO_BIN_EXE_load"), &[&["limit"], arguments].concat());
        let mut line = String::new();
        BufReader::new(limit.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (limit, line.trim().strip_prefix("listening on ").unwrap().to_owned())
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        use nix::{sys::signal, unistd::Pid};
        let pid = Pid::from_raw(self.0.id().cast_signed());
        signal::kill(pid, signal::Signal::SIGINT).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end, and takes what it has said on standard output.
    pub(crate) fn finish(mut self) -> (ExitStatus, String) {
        let status = wait_for("end of a program", || self.0.try_wait().unwrap());
        let mut said = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut said).unwrap();
        }
        (status, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `ready` gives something; half a minute at most.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "no {what}");
        sleep(Duration::from_millis(20));
    }
}

/// A port that nobody uses.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until somebody listens, without connecting: `ffmpeg -listen` takes one connection.
pub(crate) fn wait_for_listener(port: u16) {
    let entry = format!(":{port:04X} 00000000:0000 0A");
    wait_for("listener", || {
        fs::read_to_string("/proc/net/tcp").unwrap().contains(&entry).then_some(())
    });
}

/// Makes an FLV file of `seconds` with a keyframe each second; `codecs` come on top.
pub(crate) fn clip(folder: &Folder, name: &str, seconds: &str, codecs: &[&str]) -> String {
    let path = folder.path(name);
    #[rustfmt::skip]
    let inputs = [
        "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100",
        "-pix_fmt", "yuv420p", "-g", "25", "-preset", "ultrafast", "-t", seconds,
    ];
    let made = run("ffmpeg", &[&inputs, codecs, &["-f", "flv", &path]].concat());
    assert!(made.status.success(), "{}", text(&made.stderr));
    path
}

/// A packet as ffprobe sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) is_key: bool,
    /// Of its payload.
    pub(crate) hash: String,
}

/// The packets of a file: `v` for video, `a` for audio.
pub(crate) fn packets(path: &str, kind: &str) -> Vec<Packet> {
    #[rustfmt::skip]
    let probed = run("ffprobe", &[
        "-v", "error", "-select_streams", kind, "-show_data_hash", "md5",
        "-show_entries", "packet=pts,dts,flags,data_hash", "-of", "csv=p=0:nk=1", path,
    ]);
    assert!(probed.status.success(), "{path}: {}", text(&probed.stderr));
    text(&probed.stdout)
        .lines()
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            let [pts, dts, flags, hash] = fields[..] else { panic!("{line}") };
            Packet {
                dts: dts.parse().unwrap(),
                pts: pts.parse().unwrap(),
                is_key: flags.starts_with('K'),
                hash: hash.to_owned(),
            }
        })
        .collect()
}

pub(crate) fn hashes(packets: &[Packet]) -> Vec<&str> {
    packets.iter().map(|packet| packet.hash.as_str()).collect()
}

/// An `srs-server` in this process, for as long as it lives, on ports of its own.
pub(crate) struct Server {
    pub(crate) rtmp: SocketAddr,
    pub(crate) http: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    _server: srs_server::server::Server,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(async {
            let settings = srs_server::config::Settings::listening_on(any, any, any);
            srs_server::server::Server::start(settings).unwrap()
        });
        let (rtmp, http) = (server.rtmp()[0], server.http()[0]);
        Self { rtmp, http, _runtime: runtime, _server: server }
    }
}
