//! ICE-TCP (RFC 6544): connections on which datagrams travel as frames (RFC 4571).
//!
//! A connection is accepted elsewhere, and has to bring an authentic binding request before any worker
//! hears of it. Then a task of its own reads it for the worker that owns the session, a command for
//! each frame: those who have no other way than TCP are few, and what they send is little beside what
//! they are sent. That the worker writes itself, without a task or a lock, many frames at a time.

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use rtc_stack::{
    arena::SendArena,
    session::{Flow, Transport},
    transport::tcp::{FrameReader, encode},
};
use tokio::{net::TcpStream, sync::mpsc, task::AbortHandle};
use tracing::debug;

use super::{Command, Core, counters::Tally};
use crate::{
    net,
    rtc::{Adopted, Session},
};

/// Connections of one session: a client tries several ways at once.
const PER_SESSION: usize = 4;
/// Bytes that wait for one connection, beyond what the system takes. A frame that would be more is
/// dropped: on a way that is too slow for the stream, a datagram would be lost as well.
const WAITING: usize = 256 << 10;
/// Bytes that are read at a time.
const READ: usize = 8 << 10;

/// A connection that has shown whose it is.
pub(super) struct Arrived {
    pub(super) session: Arc<Session>,
    /// What its worker needs to know if it is to adopt the session.
    pub(super) adopted: Option<Adopted>,
    pub(super) socket: std::net::TcpStream,
    pub(super) flow: Flow,
    pub(super) number: u64,
    pub(super) first: Bytes,
    pub(super) frames: FrameReader,
}

/// Reads a connection for its worker until it ends.
async fn read(
    socket: Arc<TcpStream>,
    mut frames: FrameReader,
    flow: Flow,
    number: u64,
    commands: mpsc::Sender<Command>,
) {
    let mut buffer = vec![0; READ];
    'reading: loop {
        while let Some(frame) = frames.poll() {
            if commands.send(Command::Frame(flow, frame)).await.is_err() {
                return;
            }
        }
        if socket.readable().await.is_err() {
            break;
        }
        match socket.try_read(&mut buffer) {
            Ok(0) => break 'reading,
            Ok(read) => frames.receive(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break 'reading,
        }
    }
    // A worker that is gone needs to know nothing.
    let _ = commands.send(Command::Disconnected(flow, number)).await;
}

impl Core {
    /// Takes a connection, and the session if that has no owner yet.
    pub(super) fn connect(&mut self, now: Instant, arrived: Arrived) {
        let Arrived { session, adopted, socket, flow, number, first, frames } = arrived;
        if let Some(adopted) = adopted {
            self.insert(now, session.clone(), adopted);
        }
        if self.peer_of(&session).is_none() {
            return;
        }
        let socket = match net::prepare(socket, self.shared.tuning.send_buffer) {
            Ok(socket) => Arc::new(socket),
            Err(error) => return debug!("a connection is gone before it began: {error}"),
        };
        let Some(own) = self.colleagues.get(self.inbox.id().0) else { return };
        let reading = read(socket.clone(), frames, flow, number, own.commands.clone());
        let connection = Connection {
            socket,
            reading: tokio::spawn(reading).abort_handle(),
            number,
            client: session.client().to_owned(),
            waiting: BytesMut::new(),
        };
        self.connections.add(flow, connection);
        self.receive(now, flow, &mut BytesMut::from(first));
    }

    /// Closes connections of sessions that are over, to which goodbye has been said.
    pub(super) fn close_connections(&mut self) {
        self.connections.closing.clear();
    }
}

/// A worker's connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: HashMap<Flow, Connection>,
    /// Those with frames that the system has not taken.
    blocked: Vec<Flow>,
    /// Those that got frames just now, kept for its room.
    touched: Vec<Flow>,
    closing: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    socket: Arc<TcpStream>,
    reading: AbortHandle,
    /// Tells it from another that had the same address.
    number: u64,
    /// The client whose it is.
    client: String,
    waiting: BytesMut,
}

impl Connections {
    fn add(&mut self, flow: Flow, connection: Connection) {
        let own = self.open.iter().filter(|(_, open)| open.client == connection.client);
        let own: Vec<(Flow, u64)> = own.map(|(flow, open)| (*flow, open.number)).collect();
        if own.len() >= PER_SESSION
            && let Some((oldest, _)) = own.iter().min_by_key(|(_, number)| *number)
        {
            self.open.remove(oldest);
        }
        self.open.insert(flow, connection);
    }

    /// Notes that a connection is over.
    pub(super) fn remove(&mut self, flow: &Flow, number: u64) {
        if self.open.get(flow).is_some_and(|open| open.number == number) {
            self.open.remove(flow);
        }
    }

    /// Puts the connections of a client aside, to be closed when what is on its way has been sent.
    pub(super) fn close_of(&mut self, client: &str) {
        // Most sessions have none.
        if !self.open.is_empty() {
            let own = self.open.extract_if(|_, open| open.client == client);
            self.closing.extend(own.map(|(_, open)| open));
        }
    }

    /// Sends all of it; what doesn't fit is dropped.
    pub(super) fn send(&mut self, arena: &SendArena, tally: &mut Tally) {
        for (destination, datagram) in arena.iter() {
            let flow = Flow { destination, transport: Transport::Tcp };
            let open = match self.open.get_mut(&flow) {
                Some(open) => Some(open),
                None => {
                    let is_it = |open: &&mut Connection| {
                        open.socket.peer_addr().is_ok_and(|peer| {
                            peer.ip().to_canonical() == destination.peer.ip()
                                && peer.port() == destination.peer.port()
                        })
                    };
                    self.closing.iter_mut().find(is_it)
                }
            };
            match open {
                Some(open) if open.waiting.len() + datagram.len() <= WAITING => {
                    // What is too long for a frame is no datagram.
                    let _ = encode(datagram, &mut open.waiting);
                    tally.sent += 1;
                    if self.touched.last() != Some(&flow) {
                        self.touched.push(flow);
                    }
                }
                _ => tally.unsent += 1,
            }
        }
        for flow in self.touched.drain(..) {
            if let Some(open) = self.open.get_mut(&flow)
                && open.write()
                && !self.blocked.contains(&flow)
            {
                self.blocked.push(flow);
            }
        }
        for closing in &mut self.closing {
            // What the system doesn't take now is lost.
            let _ = closing.write();
        }
    }

    /// Writes what waits whenever the system takes it; for ever.
    pub(super) async fn writable(&mut self) {
        poll_fn(|cx| {
            let Self { open, blocked, .. } = self;
            blocked.retain(|flow| open.get_mut(flow).is_some_and(|open| open.poll_write(cx)));
            Poll::<()>::Pending
        })
        .await;
    }
}

impl Connection {
    /// Writes what waits; whether something is left.
    fn write(&mut self) -> bool {
        while !self.waiting.is_empty() {
            match self.socket.try_write(&self.waiting) {
                Ok(written) => self.waiting.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // Who reads it finds out.
                Err(_) => self.waiting.clear(),
            }
        }
        false
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        while self.write() {
            if self.socket.poll_write_ready(cx).is_pending() {
                return true;
            }
        }
        false
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
