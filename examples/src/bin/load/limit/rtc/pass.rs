//! What a pass sends: packets that are made once, and a player who gets them.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rtc_stack::{
    MediaKind, PayloadType, Ssrc,
    arena::{Destination, SendArena},
    rtp::{AbsSendTime, Fields, MIN_HEADER_LEN},
    sdp::NegotiatedSection,
    srtp::Outbound,
};
use rtmp_proto::MediaMessage;

use crate::rtc::packetize;

/// The tracks of a player: pictures first, so that sound, which is shorter, may end their run.
pub(super) const TRACKS: [MediaKind; 2] = [MediaKind::Video, MediaKind::Audio];
/// Most bytes by which the server pads a piece of a frame, so that all have one length and leave as one run.
const MOST_PADDING: usize = 16;
/// The bit in a header's first byte that says that the packet is padded.
const PADDED: u8 = 0x20;
/// Where a header has the id of its one extension, and how long that is but one.
const EXTENSION: usize = MIN_HEADER_LEN + 4;
const TIME_LEN: u8 = 2;

/// A packet but for what differs from player to player.
#[derive(Debug)]
pub(super) struct Packet {
    /// Its place in [`TRACKS`].
    track: usize,
    fields: Fields,
    /// Bytes of the header.
    header: usize,
    bytes: BytesMut,
}

/// Appends the packets of a frame, in what the server makes of them: with the time of sending in those of pictures
/// alone, for they may be sent again by a source of their own.
pub(super) fn packets(frame: &MediaMessage, at: Duration, out: &mut Vec<Packet>) {
    let (track, clock_khz) = match frame.kind {
        rtmp_proto::MediaKind::Video => (0, 90),
        _ => (1, 48),
    };
    let time = AbsSendTime::new(at).encode();
    let timed: [(u8, &[u8]); 1] = [(1, &time)];
    let timestamp = frame.timestamp.wrapping_mul(clock_khz);
    let payloads = packetize(frame);
    let longest = payloads.iter().map(Bytes::len).max().unwrap_or(0);
    for (place, payload) in (1..).zip(&payloads) {
        let marker = track == 0 && place == payloads.len();
        let fields = Fields { marker, timestamp, ..Fields::default() };
        let mut bytes = BytesMut::new();
        let header = fields.append(if track == 0 { &timed } else { &[] }, &mut bytes);
        bytes.put_slice(payload);
        let padding = longest - payload.len();
        if (1..=MOST_PADDING).contains(&padding) {
            bytes.put_bytes(0, padding - 1);
            bytes.put_u8(padding as u8);
            bytes[0] |= PADDED;
        }
        out.push(Packet { track, fields, header, bytes });
    }
}

/// A player, and all that a packet's way to it touches.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) to: Destination,
    pub(super) tracks: [Option<Track>; 2],
    pub(super) srtp: Outbound,
}

/// How a player knows a track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Track {
    payload_type: PayloadType,
    ssrc: Ssrc,
    /// The id of the time of sending; 0, which nobody reads, without one.
    time_id: u8,
    /// SRTP's index, whose lower half is the sequence number.
    next: u64,
}

impl Track {
    pub(super) fn of(section: &NegotiatedSection) -> Option<Self> {
        Some(Self {
            payload_type: section.codecs.first()?.payload_type,
            ssrc: section.local_source?.ssrc,
            time_id: section.extensions.abs_send_time.unwrap_or(0),
            next: 0,
        })
    }
}

impl Viewer {
    /// Appends each packet of those tracks that the player has.
    pub(super) fn write(&mut self, packets: &[Packet], out: &mut SendArena) {
        for Packet { track, fields, header, bytes } in packets {
            let Some(track) = &mut self.tracks[*track] else { continue };
            let packet = out.append(self.to, bytes.len() + self.srtp.profile().rtp_overhead());
            packet[..bytes.len()].copy_from_slice(bytes);
            let Track { payload_type, ssrc, time_id, next: index } = *track;
            Fields { payload_type, ssrc, sequence: index as u16, ..*fields }.patch(packet);
            if *header > MIN_HEADER_LEN {
                packet[EXTENSION] = time_id << 4 | TIME_LEN;
            }
            track.next += 1;
            // It fails after 2^48 packets.
            if self.srtp.seal_rtp(*header, index, packet).is_err() {
                packet.fill(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rtc_stack::{
        Limits,
        rtp::Header,
        srtp::{Inbound, Profile, SessionKeys},
    };

    use super::*;
    use crate::{arguments::Rate, stamp::Stamp, stream::Stream};

    const AT: Duration = Duration::from_millis(1_500);

    fn keys() -> (SessionKeys, SessionKeys) {
        SessionKeys::from_exporter(Profile::AeadAes128Gcm, &[7; 56], false).unwrap()
    }

    fn viewer(port: u16, has_sound: bool) -> Viewer {
        let track = |number: u8, next| Track {
            payload_type: PayloadType::new(number).unwrap(),
            ssrc: Ssrc(number.into()),
            time_id: 3,
            next,
        };
        let tracks = [Some(track(102, 65_535)), has_sound.then(|| track(111, 9))];
        let to = Destination { peer: ([127, 0, 0, 1], port).into(), local_ip: None };
        Viewer { to, tracks, srtp: Outbound::new(&keys().0).unwrap() }
    }

    #[test]
    fn a_pass_is_one_run_for_each_player_who_can_read_all_of_it() {
        let mut stream = Stream::opus(Rate::default());
        // Sound has come twice when the first frame comes that is no keyframe, and then with it.
        let mut pass = Vec::new();
        (0..3).for_each(|_| drop(stream.next_frame()));
        (0..2).for_each(|_| packets(&stream.next_frame(), AT, &mut pass));
        assert_eq!(pass.len(), 4);
        let mut out = SendArena::default();
        let mut viewers = [viewer(1, true), viewer(2, false)];
        viewers.iter_mut().for_each(|viewer| viewer.write(&pass, &mut out));
        let runs: Vec<_> = out.runs().iter().map(|run| run.segments()).collect();
        assert_eq!(runs, [4, 3]);

        let mut inbound = Inbound::new(keys().1, &Limits::default());
        let first = out.runs()[0];
        let mut stamps = 0;
        for (place, datagram) in out.datagrams(&first).enumerate() {
            let mut datagram = datagram.to_vec();
            let opened = inbound.open_rtp(&mut datagram).unwrap();
            let header = Header::parse(&datagram[..opened.len]).unwrap();
            let is_sound = place == 3;
            let number = if is_sound { 9 } else { (place as u16).wrapping_sub(1) };
            let (payload_type, ssrc) = if is_sound { (111, 111) } else { (102, 102) };
            let fields = header.fields;
            assert_eq!((fields.sequence, fields.ssrc), (number, Ssrc(ssrc)));
            assert_eq!(fields.payload_type.number(), payload_type);
            assert_eq!(fields.marker, place == 2);
            let time = header.extensions(&datagram).data_of(3).map(<[u8]>::to_vec);
            let expected = AbsSendTime::new(AT).encode().to_vec();
            assert_eq!(time, (!is_sound).then_some(expected));
            let payload = header.payload(&datagram[..opened.len]).unwrap();
            stamps += usize::from(Stamp::search(payload).is_some());
        }
        assert_eq!(stamps, 2);
    }
}
