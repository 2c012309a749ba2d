//! Pictures: from the frames of an encoder to payloads.

use std::time::Duration;

use bytes::Bytes;
use flv_mux::{
    Av1CodecConfigurationRecord, AvcDecoderConfigurationRecord, FourCc,
    HevcDecoderConfigurationRecord, HevcNalUnitType, NalLengthSize, NalUnitType, ObuType,
    nal_units, obus,
};
use rtc_stack::{
    Codec, CodecParameters,
    payload::{DEFAULT_PAYLOAD, Packetizer, Payload},
};

use crate::{
    bridge::Running,
    media::{Frame, Role, Unit},
};

/// A frame that is shown this much before one that was sent is none that others wait for, but one of
/// another time: the publisher's clock was set.
const REORDERED: Duration = Duration::from_secs(1);

/// Makes payloads of a stream's video.
pub(super) struct Video {
    keeps_b_frames: bool,
    keeps_sei: bool,
    coding: Option<Coding>,
    /// The latest time of presentation that was sent.
    newest: Option<Duration>,
    /// Whether what comes can't be decoded before the next keyframe.
    waits_for_key: bool,
    payloads: Vec<Payload>,
}

/// A picture as it is sent.
pub(super) struct Picture<'a> {
    pub(super) parameters: &'a CodecParameters,
    /// The time of its presentation, on the stream's clock.
    pub(super) time: Duration,
    pub(super) is_key: bool,
    pub(super) payloads: std::vec::Drain<'a, Payload>,
}

/// How the video is coded now.
struct Coding {
    four_cc: FourCc,
    /// What it was configured with; empty before.
    record: Bytes,
    parameters: CodecParameters,
    packetizer: Packetizer,
    /// Bytes of the length before a NAL unit; `None` where there are none, or none are known yet.
    length_size: Option<NalLengthSize>,
    /// What a decoder needs before a keyframe: parameter sets, a sequence header.
    sets: Vec<Bytes>,
}

impl Video {
    pub(super) fn new(settings: &srs_config::Rtc) -> Self {
        Self {
            keeps_b_frames: settings.keep_bframe,
            keeps_sei: settings.keep_avc_nalu_sei,
            coding: None,
            newest: None,
            waits_for_key: true,
            payloads: Vec::new(),
        }
    }

    /// The picture that a frame is, if it is one that is sent.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        unit: &Unit<'_>,
        running: &Running,
    ) -> Option<Picture<'_>> {
        let four_cc = unit.codec?;
        let Role::Frame { is_key, composition_time } = unit.role else {
            // Some encoders say it again and again, in the middle of everything.
            if self.coding.as_ref().is_none_or(|coding| !coding.is(four_cc, unit.data)) {
                self.coding = Coding::configured(four_cc, unit.data);
                self.waits_for_key = true;
            }
            return None;
        };
        if self.coding.as_ref().is_none_or(|coding| coding.four_cc != four_cc) {
            self.coding = Coding::new(four_cc);
            self.waits_for_key = true;
        }
        if self.waits_for_key && !is_key {
            running.note_baseless();
            return None;
        }
        let time = presentation(frame.time, composition_time);
        if !self.keeps_b_frames && self.is_late(time, is_key) {
            running.note_late();
            return None;
        }
        let coding = self.coding.as_mut()?;
        let units = coding.units(&frame.body, unit.data, is_key, self.keeps_sei);
        let payloads = &mut self.payloads;
        let is_sent = units.is_some_and(|it| coding.packetizer.packetize(it, payloads).is_ok());
        if !is_sent {
            // A decoder that went on without it would show what nobody has drawn.
            self.waits_for_key = true;
            running.note_damage();
        }
        if self.payloads.is_empty() {
            return None;
        }
        running.note_frame();
        self.waits_for_key = false;
        self.newest = Some(self.newest.filter(|_| !is_key).map_or(time, |newest| newest.max(time)));
        let parameters = &coding.parameters;
        Some(Picture { parameters, time, is_key, payloads: self.payloads.drain(..) })
    }

    /// What comes next doesn't follow from what came before.
    pub(super) fn gap(&mut self) {
        (self.newest, self.waits_for_key) = (None, true);
    }

    /// Whether it is shown before one that was sent: only B-frames are, whatever the codec, and
    /// nothing but other B-frames is made from them.
    fn is_late(&self, time: Duration, is_key: bool) -> bool {
        let is_late = |newest: Duration| time < newest && newest - time < REORDERED;
        !is_key && self.newest.is_some_and(is_late)
    }
}

