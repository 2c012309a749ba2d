//! Connections of ICE-TCP that have not shown whose they are.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use rtc_stack::{
    arena::Destination,
    session::{Flow, Transport},
    stun::peek_username,
    transport::tcp::{FIRST_FRAME_TIMEOUT, FrameReader},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tracing::warn;

use super::{Colleague, Command, arrival::is_authentic, tcp::Arrived};
use crate::rtc::{NotAdopted, Rtc};

/// How many there may be.
const STRANGERS: usize = 1024;
/// The first byte of a connection below which it is the length of a frame, of 2,047 bytes at most: no
/// request by HTTP begins with a control character of these, nor does TLS.
const FIRST_OF_HTTP: u8 = 0x08;

/// Brings connections of ICE-TCP to the workers that own their sessions, wherever they were accepted.
#[derive(Debug, Clone)]
pub struct IceTcp {
    rtc: Arc<Rtc>,
    colleagues: Arc<[Colleague]>,
    strangers: Arc<Semaphore>,
    /// How many there were so far.
    numbers: Arc<AtomicU64>,
}

impl IceTcp {
    pub(super) fn new(rtc: Arc<Rtc>, colleagues: Arc<[Colleague]>) -> Self {
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        Self { rtc, colleagues, strangers, numbers: Arc::default() }
    }

    /// Takes a connection that came to a port of HTTP, if it is one of ICE-TCP; gives it back if it is
    /// another. One that says nothing for so long is closed.
    pub async fn sort(
        &self,
        socket: TcpStream,
        address: SocketAddr,
        limit: Duration,
    ) -> Option<TcpStream> {
        let mut first = [0];
        let peeked = timeout(limit, socket.peek(&mut first)).await;
        match peeked {
            Ok(Ok(1)) if first[0] < FIRST_OF_HTTP => {
                self.take(socket, address).await;
                None
            }
            Ok(Ok(_)) => Some(socket),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Accepts connections of a port of its own.
    pub(super) async fn accept(self, listener: TcpListener) {
        let mut is_warned = false;
        loop {
            match listener.accept().await {
                Ok((socket, address)) => {
                    let this = self.clone();
                    tokio::spawn(async move { this.take(socket, address).await });
                }
                Err(error) => {
                    // As for other listeners: not fatal, and a persistent error must not take a core.
                    if !is_warned {
                        warn!("rtc: cannot accept a connection: {error}");
                        is_warned = true;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    async fn take(&self, socket: TcpStream, address: SocketAddr) {
        let Ok(stranger) = self.strangers.try_acquire() else { return };
        let greeted = self.greet(socket, address).await;
        drop(stranger);
        if let Some((colleague, arrived)) = greeted {
            // A worker that is gone takes no connections; then the server ends.
            let _ = colleague.commands.send(Command::Connection(Box::new(arrived))).await;
        }
    }

    /// Waits for the first frame, and finds out whose the connection is.
    async fn greet(&self, socket: TcpStream, address: SocketAddr) -> Option<(&Colleague, Arrived)> {
        let mut frames = FrameReader::default();
        let first =
            timeout(FIRST_FRAME_TIMEOUT, first_frame(&socket, &mut frames)).await.ok()??;
        let peer = SocketAddr::new(address.ip().to_canonical(), address.port());
        let flow =
            Flow { destination: Destination { peer, local_ip: None }, transport: Transport::Tcp };
        let session = self.rtc.find(peek_username(&first)?.0)?;
        if !is_authentic(&session, &flow, &first) {
            return None;
        }
        let colleagues = self.colleagues.iter();
        let idlest = colleagues.min_by_key(|colleague| colleague.load.sessions.load(Relaxed))?;
        let (colleague, adopted) = match self.rtc.adopt(&session, &idlest.inbox) {
            Ok(adopted) => (idlest, Some(adopted)),
            Err(NotAdopted::Owned(owner)) => (self.colleagues.get(owner.0)?, None),
            Err(NotAdopted::Over) => return None,
        };
        let number = self.numbers.fetch_add(1, Relaxed);
        // It leaves this runtime for its worker's.
        let socket = socket.into_std().ok()?;
        Some((colleague, Arrived { session, adopted, socket, flow, number, first, frames }))
    }
}

async fn first_frame(socket: &TcpStream, frames: &mut FrameReader) -> Option<Bytes> {
    let mut buffer = [0; 1024];
    loop {
        socket.readable().await.ok()?;
        match socket.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) => frames.receive(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        if let Some(frame) = frames.poll() {
            return Some(frame);
        }
    }
}
