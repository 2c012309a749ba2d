//! Media that looks like what encoders make.

use rtc_stack::Codec;

/// Payload bytes of one packet, with whether it is the last of its frame.
pub type Payload = (Vec<u8>, bool);

/// A frame of pictures in `packets` packets of `size` bytes of content, the last one shorter.
pub fn video_frame(
    rng: &mut fastrand::Rng,
    codec: Codec,
    is_keyframe: bool,
    packets: usize,
    size: usize,
) -> Vec<Payload> {
    (0..packets)
        .map(|index| {
            let is_last = index + 1 == packets;
            let mut payload = match codec {
                // An FU-A of an IDR or another slice (RFC 6184, 5.8).
                Codec::H264 => {
                    let kind = if is_keyframe { 5 } else { 1 };
                    let start = if index == 0 { 0x80 } else { 0 };
                    let end = if is_last { 0x40 } else { 0 };
                    // The slice begins with the first macroblock.
                    vec![0x7c, start | end | kind, 0x88]
                }
                // A descriptor that begins the first partition, and the frame's first byte (RFC 7741, 4.2 and 4.3).
                Codec::Vp8 if index == 0 => vec![0x10, u8::from(!is_keyframe)],
                Codec::Vp8 => vec![0x00, 0xff],
                other => unreachable!("{other}"),
            };
            let size = if is_last { size / 2 } else { size };
            payload.extend(std::iter::repeat_with(|| rng.u8(..)).take(size));
            (payload, is_last)
        })
        .collect()
}

/// 20 ms of sound.
pub fn audio_frame(rng: &mut fastrand::Rng) -> Payload {
    let length = rng.usize(60..120);
    (std::iter::repeat_with(|| rng.u8(..)).take(length).collect(), false)
}
