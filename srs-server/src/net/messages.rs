//! Whole messages that many clients share, written to one of them.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// Slices in one vectored write.
const MAX_SLICES: usize = 64;

/// What one write took of several messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes that the socket took.
    pub bytes: usize,
    /// Messages that are done with: written, or left out.
    pub messages: usize,
    /// What is still to be written of the last of them, before anything else.
    pub rest: Bytes,
}

/// Writes what the socket takes of `messages` at once; those that are `None` are left out.
///
/// # Errors
/// The socket's.
pub fn poll_write_messages<'a, W: AsyncWrite + Unpin + ?Sized>(
    socket: &mut W,
    cx: &mut Context<'_>,
    messages: impl Iterator<Item = Option<&'a Bytes>> + Clone,
) -> Poll<io::Result<Written>> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let mut count = 0;
    let present = messages.clone().flatten().filter(|message| !message.is_empty());
    for (slice, message) in slices.iter_mut().zip(present) {
        *slice = IoSlice::new(message);
        count += 1;
    }
    let socket = Pin::new(socket);
    let bytes = match &slices[..count] {
        [] => 0,
        // Most are one message, and a plain write costs the kernel less.
        [one] => ready!(socket.poll_write(cx, one))?,
        several => ready!(socket.poll_write_vectored(cx, several))?,
    };
    if bytes == 0 && count > 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    Poll::Ready(Ok(Written::of(bytes, messages)))
}

impl Written {
    /// What it is to have written so many bytes of `messages`.
    pub(super) fn of<'a>(bytes: usize, messages: impl Iterator<Item = Option<&'a Bytes>>) -> Self {
        let mut written = Self { bytes, ..Self::default() };
        let mut left = bytes;
        for message in messages {
            match message.filter(|message| !message.is_empty()) {
                None => {}
                Some(_) if left == 0 => break,
                Some(message) => {
                    if left < message.len() {
                        written.rest = message.slice(left..);
                    }
                    left = left.saturating_sub(message.len());
                }
            }
            written.messages += 1;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes.
    struct Takes(usize);

    impl AsyncWrite for Takes {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len().min(self.0)))
        }
        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum::<usize>().min(self.0)))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn write(takes: usize, messages: &[Option<&'static str>]) -> (usize, usize, String) {
        let messages: Vec<_> =
            messages.iter().map(|text| text.map(Bytes::from_static_str)).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let each = messages.iter().map(Option::as_ref);
        let Poll::Ready(Ok(written)) = poll_write_messages(&mut Takes(takes), &mut cx, each) else {
            panic!("not written")
        };
        let rest = String::from_utf8(written.rest.to_vec()).unwrap();
        (written.bytes, written.messages, rest)
    }

    trait FromStaticStr {
        fn from_static_str(text: &'static str) -> Bytes;
    }
    impl FromStaticStr for Bytes {
        fn from_static_str(text: &'static str) -> Bytes {
            Bytes::from_static(text.as_bytes())
        }
    }

    #[test]
    fn what_is_cut_is_told() {
        let both = [Some("abc"), Some("def")];
        assert_eq!(write(100, &both), (6, 2, String::new()));
        assert_eq!(write(3, &both), (3, 1, String::new()));
        assert_eq!(write(4, &both), (4, 2, "ef".to_owned()));
        assert_eq!(write(1, &both), (1, 1, "bc".to_owned()));
    }

    #[test]
    fn what_is_left_out_is_done_with() {
        assert_eq!(write(100, &[None, Some("abc"), None]), (3, 3, String::new()));
        assert_eq!(write(100, &[None, None]), (0, 2, String::new()));
        assert_eq!(write(2, &[None, Some("abc"), None]), (2, 3, "c".to_owned()));
        assert_eq!(write(3, &[None, Some("abc"), None, Some("d")]), (3, 3, String::new()));
    }

    #[test]
    fn more_messages_than_slices_take_several_writes() {
        let (bytes, messages, rest) = write(1000, &[Some("ab"); 100]);
        assert_eq!((bytes, messages, rest.as_str()), (128, 64, ""));
    }
}
