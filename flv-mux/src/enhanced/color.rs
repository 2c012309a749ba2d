//! Metadata in a video tag: what colours mean, for high dynamic range above all.

use amf0::{Decoder, Object, Value};
use bytes::BytesMut;

use crate::Limits;

/// The payload of a [`Metadata`](crate::VideoPacketType::Metadata) packet: names and values
/// (Enhanced RTMP v2, "VideoPacketType.Metadata").
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VideoMetadata {
    /// The names and their values, in order.
    pub entries: Vec<(String, Value)>,
}

/// What colours mean (Enhanced RTMP v2, "colorInfo").
///
/// A view of what has a name here; [`VideoMetadata`] keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColorInfo {
    /// `colorConfig`: how samples become colours.
    pub config: Option<ColorConfig>,
    /// `hdrCll`: how bright the pictures are.
    pub content_light: Option<ContentLight>,
    /// `hdrMdcv`: the display that they were made on.
    pub mastering_display: Option<MasteringDisplay>,
}

/// How samples become colours, in the code points of ISO 23091-2 (ITU-T H.273).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColorConfig {
    /// `bitDepth`: bits per sample.
    pub bit_depth: Option<f64>,
    /// `colorPrimaries`: 1 BT.709, 9 BT.2020, and so on.
    pub primaries: Option<f64>,
    /// `transferCharacteristics`: 1 BT.709, 16 PQ, 18 HLG, and so on.
    pub transfer: Option<f64>,
    /// `matrixCoefficients`: 1 BT.709, 9 BT.2020, and so on.
    pub matrix: Option<f64>,
}

/// How bright the pictures are, in candela per square metre (CTA 861.3).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ContentLight {
    /// `maxFall`: the brightest picture's average.
    pub max_frame_average: Option<f64>,
    /// `maxCLL`: the brightest sample.
    pub max_content: Option<f64>,
}

/// The display that the pictures were made on (SMPTE ST 2086): chromaticities from 0 to 1,
/// luminances in candela per square metre.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MasteringDisplay {
    /// `redX` and `redY`.
    pub red: Option<(f64, f64)>,
    /// `greenX` and `greenY`.
    pub green: Option<(f64, f64)>,
    /// `blueX` and `blueY`.
    pub blue: Option<(f64, f64)>,
    /// `whitePointX` and `whitePointY`.
    pub white_point: Option<(f64, f64)>,
    /// `maxLuminance`.
    pub max_luminance: Option<f64>,
    /// `minLuminance`.
    pub min_luminance: Option<f64>,
}

const COLOR_INFO: &str = "colorInfo";

impl VideoMetadata {
    /// Metadata with `colorInfo` alone.
    pub fn of_color(color: &ColorInfo) -> Self {
        Self { entries: vec![(COLOR_INFO.to_owned(), color.to_value())] }
    }

    /// Decodes the payload of a packet: AMF0, each name a string with the value behind it.
    ///
    /// A last name without a value, and what follows something that is no name, are ignored.
    ///
    /// # Errors
    ///
    /// [`amf0::DecodeError`], also over [`Limits::amf`].
    pub fn decode(payload: &[u8], limits: &Limits) -> Result<Self, amf0::DecodeError> {
        let mut decoder = Decoder::new(payload, &limits.amf)?;
        let mut entries = Vec::new();
        while let Some(Value::String(name)) = decoder.decode_next()? {
            match decoder.decode_next()? {
                Some(value) => entries.push((name, value)),
                None => break,
            }
        }
        Ok(Self { entries })
    }

    /// Appends the payload to `out`.
    ///
    /// # Errors
    ///
    /// [`amf0::EncodeError`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), amf0::EncodeError> {
        let named = |(name, value): &(String, Value)| [Value::from(name.as_str()), value.clone()];
        let values: Vec<_> = self.entries.iter().flat_map(named).collect();
        amf0::encode_all(&values, out)
    }

    /// `colorInfo`. The last one counts, and an undefined one takes back those before: it is the
    /// default then, which says nothing.
    pub fn color_info(&self) -> Option<ColorInfo> {
        let (_, value) = self.entries.iter().rev().find(|(name, _)| name == COLOR_INFO)?;
        Some(value.as_object().map(ColorInfo::of).unwrap_or_default())
    }
}

