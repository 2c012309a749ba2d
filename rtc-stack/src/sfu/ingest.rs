//! A publisher's packet in the form that goes to all viewers.

use std::time::Instant;

use bytes::{BufMut, BytesMut};

use crate::Codec;
use crate::rtp::{ExtensionKind, ExtensionMap, Extensions, Fields, RtpPacket};

/// The id of the audio level (RFC 6464) in packets of [`Event::Packet`](super::Event::Packet) and for
/// [`Sfu::forward`](super::Sfu::forward), whatever its publisher's description says.
pub const AUDIO_LEVEL_ID: u8 = 1;
/// The id of the video orientation (3GPP TS 26.114) there.
pub const ORIENTATION_ID: u8 = 2;

/// Bytes that are taken from the system at a time: a frame or two. Its packets come and go together.
const ROOM: usize = 8 * 1024;

/// Makes a packet of its parts, in `room`: without contributing sources and padding, and with those header extensions only that go
/// on to viewers, under ids of ours. So a packet means the same in every shard, whoever published it.
pub(super) fn normalise(
    fields: Fields,
    (extensions, ids): (Extensions<'_>, &ExtensionMap),
    payload: &[u8],
    sequence: u64,
    arrival: Instant,
    codec: Codec,
    room: &mut BytesMut,
) -> Option<RtpPacket> {
    let of = |kind| extensions.clone().data_of(ids.id(kind)?)?.first_chunk::<1>().copied();
    let level = of(ExtensionKind::AudioLevel);
    let orientation = of(ExtensionKind::Orientation);
    let none: &[u8] = &[];
    let carried: [(u8, &[u8]); 2] = [
        (level.map_or(0, |_| AUDIO_LEVEL_ID), level.as_ref().map_or(none, |byte| byte)),
        (orientation.map_or(0, |_| ORIENTATION_ID), orientation.as_ref().map_or(none, |byte| byte)),
    ];
    let needed = Fields::encoded_len(&carried).saturating_add(payload.len());
    if room.capacity() < needed {
        *room = BytesMut::with_capacity(needed.max(ROOM));
    }
    fields.append(&carried, room);
    room.put_slice(payload);
    RtpPacket::parse(room.split(), sequence, arrival, codec).ok()
}

/// The audio level and orientation that a packet carries.
pub(super) fn carried_extensions(packet: &RtpPacket) -> (Option<u8>, Option<u8>) {
    let of = |id| packet.extensions().data_of(id)?.first().copied();
    (of(AUDIO_LEVEL_ID), of(ORIENTATION_ID))
}
