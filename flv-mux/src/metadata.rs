//! `onMetaData`: what a stream says of itself.

use amf0::{Decoder, Object, Value};
use bytes::BytesMut;
use thiserror::Error;

use crate::{FourCc, Limits, SoundFormat, VideoCodecId};

/// The properties of an `onMetaData` script tag (FLV 10.1, annex E.5; Enhanced RTMP v2).
///
/// All properties are kept, in their order; the methods read those that have a meaning of their
/// own. They take what writers send: a number may come as text, a truth value as a number.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// How the properties are written.
    pub form: MetadataForm,
    /// The properties.
    pub properties: Object,
}

/// How the properties of a [`Metadata`] are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetadataForm {
    /// As an ECMA array: what the specification asks for.
    #[default]
    EcmaArray,
    /// As an object: what some writers send.
    Object,
}

/// A codec as metadata names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodecName<Id> {
    /// By its old number, as in the tag headers.
    Id(Id),
    /// By its FourCC, sent as text or as a number.
    FourCc(FourCc),
}

/// Why a script tag is not metadata.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The body is not AMF0, or over [`Limits::amf`].
    #[error("script tag: {0}")]
    Amf(#[from] amf0::DecodeError),
    /// The name is another, or there is none.
    #[error("script tag is named {0:?}, not \"onMetaData\"")]
    Name(String),
    /// What follows the name is no object or array.
    #[error("onMetaData has no properties")]
    Properties,
}

const NAME: &str = "onMetaData";
/// What RTMP publishers put before the name, to have it set rather than sent.
const SET_DATA_FRAME: &str = "@setDataFrame";

impl Metadata {
    /// Decodes the body of a script tag. What follows the properties is ignored, and so is the
    /// `@setDataFrame` that RTMP publishers put in front.
    ///
    /// # Errors
    ///
    /// [`MetadataError`].
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, MetadataError> {
        let mut decoder = Decoder::new(body, &limits.amf)?;
        let mut name = decoder.decode_next()?;
        if name.as_ref().and_then(Value::as_str) == Some(SET_DATA_FRAME) {
            name = decoder.decode_next()?;
        }
        match name {
            Some(Value::String(name)) if name == NAME => {}
            Some(Value::String(name)) => return Err(MetadataError::Name(name)),
            _ => return Err(MetadataError::Name(String::new())),
        }
        let (form, properties) = match decoder.decode_next()? {
            Some(Value::EcmaArray(properties)) => (MetadataForm::EcmaArray, properties),
            Some(Value::Object(properties) | Value::TypedObject { properties, .. }) => {
                (MetadataForm::Object, properties)
            }
            _ => return Err(MetadataError::Properties),
        };
        Ok(Self { form, properties })
    }

    /// Appends the body of a script tag to `out`: name and properties.
    ///
    /// # Errors
    ///
    /// [`amf0::EncodeError`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), amf0::EncodeError> {
        let properties = self.properties.clone();
        let properties = match self.form {
            MetadataForm::EcmaArray => Value::EcmaArray(properties),
            MetadataForm::Object => Value::Object(properties),
        };
        amf0::encode_all(&[NAME.into(), properties], out)
    }

    /// `duration` in seconds; 0 while a stream is live.
    pub fn duration(&self) -> Option<f64> {
        self.number("duration")
    }

    /// `filesize` in bytes.
    pub fn file_size(&self) -> Option<f64> {
        self.number("filesize")
    }

    /// `width` in pixels.
    pub fn width(&self) -> Option<f64> {
        self.number("width")
    }

    /// `height` in pixels.
    pub fn height(&self) -> Option<f64> {
        self.number("height")
    }

    /// `framerate` in frames per second.
    pub fn frame_rate(&self) -> Option<f64> {
        self.number("framerate")
    }

    /// `videodatarate` in kilobits per second.
    pub fn video_data_rate(&self) -> Option<f64> {
        self.number("videodatarate")
    }

    /// `videocodecid`.
    pub fn video_codec(&self) -> Option<CodecName<VideoCodecId>> {
        self.codec("videocodecid", VideoCodecId::from_wire)
    }

    /// `audiodatarate` in kilobits per second.
    pub fn audio_data_rate(&self) -> Option<f64> {
        self.number("audiodatarate")
    }

    /// `audiosamplerate` in Hz.
    pub fn audio_sample_rate(&self) -> Option<f64> {
        self.number("audiosamplerate")
    }

    /// `audiosamplesize` in bits.
    pub fn audio_sample_size(&self) -> Option<f64> {
        self.number("audiosamplesize")
    }

    /// `stereo`: more than one channel.
    pub fn stereo(&self) -> Option<bool> {
        match self.properties.get("stereo")? {
            Value::Boolean(stereo) => Some(*stereo),
            Value::Number(stereo) => Some(*stereo != 0.0),
            _ => None,
        }
    }

    /// `audiocodecid`.
    pub fn audio_codec(&self) -> Option<CodecName<SoundFormat>> {
        self.codec("audiocodecid", SoundFormat::from_wire)
    }

    /// `encoder`: the program that made the stream.
    pub fn encoder(&self) -> Option<&str> {
        self.properties.get("encoder")?.as_str()
    }

    /// A number, or text that is one; `None` unless it is finite.
    fn number(&self, name: &str) -> Option<f64> {
        let value = self.properties.get(name)?;
        let number = value.as_number().or_else(|| value.as_str()?.trim().parse::<f64>().ok())?;
        number.is_finite().then_some(number)
    }

    fn codec<Id>(&self, name: &str, id: impl Fn(u8) -> Id) -> Option<CodecName<Id>> {
        if let Some(number) = self.number(name) {
            let number = whole(number)?;
            return Some(match u8::try_from(number) {
                Ok(number @ 0..16) => CodecName::Id(id(number)),
                _ => CodecName::FourCc(FourCc::from_u32(number)),
            });
        }
        let text = self.properties.get(name)?.as_str()?;
        text.as_bytes().try_into().ok().map(|text| CodecName::FourCc(FourCc(text)))
    }
}

