use std::time::Duration;

use super::published::PublishedTrack;
use super::seat::Seat;
use super::stream::Stream;
use super::viewer::{Place, Viewer};
use super::{PeerId, Refused, RoleState, Sfu};
use crate::{MediaKind, Rid, Ssrc};

/// What passed between a peer and us.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct PeerStatistics {
    /// The round-trip time, once a report has told it: a viewer's by its receiver reports, a publisher's if it answers
    /// reference times (RFC 3611, 4.5), which browsers do.
    pub rtt: Option<Duration>,
    /// The bit rate in bits per second that the path to a viewer is taken to carry: by its transport-wide reports where
    /// its stream has simulcast layers, and else what it says itself (REMB). `None` while nothing is known.
    pub estimated_bitrate: Option<u64>,
    /// Bytes that a viewer was sent to see whether its path carries a higher layer.
    pub probed_bytes: u64,
    /// Packets that a viewer's transport-wide reports said have arrived. There are reports only while its stream has
    /// simulcast layers.
    pub transport_received: u64,
    /// Packets that they said have not.
    pub transport_lost: u64,
    /// Datagrams that were not taken.
    pub refused: Refused,
    /// Bytes that a viewer has been sent again.
    pub retransmitted_bytes: u64,
    /// NACKed packets that were not sent again: too old, too often, or beyond what a viewer may have.
    pub retransmissions_refused: u64,
    /// What is known of each track.
    pub tracks: Vec<TrackStatistics>,
}

/// What passed of one track: from a publisher to us, or from us to a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackStatistics {
    /// The number of the track in its publisher's or its stream's list.
    pub track: u8,
    /// Sound or pictures.
    pub kind: MediaKind,
    /// The simulcast layer, if the track is one.
    pub layer: Option<Rid>,
    /// The source.
    pub ssrc: Ssrc,
    /// Packets, without retransmissions to viewers.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Packets that the receiving side says it has lost for good.
    pub lost: i64,
    /// The receiving side's latest share of lost packets, in 256ths.
    pub fraction_lost: u8,
    /// Interarrival jitter (RFC 3550, 6.4.1), in units of the track's clock.
    pub jitter: u32,
    /// Packets asked for again.
    pub nacks: u64,
    /// Packets that came, or were sent, by a retransmission.
    pub retransmitted: u64,
    /// Requests for a keyframe.
    pub plis: u64,
}

impl Sfu {
    /// What passed between a peer and us so far; `None` for one that is gone.
    pub fn statistics(&self, peer: PeerId) -> Option<PeerStatistics> {
        let found = self.peers.get(peer)?;
        let mut statistics = match &found.role {
            RoleState::Publisher(publisher) => {
                let tracks = publisher.tracks.iter().zip(0u8..);
                let tracks = tracks.filter_map(|(track, number)| track.statistics(number));
                let tracks = tracks.collect();
                PeerStatistics { rtt: publisher.rtt, tracks, ..PeerStatistics::default() }
            }
            RoleState::Viewer(viewer) => {
                let stream = viewer.stream.and_then(|stream| self.streams.get(stream));
                let seat = match &viewer.place {
                    Place::NotConnected => None,
                    Place::Parked(seat) => Some(&**seat),
                    Place::Seated(index) => stream.and_then(|stream| stream.seats.get(*index)),
                };
                viewer.statistics(seat, stream)
            }
        };
        statistics.refused = found.refused;
        Some(statistics)
    }
}

impl PublishedTrack {
    fn statistics(&self, track: u8) -> Option<TrackStatistics> {
        let reported = self.reported.unwrap_or_default();
        Some(TrackStatistics {
            track,
            kind: self.kind,
            layer: self.layer,
            ssrc: self.ssrc?,
            packets: self.packets,
            bytes: self.bytes,
            lost: i64::from(reported.cumulative_lost),
            fraction_lost: reported.fraction_lost,
            jitter: reported.jitter,
            nacks: self.nacked,
            retransmitted: self.retransmitted,
            plis: self.keyframe_requests,
        })
    }
}

impl Viewer {
    fn statistics(&self, seat: Option<&Seat>, stream: Option<&Stream>) -> PeerStatistics {
        let outputs = seat.map_or(&[][..], |seat| &seat.outputs);
        let tracks = outputs.iter().zip(&self.reports).zip(&self.sections);
        let tracks = tracks.filter_map(|((output, report), section)| {
            let output = output.as_ref()?;
            let number = output.track?;
            let track = stream.and_then(|stream| stream.tracks.get(usize::from(number)));
            Some(TrackStatistics {
                track: number,
                kind: section.kind,
                layer: track.and_then(|track| track.track.layer),
                ssrc: output.ssrc,
                packets: output.packets,
                bytes: output.bytes,
                lost: report.lost,
                fraction_lost: report.fraction_lost,
                jitter: report.jitter,
                nacks: report.nacks,
                retransmitted: report.retransmitted,
                plis: report.plis,
            })
        });
        PeerStatistics {
            rtt: self.rtt,
            estimated_bitrate: seat.and_then(|seat| self.estimate(seat)),
            probed_bytes: self.climb.probed_bytes,
            transport_received: self.transport_received,
            transport_lost: self.transport_lost,
            retransmitted_bytes: self.retransmission.bytes,
            retransmissions_refused: self.retransmission.refused,
            tracks: tracks.collect(),
            ..PeerStatistics::default()
        }
    }
}
