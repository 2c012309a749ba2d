//! A stream that a worker's viewers watch, and its packets on their way to them.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rtc_stack::{
    MediaKind,
    session::Outgoing,
    sfu::{Sfu, StreamId, Track, TrackPacket},
};
use stream_hub::{Hub, ReadEnd, Reader, Start, StreamKey, SubscribeOptions, WakeGroup, Window};
use tracing::{debug, warn};

use super::fan_out::Flush;
use crate::media::{Origin, RtpBody, RtpItem, RtpSource};

/// How long packets wait for the rest of their frame. A publisher writes a frame in one go, but its
/// first packet wakes us; a viewer can do nothing with part of a frame, and the whole of it leaves in
/// fewer runs.
const FRAME: Duration = Duration::from_millis(1);
/// From so many viewers on a frame is waited for: the passes of fewer cost no more than the wake.
const MANY: usize = 16;

/// Bytes that wait to be sent while a pass goes through the viewers: the send arena's share.
const PART: usize = 4 << 20;

/// A stream that somebody watches.
pub(super) struct Watched {
    pub(super) key: StreamKey,
    pub(super) waker: Waker,
    /// `None` while the stream can't be had.
    pub(super) reader: Option<Reader<RtpItem>>,
    pub(super) source: Option<Arc<RtpSource>>,
    pub(super) viewers: usize,
    /// Packets on their way, and their bytes.
    pub(super) packets: Vec<TrackPacket>,
    pub(super) bytes: usize,
}

impl Watched {
    /// A stream that nobody watches yet; `waker` calls the worker for it.
    pub(super) fn new(key: StreamKey, waker: Waker) -> Self {
        let (reader, source, packets) = (None, None, Vec::new());
        Self { key, waker, reader, source, viewers: 0, packets, bytes: 0 }
    }

    /// Subscribes, and reads what there is since the latest place to join. If there is no such place
    /// yet, it is whatever comes next, before which the tracks are told.
    pub(super) fn subscribe(&mut self, hub: &Hub, group: &WakeGroup) -> Vec<RtpItem> {
        let start = Start::LatestJoinPointOrLive;
        let options =
            SubscribeOptions { start, window: Window::Every, ..SubscribeOptions::default() };
        let mut reader = match hub.subscribe::<RtpItem>(&self.key, options, Some(group)) {
            Ok(reader) => reader,
            Err(error) => {
                warn!(stream = %self.key, "can't be played: {error}");
                return Vec::new();
            }
        };
        let mut items = Vec::new();
        let cx = &mut Context::from_waker(&self.waker);
        loop {
            match reader.poll_batch(cx, usize::MAX) {
                Poll::Pending => break,
                Poll::Ready(Ok(batch)) => {
                    reader.advance(batch.len());
                    items.extend(batch.iter().cloned());
                }
                Poll::Ready(Err(end)) => {
                    self.ended(&end);
                    return Vec::new();
                }
            }
        }
        self.reader = Some(reader);
        items
    }

    /// Takes one item: packets are put aside.
    pub(super) fn take(&mut self, now: Instant, sfu: &mut Sfu, id: StreamId, item: RtpItem) {
        match item.body {
            RtpBody::Packet(packet) => {
                self.bytes += packet.packet.bytes().len();
                self.packets.push(packet);
            }
            RtpBody::Clock { track, clock } => sfu.sender_clock(id, track, &clock),
            RtpBody::Source(source) => {
                sfu.set_makes_keyframes(id, source.keyframes.is_some());
                if let Err(error) = sfu.set_tracks(now, id, &source.tracks) {
                    warn!(stream = %self.key, "its tracks can't be played: {error}");
                }
                self.source = Some(source);
            }
        }
    }