impl ColorInfo {
    fn of(properties: &Object) -> Self {
        let part = |name| properties.get(name).and_then(Value::as_object);
        Self {
            config: part("colorConfig").map(|config| ColorConfig {
                bit_depth: number(config, "bitDepth"),
                primaries: number(config, "colorPrimaries"),
                transfer: number(config, "transferCharacteristics"),
                matrix: number(config, "matrixCoefficients"),
            }),
            content_light: part("hdrCll").map(|light| ContentLight {
                max_frame_average: number(light, "maxFall"),
                max_content: number(light, "maxCLL"),
            }),
            mastering_display: part("hdrMdcv").map(|display| MasteringDisplay {
                red: pair(display, "redX", "redY"),
                green: pair(display, "greenX", "greenY"),
                blue: pair(display, "blueX", "blueY"),
                white_point: pair(display, "whitePointX", "whitePointY"),
                max_luminance: number(display, "maxLuminance"),
                min_luminance: number(display, "minLuminance"),
            }),
        }
    }

    /// The value of `colorInfo`, with the properties that are there.
    pub fn to_value(&self) -> Value {
        let mut parts = Vec::new();
        if let Some(config) = self.config {
            parts.push((
                "colorConfig",
                object([
                    ("bitDepth", config.bit_depth),
                    ("colorPrimaries", config.primaries),
                    ("transferCharacteristics", config.transfer),
                    ("matrixCoefficients", config.matrix),
                ]),
            ));
        }
        if let Some(light) = self.content_light {
            let light = [("maxFall", light.max_frame_average), ("maxCLL", light.max_content)];
            parts.push(("hdrCll", object(light)));
        }
        if let Some(display) = self.mastering_display {
            let (x, y) = (|point: (f64, f64)| point.0, |point: (f64, f64)| point.1);
            parts.push((
                "hdrMdcv",
                object([
                    ("redX", display.red.map(x)),
                    ("redY", display.red.map(y)),
                    ("greenX", display.green.map(x)),
                    ("greenY", display.green.map(y)),
                    ("blueX", display.blue.map(x)),
                    ("blueY", display.blue.map(y)),
                    ("whitePointX", display.white_point.map(x)),
                    ("whitePointY", display.white_point.map(y)),
                    ("maxLuminance", display.max_luminance),
                    ("minLuminance", display.min_luminance),
                ]),
            ));
        }
        Value::Object(parts.into_iter().collect())
    }
}

fn object<const N: usize>(properties: [(&str, Option<f64>); N]) -> Value {
    let present = properties.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Value::Object(present.collect())
}

fn number(properties: &Object, name: &str) -> Option<f64> {
    properties.get(name)?.as_number().filter(|number| number.is_finite())
}

fn pair(properties: &Object, x: &str, y: &str) -> Option<(f64, f64)> {
    number(properties, x).zip(number(properties, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ColorInfo {
        ColorInfo {
            config: Some(ColorConfig {
                bit_depth: Some(10.0),
                primaries: Some(9.0),
                transfer: Some(16.0),
                matrix: Some(9.0),
            }),
            content_light: Some(ContentLight {
                max_frame_average: Some(400.0),
                max_content: Some(1000.0),
            }),
            mastering_display: Some(MasteringDisplay {
                red: Some((0.708, 0.292)),
                green: Some((0.17, 0.797)),
                blue: Some((0.131, 0.046)),
                white_point: Some((0.3127, 0.329)),
                max_luminance: Some(1000.0),
                min_luminance: Some(0.005),
            }),
        }
    }

    #[test]
    fn decodes_what_it_encoded() {
        for color in [full(), ColorInfo::default(), ColorInfo { content_light: None, ..full() }] {
            let mut out = BytesMut::new();
            VideoMetadata::of_color(&color).encode(&mut out).unwrap();
            let read = VideoMetadata::decode(&out, &Limits::default()).unwrap();
            assert_eq!(read.color_info(), Some(color));
        }
    }

    #[test]
    fn keeps_what_has_no_name_here() {
        let bytes = b"\x02\0\x09colorInfo\x03\0\x03new\x01\x01\0\x0bcolorConfig\x03\
            \0\x08bitDepth\x02\0\x01x\0\0\x09\0\0\x09\x02\0\x05other\x05";
        let read = VideoMetadata::decode(bytes, &Limits::default()).unwrap();
        assert_eq!(read.entries.len(), 2);
        let color = read.color_info().unwrap();
        assert_eq!(color.config, Some(ColorConfig::default()));
        let mut out = BytesMut::new();
        read.encode(&mut out).unwrap();
        assert_eq!(out[..], *bytes);
    }

    #[test]
    fn undefined_takes_back_what_was_said() {
        let bytes = b"\x02\0\x09colorInfo\x06";
        let read = VideoMetadata::decode(bytes, &Limits::default()).unwrap();
        assert_eq!(read.color_info(), Some(ColorInfo::default()));
        let none = VideoMetadata::decode(b"", &Limits::default()).unwrap();
        assert_eq!(none.color_info(), None);
    }
}
