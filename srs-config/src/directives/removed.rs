//! What SRS accepts, and nobody needs any more.

use std::{path::PathBuf, time::Duration};

use crate::{
    Support::*,
    block::codec::{FilePath, Number, OnOff, Seconds, Secret, Text, Words, seconds},
};

const HDS: crate::Support = Never { why: "only Flash Player plays it, and there is none any more" };
const BANDCHECK: crate::Support =
    Never { why: "only Flash Player could measure, and SRS dropped it" };
const TENCENTCLOUD: crate::Support =
    Never { why: "SRS dropped it; any collector of logs or metrics does the same" };
const THREADS: crate::Support = Never { why: "it is about threads that only SRS has" };

block! {
    /// Adobe's HTTP Dynamic Streaming.
    Hds {
        /// Whether it is made.
        enabled: bool = false, OnOff, HDS;
        /// How long a segment is.
        hds_fragment: Duration = seconds(10), Seconds(0.1..=600.0), HDS;
        /// How much of the stream is listed.
        hds_window: Duration = seconds(60), Seconds(0.1..=86_400.0), HDS;
        /// The directory.
        hds_path: PathBuf = PathBuf::from("./objs/nginx/html"), FilePath, HDS;
    }
}

block! {
    /// A measurement of bandwidth.
    Bandcheck {
        /// Whether clients may measure.
        enabled: bool = false, OnOff, BANDCHECK;
        /// What they must say.
        key: Vec<String> = Vec::new(), Words, BANDCHECK;
        /// How often, seconds.
        interval: Duration = seconds(30), Seconds(0.0..=86_400.0), BANDCHECK;
        /// How much, kbit/s.
        limit_kbps: u32 = 4_000, Number(0..=10_000_000), BANDCHECK;
    }
}

block! {
    /// SRS's threads.
    Threads {
        /// How often they are looked at.
        interval: Duration = seconds(5), Seconds(0.0..=86_400.0), THREADS;
    }
}

block! {
    /// A log service.
    TencentcloudCls {
        /// Whether it is used.
        enabled: bool = false, OnOff, TENCENTCLOUD;
        /// A label.
        label: String = String::new(), Text, TENCENTCLOUD;
        /// A tag.
        tag: String = String::new(), Text, TENCENTCLOUD;
        /// The account.
        secret_id: String = String::new(), Text, TENCENTCLOUD;
        /// Its password.
        secret_key: String = String::new(), Secret, TENCENTCLOUD;
        /// The server.
        endpoint: String = String::new(), Text, TENCENTCLOUD;
        /// The topic.
        topic_id: String = String::new(), Text, TENCENTCLOUD;
        /// Whether what is sent is logged.
        debug_logging: bool = false, OnOff, TENCENTCLOUD;
        /// Whether heartbeats are sent.
        stat_heartbeat: bool = true, OnOff, TENCENTCLOUD;
        /// How many of them, one of so many.
        heartbeat_ratio: u32 = 1, Number(1..=1_000_000), TENCENTCLOUD;
        /// Whether streams are sent.
        stat_streams: bool = true, OnOff, TENCENTCLOUD;
        /// How many of them, one of so many.
        streams_ratio: u32 = 1, Number(1..=1_000_000), TENCENTCLOUD;
    }
}

block! {
    /// A tracing service.
    TencentcloudApm {
        /// Whether it is used.
        enabled: bool = false, OnOff, TENCENTCLOUD;
        /// The team.
        team: String = String::new(), Text, TENCENTCLOUD;
        /// The password.
        token: String = String::new(), Secret, TENCENTCLOUD;
        /// The server.
        endpoint: String = String::new(), Text, TENCENTCLOUD;
        /// What this server calls itself.
        service_name: String = String::new(), Text, TENCENTCLOUD;
        /// Whether what is sent is logged.
        debug_logging: bool = false, OnOff, TENCENTCLOUD;
    }
}
