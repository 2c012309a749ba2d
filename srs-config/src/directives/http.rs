//! HTTP servers.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    Support::*,
    block::codec::{FilePath, Listen, OnOff, Secret, Text, ports},
};

block! {
    /// The HTTP API.
    HttpApi {
        /// Whether it is served.
        enabled: bool = false, OnOff, Same { test: "nothing_that_is_not_enabled_is_bound" };
        /// Where.
        listen: Vec<SocketAddr> = ports(&[1985]), Listen, Same { test: "environment_sets_ten_keys" };
        /// Whether pages of other origins may read it.
        crossdomain: bool = true, OnOff, Same { test: "crossdomain_off_sends_no_headers" };
    }
    blocks {
        /// Who may change the server.
        raw_api: RawApi;
        /// Who may ask.
        auth: HttpAuth;
        /// The same over TLS.
        https: HttpsApi;
    }
}

block! {
    /// What of the API changes the server.
    RawApi {
        /// Whether it is served.
        enabled: bool = false, OnOff, Same { test: "raw_api_is_off_unless_enabled" };
        /// Whether it may reload the configuration.
        allow_reload: bool = false, OnOff, Same { test: "raw_api_reloads_where_allowed" };
        /// Whether it may tell directives.
        allow_query: bool = false, OnOff, Never { why: "SRS accepts it, and has turned it off for good" };
        /// Whether it may change directives.
        allow_update: bool = false, OnOff, Never { why: "SRS accepts it, and has turned it off for good" };
    }
}

block! {
    /// HTTP Basic authentication (RFC 7617) of the API.
    HttpAuth {
        /// Whether it is demanded.
        enabled: bool = false, OnOff, Same { test: "api_demands_basic_auth" };
        /// The name.
        username: String = String::new(), Text, Same { test: "api_demands_basic_auth" };
        /// The password.
        password: String = String::new(), Secret, Same { test: "api_demands_basic_auth" };
    }
}

block! {
    /// The HTTP API over TLS.
    HttpsApi {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Where.
        listen: Vec<SocketAddr> = ports(&[1990]), Listen, NotYet;
        /// The private key, PEM.
        key: PathBuf = PathBuf::from("./conf/server.key"), FilePath, NotYet;
        /// The certificate chain, PEM.
        cert: PathBuf = PathBuf::from("./conf/server.crt"), FilePath, NotYet;
    }
}

block! {
    /// HTTP: files and live streams.
    HttpServer {
        /// Whether it is served.
        enabled: bool = false, OnOff, Same { test: "nothing_that_is_not_enabled_is_bound" };
        /// Where.
        listen: Vec<SocketAddr> = ports(&[8080]), Listen, Same { test: "environment_sets_ten_keys" };
        /// The directory of the files.
        dir: PathBuf = PathBuf::from("./objs/nginx/html"), FilePath, Same { test: "http_server_serves_files" };
        /// Whether pages of other origins may read it.
        crossdomain: bool = true, OnOff, Same { test: "crossdomain_off_sends_no_headers" };
    }
    blocks {
        /// The same over TLS.
        https: HttpsServer;
    }
}

block! {
    /// HTTP over TLS.
    HttpsServer {
        /// Whether it is served.
        enabled: bool = false, OnOff, NotYet;
        /// Where.
        listen: Vec<SocketAddr> = ports(&[8088]), Listen, NotYet;
        /// The private key, PEM.
        key: PathBuf = PathBuf::from("./conf/server.key"), FilePath, NotYet;
        /// The certificate chain, PEM.
        cert: PathBuf = PathBuf::from("./conf/server.crt"), FilePath, NotYet;
    }
}

block! {
    /// Metrics for Prometheus.
    Exporter {
        /// Whether they are served.
        enabled: bool = false, OnOff, Same { test: "exporter_serves_metrics" };
        /// Where.
        listen: Vec<SocketAddr> = ports(&[9972]), Listen, Same { test: "exporter_serves_metrics" };
        /// A label on the server's metrics.
        label: String = String::new(), Text, Same { test: "exporter_serves_metrics" };
        /// Another.
        tag: String = String::new(), Text, Same { test: "exporter_serves_metrics" };
    }
}
