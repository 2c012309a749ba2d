//! HTTP's chunked coding (RFC 9112, 7.1), done once for all viewers.

use std::fmt::Write as _;

use bytes::BytesMut;
use stream_hub::{Convert, ConvertError, Lost, Output, TrackId, Variant};

use super::{Frame, Wire, wire::SLAB};

/// The variant of a lane whose messages are chunks; what else the variant says stays.
const CHUNKED: u64 = 1 << 63;
/// What frames a chunk, at most: the size in hexadecimal, and two line ends.
const FRAMING: usize = 2 * size_of::<usize>() + 4;
/// The last chunk, which has nothing in it.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// `variant` with each message as a chunk.
pub fn chunked(Variant(bits): Variant) -> Variant {
    Variant(bits | CHUNKED)
}

/// Writes `data`, which isn't empty, as one chunk: an empty one would be the last.
pub fn put_chunk(data: &[u8], out: &mut BytesMut) {
    out.reserve(data.len() + FRAMING);
    // Nothing fails to be written to memory.
    let _ = write!(out, "{:x}\r\n", data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Makes chunks of what `inner` makes, where the variant asks for it.
pub(super) fn maybe_chunked<F: Send + Sync + 'static, C: Convert<Frame, Wire<F>> + 'static>(
    Variant(bits): Variant,
    make: impl FnOnce(Variant) -> C,
) -> Box<dyn Convert<Frame, Wire<F>>> {
    let inner = make(Variant(bits & !CHUNKED));
    if bits & CHUNKED == 0 {
        return Box::new(inner);
    }
    Box::new(Chunked { inner, made: Output::new(), slab: BytesMut::new() })
}

struct Chunked<C, T> {
    inner: C,
    made: Output<T>,
    slab: BytesMut,
}

impl<C, F: Send + Sync + 'static> Chunked<C, Wire<F>> {
    fn pass_on(&mut self, out: &mut Output<Wire<F>>) {
        for message in self.made.drain() {
            let needed = message.bytes.len() + FRAMING;
            if self.slab.capacity() < needed {
                self.slab = BytesMut::with_capacity(SLAB.max(needed));
            }
            put_chunk(&message.bytes, &mut self.slab);
            out.push(message.with_bytes(self.slab.split().freeze()));
        }
    }
}

impl<F, C> Convert<Frame, Wire<F>> for Chunked<C, Wire<F>>
where
    F: Send + Sync + 'static,
    C: Convert<Frame, Wire<F>>,
{
    fn push(
        &mut self,
        track: TrackId,
        frame: &Frame,
        out: &mut Output<Wire<F>>,
    ) -> Result<(), ConvertError> {
        let result = self.inner.push(track, frame, &mut self.made);
        self.pass_on(out);
        result
    }

    fn gap(&mut self, lost: Lost, out: &mut Output<Wire<F>>) {
        self.inner.gap(lost, &mut self.made);
        self.pass_on(out);
    }

    fn end(&mut self, out: &mut Output<Wire<F>>) {
        self.inner.end(&mut self.made);
        self.pass_on(out);
    }
}
