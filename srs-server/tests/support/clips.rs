//! The clips that encoders send: made once per test run by ffmpeg.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::Version;

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
    /// H.265 with B-frames and Opus, in enhanced tags.
    HevcOpus,
    /// H.265 without B-frames and Opus, in enhanced tags.
    Hevc,
    /// AV1 and FLAC, in enhanced tags.
    Av1Flac,
    /// VP9 and E-AC-3, in enhanced tags.
    Vp9Eac3,
    /// H.264 and two tracks of AAC, the second in enhanced tags.
    TwoAudio,
    /// Thirty seconds of H.264 whose pictures have their numbers in them, as the browser's tests read
    /// them, and a tone of 1 kHz at 44.1 kHz that is loud for 200 ms from each 25th picture on.
    Numbered,
    /// Four seconds that go on where [`Clip::Numbered`] is after four, in pictures of twice the size.
    NumberedLarge,
    /// Eight seconds as [`Clip::Numbered`], of which two pictures of three are B-frames.
    NumberedBFrames,
    /// Eight seconds as [`Clip::Numbered`], in AV1.
    NumberedAv1,
    /// A minute of H.264, and of Opus in enhanced tags: in each second's first 200 ms pictures are white
    /// and a tone is loud.
    Flashes,
}

impl Clip {
    /// Codecs other than H.264 and AAC or MP3, and their settings.
    fn enhanced(self) -> Option<[&'static [&'static str]; 2]> {
        match self {
            Self::HevcOpus => Some([&["libx265", "-x265-params", "log-level=none"], &["libopus"]]),
            Self::Hevc => {
                Some([&["libx265", "-x265-params", "log-level=none:bframes=0"], &["libopus"]])
            }
            Self::Flashes => Some([&["libx264", "-preset", "veryfast", "-bf", "0"], &["libopus"]]),
            Self::Av1Flac => Some([&["libaom-av1", "-cpu-used", "8"], &["flac"]]),
            Self::Vp9Eac3 => {
                Some([&["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"], &["eac3"]])
            }
            Self::TwoAudio => Some([&["libx264"], &["aac"]]),
            Self::NumberedAv1 => {
                Some([&["libaom-av1", "-usage", "realtime", "-cpu-used", "8"], &["aac"]])
            }
            _ => None,
        }
    }
}

/// A bit of the picture's number in each block of the first row, its complement below.
const NUMBERS: &str = "nullsrc=size=320x240:rate=25,format=yuv420p,\
    geq=lum='if(lt(Y,20),16+219*mod(floor(N/pow(2,floor(X/20))),2),\
    if(lt(Y,40),235-219*mod(floor(N/pow(2,floor(X/20))),2),mod(X+3*N,200)+20))':cb=128:cr=128";
/// The same from the number 100 on.
const LATER_NUMBERS: &str = "nullsrc=size=320x240:rate=25,format=yuv420p,\
    geq=lum='if(lt(Y,20),16+219*mod(floor((N+100)/pow(2,floor(X/20))),2),\
    if(lt(Y,40),235-219*mod(floor((N+100)/pow(2,floor(X/20))),2),mod(X+3*N,200)+20))':cb=128:cr=128,\
    scale=640x480:flags=neighbor";
const FLASHES: &str = "testsrc2=size=320x240:rate=25,lutyuv=y=val/4,\
    drawbox=w=320:h=240:color=white:t=fill:enable='lt(mod(t+0.001,1),0.2)'";
const BEEPS: &str =
    "aevalsrc='(0.03+0.5*lt(mod(t,1),0.2))*sin(2000*PI*t)':sample_rate=44100:channel_layout=stereo";
const VIDEO: &str = "testsrc2=size=320x240:rate=25";
const AUDIO: &str = "sine=frequency=440:sample_rate=44100";

/// The clip's file.
pub(crate) fn clip(clip: Clip) -> PathBuf {
    static MADE: Mutex<()> = Mutex::new(());
    let _guard = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{clip:?}.flv"));
    if !path.exists() {
        let whole = path.with_extension("part");
        let enhanced = clip.enhanced();
        let version = if enhanced.is_some() { Version::Current } else { Version::Old };
        let mut ffmpeg = version.command();
        ffmpeg.args(["-v", "error", "-y"]);
        let (seconds, video, audio) = match clip {
            Clip::LongGop => ("30", VIDEO, AUDIO),
            Clip::Numbered => ("30", NUMBERS, BEEPS),
            Clip::NumberedLarge => ("4", LATER_NUMBERS, BEEPS),
            Clip::NumberedBFrames | Clip::NumberedAv1 => ("8", NUMBERS, BEEPS),
            Clip::Flashes => ("60", FLASHES, BEEPS),
            _ => ("4", VIDEO, AUDIO),
        };
        if !matches!(clip, Clip::AudioOnly) {
            ffmpeg.args(["-f", "lavfi", "-t", seconds, "-i", video]);
        }
        if !matches!(clip, Clip::VideoOnly) {
            ffmpeg.args(["-f", "lavfi", "-t", seconds, "-i", audio]);
        }
        if matches!(clip, Clip::TwoAudio) {
            ffmpeg.args(["-f", "lavfi", "-t", seconds, "-i", "sine=frequency=880"]);
            ffmpeg.args(["-map", "0", "-map", "1", "-map", "2"]);
        }
        let (gop, b_frames) = match clip {
            Clip::LongGop => ("1000", "0"),
            Clip::BFrames | Clip::NumberedBFrames => ("25", "2"),
            _ => ("25", "0"),
        };
        ffmpeg.args(["-pix_fmt", "yuv420p", "-g", gop, "-b:v", "400k", "-ac", "2", "-b:a", "64k"]);
        match enhanced {
            Some([video, audio]) => {
                ffmpeg.args(["-ar", "48000", "-c:v"]).args(video).arg("-c:a").args(audio);
            }
            None => {
                ffmpeg.args(["-bf", b_frames, "-sc_threshold", "0", "-preset", "veryfast"]);
                if matches!(clip, Clip::NumberedBFrames) {
                    ffmpeg.args(["-b_strategy", "0"]);
                }
                ffmpeg.args(["-c:v", "libx264", "-c:a"]);
                ffmpeg.arg(if matches!(clip, Clip::Mp3) { "libmp3lame" } else { "aac" });
            }
        }
        ffmpeg.args(["-f", "flv"]).arg(&whole);
        let status = ffmpeg.status().expect("ffmpeg is installed");
        assert!(status.success(), "{ffmpeg:?}");
        std::fs::rename(whole, &path).unwrap();
    }
    path
}
