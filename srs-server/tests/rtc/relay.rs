//! A way by UDP that loses and delays packets in both directions.

use std::{
    collections::{HashMap, VecDeque},
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long it rests where nothing is to be done.
const REST: Duration = Duration::from_millis(1);

/// A relay at work; it ends when dropped.
pub(crate) struct Relay {
    port: u16,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    is_over: AtomicBool,
    passed: AtomicU64,
    lost: AtomicU64,
}

impl Relay {
    /// Relays to a port of this machine; of 100 packets `loss` are lost, and the others take
    /// `delay_ms`.
    pub(crate) fn start(server: u16, loss: u32, delay_ms: u64) -> Self {
        let outer = bound();
        let port = outer.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let way = Way {
            outer,
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, server)),
            inner: HashMap::new(),
            waiting: VecDeque::new(),
            loss,
            delay: Duration::from_millis(delay_ms),
            random: fastrand::Rng::with_seed(5),
            state: state.clone(),
        };
        let thread = Some(thread::spawn(|| way.run()));
        Self { port, state, thread }
    }

    /// Where clients reach the server.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Packets that came, and those of them that were lost.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.state.passed.load(Relaxed), self.state.lost.load(Relaxed))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Way {
    /// What clients reach.
    outer: UdpSocket,
    server: SocketAddr,
    /// What the server reaches, one socket for each client.
    inner: HashMap<SocketAddr, UdpSocket>,
    waiting: VecDeque<Waiting>,
    loss: u32,
    delay: Duration,
    random: fastrand::Rng,
    state: Arc<State>,
}

struct Waiting {
    due: Instant,
    client: SocketAddr,
    to_server: bool,
    packet: Vec<u8>,
}

impl Way {
    fn run(mut self) {
        let mut buffer = [0; 2048];
        while !self.state.is_over.load(Relaxed) {
            let mut is_idle = true;
            let mut taken = Vec::new();
            while let Some((length, client)) = received(&self.outer, &mut buffer) {
                self.inner.entry(client).or_insert_with(bound);
                taken.push((client, true, buffer[..length].to_vec()));
            }
            for (client, socket) in &self.inner {
                while let Some((length, _)) = received(socket, &mut buffer) {
                    taken.push((*client, false, buffer[..length].to_vec()));
                }
            }
            for (client, to_server, packet) in taken {
                is_idle = false;
                self.take(client, to_server, packet);
            }
            let now = Instant::now();
            while self.waiting.front().is_some_and(|next| next.due <= now) {
                let Some(next) = self.waiting.pop_front() else { break };
                is_idle = false;
                // What the system doesn't take is lost as well.
                let _ = match next.to_server {
                    true => self.inner[&next.client].send_to(&next.packet, self.server),
                    false => self.outer.send_to(&next.packet, next.client),
                };
            }
            if is_idle {
                thread::sleep(REST);
            }
        }
    }

    fn take(&mut self, client: SocketAddr, to_server: bool, packet: Vec<u8>) {
        self.state.passed.fetch_add(1, Relaxed);
        if self.random.u32(..100) < self.loss {
            self.state.lost.fetch_add(1, Relaxed);
            return;
        }
        let due = Instant::now() + self.delay;
        self.waiting.push_back(Waiting { due, client, to_server, packet });
    }
}

fn bound() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// The next packet and who sent it, if there is one.
fn received(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buffer) {
            Ok(received) => return Some(received),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            // It tells of a packet that was sent before to somebody who is gone.
            Err(_) => {}
        }
    }
}
