//! Enhanced FLV tags, and the way between them and the old form.

use bytes::BytesMut;
use flv_mux::{
    AudioTagHeader, EnhancedAudio, EnhancedVideo, Limits, Modifiers, MultichannelConfig,
    Multitrack, Rewrite, VideoFormat, VideoMetadata, VideoTagHeader, audio_to_enhanced,
    audio_to_old, encode_modifiers, video_to_enhanced, video_to_old,
};

/// The bytes are read as the body of a video and of an audio tag. Taken apart and put together
/// they are the same; what can be said in the other form comes back from there.
pub fn flv_enhanced(data: &[u8]) {
    if let Ok((header, offset)) = VideoTagHeader::decode(data) {
        let modifiers = Modifiers::of_video(data).expect("the header was read");
        list_again(modifiers);
        let mut out = BytesMut::new();
        header.encode_with(modifiers, &mut out);
        assert_eq!(VideoTagHeader::decode(&out), Ok((header, out.len())));
        if let VideoFormat::Enhanced { nanos, content, .. } = header.format {
            assert_eq!(nanos, modifiers.nanos());
            assert_eq!(out, data[..offset], "every byte of an enhanced header is kept");
            if let EnhancedVideo::Multitrack(layout) = content {
                tracks(layout, &data[offset..]);
            }
        }
    }
    if let Ok((header, offset)) = AudioTagHeader::decode(data) {
        let modifiers = Modifiers::of_audio(data).expect("the header was read");
        let mut out = BytesMut::new();
        header.encode_with(modifiers, &mut out);
        assert_eq!(out, data[..offset]);
        if let AudioTagHeader::Enhanced { content: EnhancedAudio::Multitrack(layout), .. } = header
        {
            tracks(layout, &data[offset..]);
        }
    }
    rewritten(data, video_to_old, video_to_enhanced);
    rewritten(data, video_to_enhanced, video_to_old);
    rewritten(data, audio_to_old, audio_to_enhanced);
    rewritten(data, audio_to_enhanced, audio_to_old);
    metadata(data);
    if let Ok(config) = MultichannelConfig::decode(data) {
        let mut out = BytesMut::new();
        config.encode(&mut out).expect("what was read can be written");
        assert!(data.starts_with(&out));
        assert!(config.order().len() <= 255);
    }
}

fn list_again(modifiers: Modifiers<'_>) {
    let list: Vec<_> = modifiers.iter().collect();
    let mut out = BytesMut::new();
    encode_modifiers(&list, &mut out).expect("what was read can be written");
    let again = Modifiers::decode(&out).expect("what was written can be read");
    assert_eq!(again.iter().collect::<Vec<_>>(), list);
    assert_eq!(again.nanos(), modifiers.nanos());
}

fn tracks(layout: Multitrack, payload: &[u8]) {
    let mut iterator = layout.tracks(payload);
    let all: Result<Vec<_>, _> = iterator.by_ref().collect();
    assert!(iterator.next().is_none());
    if let Ok(all) = all {
        let mut out = BytesMut::new();
        // A track of one may be longer than a tag.
        if layout.encode_tracks(&all, &mut out).is_ok() {
            assert_eq!(out, payload);
        }
    }
}

/// A body that has another form comes to the same after there, back and there again.
fn rewritten<E, F>(
    data: &[u8],
    there: impl Fn(&[u8]) -> Result<Rewrite, E>,
    back: impl Fn(&[u8]) -> Result<Rewrite, F>,
) {
    let run = |rewrite: Rewrite, body: &[u8]| {
        let mut out = BytesMut::new();
        rewrite.encode(body, &mut out);
        assert_eq!(out.len(), rewrite.body_len());
        out
    };
    let Ok(first) = there(data) else { return };
    assert!(first.payload().end <= data.len());
    let other = run(first, data);
    assert!(there(&other).is_ok_and(|rewrite| rewrite.is_unchanged()), "it has that form now");
    if other == data {
        // What has the form already may say it in another way than this crate does.
        return;
    }
    let Ok(second) = back(&other) else { return };
    let one = run(second, &other);
    let Ok(third) = there(&one) else { panic!("what came back can go again") };
    assert_eq!(run(third, &one), other);
}

fn metadata(data: &[u8]) {
    let limits = Limits::default();
    let Ok(metadata) = VideoMetadata::decode(data, &limits) else { return };
    if let Some(color) = metadata.color_info() {
        let written = VideoMetadata::of_color(&color);
        assert_eq!(written.color_info(), Some(color));
    }
}
