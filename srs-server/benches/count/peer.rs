//! A viewer as a server sees it: it asks once, and takes whatever it is given at once.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use srs_server::net::Transport;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What all viewers were given.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) writes: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// The connection of a viewer.
#[derive(Debug)]
pub(crate) struct Peer {
    request: Bytes,
    given: Arc<Given>,
}

impl Peer {
    pub(crate) fn new(request: Bytes, given: &Arc<Given>) -> Self {
        Self { request, given: given.clone() }
    }

    fn take(&self, bytes: usize) -> Poll<io::Result<usize>> {
        self.given.writes.fetch_add(1, Relaxed);
        self.given.bytes.fetch_add(bytes as u64, Relaxed);
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.request.len().min(buf.remaining());
        if len == 0 {
            // It says nothing more, and nobody has to be woken for it.
            return Poll::Pending;
        }
        buf.put_slice(&self.request[..len]);
        self.request.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take(buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.take(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Peer {}
