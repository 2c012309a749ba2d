//! HLS.

use std::{path::PathBuf, time::Duration};

use crate::{
    Support::*,
    block::codec::{FilePath, Maybe, Number, OnOff, OneOf, Seconds, Text, seconds, text},
};

block! {
    /// HLS.
    Hls {
        /// Whether it is made.
        enabled: bool = false, OnOff, NotYet;
        /// How long a segment is.
        hls_fragment: Duration = seconds(10), Seconds(0.1..=600.0), NotYet;
        /// How much of the stream is listed.
        hls_window: Duration = seconds(60), Seconds(0.1..=86_400.0), NotYet;
        /// What the target duration is of `hls_fragment`.
        hls_td_ratio: f64 = 1.0, Number(0.1..=100.0), NotYet;
        /// After how many times `hls_fragment` a segment ends without a keyframe.
        hls_aof_ratio: f64 = 2.1, Number(0.1..=100.0), NotYet;
        /// What follows upon an error: HLS begins anew, ends, or the publisher is closed.
        hls_on_error: String = text("continue"), OneOf(&["continue", "ignore", "disconnect"]), NotYet;
        /// The directory.
        hls_path: PathBuf = PathBuf::from("./objs/nginx/html"), FilePath, NotYet;
        /// The playlist, with variables.
        hls_m3u8_file: String = text("[app]/[stream].m3u8"), Text, NotYet;
        /// A segment, with variables.
        hls_ts_file: String = text("[app]/[stream]-[seq].ts"), Text, NotYet;
        /// Whether segments are MP4.
        hls_use_fmp4: bool = false, OnOff, NotYet;
        /// A segment that is MP4, with variables.
        hls_fmp4_file: String = text("[app]/[stream]-[seq].m4s"), Text, NotYet;
        /// What segments that are MP4 begin with, with variables.
        hls_init_file: String = text("[app]/[stream]/init.mp4"), Text, NotYet;
        /// What stands before the addresses in a playlist.
        hls_entry_prefix: String = String::new(), Text, NotYet;
        /// Whether the first playlist names the second by a relative path.
        hls_master_m3u8_path_relative: bool = false, OnOff, NotYet;
        /// The codec of audio.
        hls_acodec: String = text("aac"), Text, Never { why: "segments tell what the stream has" };
        /// The codec of video.
        hls_vcodec: String = text("h264"), Text, Never { why: "segments tell what the stream has" };
        /// Whether segments that are listed no more are removed.
        hls_cleanup: bool = true, OnOff, NotYet;
        /// How long after its end a stream is removed; 0 keeps it.
        hls_dispose: Duration = seconds(120), Seconds(0.0..=31_536_000.0), NotYet;
        /// Whether a stream that comes back goes on with its playlist.
        hls_recover: bool = true, OnOff, NotYet;
        /// Whether segments begin with a keyframe.
        hls_wait_keyframe: bool = true, OnOff, NotYet;
        /// Whether the names of segments are made of the clock.
        hls_ts_floor: bool = false, OnOff, NotYet;
        /// How many bytes of the answer to `on_hls_notify` are read.
        hls_nb_notify: u32 = 64, Number(0..=1_048_576), NotYet;
        /// Whether players are told apart, so that hooks and the API know them.
        hls_ctx: bool = true, OnOff, NotYet;
        /// Whether segments tell the player too.
        hls_ts_ctx: bool = true, OnOff, NotYet;
        /// Whether timestamps stay as they came.
        hls_dts_directly: bool = true, OnOff, NotYet;
        /// Whether segments are encrypted.
        hls_keys: bool = false, OnOff, NotYet;
        /// How many segments share a key.
        hls_fragments_per_key: u32 = 5, Number(1..=100_000), NotYet;
        /// The file of a key, with variables.
        hls_key_file: String = text("[app]/[stream]-[seq].key"), Text, NotYet;
        /// The directory of the keys; `hls_path` where it isn't set.
        hls_key_file_path: Option<PathBuf> = None, Maybe(FilePath), NotYet;
        /// What stands before the address of a key in a playlist.
        hls_key_url: Option<String> = None, Maybe(Text), NotYet;
        /// Where segments are held.
        hls_storage: String = String::new(), Text, Never { why: "SRS accepts it, and has dropped HLS in memory" };
        /// The path of segments held in memory.
        hls_mount: String = String::new(), Text, Never { why: "SRS accepts it, and has dropped HLS in memory" };
    }
}
