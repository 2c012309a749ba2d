//! Other programs.

use crate::{
    Support::*,
    block::codec::{Commands, EngineOption, Number, OnOff, OneOf, Options, Text, text},
};

block! {
    /// Programs that are run while a stream is published.
    Exec {
        /// Whether they are.
        enabled: bool = false, OnOff, NotYet;
        /// The programs, with variables: a directive for each.
        publish: Vec<Vec<String>> = Vec::new(), Commands, NotYet;
    }
}

block! {
    /// What ffmpeg makes of a stream.
    Transcode {
        /// Whether it does.
        enabled: bool = false, OnOff, NotYet;
        /// The program.
        ffmpeg: String = String::new(), Text, NotYet;
    }
    named {
        /// What it makes: one output each.
        engines("engine"): Engine;
    }
}

block! {
    /// A stream that ffmpeg fetches and publishes.
    Ingest {
        /// Whether it does.
        enabled: bool = false, OnOff, NotYet;
        /// The program.
        ffmpeg: String = String::new(), Text, NotYet;
    }
    blocks {
        /// Where it comes from.
        input: IngestInput;
    }
    named {
        /// What becomes of it.
        engines("engine"): Engine;
    }
}

block! {
    /// Where a stream comes from.
    IngestInput {
        /// Whether it is a file, which is played at its own pace and over again, or a stream.
        kind("type"): String = text("file"), OneOf(&["file", "stream"]), NotYet;
        /// The path or address.
        url: String = String::new(), Text, NotYet;
    }
}

block! {
    /// One output of ffmpeg. A value that is empty or 0 leaves it to ffmpeg.
    Engine {
        /// Whether it is made.
        enabled: bool = false, OnOff, NotYet;
        /// Options before the input.
        perfile: Vec<EngineOption> = Vec::new(), Options, NotYet;
        /// The format of the input; `off` for none.
        iformat: String = text("flv"), Text, NotYet;
        /// Options between input and codecs.
        vfilter: Vec<EngineOption> = Vec::new(), Options, NotYet;
        /// The codec of video: `copy` for the same, `vn` for none.
        vcodec: String = String::new(), Text, NotYet;
        /// Its bitrate, kbit/s.
        vbitrate: u32 = 0, Number(0..=10_000_000), NotYet;
        /// Its frames per second.
        vfps: f64 = 0.0, Number(0.0..=1_000.0), NotYet;
        /// Its width.
        vwidth: u32 = 0, Number(0..=65_535), NotYet;
        /// Its height.
        vheight: u32 = 0, Number(0..=65_535), NotYet;
        /// Threads that make it.
        vthreads: u32 = 1, Number(0..=1_024), NotYet;
        /// The profile of H.264.
        vprofile: String = String::new(), Text, NotYet;
        /// The preset of x264.
        vpreset: String = String::new(), Text, NotYet;
        /// Further options for video.
        vparams: Vec<EngineOption> = Vec::new(), Options, NotYet;
        /// The codec of audio: `copy` for the same, `an` for none.
        acodec: String = String::new(), Text, NotYet;
        /// Its bitrate, kbit/s.
        abitrate: u32 = 0, Number(0..=100_000), NotYet;
        /// Its sample rate, Hz.
        asample_rate: u32 = 0, Number(0..=768_000), NotYet;
        /// Its channels.
        achannels: u32 = 0, Number(0..=64), NotYet;
        /// Further options for audio.
        aparams: Vec<EngineOption> = Vec::new(), Options, NotYet;
        /// The format of the output; `off` for none.
        oformat: String = text("flv"), Text, NotYet;
        /// Where it goes, with variables.
        output: String = String::new(), Text, NotYet;
    }
}
