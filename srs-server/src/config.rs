//! What the server is told to do: SRS's configuration, and what that doesn't say.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use srs_config::{Config, Loaded, Source};

/// What the server is told to do; [`Settings::default`] is the zero-config profile.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// Which ports are defaults that nobody asked for: one that is taken is only a warning.
    pub optional: Optional,
    /// What the configuration doesn't say.
    pub tuning: Tuning,
    /// Reads the configuration again.
    pub reload: Reload,
}

/// Ports that nobody asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Optional {
    /// RTMP's.
    pub rtmp: bool,
    /// HTTP's.
    pub http: bool,
    /// The API's.
    pub api: bool,
    /// WebRTC's by UDP.
    pub rtc: bool,
    /// WebRTC's by TCP.
    pub rtc_tcp: bool,
}

/// What the configuration doesn't say.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tuning {
    /// Threads that own connections; one per core.
    pub shards: usize,
    /// How long a client may take to send a request head (HTTP); RTMP has its own limits
    /// in [`rtmp_proto::Limits`].
    pub request_timeout: Duration,
    /// How long a socket may take no bytes at all before its client is closed.
    pub write_timeout: Duration,
    /// Least size of a player's socket send buffer, bytes; one second of the stream where
    /// that is more.
    pub send_buffer: usize,
    /// Most bytes that one stream's ring may hold.
    pub ring_bytes: usize,
    /// Seed of connection ids and of the handshake's random bytes; `None` asks the system.
    pub seed: Option<u64>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            request_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            send_buffer: 64 * 1024,
            ring_bytes: 32 * 1024 * 1024,
            seed: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config: Config::zero_config(),
            optional: Optional { rtmp: true, http: true, api: true, rtc: true, rtc_tcp: true },
            tuning: Tuning::default(),
            reload: Reload::default(),
        }
    }
}

impl Settings {
    /// The settings that `loaded` means, which came from `source`.
    pub fn new(source: Source<'_>, loaded: &Loaded) -> Self {
        let is_default = |path: &str| {
            source == Source::ZeroConfig
                && loaded.findings.iter().all(|finding| finding.path != path)
        };
        Self {
            config: loaded.config.clone(),
            optional: Optional {
                rtmp: is_default("listen"),
                http: is_default("http_server.listen"),
                api: is_default("http_api.listen"),
                rtc: is_default("rtc_server.listen"),
                rtc_tcp: is_default("rtc_server.tcp.listen"),
            },
            tuning: Tuning::default(),
            reload: Reload::default(),
        }
    }

    /// Settings that listen on these addresses alone.
    pub fn listening_on(rtmp: SocketAddr, http: SocketAddr, api: SocketAddr) -> Self {
        let mut settings = Self { optional: Optional::default(), ..Self::default() };
        settings.config.listen = vec![rtmp];
        settings.config.http_server.listen = vec![http];
        settings.config.http_api.listen = vec![api];
        settings.config.rtc_server.enabled = false;
        settings
    }
}

/// Reads the configuration again; the default can't.
#[derive(Clone)]
pub struct Reload(Arc<dyn Fn() -> Result<Config, String> + Send + Sync>);

impl Reload {
    /// Reads the configuration by `read`.
    pub fn new(read: impl Fn() -> Result<Config, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The configuration as it is now.
    ///
    /// # Errors
    /// It can't be read, or has errors: what they are.
    pub fn read(&self) -> Result<Config, String> {
        (self.0)()
    }
}

impl Default for Reload {
    fn default() -> Self {
        Self::new(|| Err("there is no configuration to read again".to_owned()))
    }
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_asked_for_is_required() {
        let env = |key: &str| (key == "SRS_LISTEN").then(|| "19350".to_owned());
        let loaded = srs_config::load(Source::ZeroConfig, &env, &|_| Err(String::new()));
        let settings = Settings::new(Source::ZeroConfig, &loaded);
        let others = Optional { rtmp: false, http: true, api: true, rtc: true, rtc_tcp: true };
        assert_eq!(settings.optional, others);
        assert_eq!(settings.config.listen, ["[::]:19350".parse::<SocketAddr>().unwrap()]);
    }
}
