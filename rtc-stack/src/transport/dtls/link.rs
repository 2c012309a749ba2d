//! The connection that the handshake's implementation believes to have.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use webrtc_util::{Conn, Error as LinkError};

use super::guard::{Inbound, Outbound};
use super::record::plain_alert;
use crate::dtls::{DtlsError, HandshakeEvent, Role};

/// Events that wait to be polled. A shard that takes none for so long is gone.
const EVENTS: usize = 256;

/// What a handshake gives to its shard.
#[derive(Debug)]
pub(super) struct Outbox {
    events: Mutex<VecDeque<HandshakeEvent>>,
    waker: Waker,
}

impl Outbox {
    pub(super) fn new(waker: Waker) -> Self {
        Self { events: Mutex::default(), waker }
    }

    pub(super) fn push(&self, event: HandshakeEvent) {
        let mut events = lock(&self.events);
        let is_datagram = matches!(event, HandshakeEvent::Transmit(_));
        if events.len() < EVENTS || !is_datagram {
            events.push_back(event);
        }
        drop(events);
        self.waker.wake_by_ref();
    }

    pub(super) fn pop(&self) -> Option<HandshakeEvent> {
        lock(&self.events).pop_front()
    }
}

/// The in-memory connection of one handshake.
pub(super) struct Link {
    inbox: tokio::sync::Mutex<Inbox>,
    inbound: Mutex<Inbound>,
    outbound: Mutex<Outbound>,
    outbox: Arc<Outbox>,
    refusal: Mutex<Option<DtlsError>>,
    refused: Notify,
}

struct Inbox {
    datagrams: mpsc::Receiver<Bytes>,
    /// What the guard has admitted: of one datagram, or read ahead to see the peer's hello.
    ready: VecDeque<Bytes>,
}

impl Link {
    pub(super) fn new(role: Role, datagrams: mpsc::Receiver<Bytes>, outbox: Arc<Outbox>) -> Self {
        Self {
            inbox: tokio::sync::Mutex::new(Inbox { datagrams, ready: VecDeque::new() }),
            inbound: Mutex::default(),
            outbound: Mutex::new(Outbound::new(role, Instant::now())),
            outbox,
            refusal: Mutex::default(),
            refused: Notify::new(),
        }
    }

    /// Waits for the peer's hello, and answers the SRTP profiles that it lists.
    pub(super) async fn hello(&self) -> Result<Vec<u16>, DtlsError> {
        let mut inbox = self.inbox.lock().await;
        loop {
            self.fill(&mut inbox).await?;
            let inbound = lock(&self.inbound);
            if let Some(profiles) = inbound.hellos.profiles() {
                return Ok(profiles.to_vec());
            }
            if inbound.has_alert {
                return Err(DtlsError::Failed { reason: "the peer broke off".to_owned() });
            }
        }
    }

    /// Waits for a datagram, of which the guard may admit anything. Pends for ever when there is nobody to send one.
    async fn fill(&self, inbox: &mut Inbox) -> Result<(), DtlsError> {
        let Some(datagram) = inbox.datagrams.recv().await else {
            return std::future::pending().await;
        };
        inbox.ready.extend(lock(&self.inbound).admit(&datagram)?);
        Ok(())
    }

    /// Waits until the guard refuses what the peer sends.
    pub(super) async fn refusal(&self) -> DtlsError {
        loop {
            if let Some(error) = lock(&self.refusal).take() {
                return error;
            }
            self.refused.notified().await;
        }
    }

    /// Gives the implementation a datagram that the guard hasn't seen.
    #[cfg(test)]
    pub(super) fn smuggle(&mut self, datagram: Bytes) {
        self.inbox.get_mut().ready.push_back(datagram);
    }

    /// What has been sent so far.
    pub(super) fn sent(&self) -> super::association::Sent {
        lock(&self.outbound).sent.clone()
    }

    /// Tells the peer that the handshake is over, unless either side has done so.
    pub(super) fn break_off(&self, description: u8) {
        let outbound = lock(&self.outbound);
        if outbound.has_alert || lock(&self.inbound).has_alert {
            return;
        }
        let alert = plain_alert(outbound.sent.plain, description);
        drop(outbound);
        self.outbox.push(HandshakeEvent::Transmit(Bytes::copy_from_slice(&alert)));
    }
}

#[async_trait]
impl Conn for Link {
    async fn connect(&self, _: SocketAddr) -> Result<(), LinkError> {
        Ok(())
    }

    /// Never answers an error: the reader would ask again at once, and never stop.
    async fn recv(&self, buffer: &mut [u8]) -> Result<usize, LinkError> {
        let mut inbox = self.inbox.lock().await;
        let datagram = loop {
            if let Some(datagram) = inbox.ready.pop_front() {
                break datagram;
            }
            if let Err(error) = self.fill(&mut inbox).await {
                *lock(&self.refusal) = Some(error);
                self.refused.notify_one();
                std::future::pending().await
            }
        };
        let length = datagram.len().min(buffer.len());
        if let (Some(room), Some(bytes)) = (buffer.get_mut(..length), datagram.get(..length)) {
            room.copy_from_slice(bytes);
        }
        Ok(length)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), LinkError> {
        Ok((self.recv(buffer).await?, NOBODY))
    }

    async fn send(&self, datagram: &[u8]) -> Result<usize, LinkError> {
        let copy = Bytes::copy_from_slice(datagram);
        if lock(&self.outbound).admit(Instant::now(), &copy) {
            self.outbox.push(HandshakeEvent::Transmit(copy));
        }
        Ok(datagram.len())
    }

    async fn send_to(&self, datagram: &[u8], _: SocketAddr) -> Result<usize, LinkError> {
        self.send(datagram).await
    }

    fn local_addr(&self) -> Result<SocketAddr, LinkError> {
        Ok(NOBODY)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    async fn close(&self) -> Result<(), LinkError> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn std::any::Any + Send + Sync) {
        self
    }
}

/// The implementation asks for addresses that it has no use for.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// What is guarded stays whole even where its user has panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
