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

/// A byte stream, with the socket options that change while it is open; one in memory has none.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Bounds the memory that the kernel keeps for bytes not yet taken by the client.
    ///
    /// # Errors
    /// The system refuses.
    fn set_send_buffer(&self, _bytes: usize) -> io::Result<()> {
        Ok(())
    }

    /// Sets whether small packets go out at once (TCP_NODELAY); they do at the start.
    ///
    /// # Errors
    /// The system refuses.
    fn set_nodelay(&self, _is_on: bool) -> io::Result<()> {
        Ok(())
    }

    /// Whether the peer is known to send no more, even behind bytes that nobody has read.
    fn is_closed_by_peer(&self, _cx: &mut Context<'_>) -> bool {
        false
    }
}

impl Transport for TcpStream {
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        socket2::SockRef::from(self).set_send_buffer_size(bytes)
    }

    fn set_nodelay(&self, is_on: bool) -> io::Result<()> {
        TcpStream::set_nodelay(self, is_on)
    }

    fn is_closed_by_peer(&self, cx: &mut Context<'_>) -> bool {
        let ready = pin!(self.ready(Interest::READABLE)).poll(cx);
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }
}

/// A pipe in memory has the bound it was made with.
impl Transport for DuplexStream {}
