//! Which of a stream's layers a viewer gets, and the keyframes that it needs to begin with them.

use std::time::Instant;

use super::seat::OUTPUTS;
use super::seating::viewer_mut;
use super::stream::{Stream, StreamTrack};
use super::viewer::{Place, Viewer};
use super::{Event, PeerId, RoleState, Sfu, SfuError, StreamId, Track};
use crate::{MediaKind, Rid};

impl Sfu {
    /// Lets a viewer have one simulcast layer, from the layer's next keyframe on, whatever its path carries; `None`
    /// leaves the choice to what arrives, of which it gets the highest that the path is taken to carry
    /// ([`PeerStatistics::estimated_bitrate`](super::PeerStatistics::estimated_bitrate)).
    ///
    /// # Errors
    ///
    /// No such viewer, one that watches nothing, or no such layer.
    pub fn select_layer(
        &mut self,
        now: Instant,
        viewer: PeerId,
        layer: Option<Rid>,
    ) -> Result<(), SfuError> {
        let peer = self.peers.get_mut(viewer).ok_or(SfuError::UnknownPeer)?;
        let RoleState::Viewer(state) = &mut peer.role else { return Err(SfuError::WrongRole) };
        let stream = state.stream.ok_or(SfuError::UnknownStream)?;
        let found = self.streams.get(stream).ok_or(SfuError::UnknownStream)?;
        let has_layer = |rid| found.tracks.iter().any(|track| track.track.layer == Some(rid));
        if layer.is_some_and(|rid| !has_layer(rid)) {
            return Err(SfuError::UnknownLayer);
        }
        state.layer = layer;
        if let Place::Seated(index) = state.place {
            self.choose_layer(now, stream, index);
        }
        Ok(())
    }

    /// Lets a seat's outputs change to the layers that they should have.
    pub(super) fn choose_layer(&mut self, now: Instant, stream: StreamId, index: usize) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        let Some(peer) = found.seats.get(index).map(|seat| seat.peer) else { return };
        let Some(viewer) = viewer_mut(&mut self.peers, peer) else { return };
        let mut wanted = None;
        for output in 0..OUTPUTS {
            let chosen = chosen(found, viewer, output, now);
            let Stream { seats, tracks, .. } = &mut *found;
            let seat = seats.get_mut(index);
            let Some(Some(output)) = seat.and_then(|seat| seat.outputs.get_mut(output)) else {
                continue;
            };
            let (Some(has), Some(chosen)) = (output.track, chosen) else { continue };
            let codec = |track: u8| {
                tracks.get(usize::from(track)).map(|track| track.track.parameters.codec)
            };
            let pending = output.pending.take();
            // Another layer has the same codec; sound does not change by itself.
            if has == chosen || codec(has) != codec(chosen) {
                continue;
            }
            if codec(chosen).and_then(|codec| codec.kind()) == Some(MediaKind::Video) {
                output.pending = Some(chosen);
                wanted = Some(chosen);
                let rate = |track: u8| tracks.get(usize::from(track)).map(StreamTrack::rate);
                if pending != Some(chosen) && viewer.layer.is_none() && rate(chosen) < rate(has) {
                    viewer.climb.fail(now);
                }
            }
        }
        if let Some(track) = wanted {
            self.want_keyframe(now, stream, track);
        }
    }

    /// Asks the server for a keyframe of a track, now or when one may be asked for again.
    pub(super) fn want_keyframe(&mut self, now: Instant, stream: StreamId, track: u8) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        if !found.makes_keyframes {
            return;
        }
        let Some(state) = found.tracks.get_mut(usize::from(track)) else { return };
        if state.wants_keyframe(now, self.config.keyframe_interval) {
            self.events.push_back(Event::KeyframeWanted { stream, track });
        } else if !self.keyframes_wanted.contains(&(stream, track)) {
            self.keyframes_wanted.push((stream, track));
        }
    }
}

/// The track that an output of a viewer should carry.
pub(super) fn chosen(stream: &Stream, viewer: &Viewer, output: usize, now: Instant) -> Option<u8> {
    let section = viewer.sections.get(output)?;
    let Place::Seated(index) = viewer.place else { return None };
    let seat = stream.seats.get(index)?;
    let has = seat.outputs.get(output)?.as_ref()?.track;
    let is_chosen = |track: &Track| {
        track.kind() == Some(section.kind) && track.layer.is_some() && track.layer == viewer.layer
    };
    let by_name = (0u8..).zip(&stream.tracks).find(|(_, state)| is_chosen(&state.track));
    if let Some((number, _)) = by_name {
        return Some(number);
    }
    let has = has.filter(|has| stream.is_kind(*has, section.kind));
    if let (Some(has), true) = (has, stream.has_layers(section.kind)) {
        let needed = stream.tracks.get(usize::from(has)).map(|had| stream.bits_with(now, had));
        if let Some(bits) = viewer.budget(now, seat, needed?)
            && let Some(fitting) = stream.fitting(now, section.kind, has, bits)
        {
            return Some(fitting);
        }
    }
    stream.best(now, section.kind, has)
}
