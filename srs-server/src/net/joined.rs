//! A run of messages that many viewers of a thread are written one after the other: joined once,
//! since one buffer costs the kernel less than a slice for each message.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use stream_hub::{Batch, BatchId};
use tokio::io::AsyncWrite;

use super::{Written, poll_write_messages};
use crate::media::Wire;

thread_local! {
    /// Taken while it is used, so that nothing can find it in use.
    static LAST: Cell<Option<Box<Joined>>> = const { Cell::new(None) };
}

/// The last run of messages that was written on this thread.
#[derive(Debug, Default)]
struct Joined {
    id: Option<BatchId>,
    /// The run in one piece, from the second viewer on that is written it; empty before.
    bytes: Vec<u8>,
}

/// Writes what the socket takes of a batch at once.
///
/// # Errors
/// The socket's.
pub fn poll_write_batch<F, W>(
    socket: &mut W,
    cx: &mut Context<'_>,
    batch: &Batch<Wire<F>>,
) -> Poll<io::Result<Written>>
where
    F: Send + Sync + 'static,
    W: AsyncWrite + Unpin + ?Sized,
{
    let Some(id) = batch.id().filter(|_| batch.len() > 1) else {
        return poll_write_messages(socket, cx, messages(batch));
    };
    let mut joined = LAST.take().unwrap_or_default();
    let written = joined.poll_write(socket, cx, id, batch);
    LAST.set(Some(joined));
    written
}

fn messages<F: Send + Sync + 'static>(
    batch: &Batch<Wire<F>>,
) -> impl Iterator<Item = Option<&bytes::Bytes>> + Clone {
    batch.iter().map(|message| Some(&message.bytes))
}

