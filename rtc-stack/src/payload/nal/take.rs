use bytes::Bytes;

use super::NalCodec;
use crate::bytes_at::{u8_at, u16_at};
use crate::payload::frame::{Damage, Frame};

/// The first and the last fragment of a unit.
const STARTS: u8 = 0x80;
const ENDS: u8 = 0x40;

impl NalCodec {
    /// Takes a payload: single NAL units, STAP-A and FU-A (packetization-modes 0 and 1) of H.264; for HEVC those without
    /// decoding order numbers (`sprop-max-don-diff` 0), which is all that WebRTC has.
    pub(in crate::payload) fn take(self, payload: Bytes, frame: &mut Frame) -> Result<(), Damage> {
        let kind = self.kind(u8_at(&payload, 0).ok_or(Damage::Malformed)?);
        if kind == self.fragmentation() {
            return self.take_fragment(&payload, frame);
        }
        if kind == self.aggregation() {
            return self.take_aggregation(&payload, frame);
        }
        if !self.is_unit(&payload) {
            return Err(Damage::Malformed);
        }
        frame.push(payload)
    }

    /// STAP-A, AP: units after their lengths, none of which is an aggregation again.
    fn take_aggregation(self, payload: &Bytes, frame: &mut Frame) -> Result<(), Damage> {
        let mut at = self.header_len();
        while at < payload.len() {
            let length = u16_at(payload, at).ok_or(Damage::Malformed)?;
            let start = at.saturating_add(2);
            at = start.saturating_add(usize::from(length));
            let unit = payload.get(start..at).ok_or(Damage::Malformed)?;
            // Nothing is missing where there is nothing.
            if unit.is_empty() {
                continue;
            }
            if !self.is_unit(unit) {
                return Err(Damage::Malformed);
            }
            frame.push(payload.slice(start..at))?;
        }
        Ok(())
    }

    /// FU-A, FU: the unit's header is told apart from its bytes.
    fn take_fragment(self, payload: &Bytes, frame: &mut Frame) -> Result<(), Damage> {
        let header_len = self.header_len();
        let what = u8_at(payload, header_len).ok_or(Damage::Malformed)?;
        let piece = payload.get(header_len.saturating_add(1)..).unwrap_or_default();
        if what & STARTS == 0 {
            frame.extend(piece)?;
        } else {
            let [first, second] = [0, 1].map(|at| u8_at(payload, at).unwrap_or(0));
            match self {
                Self::H264 => {
                    let header = [first & 0xe0 | what & 0x1f];
                    self.begin(&header, piece, frame)?;
                }
                Self::H265 => {
                    let header = [first & 0x81 | (what & 0x3f) << 1, second];
                    self.begin(&header, piece, frame)?;
                }
            }
        }
        if what & ENDS != 0 {
            frame.end();
        }
        Ok(())
    }

    fn begin(self, header: &[u8], piece: &[u8], frame: &mut Frame) -> Result<(), Damage> {
        if !self.is_unit(header) {
            return Err(Damage::Malformed);
        }
        frame.begin_with(header, piece)
    }

    /// Whether a decoder can begin: there is a picture of its own (IDR, IRAP), or one whose parameter sets are repeated
    /// before it.
    pub(in crate::payload) fn is_keyframe(self, units: &[Bytes]) -> bool {
        let kinds = || units.iter().filter_map(|unit| unit.first()).map(|first| self.kind(*first));
        match self {
            Self::H264 => {
                kinds().any(|kind| kind == 5)
                    || kinds().any(|kind| kind == 7) && kinds().any(|kind| kind == 1)
            }
            Self::H265 => kinds().any(|kind| (16..24).contains(&kind)),
        }
    }

    pub(in crate::payload) fn is_parameter_set(self, unit: &[u8]) -> bool {
        let Some(&first) = unit.first() else { return false };
        match self {
            Self::H264 => matches!(self.kind(first), 7 | 8),
            Self::H265 => matches!(self.kind(first), 32..=34),
        }
    }
}
