//! What a connection runs over.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, Interest},
    net::TcpStream,
};

/// A byte stream, with the one socket option that changes while it is open.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Bounds the memory that the kernel keeps for bytes not yet taken by the client.
    ///
    /// # Errors
    /// The system refuses.
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()>;

    /// Whether the peer is known to send no more, even behind bytes that nobody has read.
    fn is_closed_by_peer(&self, cx: &mut Context<'_>) -> bool;
}

impl Transport for TcpStream {
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        socket2::SockRef::from(self).set_send_buffer_size(bytes)
    }

    fn is_closed_by_peer(&self, cx: &mut Context<'_>) -> bool {
        let ready = pin!(self.ready(Interest::READABLE)).poll(cx);
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }
}

/// A pipe in memory has the bound it was made with.
impl Transport for DuplexStream {
    fn set_send_buffer(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn is_closed_by_peer(&self, _: &mut Context<'_>) -> bool {
        false
    }
}
