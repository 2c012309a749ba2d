//! A browser without a window, which runs the scripts that a test gives it.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{Mutex as AsyncMutex, mpsc as tokio_mpsc},
    time::timeout,
};

use crate::support::{TestDir, TestServer};

/// One browser at a time: encoding and decoding in software is work for the whole machine.
static TURN: Mutex<()> = Mutex::new(());
/// How long a script may take, the start of the browser included.
const LIMIT: Duration = Duration::from_secs(60);
/// How long the page waits for a script before it asks again.
const POLL: Duration = Duration::from_secs(10);
/// The files of the page.
const PAGE: [&str; 3] = ["index.html", "driver.js", "media.js"];
/// The player of HTTP-FLV, beside them.
const PLAYER: &str = "/mpegts.js";
/// What the browser is given for rights that it would ask a user for.
const FLAGS: [&str; 18] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--mute-audio",
];

/// A browser with a page of the test's own; killed when dropped.
pub(crate) struct Browser {
    child: Child,
    scripts: tokio_mpsc::UnboundedSender<String>,
    outcomes: mpsc::Receiver<Value>,
    _profile: TestDir,
    _runtime: Runtime,
    _turn: MutexGuard<'static, ()>,
}

#[derive(Clone)]
struct Control {
    scripts: Arc<AsyncMutex<tokio_mpsc::UnboundedReceiver<String>>>,
    outcomes: mpsc::Sender<Value>,
}

impl Browser {
    /// A browser whose page is of another origin than the server, as most users' are.
    pub(crate) fn start() -> Self {
        Self::open(|control| format!("{control}/index.html"))
    }

    /// A browser whose page is one of the server's files, so that it can look into the server's
    /// other pages.
    pub(crate) fn start_on(server: &TestServer) -> Self {
        let folder = server.dir().join("objs/nginx/html");
        std::fs::create_dir_all(&folder).unwrap();
        for name in PAGE {
            std::fs::write(folder.join(name), file(name)).unwrap();
        }
        let http = server.http;
        Self::open(|control| format!("http://127.0.0.1:{http}/index.html?control={control}"))
    }

    /// Waits until no other client has the machine.
    pub(crate) fn turn() -> MutexGuard<'static, ()> {
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(url: impl FnOnce(&str) -> String) -> Self {
        let turn = Self::turn();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (scripts, waiting) = tokio_mpsc::unbounded_channel();
        let (done, outcomes) = mpsc::channel();
        let control = Control { scripts: Arc::new(AsyncMutex::new(waiting)), outcomes: done };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut router = Router::new().route("/next", get(next)).route("/done", post(take));
        for name in PAGE {
            router = router.route(&format!("/{name}"), get(move || async move { page(name) }));
        }
        let router = router.route(PLAYER, get(player)).with_state(control);
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });

        let profile = TestDir::new();
        let child = Command::new("chromium")
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            // What it leaves behind goes with the rest.
            .env("TMPDIR", profile.path())
            .arg(url(&address))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(profile.path().join("stderr.txt")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("no chromium, which ./test.sh installs: {error}"));
        let browser =
            Self { child, scripts, outcomes, _profile: profile, _runtime: runtime, _turn: turn };
        // What tests begin beside it would be over before a busy machine has it.
        browser.run("");
        browser
    }

    /// Runs a script in the page: the body of an async function, with the classes of `media.js`
    /// and `kept`, where scripts leave things for others. What it returns.
    #[track_caller]
    pub(crate) fn run(&self, script: impl Into<String>) -> Value {
        self.begin(script);
        self.end()
    }

    /// Begins to run a script.
    pub(crate) fn begin(&self, script: impl Into<String>) {
        self.scripts.send(script.into()).unwrap();
    }

    /// What the script returns that was begun.
    #[track_caller]
    pub(crate) fn end(&self) -> Value {
        let outcome = self.outcomes.recv_timeout(LIMIT);
        let mut outcome = outcome.unwrap_or_else(|_| panic!("no result within {LIMIT:?}"));
        assert!(outcome.get("error").is_none(), "{}", outcome["error"].as_str().unwrap());
        outcome["result"].take()
    }

    /// Loads the page again, as a user does: all that it had is gone, and it says goodbye to nobody.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.run("setTimeout(() => location.reload(), 0); kept.isOld = true;");
        // What is still begun in the old page goes with it.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(self.run("return kept.isOld ?? false;"), false);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It is many processes.
        let group = Pid::from_raw(self.child.id().try_into().unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

async fn next(State(control): State<Control>) -> Response {
    let mut scripts = control.scripts.lock().await;
    match timeout(POLL, scripts.recv()).await {
        Ok(Some(script)) => (anyone(), script).into_response(),
        _ => (anyone(), StatusCode::NO_CONTENT).into_response(),
    }
}

async fn take(State(control): State<Control>, body: String) -> Response {
    let outcome = serde_json::from_str(&body).unwrap();
    // A test that failed doesn't hear it.
    let _ = control.outcomes.send(outcome);
    (anyone(), StatusCode::NO_CONTENT).into_response()
}

/// Pages of other origins may ask: the server's own do.
fn anyone() -> [(header::HeaderName, &'static str); 1] {
    [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")]
}

fn page(name: &str) -> Response {
    let kind = if name.ends_with(".js") { "text/javascript" } else { "text/html" };
    ([(header::CONTENT_TYPE, kind)], file(name)).into_response()
}

async fn player() -> Response {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let file = target.join("tools/mpegts.js/dist/mpegts.js");
    let script = std::fs::read_to_string(&file)
        .unwrap_or_else(|_| panic!("no {}: run ./test.sh once", file.display()));
    ([(header::CONTENT_TYPE, "text/javascript")], script).into_response()
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rtc/page");
    std::fs::read_to_string(folder.join(name)).unwrap()
}
