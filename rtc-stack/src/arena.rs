//! What a shard is about to send: many datagrams in one buffer, in runs that the kernel can cut.

use std::net::{IpAddr, SocketAddr};
use std::slice::Chunks;

/// Most datagrams of one run: the limit of UDP segmentation offload on Linux.
pub const MAX_SEGMENTS: usize = 64;
/// Most bytes of one run: what one UDP datagram over IPv6 may hold, since a run passes the stack as one.
pub const MAX_RUN: usize = 65_535 - 40 - 8;

/// Where a datagram goes, and where it leaves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The peer.
    pub peer: SocketAddr,
    /// The address that the peer knows us by. `None` lets the system choose, which on a machine of
    /// several addresses may be another than the peer expects.
    pub local_ip: Option<IpAddr>,
}

/// Consecutive datagrams to one destination: all of the same size, but the last may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Where the datagrams go.
    pub destination: Destination,
    /// Where the first datagram begins in the arena, in bytes.
    pub offset: usize,
    /// Bytes of all datagrams, at most [`MAX_RUN`] unless it is one datagram alone.
    pub length: usize,
    /// Bytes of each datagram but the last. At least 1.
    pub segment_size: usize,
}

impl Run {
    /// How many datagrams there are, at most [`MAX_SEGMENTS`].
    pub const fn segments(&self) -> usize {
        self.length.div_ceil(if self.segment_size == 0 { 1 } else { self.segment_size })
    }

    /// Whether one more datagram may follow in the same run.
    fn takes(&self, destination: &Destination, length: usize) -> bool {
        self.destination == *destination
            && length <= self.segment_size
            && self.length.checked_rem(self.segment_size) == Some(0)
            && self.segments() < MAX_SEGMENTS
            && self.length.saturating_add(length) <= MAX_RUN
    }
}

/// Datagrams in one buffer, kept from batch to batch so that sending allocates nothing.
///
/// A datagram appended for the same destination as the one before joins its run when it may: the run's
/// datagrams have one size, and a shorter one ends it. So what has one size should be appended first.
#[derive(Debug, Default)]
pub struct SendArena {
    bytes: Vec<u8>,
    used: usize,
    runs: Vec<Run>,
}

impl SendArena {
    /// An empty arena with room for so many bytes and runs. Both grow as needed, and stay.
    pub fn with_capacity(bytes: usize, runs: usize) -> Self {
        Self { bytes: vec![0; bytes], used: 0, runs: Vec::with_capacity(runs) }
    }

    /// Room for one datagram of `length` bytes, which the caller writes in full: what is there is left
    /// from earlier batches. A datagram of no bytes is none.
    pub fn append(&mut self, destination: Destination, length: usize) -> &mut [u8] {
        let offset = self.used;
        let end = offset.saturating_add(length);
        if length > 0 {
            match self.runs.last_mut() {
                Some(run) if run.takes(&destination, length) => {
                    run.length = run.length.saturating_add(length);
                }
                _ => self.runs.push(Run { destination, offset, length, segment_size: length }),
            }
        }
        if end > self.bytes.len() {
            self.bytes.resize(end.next_multiple_of(64 * 1024), 0);
        }
        self.used = end;
        self.bytes.get_mut(offset..end).unwrap_or_default()
    }

    /// Appends one datagram that is there already.
    pub fn push(&mut self, destination: Destination, datagram: &[u8]) {
        self.append(destination, datagram.len()).copy_from_slice(datagram);
    }

    /// The runs, in the order they were appended.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The bytes of a run of this arena; empty for a run of another.
    pub fn bytes(&self, run: &Run) -> &[u8] {
        let end = run.offset.saturating_add(run.length).min(self.used);
        self.bytes.get(run.offset..end).unwrap_or_default()
    }

    /// The datagrams of a run, one by one.
    pub fn datagrams(&self, run: &Run) -> Chunks<'_, u8> {
        self.bytes(run).chunks(run.segment_size.max(1))
    }

    /// Every datagram with where it goes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Destination, &[u8])> {
        self.runs
            .iter()
            .flat_map(|run| self.datagrams(run).map(|datagram| (run.destination, datagram)))
    }

    /// Bytes of all datagrams.
    pub const fn len(&self) -> usize {
        self.used
    }

    /// Whether there is nothing to send.
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Forgets all datagrams, and keeps the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        self.runs.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to(port: u16) -> Destination {
        Destination { peer: SocketAddr::from(([192, 0, 2, 1], port)), local_ip: None }
    }

    #[test]
    fn equal_sizes_share_a_run_which_a_shorter_one_ends() {
        let mut arena = SendArena::with_capacity(0, 0);
        for length in [100, 100, 60, 60, 100] {
            arena.append(to(1), length).fill(length as u8);
        }
        arena.push(to(2), &[7; 100]);
        let shape: Vec<_> = arena.runs().iter().map(|r| (r.segments(), r.length)).collect();
        assert_eq!(shape, [(3, 260), (1, 60), (1, 100), (1, 100)]);
        assert_eq!(arena.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), arena.len());
        arena.clear();
        assert_eq!((arena.is_empty(), arena.len()), (true, 0));
    }

    #[test]
    fn a_run_has_no_more_segments_and_bytes_than_the_kernel_takes() {
        let mut arena = SendArena::default();
        for _ in 0..130 {
            arena.push(to(1), &[1; 10]);
        }
        let segments: Vec<_> = arena.runs().iter().map(Run::segments).collect();
        assert_eq!(segments, [64, 64, 2]);
        arena.clear();
        for _ in 0..60 {
            arena.push(to(1), &[1; 1200]);
        }
        assert!(arena.runs().iter().all(|run| run.length <= MAX_RUN));
        assert_eq!(arena.runs().len(), 2);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_in_order(
            datagrams in prop::collection::vec((0u16..3, prop::collection::vec(any::<u8>(), 0..40)), 0..200)
        ) {
            let mut arena = SendArena::default();
            for (port, datagram) in &datagrams {
                arena.push(to(*port), datagram);
            }
            let out: Vec<_> = arena.iter().map(|(d, b)| (d.peer.port(), b.to_vec())).collect();
            let sent: Vec<_> = datagrams.into_iter().filter(|(_, d)| !d.is_empty()).collect();
            prop_assert_eq!(out, sent);
        }
    }
}
