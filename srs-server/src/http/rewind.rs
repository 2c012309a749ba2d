//! A socket from which something was read that somebody else is to read again.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket, and what is read before anything else.
#[derive(Debug)]
pub(super) struct Rewind<S> {
    socket: S,
    unread: Bytes,
}

impl<S> Rewind<S> {
    pub(super) fn new(socket: S) -> Self {
        Self { socket, unread: Bytes::new() }
    }

    /// Has `bytes` read again, before anything else.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        // Not so none of them: they may be all that is left of a large buffer.
        self.unread = if bytes.is_empty() { Bytes::new() } else { bytes };
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let len = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread.split_to(len));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_put_back_comes_first() {
        let (ours, mut theirs) = duplex(100);
        let mut socket = Rewind::new(ours);
        theirs.write_all(b"GET /b").await.unwrap();
        socket.put_back(Bytes::from_static(b"GET /a "));
        let mut bytes = [0; 13];
        socket.read_exact(&mut bytes[..3]).await.unwrap();
        socket.read_exact(&mut bytes[3..]).await.unwrap();
        assert_eq!(&bytes, b"GET /a GET /b");
    }
}
