//! A virtual host.

use std::path::PathBuf;

use super::{
    Bandcheck, Cluster, Dash, Dvr, Exec, Forward, Hds, Hls, Ingest, Play, Publish, Refer, Rtc,
    Rtsp, Security, Srt, Transcode,
};
use crate::{
    Support::*,
    block::codec::{FilePath, Maybe, Number, OnOff, Text, Words, ms, text},
};

block! {
    /// A virtual host: the settings of the streams whose clients name it.
    Vhost {
        /// Whether it is served.
        enabled: bool = true, OnOff, Same { test: "a_disabled_vhost_is_refused" };
        /// Bytes of payload in one RTMP chunk; where it isn't set, as for the whole server.
        chunk_size: Option<u32> = None, Maybe(Number(128..=65_536)), Same { test: "chunk_size_is_told_to_the_client" };
        /// Whether every message is sent at once.
        min_latency: bool = false, OnOff, Same { test: "min_latency_sends_every_message" };
        /// Whether small packets are sent at once (TCP_NODELAY).
        tcp_nodelay: bool = false, OnOff, Same { test: "tcp_nodelay_is_set" };
        /// Bytes after which the server acknowledges what it received; 0 leaves it to the client.
        in_ack_size: u32 = 0, Number(0..=0x7fff_ffff), Same { test: "in_ack_size_acknowledges" };
        /// Bytes after which clients are to acknowledge what they received.
        out_ack_size: u32 = 2_500_000, Number(0..=0x7fff_ffff), Same { test: "out_ack_size_is_told" };
    }
    blocks {
        /// How players are served.
        play: Play;
        /// How publishers are served.
        publish: Publish;
        /// Live streams over HTTP.
        http_remux: HttpRemux;
        /// Files over HTTP.
        http_static: HttpStatic;
        /// Whom the server asks and tells of clients.
        http_hooks: HttpHooks;
        /// HLS.
        hls: Hls;
        /// MPEG-DASH.
        dash: Dash;
        /// Adobe's HTTP Dynamic Streaming.
        hds: Hds;
        /// Recordings.
        dvr: Dvr;
        /// WebRTC.
        rtc: Rtc;
        /// SRT.
        srt: Srt;
        /// RTSP.
        rtsp: Rtsp;
        /// Other servers that get every stream.
        forward: Forward;
        /// Other servers that share the work.
        cluster: Cluster;
        /// Which pages may play and publish.
        refer: Refer;
        /// Which addresses may play and publish.
        security: Security;
        /// Programs that are run for a stream.
        exec: Exec;
        /// A measurement of bandwidth.
        bandcheck: Bandcheck;
    }
    named {
        /// What ffmpeg makes of streams, by app and stream: all, `app`, or `app/stream`.
        transcodes("transcode"): Transcode;
        /// Streams that ffmpeg fetches, by a name of your own.
        ingests("ingest"): Ingest;
    }
}

block! {
    /// Live streams over HTTP.
    HttpRemux {
        /// Whether they are served.
        enabled: bool = false, OnOff, Same { test: "http_remux_mounts" };
        /// The path, with variables; its extension is the format: `.flv`, `.ts`, `.aac` or `.mp3`.
        mount: String = text("[vhost]/[app]/[stream].flv"), Text, Same { test: "http_remux_mounts" };
        /// Further formats at the same paths, by extension in place of the mount's.
        formats: Vec<String> = Vec::new(), Words, Added { test: "formats_are_served_beside_the_mounts_own" };
        /// How much audio a player that joins gets at once, at most, for `.mp3` and `.aac`, seconds.
        fast_cache: u32 = 0, Number(0..=3600), Same { test: "fast_cache_gives_sound_at_once" };
        /// Whether what the FLV header denies is left out of the stream.
        drop_if_not_match: bool = true, OnOff, Same { test: "has_audio_and_has_video_shape_the_header" };
        /// Whether the FLV header says that there is audio, where it isn't guessed.
        has_audio: bool = true, OnOff, Same { test: "has_audio_and_has_video_shape_the_header" };
        /// Whether the FLV header says that there is video, where it isn't guessed.
        has_video: bool = true, OnOff, Same { test: "has_audio_and_has_video_shape_the_header" };
        /// Whether the FLV header says what the stream has.
        guess_has_av: bool = true, OnOff, Same { test: "has_audio_and_has_video_shape_the_header" };
    }
}

block! {
    /// Files over HTTP.
    HttpStatic {
        /// Whether they are served.
        enabled: bool = false, OnOff, Same { test: "http_static_serves_a_vhosts_files" };
        /// The path, with the variable `[vhost]`.
        mount: String = text("[vhost]/"), Text, Same { test: "http_static_serves_a_vhosts_files" };
        /// The directory.
        dir: PathBuf = PathBuf::from("./objs/nginx/html"), FilePath, Same { test: "http_static_serves_a_vhosts_files" };
    }
}

block! {
    /// Whom the server asks and tells of clients: a list of URLs each, to which it posts JSON.
    HttpHooks {
        /// Whether anybody is asked.
        enabled: bool = false, OnOff, Same { test: "hooks_tell_of_a_publisher_and_a_player" };
        /// Asked when a client connects.
        on_connect: Vec<String> = Vec::new(), Words, Same { test: "hooks_tell_of_a_connection" };
        /// Told when a connection ends.
        on_close: Vec<String> = Vec::new(), Words, Same { test: "hooks_tell_of_a_connection" };
        /// Asked when a client wants to publish.
        on_publish: Vec<String> = Vec::new(), Words, Same { test: "hooks_tell_of_a_publisher_and_a_player" };
        /// Told when it publishes no more.
        on_unpublish: Vec<String> = Vec::new(), Words, Same { test: "hooks_tell_of_a_publisher_and_a_player" };
        /// Asked when a client wants to play.
        on_play: Vec<String> = Vec::new(), Words, Same { test: "hooks_tell_of_a_publisher_and_a_player" };
        /// Told when it plays no more.
        on_stop: Vec<String> = Vec::new(), Words, Same { test: "hooks_tell_of_a_publisher_and_a_player" };
        /// Told when a recording is written.
        on_dvr: Vec<String> = Vec::new(), Words, NotYet;
        /// Told when an HLS segment is written.
        on_hls: Vec<String> = Vec::new(), Words, NotYet;
        /// Asked for when an HLS segment is written, by GET.
        on_hls_notify: Vec<String> = Vec::new(), Words, NotYet;
    }
}

impl Vhost {
    /// Whether small packets are sent at once: who wants every message at once wants that too.
    pub fn sends_at_once(&self) -> bool {
        self.tcp_nodelay || self.min_latency
    }

    /// As in the zero-config profile.
    pub fn zero_config() -> Self {
        let mut vhost = Self { tcp_nodelay: true, ..Self::default() };
        vhost.play.mw_latency = None;
        // Whoever sets a window then gets that window, however few messages there are.
        vhost.play.mw_msgs = Some(0);
        vhost.publish.mr = None;
        vhost.publish.takeover = text("same");
        vhost.publish.grace = ms(3_000);
        vhost.rtc.enabled = true;
        vhost.rtc.rtmp_to_rtc = true;
        vhost.rtc.rtc_to_rtmp = true;
        vhost.http_remux.enabled = true;
        vhost.http_remux.drop_if_not_match = false;
        vhost.http_remux.formats = ["flv", "ts", "aac", "mp3"].map(text).to_vec();
        vhost
    }
}
