//! What a connection runs over.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpStream,
};

/// A byte stream, with the one socket option that changes while it is open.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Bounds the memory that the kernel keeps for bytes not yet taken by the client.
    ///
    /// # Errors
    /// The system refuses.
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()>;
}

impl Transport for TcpStream {
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        socket2::SockRef::from(self).set_send_buffer_size(bytes)
    }
}

/// A pipe in memory has the bound it was made with.
impl Transport for DuplexStream {
    fn set_send_buffer(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
}
