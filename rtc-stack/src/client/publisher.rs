use bytes::{BufMut, BytesMut};
use tokio::sync::mpsc::error::TrySendError;

use super::driver::{Link, Order};
use super::{ClientStatistics, Event, SendError, clock};
use crate::Codec;
use crate::rtp::{Fields, RtpPacket};
use crate::sfu::TrackPacket;

/// A client that sends tracks. It runs in a task of its own; dropping it closes it, [`close`](Self::close) waits for
/// that.
///
/// It reports its clock every second, sends again what the peer misses, and tells of keyframes that the peer wants.
pub struct Publisher {
    link: Link,
    tracks: Vec<Written>,
    batches: usize,
}

/// What was written of a track.
struct Written {
    codec: Codec,
    next: u64,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Publisher")
    }
}

impl Publisher {
    pub(super) fn new(link: Link, codecs: Vec<Codec>, batches: usize) -> Self {
        // Room below for packets that come late, none of which has a number before the first.
        let written = |codec| Written { codec, next: 1 << 16 };
        Self { link, tracks: codecs.into_iter().map(written).collect(), batches: batches.max(1) }
    }

    /// Sends packets that are there already, such as a player's, at once and without waiting. Their sequence numbers
    /// and timestamps are continued from wherever the first is; gaps stay gaps.
    ///
    /// What is sent before [`Event::Connected`] is lost, except for what follows a keyframe of the last second.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] while the peer's path is slower than the caller, and none of the packets is sent.
    pub fn send(&mut self, packets: Vec<TrackPacket>) -> Result<(), SendError> {
        let is_unknown = |packet: &&TrackPacket| usize::from(packet.track) >= self.tracks.len();
        if let Some(unknown) = packets.iter().find(is_unknown) {
            return Err(SendError::UnknownTrack(unknown.track));
        }
        self.link.orders.try_send(Order::Send(packets)).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Full { limit: self.batches },
            TrySendError::Closed(_) => SendError::Ended,
        })
    }

    /// Makes a packet of a payload, and sends it as [`send`](Self::send) does. `timestamp` counts in units of the
    /// codec's clock, from anywhere; `marker` says that a frame ends. A track gets its packets by this or by
    /// [`send`](Self::send), and not by both, for each numbers by itself.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and [`SendError::Payload`] for nothing.
    pub fn write(
        &mut self,
        track: u8,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let written = self.tracks.get(usize::from(track)).ok_or(SendError::UnknownTrack(track))?;
        if payload.is_empty() {
            return Err(SendError::Payload(0));
        }
        let sequence = written.next;
        let fields = Fields { marker, timestamp, sequence: sequence as u16, ..Fields::default() };
        let mut bytes = BytesMut::with_capacity(payload.len().saturating_add(12));
        fields.append(&[], &mut bytes);
        bytes.put_slice(payload);
        let packet = RtpPacket::parse(bytes, sequence, clock::now(), written.codec)
            .map_err(|_| SendError::Payload(payload.len()))?;
        self.send(vec![TrackPacket { track, packet }])?;
        if let Some(written) = self.tracks.get_mut(usize::from(track)) {
            written.next = sequence.saturating_add(1);
        }
        Ok(())
    }

    /// What happened next; `None` after [`Event::Ended`]. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        self.link.events.recv().await
    }

    /// What passed so far; `None` after the end.
    pub async fn statistics(&self) -> Option<ClientStatistics> {
        self.link.statistics().await
    }

    /// Tells the peer that we leave (BYE, then DTLS close_notify), and waits until all tasks have been told to end.
    pub async fn close(self) {
        self.link.close().await;
    }
}
