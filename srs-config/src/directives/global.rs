//! The top level.

use std::{net::SocketAddr, path::PathBuf};

use super::{Exporter, HttpApi, HttpServer, Vhost};
use crate::{
    Named,
    Support::*,
    block::codec::{FilePath, Listen, Maybe, Number, OnOff, OneOf, Or, Text, ports, text},
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
    }
    blocks {
        /// The HTTP API.
        http_api: HttpApi;
        /// HTTP: files and live streams.
        http_server: HttpServer;
        /// Metrics for Prometheus.
        exporter: Exporter;
    }
    named {
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