    /// Sends the packets that were taken.
    pub(super) fn send(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        id: StreamId,
        flush: Flush<'_>,
        out: &mut Outgoing,
    ) {
        let Some(oldest) = self.packets.first().map(|packet| packet.packet.arrival) else { return };
        sfu.forward_in_parts(now, id, &self.packets, out, |out| {
            if out.len() >= PART {
                flush(out, None);
            }
        });
        // Its room stays for those that come next.
        self.packets.clear();
        self.bytes = 0;
        let origin = self.source.as_ref().map_or(Origin::Rtc, |source| source.origin);
        flush(out, Some((origin, oldest)));
    }

    pub(super) fn take_packets(&mut self) -> Vec<TrackPacket> {
        self.bytes = 0;
        std::mem::take(&mut self.packets)
    }

    /// Until when the packets that were taken wait for others: while the last of pictures is not the
    /// end of its frame.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        if self.viewers < MANY {
            return None;
        }
        let source = self.source.as_ref()?;
        let is_picture = |packet: &&TrackPacket| {
            let track = source.tracks.get(usize::from(packet.track));
            track.and_then(Track::kind) == Some(MediaKind::Video)
        };
        let last = self.packets.iter().rfind(is_picture)?;
        if last.packet.marker() {
            return None;
        }
        Some(self.packets.first()?.packet.arrival + FRAME)
    }

    /// Another publisher goes on with the stream.
    pub(super) fn restart(&mut self, now: Instant, sfu: &mut Sfu, id: StreamId) {
        self.source = None;
        // The stream is there as long as it is watched.
        let _ = sfu.restart(now, id);
    }

    pub(super) fn ended(&mut self, end: &ReadEnd) {
        debug!(stream = %self.key, "nothing for WebRTC: {end}");
        self.reader = None;
        self.source = None;
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rtc_stack::{
        Codec, CodecParameters,
        rtp::{Fields, RtpPacket},
    };

    use super::*;
    use crate::media::KeyframeWish;

    const VIDEO: u8 = 0;
    const AUDIO: u8 = 1;

    fn watched(viewers: usize) -> Watched {
        let waker = Waker::noop().clone();
        let mut watched = Watched::new(StreamKey::new("v", "live", "a"), waker.clone());
        let tracks = [Codec::H264, Codec::Opus].map(CodecParameters::new).map(Track::new);
        let keyframes = Some(Arc::new(KeyframeWish::new(waker)));
        watched.source =
            Some(Arc::new(RtpSource { tracks: tracks.into(), keyframes, origin: Origin::Rtc }));
        watched.viewers = viewers;
        watched
    }

    fn packet(track: u8, marker: bool, arrival: Instant) -> TrackPacket {
        let mut packet = BytesMut::new();
        Fields { marker, ..Fields::default() }.append(&[], &mut packet);
        packet.extend_from_slice(&[0x41, 0x9a]);
        let packet = RtpPacket::parse(packet, 1, arrival, Codec::H264).unwrap();
        TrackPacket { track, packet }
    }

    #[test]
    fn part_of_a_frame_waits_a_moment_for_the_rest() {
        let start = Instant::now();
        let mut watched = watched(MANY);
        assert_eq!(watched.waits_until(), None);
        // Sound waits for nothing, but goes with the pictures.
        watched.packets.push(packet(AUDIO, false, start));
        assert_eq!(watched.waits_until(), None);
        watched.packets.push(packet(VIDEO, false, start + FRAME / 2));
        assert_eq!(watched.waits_until(), Some(start + FRAME));
        watched.packets.push(packet(AUDIO, true, start + FRAME / 2));
        assert_eq!(watched.waits_until(), Some(start + FRAME));
        watched.packets.push(packet(VIDEO, true, start + FRAME / 2));
        assert_eq!(watched.waits_until(), None);
    }

    #[test]
    fn few_viewers_get_each_packet_at_once() {
        let mut watched = watched(MANY - 1);
        watched.packets.push(packet(VIDEO, false, Instant::now()));
        assert_eq!(watched.waits_until(), None);
    }
}
