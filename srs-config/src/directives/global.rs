//! The top level.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    CircuitBreaker, Exporter, Heartbeat, HttpApi, HttpServer, RtcServer, Rtmps, RtspServer,
    SrtServer, Stats, StreamCaster, TencentcloudApm, TencentcloudCls, Threads, Vhost,
};
use crate::{
    Named,
    Support::*,
    block::{
        Block,
        codec::{
            FilePath, Listen, Maybe, Millis, Number, OnOff, OneOf, Or, Seconds, Text, ms, ports,
            seconds, text,
        },
    },
    grammar::print,
};

/// The vhost of clients that name none that is configured.
pub const DEFAULT_VHOST: &str = "__defaultVhost__";

block! {
    /// A whole configuration.
    Config {
        /// Where RTMP is served.
        listen: Vec<SocketAddr> = ports(&[1935]), Listen, Same { test: "environment_sets_ten_keys" };
        /// Bytes of payload in one RTMP chunk that is sent.
        chunk_size: u32 = 60_000, Number(128..=65_536), Same { test: "chunk_size_is_told_to_the_client" };
        /// Where the process writes its id; a second server with the same file doesn't start.
        pid: PathBuf = PathBuf::from("./objs/srs.pid"), FilePath, Same { test: "pid_file_holds_the_process" };
        /// Connections at once; `unlimited` leaves it to the limit on open files.
        max_connections: Option<usize> = Some(1000), Or("unlimited", Number(1..=1_000_000)), Same { test: "connections_beyond_the_limit_are_closed" };
        /// Whether the server goes to the background.
        daemon: bool = true, OnOff, Same { test: "daemon_goes_to_the_background" };
        /// The directory that the process changes to; paths are relative to it.
        work_dir: PathBuf = PathBuf::from("./"), FilePath, Same { test: "work_dir_is_where_paths_begin" };
        /// Whether the server ends with the process that started it.
        asprocess: bool = false, OnOff, Same { test: "asprocess_ends_with_its_parent" };
        /// The id that the API and hooks tell; made at random where none is set.
        server_id: Option<String> = None, Maybe(Text), Same { test: "server_id_is_told" };
        /// Where the log goes.
        srs_log_tank: String = text("file"), OneOf(&["file", "console"]), Same { test: "log_goes_to_the_file" };
        /// What is logged.
        srs_log_level: String = text("trace"), OneOf(&["verbose", "info", "trace", "warn", "error"]), Same { test: "log_level_is_heeded" };
        /// The file of the log.
        srs_log_file: PathBuf = PathBuf::from("./objs/srs.log"), FilePath, Same { test: "log_goes_to_the_file" };
        /// Whether times in the log are UTC; otherwise local.
        utc_time: bool = false, OnOff, Same { test: "log_times_are_utc" };
        /// Whether the server runs in a container; found out where it is off.
        in_docker: bool = false, OnOff, Same { test: "a_container_gets_no_daemon" };
        /// Whether `daemon` is off in a container.
        disable_daemon_for_docker: bool = true, OnOff, Same { test: "a_container_gets_no_daemon" };
        /// What is logged, in words that other programs use.
        srs_log_level_v2: Option<String> = None, Maybe(OneOf(&["trace", "debug", "info", "warn", "error"])), Same { test: "log_level_is_heeded" };
        /// The directory of the logs of ffmpeg; `/dev/null` for none.
        ff_log_dir: PathBuf = PathBuf::from("./objs"), FilePath, NotYet;
        /// What ffmpeg logs.
        ff_log_level: String = text("info"), Text, NotYet;
        /// How often the state of a connection is logged.
        pithy_print_ms: Duration = ms(10_000), Millis(100..=3_600_000), NotYet;
        /// Whether the end by SIGTERM lets connections end too.
        force_grace_quit: bool = false, OnOff, Same { test: "force_grace_quit_lets_clients_leave" };
        /// How long the listeners stay open at such an end.
        grace_start_wait: Duration = ms(2_300), Millis(0..=3_600_000), Same { test: "sigquit_waits_for_clients" };
        /// How long the process stays after the last connection.
        grace_final_wait: Duration = ms(3_200), Millis(0..=3_600_000), Same { test: "sigquit_waits_for_clients" };
        /// Whether the file is read again when it changes.
        inotify_auto_reload: bool = false, OnOff, NotYet;
        /// Whether it is in a container, whatever `inotify_auto_reload` says.
        auto_reload_for_docker: bool = true, OnOff, NotYet;
        /// Whether clients without an address are served.
        empty_ip_ok: bool = true, OnOff, Never { why: "every client has an address here" };
        /// How eagerly the allocator gives memory back.
        tcmalloc_release_rate: f64 = 0.8, Number(0.0..=10.0), Never { why: "the server doesn't use that allocator" };
        /// Whether the server asks its makers for a newer version.
        query_latest_version: bool = false, OnOff, Never { why: "the server asks nobody" };
        /// When it asks first.
        first_wait_for_qlv: Duration = seconds(300), Seconds(0.0..=86_400.0), Never { why: "the server asks nobody" };
        /// Whether the file shows every directive there is.
        is_full: bool = false, OnOff, Never { why: "it marks a sample, and has no effect in SRS either" };
    }
    blocks {
        /// RTMP over TLS.
        rtmps: Rtmps;
        /// The HTTP API.
        http_api: HttpApi;
        /// HTTP: files and live streams.
        http_server: HttpServer;
        /// Metrics for Prometheus.
        exporter: Exporter;
        /// WebRTC.
        rtc_server: RtcServer;
        /// SRT.
        srt_server: SrtServer;
        /// RTSP.
        rtsp_server: RtspServer;
        /// What another server is told of this one.
        heartbeat: Heartbeat;
        /// What the server measures of its machine.
        stats: Stats;
        /// What the server leaves out when it has too much to do.
        circuit_breaker: CircuitBreaker;
        /// SRS's threads.
        threads: Threads;
        /// A log service.
        tencentcloud_cls: TencentcloudCls;
        /// A tracing service.
        tencentcloud_apm: TencentcloudApm;
    }
    named {
        /// Streams that come by other protocols.
        stream_casters("stream_caster"): StreamCaster;
        /// The virtual hosts, by name.
        vhosts("vhost"): Vhost;
    }
}

impl Config {
    /// The zero-config profile: everything useful is on.
    pub fn zero_config() -> Self {
        let mut config = Self { max_connections: None, daemon: false, ..Self::default() };
        config.srs_log_tank = text("console");
        config.http_api.enabled = true;
        config.http_server.enabled = true;
        config.rtc_server.enabled = true;
        config.rtc_server.tcp.enabled = true;
        config.rtc_server.protocol = text("all");
        config.vhosts = vec![Named::new(DEFAULT_VHOST, Vhost::zero_config())];
        config
    }

    /// The vhost of clients that ask for `name`: that one, or else the default one. `None` where
    /// neither is configured, or the one that was found is disabled.
    pub fn vhost(&self, name: &str) -> Option<&Named<Vhost>> {
        let find = |name: &str| self.vhosts.iter().find(|vhost| vhost.name == name);
        find(name).or_else(|| find(DEFAULT_VHOST)).filter(|vhost| vhost.enabled)
    }
}

/// The whole configuration, defaults too, as a file that is read back to the same. Passwords are
/// part of it.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut directives = Vec::new();
        Block::show(self, &mut directives);
        print(f, &directives, 0)
    }
}
