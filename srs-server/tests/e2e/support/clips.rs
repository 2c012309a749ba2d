//! The clips that encoders send: made once per test run by ffmpeg.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// What is in a clip of about four seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clip {
    /// H.264 without B-frames, a keyframe a second, and AAC.
    Avc,
    /// H.264 with B-frames and AAC.
    BFrames,
    /// H.264 and MP3.
    Mp3,
    /// AAC alone.
    AudioOnly,
    /// H.264 alone.
    VideoOnly,
    /// H.264 with one keyframe in 30 seconds, and AAC.
    LongGop,
}

const VIDEO: &str = "testsrc2=size=320x240:rate=25";
const AUDIO: &str = "sine=frequency=440:sample_rate=44100";

/// The clip's file.
pub(crate) fn clip(clip: Clip) -> PathBuf {
    static MADE: Mutex<()> = Mutex::new(());
    let _guard = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{clip:?}.flv"));
    if !path.exists() {
        let whole = path.with_extension("part");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-y"]);
        let seconds = if matches!(clip, Clip::LongGop) { "30" } else { "4" };
        if !matches!(clip, Clip::AudioOnly) {
            ffmpeg.args(["-f", "lavfi", "-t", seconds, "-i", VIDEO]);
        }
        if !matches!(clip, Clip::VideoOnly) {
            ffmpeg.args(["-f", "lavfi", "-t", seconds, "-i", AUDIO]);
        }
        let (gop, b_frames) = match clip {
            Clip::LongGop => ("1000", "0"),
            Clip::BFrames => ("25", "2"),
            _ => ("25", "0"),
        };
        ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]);
        ffmpeg.args(["-g", gop, "-bf", b_frames, "-sc_threshold", "0", "-b:v", "400k"]);
        ffmpeg.args(["-c:a", if matches!(clip, Clip::Mp3) { "libmp3lame" } else { "aac" }]);
        ffmpeg.args(["-b:a", "64k", "-ac", "2", "-f", "flv"]).arg(&whole);
        let status = ffmpeg.status().expect("ffmpeg is installed");
        assert!(status.success(), "{ffmpeg:?}");
        std::fs::rename(whole, &path).unwrap();
    }
    path
}
