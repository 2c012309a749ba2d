//! Recordings.

use std::time::Duration;

use crate::{
    Support::*,
    block::codec::{OnOff, OneOf, Seconds, SomeWords, Text, seconds, text},
};

block! {
    /// Recordings.
    Dvr {
        /// Whether they are made.
        enabled: bool = false, OnOff, NotYet;
        /// Of which streams: `all`, or `app/stream` one or more.
        dvr_apply: Vec<String> = vec![text("all")], SomeWords, NotYet;
        /// Whether a file holds a whole publication, or part of it.
        dvr_plan: String = text("session"), OneOf(&["session", "segment"]), NotYet;
        /// The file, with variables; it is MP4 where it ends with `.mp4`, and else FLV.
        dvr_path: String = text("./objs/nginx/html/[app]/[stream].[timestamp].flv"), Text, NotYet;
        /// How long a part is.
        dvr_duration: Duration = seconds(30), Seconds(0.1..=86_400.0), NotYet;
        /// Whether a part begins with a keyframe.
        dvr_wait_keyframe: bool = true, OnOff, NotYet;
        /// How timestamps are mended.
        time_jitter: String = text("full"), OneOf(&["full", "zero", "off"]), NotYet;
    }
}