impl Coding {
    /// A codec that needs no configuration, or whose has not come.
    fn new(four_cc: FourCc) -> Option<Self> {
        let codec = match four_cc {
            FourCc::AVC => Codec::H264,
            FourCc::HEVC => Codec::H265,
            FourCc::AV1 => Codec::Av1,
            FourCc::VP8 => Codec::Vp8,
            FourCc::VP9 => Codec::Vp9,
            _ => return None,
        };
        let parameters = CodecParameters::new(codec);
        let packetizer = Packetizer::new(codec, DEFAULT_PAYLOAD)?;
        let (record, sets) = (Bytes::new(), Vec::new());
        Some(Self { four_cc, record, parameters, packetizer, length_size: None, sets })
    }

    /// Whether it is configured so.
    fn is(&self, four_cc: FourCc, record: &[u8]) -> bool {
        self.four_cc == four_cc && self.record == record
    }

    /// A codec with its configuration; `None` for one that WebRTC has no payload format for, or whose
    /// configuration can't be read.
    fn configured(four_cc: FourCc, record: &[u8]) -> Option<Self> {
        let mut coding = Self::new(four_cc)?;
        coding.record = Bytes::copy_from_slice(record);
        match four_cc {
            FourCc::AVC => {
                let record = AvcDecoderConfigurationRecord::decode(record).ok()?;
                let (profile, flags, level) = (record.profile, record.compatibility, record.level);
                let fmtp = format!(
                    "packetization-mode=1;profile-level-id={profile:02x}{flags:02x}{level:02x}"
                );
                coding.parameters = coding.parameters.with_fmtp(fmtp);
                coding.length_size = Some(record.nal_length_size);
                coding.sets = [record.sps, record.pps].concat();
            }
            FourCc::HEVC => {
                let record = HevcDecoderConfigurationRecord::decode(record).ok()?;
                coding.length_size = Some(record.nal_length_size);
                let kinds = [HevcNalUnitType::VPS, HevcNalUnitType::SPS, HevcNalUnitType::PPS];
                coding.sets = kinds.iter().flat_map(|&kind| record.units(kind)).cloned().collect();
            }
            FourCc::AV1 => {
                let record = Av1CodecConfigurationRecord::decode(record).ok()?;
                coding.sets = vec![record.config_obus];
            }
            _ => {}
        }
        coding.sets.retain(|set| !set.is_empty());
        Some(coding)
    }

    /// The units of a frame that are sent, `data` being a part of `body`. `None` where they aren't as
    /// long as they say, or nobody knows how long they are.
    fn units(
        &self,
        body: &Bytes,
        data: &[u8],
        is_key: bool,
        keeps_sei: bool,
    ) -> Option<Vec<Bytes>> {
        let mut units = Vec::new();
        let four_cc = self.four_cc;
        if matches!(four_cc, FourCc::AVC | FourCc::HEVC) {
            for unit in nal_units(data, self.length_size?) {
                let unit = unit.ok()?;
                if is_sent(four_cc, unit, keeps_sei) {
                    units.push(body.slice_ref(unit));
                }
            }
        } else {
            units.push(body.slice_ref(data));
        }
        // Those that the encoder sends along may be newer.
        if is_key && !units.is_empty() && !units.iter().any(|unit| begins(four_cc, unit)) {
            units.splice(0..0, self.sets.iter().cloned());
        }
        Some(units)
    }
}

/// Whether a NAL unit is sent: decoders need no delimiters, and few need remarks.
fn is_sent(four_cc: FourCc, unit: &[u8], keeps_sei: bool) -> bool {
    match four_cc {
        FourCc::AVC => match NalUnitType::of(unit) {
            Some(NalUnitType::AUD | NalUnitType::FILLER) | None => false,
            Some(NalUnitType::SEI) => keeps_sei,
            _ => true,
        },
        _ => !matches!(HevcNalUnitType::of(unit), Some(HevcNalUnitType::AUD) | None),
    }
}

/// Whether a unit has what a decoder begins with.
fn begins(four_cc: FourCc, unit: &[u8]) -> bool {
    match four_cc {
        FourCc::AVC => NalUnitType::of(unit) == Some(NalUnitType::SPS),
        FourCc::HEVC => HevcNalUnitType::of(unit) == Some(HevcNalUnitType::SPS),
        FourCc::AV1 => {
            obus(unit).map_while(Result::ok).any(|obu| obu.obu_type == ObuType::SEQUENCE_HEADER)
        }
        _ => false,
    }
}

/// When a frame that is decoded at `time` is shown. Encoders that are wrong about it say less than 0.
fn presentation(time: Duration, composition_time: i32) -> Duration {
    let apart = Duration::from_millis(composition_time.unsigned_abs().into());
    if composition_time < 0 { time.saturating_sub(apart) } else { time + apart }
}
