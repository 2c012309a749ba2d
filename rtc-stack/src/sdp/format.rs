//! What is agreed of a codec's format parameters: what we take, what we answer, and what fits a stream.

use super::h264;
use crate::{Codec, CodecParameters};

/// Whether we can carry a codec as it is offered.
///
/// An SFU looks into packets only to find keyframes, so that the format matters little; what changes the packets
/// themselves does.
pub(super) fn carries(offered: &CodecParameters) -> bool {
    match offered.codec {
        // Interleaved packets (mode 2) nobody sends live.
        Codec::H264 => matches!(h264::packetization_mode(offered), Some(0 | 1)),
        // Several RTP streams per track (RFC 7798, 7.1) are not carried.
        Codec::H265 => offered.parameter("tx-mode").is_none_or(|mode| mode == "SRST"),
        Codec::Opus => matches!(offered.channels, 1 | 2),
        Codec::Av1 | Codec::Vp8 | Codec::Vp9 | Codec::Pcmu | Codec::Pcma => true,
        Codec::Red | Codec::UlpFec | Codec::Rtx | Codec::Other => false,
    }
}

/// The format parameters with which a codec is answered that was offered with these.
///
/// Those that tell the format go back as they came, so that both sides mean the same. Those that speak only of the
/// offerer's own stream or its decoder (`sprop-parameter-sets`, `max-fs`) stay away.
pub(super) fn answered(offered: &CodecParameters, publish: bool) -> CodecParameters {
    const OPUS: [&str; 9] = [
        "minptime",
        "ptime",
        "maxptime",
        "maxplaybackrate",
        "maxaveragebitrate",
        "stereo",
        "useinbandfec",
        "usedtx",
        "cbr",
    ];
    let kept: &[&str] = match offered.codec {
        Codec::H264 => &["level-asymmetry-allowed", "packetization-mode", "profile-level-id"],
        Codec::H265 => &["profile-space", "profile-id", "tier-flag", "level-id", "tx-mode"],
        Codec::Av1 => &["profile", "level-idx", "tier"],
        Codec::Vp9 => &["profile-id"],
        Codec::Opus => &OPUS,
        _ => &[],
    };
    let mut fmtp: Vec<(&str, &str)> = Vec::new();
    for (name, value) in offered.parameters() {
        let known = kept.iter().find(|kept| kept.eq_ignore_ascii_case(name));
        let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(known) = known.filter(|_| plain && value.len() <= 16)
            && !fmtp.iter().any(|(name, _)| name == known)
        {
            fmtp.push((known, value));
        }
    }
    // RFC 7587, 7.1: `sprop-stereo` says what is sent, `stereo` what is wanted. An encoder that is able to send stereo
    // sends it only to those who want it.
    let stereo = fmtp.iter().any(|(name, _)| *name == "stereo");
    if offered.codec == Codec::Opus && offered.parameter("sprop-stereo") == Some("1") {
        match publish {
            true if !stereo => fmtp.push(("stereo", "1")),
            true => {}
            false => fmtp.push(("sprop-stereo", "1")),
        }
    }
    let fmtp: Vec<_> = fmtp.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut answer = CodecParameters::new(offered.codec).with_fmtp(fmtp.join(";"));
    answer.channels = offered.channels;
    answer
}

