//! MPEG-DASH.

use std::{path::PathBuf, time::Duration};

use crate::{
    Support::*,
    block::codec::{FilePath, Number, OnOff, Seconds, Text, seconds, text},
};

block! {
    /// MPEG-DASH.
    Dash {
        /// Whether it is made.
        enabled: bool = false, OnOff, NotYet;
        /// How long a segment is.
        dash_fragment: Duration = seconds(10), Seconds(0.1..=600.0), NotYet;
        /// How often players look for new segments.
        dash_update_period: Duration = seconds(5), Seconds(0.1..=3600.0), NotYet;
        /// How far players may go back.
        dash_timeshift: Duration = seconds(300), Seconds(1.0..=86_400.0), NotYet;
        /// How many segments are listed.
        dash_window_size: u32 = 5, Number(1..=100_000), NotYet;
        /// The directory.
        dash_path: PathBuf = PathBuf::from("./objs/nginx/html"), FilePath, NotYet;
        /// The manifest, with variables.
        dash_mpd_file: String = text("[app]/[stream].mpd"), Text, NotYet;
        /// Whether segments that are listed no more are removed.
        dash_cleanup: bool = true, OnOff, NotYet;
        /// How long after its end a stream is removed; 0 keeps it.
        dash_dispose: Duration = seconds(120), Seconds(0.0..=31_536_000.0), NotYet;
    }
}