/// The number, if it is one of those of 32 bits.
fn whole(number: f64) -> Option<u32> {
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    // Exact: checked above, and there is no fallible conversion from floats.
    fits.then_some(number as u32)
}

/// The number, if it is whole, not negative, and exact.
pub(crate) fn whole_64(number: f64) -> Option<u64> {
    const MOST: f64 = 9_007_199_254_740_991.0; // 2^53 - 1
    let fits = number.fract() == 0.0 && (0.0..=MOST).contains(&number);
    // Exact: checked above, and there is no fallible conversion from floats.
    fits.then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata<const N: usize>(properties: [(&str, Value); N]) -> Metadata {
        Metadata { properties: Object::from(properties), ..Metadata::default() }
    }

    fn number(value: impl Into<Value>) -> Option<f64> {
        metadata([("width", value.into())]).width()
    }

    #[test]
    fn decodes_and_encodes_an_ecma_array() {
        let bytes = b"\x02\0\x0aonMetaData\x08\0\0\0\x02\
            \0\x05width\0\x40\x74\0\0\0\0\0\0\0\x07encoder\x02\0\x03abc\0\0\x09";
        let expected = metadata([("width", 320.0.into()), ("encoder", "abc".into())]);
        let decoded = Metadata::decode(bytes, &Limits::default()).unwrap();
        assert_eq!(decoded, expected);
        assert_eq!((decoded.width(), decoded.encoder()), (Some(320.0), Some("abc")));
        let mut out = BytesMut::new();
        decoded.encode(&mut out).unwrap();
        assert_eq!(out[..], *bytes);
    }

    #[test]
    fn keeps_an_object_an_object_and_drops_set_data_frame() {
        let bytes = b"\x02\0\x0donMetaDataSet";
        assert!(Metadata::decode(bytes, &Limits::default()).is_err());
        let bytes = b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x03\0\0\x09";
        let decoded = Metadata::decode(bytes, &Limits::default()).unwrap();
        assert_eq!(decoded.form, MetadataForm::Object);
        let mut out = BytesMut::new();
        decoded.encode(&mut out).unwrap();
        assert_eq!(out[..], bytes[16..]);
    }

    #[test]
    fn refuses_other_names_values_and_bytes() {
        let decode = |body: &[u8]| Metadata::decode(body, &Limits::default()).unwrap_err();
        assert_eq!(decode(b"\x02\0\x01x\x03\0\0\x09"), MetadataError::Name("x".to_owned()));
        assert_eq!(decode(b"\x05"), MetadataError::Name(String::new()));
        assert_eq!(decode(b""), MetadataError::Name(String::new()));
        assert_eq!(decode(b"\x02\0\x0aonMetaData\x05"), MetadataError::Properties);
        assert_eq!(decode(b"\x02\0\x0aonMetaData"), MetadataError::Properties);
        assert!(matches!(decode(b"\x02\0\x0aonMeta"), MetadataError::Amf(_)));
    }

    #[test]
    fn numbers_may_be_text_and_must_be_finite() {
        assert_eq!(number(1280.0), Some(1280.0));
        assert_eq!(number(" 1280"), Some(1280.0));
        assert_eq!(number("wide"), None);
        assert_eq!(number(f64::NAN), None);
        assert_eq!(number("inf"), None);
        assert_eq!(number(true), None);
    }

    #[test]
    fn codecs_are_numbers_fourccs_or_text() {
        let video = |value: Value| metadata([("videocodecid", value)]).video_codec();
        assert_eq!(video(7.0.into()), Some(CodecName::Id(VideoCodecId::Avc)));
        assert_eq!(video("7".into()), Some(CodecName::Id(VideoCodecId::Avc)));
        assert_eq!(video(1_635_135_537.0.into()), Some(CodecName::FourCc(FourCc::AV1)));
        assert_eq!(video("hvc1".into()), Some(CodecName::FourCc(FourCc::HEVC)));
        for value in ["".into(), "h.264".into(), (-1.0).into(), 7.5.into(), 1e10.into()] {
            assert_eq!(video(value), None);
        }
        let audio = metadata([("audiocodecid", "mp4a".into())]);
        assert_eq!(audio.audio_codec(), Some(CodecName::FourCc(FourCc::AAC)));
        let audio = metadata([("audiocodecid", 10.0.into())]);
        assert_eq!(audio.audio_codec(), Some(CodecName::Id(SoundFormat::Aac)));
    }

    #[test]
    fn stereo_may_be_a_number() {
        let stereo = |value: Value| metadata([("stereo", value)]).stereo();
        assert_eq!(stereo(true.into()), Some(true));
        assert_eq!(stereo(0.0.into()), Some(false));
        assert_eq!(stereo("yes".into()), None);
    }

    #[test]
    fn every_property_has_its_method() {
        let all = metadata([
            ("duration", 1.0.into()),
            ("filesize", 2.0.into()),
            ("height", 3.0.into()),
            ("framerate", 4.0.into()),
            ("videodatarate", 5.0.into()),
            ("audiodatarate", 6.0.into()),
            ("audiosamplerate", 7.0.into()),
            ("audiosamplesize", 8.0.into()),
        ]);
        let read = [
            all.duration(),
            all.file_size(),
            all.height(),
            all.frame_rate(),
            all.video_data_rate(),
            all.audio_data_rate(),
            all.audio_sample_rate(),
            all.audio_sample_size(),
        ];
        let expected: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        assert_eq!(read, expected.map(Some));
    }
}