/// How well an offered codec fits a stream; `None` if it is another codec. More is better.
///
/// A profile that the offer doesn't have still fits, though worse than any other: decoders take more than they
/// promise, and a viewer who is given nothing is no better off.
pub(super) fn fit(offered: &CodecParameters, stream: &CodecParameters) -> Option<(u8, bool, bool)> {
    if offered.codec != stream.codec || offered.clock_rate != stream.clock_rate {
        return None;
    }
    let number = |parameters: &CodecParameters, name, default: u8| {
        parameters.parameter(name).map_or(Some(default), |value| value.parse().ok())
    };
    let numbers = |name, default| (number(offered, name, default), number(stream, name, default));
    let profile = match offered.codec {
        Codec::H264 => match (h264::profile_of(offered), h264::profile_of(stream)) {
            (Some(decoder), Some(stream)) if decoder == stream => 4,
            (Some(decoder), Some(stream)) if decoder.decodes(stream) => 3,
            (Some(_), Some(_)) => 1,
            _ => 2,
        },
        Codec::H265 => by_profile(numbers("profile-id", 1), |decoder, stream| {
            // Main 10 decodes Main.
            decoder == 2 && stream == 1
        }),
        // High decodes Main, Professional both.
        Codec::Av1 => by_profile(numbers("profile", 0), |decoder, stream| decoder > stream),
        Codec::Vp9 => by_profile(numbers("profile-id", 0), |_, _| false),
        Codec::Pcmu | Codec::Pcma if offered.channels != stream.channels => return None,
        _ => 4,
    };
    let mode = h264::packetization_mode(offered) == h264::packetization_mode(stream);
    let tier = ["tier-flag", "tier"].iter().all(|name| {
        let (decoder, stream) = numbers(name, 0);
        decoder >= stream
    });
    Some((profile, mode, tier))
}

fn by_profile((decoder, stream): (Option<u8>, Option<u8>), decodes: impl Fn(u8, u8) -> bool) -> u8 {
    match (decoder, stream) {
        (Some(decoder), Some(stream)) if decoder == stream => 4,
        (Some(decoder), Some(stream)) if decodes(decoder, stream) => 3,
        (Some(_), Some(_)) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(fmtp: &str) -> CodecParameters {
        CodecParameters::new(Codec::H264).with_fmtp(fmtp)
    }

    #[test]
    fn what_is_the_offerers_own_is_not_answered() {
        let offered = h264(
            "Profile-Level-Id=42e01f;sprop-parameter-sets=Z0IAH5WoFAFuQA==,aM48gA==;packetization-mode=1;max-fs=1",
        );
        assert_eq!(answered(&offered, true).fmtp, "profile-level-id=42e01f;packetization-mode=1");
        let vp8 = CodecParameters::new(Codec::Vp8).with_fmtp("max-fs=12288;max-fr=60");
        assert_eq!(answered(&vp8, true).fmtp, "");
    }

    #[test]
    fn who_can_send_stereo_is_asked_for_it() {
        let opus = |fmtp: &str| CodecParameters::new(Codec::Opus).with_fmtp(fmtp);
        let offered = opus("minptime=10;maxaveragebitrate=96000;sprop-stereo=1;useinbandfec=1");
        assert_eq!(
            answered(&offered, true).fmtp,
            "minptime=10;maxaveragebitrate=96000;useinbandfec=1;stereo=1"
        );
        let both = opus("stereo=1;sprop-stereo=1");
        assert_eq!(answered(&both, true).fmtp, "stereo=1");
        assert_eq!(answered(&opus("usedtx=;stereo=x y;=1"), true).fmtp, "");
    }

    #[test]
    fn interleaved_packets_are_not_carried() {
        assert!(carries(&h264("")));
        assert!(carries(&h264("packetization-mode=1")));
        assert!(!carries(&h264("packetization-mode=2")));
        assert!(!carries(&h264("packetization-mode=one")));
        assert!(!carries(&CodecParameters::new(Codec::Red)));
        assert!(!carries(&CodecParameters::new(Codec::H265).with_fmtp("tx-mode=MRST")));
    }

    #[test]
    fn the_same_profile_fits_best_then_a_larger_one_then_any() {
        let stream = h264("profile-level-id=42e01f;packetization-mode=1");
        let same = fit(&h264("profile-level-id=42c034;packetization-mode=1"), &stream);
        let other_mode = fit(&h264("profile-level-id=42e01f;packetization-mode=0"), &stream);
        let larger = fit(&h264("profile-level-id=64001f;packetization-mode=1"), &stream);
        let unknown = fit(&h264("packetization-mode=1"), &stream);
        let high = h264("profile-level-id=64001f;packetization-mode=1");
        let smaller = fit(&stream, &high);
        assert!(same > other_mode && other_mode > larger && larger > unknown);
        assert!(unknown > smaller && smaller.is_some());
        assert_eq!(fit(&CodecParameters::new(Codec::Vp8), &stream), None);
    }
}
