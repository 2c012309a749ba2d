//! A hook server that records what it is told and answers what a test says, right or wrong.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivatePkcs8KeyDer,
};
use serde_json::Value;
use socket2::SockRef;

use super::wait_for;

/// What the server does with a call.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This status and body.
    Http(u16, String),
    /// These bytes, whatever they are, and the end.
    Raw(&'static str),
    /// A body of this many bytes.
    Flood(u64),
    /// Nothing, until something else is scripted.
    Hold,
    /// A reset connection.
    Reset,
}

impl Answer {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Http(200, body.to_owned())
    }
}

/// A call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The number of its TCP connection.
    pub(crate) connection: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    /// By their names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) json: Value,
}

impl Call {
    pub(crate) fn action(&self) -> &str {
        self.json["action"].as_str().unwrap_or_default()
    }
}

/// A hook server on a port that the system chose. It answers `0` where nothing is scripted.
pub(crate) struct HookServer {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    tls: Option<Arc<ServerConfig>>,
    connections: AtomicU64,
    /// Bytes of floods that the other side took, or its kernel.
    flooded: AtomicU64,
    is_over: AtomicBool,
    answers: Mutex<HashMap<String, Answer>>,
    calls: Mutex<Vec<Call>>,
}

impl HookServer {
    pub(crate) fn start() -> Self {
        Self::serve("http", State::default())
    }

    /// One that speaks TLS, with a certificate for 127.0.0.1 that nobody knows; the second is its
    /// file in `dir`.
    pub(crate) fn start_tls(dir: &Path) -> (Self, PathBuf) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let file = dir.join("hooks.pem");
        std::fs::write(&file, made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        (Self::serve("https", State { tls: Some(Arc::new(tls)), ..State::default() }), file)
    }

    fn serve(scheme: &str, state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(state);
        let shared = state.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if shared.is_over.load(Relaxed) {
                    return;
                }
                let state = shared.clone();
                thread::spawn(move || state.connection(socket));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Answers so to this path from now on.
    pub(crate) fn script(&self, path: &str, answer: Answer) {
        self.state.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }

    /// The actions told of so far, of all clients.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.action().to_owned()).collect()
    }

    /// Waits for the calls that `of` takes, `count` of them; no more may have come.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize, of: impl Fn(&Call) -> bool) -> Vec<Call> {
        let mut last = Vec::new();
        let what = format!("{count} calls");
        let calls = wait_for(&what, Duration::from_secs(45), || {
            last = self.calls().into_iter().filter(|call| of(call)).collect();
            (last.len() >= count).then(|| last.clone())
        });
        assert_eq!(calls.len(), count, "{calls:?}");
        calls
    }

    /// Waits for the one call of this action.
    #[track_caller]
    pub(crate) fn wait_for_action(&self, action: &str) -> Value {
        self.wait_for(1, |call| call.action() == action).remove(0).json
    }

    /// Bytes of floods that were taken.
    pub(crate) fn flooded(&self) -> u64 {
        self.state.flooded.load(Relaxed)
    }
}

impl Drop for HookServer {
    fn drop(&mut self) {
        self.state.is_over.store(true, Relaxed);
        // Wakes who accepts.
        let _ = TcpStream::connect(self.address.rsplit('/').next().unwrap_or_default());
    }
}

impl State {
    fn connection(&self, socket: TcpStream) {
        let number = self.connections.fetch_add(1, Relaxed);
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        let raw = socket.try_clone().unwrap();
        match &self.tls {
            Some(tls) => {
                let session = ServerConnection::new(tls.clone()).unwrap();
                self.requests(StreamOwned::new(session, socket), number, &raw);
            }
            None => self.requests(socket, number, &raw),
        }
    }

    fn requests<S: Read + Write>(&self, socket: S, connection: u64, raw: &TcpStream) {
        let mut socket = BufReader::new(socket);
        while let Some(call) = read(&mut socket, connection) {
            let path = call.path.clone();
            self.calls.lock().unwrap().push(call);
            let answer = loop {
                match self.answers.lock().unwrap().get(&path) {
                    Some(Answer::Hold) if !self.is_over.load(Relaxed) => {}
                    Some(answer) => break answer.clone(),
                    None => break Answer::ok("0"),
                }
                thread::sleep(Duration::from_millis(10));
            };
            let out = socket.get_mut();
            let written = match answer {
                Answer::Http(status, body) => {
                    let length = body.len();
                    write!(out, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}")
                }
                Answer::Raw(text) => {
                    let _ = out.write_all(text.as_bytes());
                    let _ = out.flush();
                    return;
                }
                Answer::Flood(bytes) => {
                    let _ = write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
                    for _ in 0..bytes / 65_536 {
                        if out.write_all(&[b'0'; 65_536]).is_err() {
                            return;
                        }
                        self.flooded.fetch_add(65_536, Relaxed);
                    }
                    return;
                }
                Answer::Hold => return,
                Answer::Reset => {
                    let _ = SockRef::from(raw).set_linger(Some(Duration::ZERO));
                    return;
                }
            };
            if written.and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    }
}

/// The next request; `None` when the connection is over.
fn read(socket: &mut impl BufRead, connection: u64) -> Option<Call> {
    let mut line = String::new();
    let mut next = || {
        line.clear();
        socket.read_line(&mut line).ok().filter(|&n| n > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let header = next()?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    socket.read_exact(&mut body).ok()?;
    let json = serde_json::from_slice(&body).unwrap_or_default();
    Some(Call { connection, method, path, headers, json })
}
