//! What each side of a connection says that it can do (Enhanced RTMP v2, "Enhancing NetConnection connect Command").

use amf0::{Object, Value};

/// Bits of `capsEx`: what is understood beyond RTMP 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CapsEx(pub u32);

impl CapsEx {
    /// `NetConnection.Connect.ReconnectRequest` is acted on.
    pub const RECONNECT: Self = Self(0x01);
    /// Several tracks in one message.
    pub const MULTITRACK: Self = Self(0x02);
    /// Modifiers before the packet type.
    pub const MOD_EX: Self = Self(0x04);
    /// The modifier that adds nanoseconds to a timestamp.
    pub const TIMESTAMP_NANO_OFFSET: Self = Self(0x08);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What can be done with a codec: a value of `videoFourCcInfoMap` or `audioFourCcInfoMap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CodecInfo(pub u32);

impl CodecInfo {
    /// It can be decoded: played.
    pub const CAN_DECODE: Self = Self(0x01);
    /// It can be encoded: published.
    pub const CAN_ENCODE: Self = Self(0x02);
    /// It can be passed on as it is.
    pub const CAN_FORWARD: Self = Self(0x04);
    /// All three, which is what an entry of `fourCcList` says.
    pub const ALL: Self = Self(0x07);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A codec by its four-character code, as enhanced tags name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// Any codec: `*` on the wire.
    pub const ANY: Self = Self(*b"*\0\0\0");

    /// `None` for what is neither `*` nor four bytes long.
    fn from_text(text: &str) -> Option<Self> {
        if text == "*" { Some(Self::ANY) } else { text.as_bytes().try_into().ok().map(Self) }
    }

    /// The text on the wire; bytes that are not ASCII are left out.
    fn to_text(self) -> String {
        if self == Self::ANY {
            return "*".to_owned();
        }
        self.0.into_iter().filter(u8::is_ascii).map(char::from).collect()
    }
}

/// What a client announces in `connect`, or a server in the answer.
///
/// Built with [`with_video`](Self::with_video) and the like, or read from the properties of the other side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capabilities {
    caps_ex: Option<CapsEx>,
    four_cc_list: Vec<FourCc>,
    video: Vec<(FourCc, CodecInfo)>,
    audio: Vec<(FourCc, CodecInfo)>,
    audio_codecs: Option<u32>,
    video_codecs: Option<u32>,
    video_function: Option<u32>,
}

impl Capabilities {
    /// Announces nothing.
    pub const fn new() -> Self {
        Self {
            caps_ex: None,
            four_cc_list: Vec::new(),
            video: Vec::new(),
            audio: Vec::new(),
            audio_codecs: None,
            video_codecs: None,
            video_function: None,
        }
    }

    /// Announces that every codec is passed on, with several tracks and modifiers: for servers and relays.
    pub fn forward_any() -> Self {
        let flags = CapsEx::MULTITRACK.with(CapsEx::MOD_EX).with(CapsEx::TIMESTAMP_NANO_OFFSET);
        Self::new()
            .with_caps_ex(flags)
            .with_video(FourCc::ANY, CodecInfo::CAN_FORWARD)
            .with_audio(FourCc::ANY, CodecInfo::CAN_FORWARD)
    }

    /// Adds bits of `capsEx`.
    #[must_use]
    pub fn with_caps_ex(mut self, flags: CapsEx) -> Self {
        self.caps_ex = Some(self.caps_ex().with(flags));
        self
    }

    /// Adds a video codec.
    #[must_use]
    pub fn with_video(mut self, codec: FourCc, info: CodecInfo) -> Self {
        self.video.push((codec, info));
        self.with_listed(codec)
    }

    /// Adds an audio codec.
    #[must_use]
    pub fn with_audio(mut self, codec: FourCc, info: CodecInfo) -> Self {
        self.audio.push((codec, info));
        self.with_listed(codec)
    }

    fn with_listed(mut self, codec: FourCc) -> Self {
        if !self.four_cc_list.contains(&codec) {
            self.four_cc_list.push(codec);
        }
        self
    }

    /// Reads what the command object of `connect`, or one in its answer, announces.
    ///
    /// Properties of the wrong type, and codes that are neither `*` nor four bytes long, are passed over.
    pub fn from_properties(properties: &Object) -> Self {
        let number = |key| properties.get(key).and_then(Value::as_number).map(bits);
        let four_cc_list = match properties.get("fourCcList") {
            Some(Value::StrictArray(list)) => {
                list.iter().filter_map(Value::as_str).filter_map(FourCc::from_text).collect()
            }
            // Some writers know no strict arrays.
            Some(Value::EcmaArray(list) | Value::Object(list)) => {
                list.iter().filter_map(|(_, v)| v.as_str()).filter_map(FourCc::from_text).collect()
            }
            Some(Value::String(one)) => FourCc::from_text(one).into_iter().collect(),
            _ => Vec::new(),
        };
        let map = |key| {
            let map = properties.get(key).and_then(Value::as_object);
            let entries = map.into_iter().flat_map(Object::iter).filter_map(|(code, info)| {
                Some((FourCc::from_text(code)?, CodecInfo(bits(info.as_number()?))))
            });
            entries.collect()
        };
        Self {
            caps_ex: number("capsEx").map(CapsEx),
            four_cc_list,
            video: map("videoFourCcInfoMap"),
            audio: map("audioFourCcInfoMap"),
            audio_codecs: number("audioCodecs"),
            video_codecs: number("videoCodecs"),
            video_function: number("videoFunction"),
        }
    }

    /// The properties that say so; none if nothing is announced. The old bit masks are not among them.
    pub fn to_properties(&self) -> Object {
        let mut properties = Object::new();
        if let Some(CapsEx(flags)) = self.caps_ex {
            properties.push("capsEx", flags);
        }
        if !self.four_cc_list.is_empty() {
            let list: Vec<_> = self.four_cc_list.iter().map(|c| Value::from(c.to_text())).collect();
            properties.push("fourCcList", list);
        }
        for (key, map) in [("videoFourCcInfoMap", &self.video), ("audioFourCcInfoMap", &self.audio)]
        {
            if !map.is_empty() {
                let map: Object =
                    map.iter().map(|(codec, info)| (codec.to_text(), info.0)).collect();
                properties.push(key, map);
            }
        }
        properties
    }

    /// Whether anything of Enhanced RTMP was announced: who did not may know nothing of its tags.
    pub fn announced(&self) -> bool {
        self.caps_ex.is_some()
            || !(self.four_cc_list.is_empty() && self.video.is_empty() && self.audio.is_empty())
    }

    /// The bits of `capsEx`; none if it was not announced.
    pub fn caps_ex(&self) -> CapsEx {
        self.caps_ex.unwrap_or_default()
    }

    /// What can be done with a video codec in enhanced tags: its own entry, else that of any codec, else `fourCcList`.
    pub fn video(&self, codec: FourCc) -> CodecInfo {
        self.info(&self.video, codec)
    }

    /// What can be done with an audio codec in enhanced tags, found as [`video`](Self::video) is.
    pub fn audio(&self, codec: FourCc) -> CodecInfo {
        self.info(&self.audio, codec)
    }

    /// Whether a video codec in enhanced tags can be played.
    pub fn can_decode_video(&self, four_cc: [u8; 4]) -> bool {
        self.video(FourCc(four_cc)).contains(CodecInfo::CAN_DECODE)
    }

    /// Whether an audio codec in enhanced tags can be played.
    pub fn can_decode_audio(&self, four_cc: [u8; 4]) -> bool {
        self.audio(FourCc(four_cc)).contains(CodecInfo::CAN_DECODE)
    }

    /// Whether a video codec can be passed on in enhanced tags: what a relay or recorder wants to know.
    pub fn can_forward_video(&self, four_cc: [u8; 4]) -> bool {
        self.video(FourCc(four_cc)).contains(CodecInfo::CAN_FORWARD)
    }

    /// Whether an audio codec can be passed on in enhanced tags.
    pub fn can_forward_audio(&self, four_cc: [u8; 4]) -> bool {
        self.audio(FourCc(four_cc)).contains(CodecInfo::CAN_FORWARD)
    }

    /// The bits of `audioCodecs`, one for each sound format of an old tag (specification 7.2.1.1).
    pub fn audio_codecs(&self) -> Option<u32> {
        self.audio_codecs
    }

    /// The bits of `videoCodecs`, one for each codec id of an old tag (specification 7.2.1.1).
    pub fn video_codecs(&self) -> Option<u32> {
        self.video_codecs
    }

    /// The bits of `videoFunction`: 1 is that frames can be sought (specification 7.2.1.1).
    pub fn video_function(&self) -> Option<u32> {
        self.video_function
    }

    fn info(&self, map: &[(FourCc, CodecInfo)], codec: FourCc) -> CodecInfo {
        let of = |wanted| map.iter().rev().find(|(code, _)| *code == wanted).map(|(_, info)| *info);
        let listed = |wanted| self.four_cc_list.contains(&wanted);
        of(codec).or_else(|| of(FourCc::ANY)).unwrap_or_else(|| {
            if listed(codec) || listed(FourCc::ANY) { CodecInfo::ALL } else { CodecInfo::default() }
        })
    }
}

/// The bits of a number as AMF sends it: what is negative or no number has none.
fn bits(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `capsEx`, a list and both maps, byte by byte.
    const WIRE: &[u8] = b"\x03\
        \0\x06capsEx\0\x40\x26\0\0\0\0\0\0\
        \0\x0afourCcList\x0a\0\0\0\x02\x02\0\x04av01\x02\0\x04Opus\
        \0\x12videoFourCcInfoMap\x03\0\x04hvc1\0\x3f\xf0\0\0\0\0\0\0\0\x01*\0\x40\x10\0\0\0\0\0\0\0\0\x09\
        \0\x12audioFourCcInfoMap\x08\0\0\0\x01\0\x04.mp3\0\x40\x18\0\0\0\0\0\0\0\0\x09\
        \0\0\x09";

    #[test]
    fn what_is_announced() {
        let (value, _) = amf0::decode(WIRE, &amf0::Limits::default()).unwrap();
        let capabilities = Capabilities::from_properties(value.as_object().unwrap());
        assert!(capabilities.announced());
        let flags = CapsEx::RECONNECT.with(CapsEx::MULTITRACK).with(CapsEx::TIMESTAMP_NANO_OFFSET);
        assert_eq!(capabilities.caps_ex(), flags);
        assert!(!capabilities.caps_ex().contains(CapsEx::MOD_EX));
        assert!(
            capabilities.can_decode_video(*b"hvc1") && !capabilities.can_forward_video(*b"hvc1")
        );
        // The entry of any codec goes before the list.
        assert!(
            !capabilities.can_decode_video(*b"av01") && capabilities.can_forward_video(*b"av01")
        );
        // Where the map says nothing, the list does.
        assert_eq!(capabilities.audio(FourCc(*b"Opus")), CodecInfo::ALL);
        assert!(
            !capabilities.can_decode_audio(*b".mp3") && capabilities.can_forward_audio(*b".mp3")
        );
        assert!(!capabilities.can_decode_audio(*b"fLaC"));
    }

    #[test]
    fn nothing_and_the_old_masks() {
        let legacy =
            Object::from([("audioCodecs", 4071), ("videoCodecs", 252), ("videoFunction", 1)]);
        let capabilities = Capabilities::from_properties(&legacy);
        assert!(!capabilities.announced() && !capabilities.can_decode_video(*b"avc1"));
        assert_eq!(capabilities.audio_codecs(), Some(4071));
        assert_eq!(capabilities.video_codecs(), Some(252));
        assert_eq!(capabilities.video_function(), Some(1));
        assert_eq!(Capabilities::from_properties(&Object::new()), Capabilities::new());
        assert!(Capabilities::new().to_properties().is_empty());
    }

    #[test]
    fn lists_of_other_shapes_and_nonsense() {
        let list = |list: Value| {
            let properties = Object::from([("fourCcList", list)]);
            Capabilities::from_properties(&properties)
        };
        let any = Value::from(vec!["*".into(), "toolong".into(), 5.into(), "é".into()]);
        let any = list(any);
        assert!(any.can_decode_video(*b"vp09") && any.can_decode_audio(*b"Opus"));
        assert_eq!(any.four_cc_list, [FourCc::ANY]);
        assert!(list("hvc1".into()).can_decode_video(*b"hvc1"));
        let array = Value::EcmaArray([("0", "hvc1")].into());
        assert!(list(array).can_decode_video(*b"hvc1"));
        assert!(!list(7.into()).announced());
        for number in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            let properties = Object::from([("capsEx", number)]);
            assert_eq!(Capabilities::from_properties(&properties).caps_ex(), CapsEx(0));
        }
        let not_an_object = Object::from([("videoFourCcInfoMap", "hvc1")]);
        assert!(!Capabilities::from_properties(&not_an_object).announced());
    }

    #[test]
    fn what_is_built_reads_the_same() {
        let built = Capabilities::new()
            .with_caps_ex(CapsEx::RECONNECT)
            .with_video(FourCc(*b"hvc1"), CodecInfo::ALL)
            .with_video(FourCc(*b"av01"), CodecInfo::CAN_DECODE)
            .with_audio(FourCc(*b"Opus"), CodecInfo::CAN_FORWARD);
        for capabilities in [built, Capabilities::forward_any()] {
            let properties = capabilities.to_properties();
            assert_eq!(Capabilities::from_properties(&properties), capabilities);
        }
        let mut wire = bytes::BytesMut::new();
        let any = Capabilities::new().with_video(FourCc::ANY, CodecInfo::CAN_FORWARD);
        amf0::encode(&any.to_properties().into(), &mut wire).unwrap();
        assert_eq!(
            wire[..],
            b"\x03\0\x0afourCcList\x0a\0\0\0\x01\x02\0\x01*\
              \0\x12videoFourCcInfoMap\x03\0\x01*\0\x40\x10\0\0\0\0\0\0\0\0\x09\0\0\x09"[..]
        );
    }
}