impl Joined {
    fn poll_write<F, W>(
        &mut self,
        socket: &mut W,
        cx: &mut Context<'_>,
        id: BatchId,
        batch: &Batch<Wire<F>>,
    ) -> Poll<io::Result<Written>>
    where
        F: Send + Sync + 'static,
        W: AsyncWrite + Unpin + ?Sized,
    {
        if self.id != Some(id) {
            self.bytes.clear();
            let written = poll_write_messages(socket, cx, messages(batch));
            // Who is blocked comes again with the same run, and is no second viewer.
            self.id = written.is_ready().then_some(id);
            return written;
        }
        if self.bytes.is_empty() {
            // No more than a batch has: it stays as long as the thread.
            self.bytes.reserve_exact(batch.bytes());
            for message in batch.iter() {
                self.bytes.extend_from_slice(&message.bytes);
            }
        }
        if self.bytes.is_empty() {
            return poll_write_messages(socket, cx, messages(batch));
        }
        let bytes = ready!(Pin::new(socket).poll_write(cx, &self.bytes))?;
        Poll::Ready(match bytes {
            0 => Err(io::ErrorKind::WriteZero.into()),
            // The messages themselves aren't looked at.
            all if all == self.bytes.len() => {
                Ok(Written { bytes, messages: batch.len(), ..Written::default() })
            }
            // What is left is kept of the message that was cut, not of all of them: a viewer that
            // is slow must hold no more.
            cut => Ok(Written::of(cut, messages(batch))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use flv_mux::TagKind;
    use stream_hub::{
        BusyPolicy, Hub, Limits, Publisher, PublisherId, Reader, StreamKey, SubscribeOptions,
        TrackInfo, Writer,
    };

    use super::*;
    use crate::media::{self, FlvTag, Frame, Origin};

    /// A stream, its viewers, and all bytes that one of them is to get.
    struct Stream {
        hub: Hub,
        key: StreamKey,
        writer: Writer<Frame>,
        _publisher: Publisher,
        pushed: u64,
    }

    impl Stream {
        fn new(name: &str) -> Self {
            let hub = Hub::new(Limits::default());
            media::register(&hub);
            let key = StreamKey::new("", "live", name);
            let who = PublisherId::new("publisher");
            let publish = hub.publish(key.clone(), who, BusyPolicy::Refuse, Instant::now());
            let mut publisher = publish.unwrap();
            let writer = publisher.track::<Frame>(TrackInfo::default()).unwrap();
            Self { hub, key, writer, _publisher: publisher, pushed: 0 }
        }

        fn push(&mut self, count: u64) {
            for _ in 0..count {
                let frame = Frame {
                    kind: TagKind::Video,
                    time: Duration::from_millis(self.pushed),
                    read_at: Instant::now(),
                    origin: Origin::Rtmp,
                    timestamp: 0,
                    body: format!("{} {}", self.key.name(), self.pushed).into(),
                    is_join_point: self.pushed == 0,
                    config_slot: None,
                };
                self.writer.push(frame, Instant::now()).unwrap();
                self.pushed += 1;
            }
        }

        fn viewer(&self) -> Viewer {
            let reader = self.hub.subscribe(&self.key, SubscribeOptions::default(), None).unwrap();
            Viewer { reader, rest: Bytes::new(), socket: Socket::default() }
        }
    }

    /// Takes so many bytes, and keeps them.
    #[derive(Debug, Default)]
    struct Socket {
        takes: usize,
        taken: Vec<u8>,
        /// How many slices each write had.
        writes: Vec<usize>,
    }

    impl AsyncWrite for Socket {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
        }
        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            let count = all.len().min(self.takes);
            self.takes -= count;
            self.taken.extend_from_slice(&all[..count]);
            self.writes.push(bufs.len());
            match count {
                0 => Poll::Pending,
                _ => Poll::Ready(Ok(count)),
            }
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Viewer {
        reader: Reader<FlvTag>,
        rest: Bytes,
        socket: Socket,
    }

    impl Viewer {
        /// Writes what there is, as far as the socket takes `bytes` more.
        fn drain(&mut self, bytes: usize) {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            self.socket.takes = bytes;
            loop {
                while !self.rest.is_empty() {
                    let write = Pin::new(&mut self.socket).poll_write(&mut cx, &self.rest);
                    let Poll::Ready(Ok(written)) = write else { return };
                    _ = self.rest.split_to(written);
                }
                let Poll::Ready(Ok(batch)) = self.reader.poll_batch(&mut cx, 1 << 20) else {
                    return;
                };
                let longest = batch.iter().map(|message| message.bytes.len()).max().unwrap();
                let write = poll_write_batch(&mut self.socket, &mut cx, &batch);
                let Poll::Ready(Ok(written)) = write else { return };
                assert!(written.rest.len() < longest, "a rest of one message");
                self.rest = written.rest;
                self.reader.advance(written.messages);
            }
        }
    }

    #[test]
    fn from_the_second_viewer_on_it_is_one_buffer() {
        let mut stream = Stream::new("one");
        let mut viewers: Vec<_> = (0..3).map(|_| stream.viewer()).collect();
        for count in [5, 7, 1] {
            stream.push(count);
            viewers.iter_mut().for_each(|viewer| viewer.drain(usize::MAX));
        }
        let writes: Vec<_> = viewers.iter().map(|viewer| viewer.socket.writes.clone()).collect();
        assert_eq!(writes, [[5, 7, 1], [1, 1, 1], [1, 1, 1]]);
        assert!(viewers[0].socket.taken.len() > 13 * 11, "tags of 11 bytes and more");
        assert_eq!(viewers[0].socket.taken, viewers[1].socket.taken);
        assert_eq!(viewers[0].socket.taken, viewers[2].socket.taken);
    }

    #[test]
    fn nothing_is_joined_for_a_viewer_that_is_blocked() {
        let mut stream = Stream::new("blocked");
        stream.push(5);
        let mut slow = stream.viewer();
        slow.drain(0);
        slow.drain(0);
        slow.drain(usize::MAX);
        assert_eq!(slow.socket.writes, [5, 5, 5]);
    }

    #[test]
    fn a_write_that_is_cut_anywhere_goes_on_there() {
        let mut stream = Stream::new("cut");
        stream.push(4);
        let mut whole = stream.viewer();
        whole.drain(usize::MAX);
        let all = whole.socket.taken;
        for at in 0..=all.len() {
            let mut viewers = [stream.viewer(), stream.viewer(), stream.viewer()];
            // The first and the last take all, so that there is something joined, before and after.
            for (viewer, takes) in viewers.iter_mut().zip([usize::MAX, at, usize::MAX]) {
                viewer.drain(takes);
            }
            assert_eq!(viewers[1].socket.taken, all[..at]);
            viewers[1].drain(usize::MAX);
            for viewer in viewers {
                assert_eq!(viewer.socket.taken, all, "cut at {at}");
            }
        }
    }

    #[test]
    fn streams_and_ranges_that_alternate_are_not_mixed() {
        let mut streams = [Stream::new("a"), Stream::new("b")];
        let mut viewers: Vec<Vec<_>> =
            streams.iter().map(|stream| (0..4).map(|_| stream.viewer()).collect()).collect();
        for round in 0..6 {
            for stream in &mut streams {
                stream.push(3);
            }
            for at in 0..4 {
                // Some skip a round, and so have a longer range than the others.
                for of_stream in viewers.iter_mut().filter(|_| (round + at) % 3 > 0) {
                    of_stream[at].drain(usize::MAX);
                }
            }
        }
        for (stream, of_stream) in streams.iter().zip(&mut viewers) {
            // Nothing is joined for who comes alone.
            let mut alone = stream.viewer();
            alone.drain(usize::MAX);
            assert_eq!(alone.socket.writes, [18]);
            for viewer in of_stream {
                viewer.drain(usize::MAX);
                assert_eq!(viewer.socket.taken, alone.socket.taken);
            }
        }
    }
}
