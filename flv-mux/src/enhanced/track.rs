//! Multitrack packets: several tracks in one tag.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{
    FourCc,
    tag::MAX_BODY,
    wire::{Reader, Truncated, be_24},
};

/// How the tracks of a multitrack packet are laid out (Enhanced RTMP v2, "AvMultitrackType").
///
/// Carries the codec where all tracks share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Multitrack {
    /// One track: its id, then its data up to the end.
    OneTrack(FourCc),
    /// Several tracks of one codec: each with its id and its length in 24 bits.
    ManyTracks(FourCc),
    /// Several tracks: each with its FourCC, its id and its length in 24 bits.
    ManyTracksManyCodecs,
    /// A layout without a name here, 3 to 15, kept as it was read.
    Other(u8, FourCc),
}

/// The number of a track (Enhanced RTMP v2, "videoTrackId" and "audioTrackId"). Tags without a
/// track id are of track 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TrackId(pub u8);

/// One track of a multitrack packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Track<'a> {
    /// Its number.
    pub id: TrackId,
    /// Its codec.
    pub codec: FourCc,
    /// Its part of the packet; for frames of H.264, H.265 and H.266 it starts with the composition
    /// time. [`VideoTagHeader::of_track`](crate::VideoTagHeader::of_track) reads it.
    pub payload: &'a [u8],
}

/// Why the tracks of a packet could not be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrackError {
    /// The packet ends inside a track.
    #[error("multitrack packet: {0}")]
    Truncated(#[from] Truncated),
    /// A layout whose tracks are not known.
    #[error("multitrack layout {0} is not known")]
    Layout(u8),
    /// A packet of one track was to carry none or several.
    #[error("{0} tracks do not fit a multitrack packet of one track")]
    Count(usize),
    /// A track has another codec than the packet.
    #[error("track has codec {track}, the multitrack packet has {packet}")]
    Codec {
        /// The codec of the track.
        track: FourCc,
        /// The codec of the packet.
        packet: FourCc,
    },
    /// A track is longer than its 24 bits can say.
    #[error("track of {0} bytes is over the wire's limit of 16777215")]
    TooLong(usize),
}

impl Multitrack {
    /// The codec that all tracks share.
    pub const fn four_cc(self) -> Option<FourCc> {
        match self {
            Self::OneTrack(codec) | Self::ManyTracks(codec) | Self::Other(_, codec) => Some(codec),
            Self::ManyTracksManyCodecs => None,
        }
    }

    /// The tracks in `payload`: what follows the tag header. After an error comes `None`.
    pub fn tracks(self, payload: &[u8]) -> Tracks<'_> {
        // A packet of one track has it even where nothing follows the header.
        let is_over = payload.is_empty() && !matches!(self, Self::OneTrack(_));
        Tracks { layout: self, reader: Reader::new(payload), is_over }
    }

    /// Appends tracks to `out`, behind the tag header that has this layout.
    ///
    /// # Errors
    ///
    /// [`TrackError`], with nothing appended.
    pub fn encode_tracks(self, tracks: &[Track<'_>], out: &mut BytesMut) -> Result<(), TrackError> {
        match self {
            Self::OneTrack(_) if tracks.len() != 1 => return Err(TrackError::Count(tracks.len())),
            Self::Other(layout, _) => return Err(TrackError::Layout(layout)),
            _ => {}
        }
        for track in tracks {
            if let Some(packet) = self.four_cc().filter(|&codec| codec != track.codec) {
                return Err(TrackError::Codec { track: track.codec, packet });
            }
            len_24(track.payload)?;
        }
        for track in tracks {
            if self == Self::ManyTracksManyCodecs {
                out.put_slice(&track.codec.0);
            }
            out.put_u8(track.id.0);
            if !matches!(self, Self::OneTrack(_)) {
                out.put_slice(&be_24(len_24(track.payload)?));
            }
            out.put_slice(track.payload);
        }
        Ok(())
    }

    const fn to_wire(self) -> u8 {
        match self {
            Self::OneTrack(_) => 0,
            Self::ManyTracks(_) => 1,
            Self::ManyTracksManyCodecs => 2,
            Self::Other(kind, _) => kind & 0x0f,
        }
    }

    /// Reads layout, packet type and, where shared, codec.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<(Self, u8), Truncated> {
        let byte = reader.u8("multitrack type")?;
        let multitrack = match byte >> 4 {
            0 => Self::OneTrack(super::four_cc(reader)?),
            1 => Self::ManyTracks(super::four_cc(reader)?),
            2 => Self::ManyTracksManyCodecs,
            other => Self::Other(other, super::four_cc(reader)?),
        };
        Ok((multitrack, byte & 0x0f))
    }

    pub(crate) fn put(self, packet_type: u8, out: &mut BytesMut) {
        out.put_u8(self.to_wire() << 4 | (packet_type & 0x0f));
        if let Some(codec) = self.four_cc() {
            out.put_slice(&codec.0);
        }
    }
}

fn len_24(payload: &[u8]) -> Result<u32, TrackError> {
    let len = u32::try_from(payload.len()).ok().filter(|&len| len <= MAX_BODY);
    len.ok_or(TrackError::TooLong(payload.len()))
}

