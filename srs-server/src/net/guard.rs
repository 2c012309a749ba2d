//! What stands between every connection and its socket: byte counters, the socket's options, and
//! the write timeout.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tracing::debug;

use super::{Link, Transport};

/// A stream that counts its bytes, and fails a write that makes no progress for too long.
///
/// The timer exists only while a write is blocked, so that a client that keeps up costs none.
#[derive(Debug)]
pub struct Guarded<S> {
    inner: S,
    link: Arc<Link>,
    /// The size last asked of the socket; 0 is what it came with.
    send_buffer: usize,
    is_coalescing: bool,
    write_timeout: Duration,
    blocked: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    /// Guards `inner`: a write that is blocked for `write_timeout` fails as `TimedOut`.
    pub fn new(inner: S, link: Arc<Link>, write_timeout: Duration) -> Self {
        Self { inner, link, send_buffer: 0, is_coalescing: false, write_timeout, blocked: None }
    }

    /// What others see of the connection.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = result {
            self.blocked = None;
            if let Ok(n) = result {
                self.link.record_sent(n);
            }
            return Poll::Ready(result);
        }
        self.wait(cx)
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let timeout = self.write_timeout;
        let blocked =
            self.blocked.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
        ready!(blocked.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the client took no bytes for {} ms", timeout.as_millis()),
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.link.record_received(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: Transport> Guarded<S> {
    /// Sets the socket's options where others were asked for.
    fn set_options(&mut self) {
        let Some((is_coalescing, wanted)) = self.link.take_options() else { return };
        if is_coalescing != self.is_coalescing {
            self.is_coalescing = is_coalescing;
            if let Err(error) = self.inner.set_nodelay(!is_coalescing) {
                self.link.span().in_scope(|| debug!("TCP_NODELAY stays as it is: {error}"));
            }
        }
        if wanted != self.send_buffer {
            self.send_buffer = wanted;
            if let Err(error) = self.inner.set_send_buffer(wanted) {
                self.link.span().in_scope(|| debug!("the send buffer stays as it is: {error}"));
            }
        }
    }
}

impl<S: Transport> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.set_options();
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.set_options();
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// Fails when the peer has closed, where [`Link::doubt`] asks for it.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.link.take_doubt() && self.inner.is_closed_by_peer(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.wait(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_times_out() {
        let (ours, _theirs) = tokio::io::duplex(1000);
        let mut guarded = Guarded::new(ours, Arc::default(), Duration::from_secs(30));
        let started = Instant::now();
        let error = guarded.write_all(&[0; 1001]).await.unwrap_err();
        assert_eq!(error.to_string(), "the client took no bytes for 30000 ms");
        assert_eq!(started.elapsed(), Duration::from_secs(30));
        assert_eq!(guarded.link().sent(), 1000);
    }

    #[tokio::test]
    async fn the_send_buffer_is_set_with_the_next_write() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut guarded = Guarded::new(ours, Arc::default(), Duration::from_secs(30));
        guarded.link().set_send_buffer(50_000);
        guarded.write_all(&[0]).await.unwrap();
        let size = socket2::SockRef::from(&guarded.inner).send_buffer_size().unwrap();
        // Linux doubles what it is asked for.
        assert!(size == 50_000 || size == 100_000, "{size}");
    }

    #[tokio::test(start_paused = true)]
    async fn any_progress_starts_the_timeout_anew() {
        let (ours, mut theirs) = tokio::io::duplex(1000);
        let mut guarded = Guarded::new(ours, Arc::default(), Duration::from_secs(30));
        let reader = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                let mut buf = [0; 200];
                theirs.read_exact(&mut buf).await.unwrap();
            }
            theirs
        });
        guarded.write_all(&[0; 2000]).await.unwrap();
        reader.await.unwrap();
    }
}
