//! The ports of a server, opened before it runs.

use std::{io, net::SocketAddr};

use tracing::info;

use crate::{
    config::Settings,
    net::{self, Bound, BoundUdp},
    rtc::{CertificateError, WorkersError},
};

/// The ports of a server. Opening them takes no runtime and no thread, so that it can be done
/// while who started the process still waits to hear of an error.
#[derive(Debug)]
pub struct Ports {
    pub(crate) rtmp: Vec<Bound>,
    pub(crate) http: Vec<Bound>,
    pub(crate) api: Vec<Bound>,
    /// Those of HTTP's addresses that serve the API too.
    pub(crate) shared_api: Vec<SocketAddr>,
    pub(crate) exporter: Vec<Bound>,
    pub(crate) rtc: RtcPorts,
}

/// The ports of WebRTC.
#[derive(Debug, Default)]
pub struct RtcPorts {
    /// Sockets of each address, one for each thread that has media.
    pub udp: Vec<BoundUdp>,
    /// Where connections are taken.
    pub tcp: Vec<Bound>,
    /// Those ports of HTTP where connections are taken too.
    pub shared_tcp: Vec<SocketAddr>,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address that was asked for is taken or refused.
    #[error(transparent)]
    Bind(#[from] net::BindError),
    /// No address at all could be listened on.
    #[error("every default port is taken: nothing to serve on")]
    NothingBound,
    /// WebRTC has nothing to show its clients.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// WebRTC can't be served.
    #[error(transparent)]
    Rtc(#[from] WorkersError),
    /// The system gives no threads or sockets.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
}

impl Ports {
    /// Opens the ports of what `settings` enable.
    ///
    /// # Errors
    /// One is taken or refused that was asked for, or all of them are.
    pub fn bind(settings: &Settings) -> Result<Self, StartError> {
        let Settings { config, optional, tuning, .. } = settings;
        let rtmp = net::bind("rtmp", &config.listen, optional.rtmp)?;
        let http = match config.http_server.enabled {
            true => net::bind("http", &config.http_server.listen, optional.http)?,
            false => Vec::new(),
        };
        // The same address for both is one port that serves both.
        let (shared_api, own_api): (Vec<SocketAddr>, Vec<SocketAddr>) =
            match config.http_api.enabled {
                true => config.http_api.listen.iter().partition(|&&address| {
                    http.iter().any(|bound: &Bound| bound.address == address)
                }),
                false => Default::default(),
            };
        let api = net::bind("api", &own_api, optional.api)?;
        let exporter = match config.exporter.enabled {
            true => net::bind("exporter", &config.exporter.listen, false)?,
            false => Vec::new(),
        };
        let server = &config.rtc_server;
        let mut rtc = RtcPorts::default();
        if server.enabled {
            rtc.udp = net::bind_udp("rtc", &server.listen, tuning.shards, optional.rtc)?;
            if server.tcp.enabled {
                let (shared, own): (Vec<SocketAddr>, Vec<SocketAddr>) =
                    server.tcp.listen.iter().partition(|&&address| {
                        http.iter().chain(&api).any(|bound| bound.address == address)
                    });
                rtc.shared_tcp = shared;
                rtc.tcp = net::bind("rtc", &own, optional.rtc_tcp)?;
            }
        }
        if rtmp.is_empty() && http.is_empty() && api.is_empty() {
            return Err(StartError::NothingBound);
        }
        Ok(Self { rtmp, http, api, shared_api, exporter, rtc })
    }

    /// Logs where the server listens: when it does, not yet when the ports are opened.
    pub(crate) fn tell(&self) {
        let services = [
            ("rtmp", &self.rtmp),
            ("http", &self.http),
            ("api", &self.api),
            ("exporter", &self.exporter),
        ];
        for (what, bound) in services {
            for Bound { address, .. } in bound {
                info!("{what}: listening on {address}");
            }
        }
        for BoundUdp { address, .. } in &self.rtc.udp {
            info!("rtc: listening on {address} (UDP)");
        }
        let tcp = self.rtc.tcp.iter().map(|bound| &bound.address);
        for address in tcp.chain(&self.rtc.shared_tcp) {
            info!("rtc: listening on {address} (TCP)");
        }
        for address in &self.shared_api {
            info!("api: listening on {address}");
        }
    }
}