/// Iterator made by [`Multitrack::tracks`].
#[derive(Debug, Clone)]
pub struct Tracks<'a> {
    layout: Multitrack,
    reader: Reader<'a>,
    is_over: bool,
}

impl<'a> Tracks<'a> {
    fn read(&mut self) -> Result<Track<'a>, TrackError> {
        let codec = match self.layout {
            Multitrack::OneTrack(codec) | Multitrack::ManyTracks(codec) => codec,
            Multitrack::ManyTracksManyCodecs => super::four_cc(&mut self.reader)?,
            Multitrack::Other(layout, _) => return Err(TrackError::Layout(layout)),
        };
        let id = TrackId(self.reader.u8("track id")?);
        let len = match self.layout {
            Multitrack::OneTrack(_) => self.reader.rest().len(),
            _ => usize::try_from(self.reader.u24("track length")?).unwrap_or(usize::MAX),
        };
        let payload = self.reader.bytes(len, "track")?;
        Ok(Track { id, codec, payload })
    }
}

impl<'a> Iterator for Tracks<'a> {
    type Item = Result<Track<'a>, TrackError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let track = self.read();
        self.is_over = track.is_err() || self.reader.rest().is_empty();
        Some(track)
    }
}

impl std::iter::FusedIterator for Tracks<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_each_layout() {
        for (bytes, expected) in [
            (&b"\x01Opus"[..], Multitrack::OneTrack(FourCc::OPUS)),
            (b"\x11avc1", Multitrack::ManyTracks(FourCc::AVC)),
            (b"\x21", Multitrack::ManyTracksManyCodecs),
            (b"\xf1hvc1", Multitrack::Other(15, FourCc::HEVC)),
        ] {
            assert_eq!(Multitrack::read(&mut Reader::new(bytes)), Ok((expected, 1)));
            let mut out = BytesMut::new();
            expected.put(1, &mut out);
            assert_eq!(out[..], *bytes);
        }
    }

    #[test]
    fn reads_and_writes_the_tracks_of_each_layout() {
        let track = |id, codec, payload| Track { id: TrackId(id), codec, payload };
        let cases = [
            (
                Multitrack::OneTrack(FourCc::AVC),
                &b"\x03abc"[..],
                vec![track(3, FourCc::AVC, &b"abc"[..])],
            ),
            (Multitrack::OneTrack(FourCc::AVC), b"\x03", vec![track(3, FourCc::AVC, b"")]),
            (
                Multitrack::ManyTracks(FourCc::HEVC),
                b"\x00\0\0\x02ab\xff\0\0\0",
                vec![track(0, FourCc::HEVC, b"ab"), track(255, FourCc::HEVC, b"")],
            ),
            (
                Multitrack::ManyTracksManyCodecs,
                b"av01\x01\0\0\x01xhvc1\x02\0\0\x02yz",
                vec![track(1, FourCc::AV1, b"x"), track(2, FourCc::HEVC, b"yz")],
            ),
            (Multitrack::ManyTracksManyCodecs, b"", vec![]),
        ];
        for (layout, bytes, tracks) in cases {
            let read: Result<Vec<_>, _> = layout.tracks(bytes).collect();
            assert_eq!(read.as_ref(), Ok(&tracks));
            let mut out = BytesMut::new();
            layout.encode_tracks(&tracks, &mut out).unwrap();
            assert_eq!(out[..], *bytes);
        }
    }

    #[test]
    fn a_cut_track_is_one_error() {
        let mut tracks = Multitrack::ManyTracks(FourCc::AVC).tracks(b"\x01\0\0\x03ab");
        let cut = Truncated { what: "track", needed: 3, got: 2 };
        assert_eq!(tracks.next(), Some(Err(cut.into())));
        assert_eq!(tracks.next(), None);
        let mut tracks = Multitrack::OneTrack(FourCc::AVC).tracks(b"");
        let cut = Truncated { what: "track id", needed: 1, got: 0 };
        assert_eq!((tracks.next(), tracks.next()), (Some(Err(cut.into())), None));
        let mut tracks = Multitrack::Other(5, FourCc::AVC).tracks(b"\x01");
        assert_eq!((tracks.next(), tracks.next()), (Some(Err(TrackError::Layout(5))), None));
    }

    #[test]
    fn refuses_tracks_that_the_layout_cannot_carry() {
        let track = Track { id: TrackId(0), codec: FourCc::AVC, payload: &[] };
        let mut out = BytesMut::new();
        let one = Multitrack::OneTrack(FourCc::AVC);
        assert_eq!(one.encode_tracks(&[track, track], &mut out), Err(TrackError::Count(2)));
        let error = TrackError::Codec { track: FourCc::AVC, packet: FourCc::VP9 };
        let vp9 = Multitrack::ManyTracks(FourCc::VP9);
        assert_eq!(vp9.encode_tracks(&[track], &mut out), Err(error));
        let long = vec![0; 1 << 24];
        let track = Track { payload: &long, ..track };
        assert_eq!(one.encode_tracks(&[track], &mut out), Err(TrackError::TooLong(1 << 24)));
        assert!(out.is_empty());
    }
}
