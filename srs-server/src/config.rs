//! What the server is told to do: the zero-config profile and the environment on top of it.

use std::{
    env,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// The configuration in force; [`Config::default`] is the zero-config profile.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where RTMP is served.
    pub rtmp: Listen,
    /// Where HTTP-FLV is served.
    pub http: Listen,
    /// Where the HTTP API is served.
    pub api: Listen,
    /// Threads that own connections; one per core.
    pub shards: usize,
    /// Rules for publishers.
    pub publish: Publish,
    /// Rules for players.
    pub play: Play,
    /// How long a client may take to send a request head (HTTP); RTMP has its own limits
    /// in [`rtmp_proto::Limits`].
    pub request_timeout: Duration,
    /// How long a socket may take no bytes at all before its client is closed.
    pub write_timeout: Duration,
    /// Seed of connection ids and of the handshake's random bytes; `None` asks the system.
    pub seed: Option<u64>,
}

/// Addresses to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Each is bound; port 0 lets the system choose.
    pub addresses: Vec<SocketAddr>,
    /// Whether an address that is taken is fatal: it is where somebody asked for it,
    /// and only a warning where it is a default.
    pub required: bool,
}

/// Rules for publishers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Publish {
    /// Longest wait for the first media message (`firstpkt_timeout`).
    pub first_packet_timeout: Duration,
    /// Longest silence after that (`normal_timeout`).
    pub idle_timeout: Duration,
    /// How long viewers are kept when a publisher goes, in case it comes back.
    pub grace: Duration,
    /// Whether a publisher with the same address and parameters replaces the one before.
    pub takeover: bool,
}

/// Rules for players.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Play {
    /// A fixed window in which messages are merged into one write; `None` is automatic:
    /// every message while there is room on the core, then a window that grows with the load.
    pub merge_window: Option<Duration>,
    /// Least size of a player's socket send buffer, bytes; one second of the stream where
    /// that is more.
    pub send_buffer: usize,
    /// Most bytes that one stream's ring may hold.
    pub ring_bytes: usize,
    /// Most stream time that one stream's ring may hold (`queue_length`).
    pub ring_time: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rtmp: Listen::default_port(1935),
            http: Listen::default_port(8080),
            api: Listen::default_port(1985),
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            publish: Publish {
                first_packet_timeout: Duration::from_secs(20),
                idle_timeout: Duration::from_secs(5),
                grace: Duration::from_secs(3),
                takeover: true,
            },
            play: Play {
                merge_window: None,
                send_buffer: 64 * 1024,
                ring_bytes: 32 * 1024 * 1024,
                ring_time: Duration::from_secs(30),
            },
            request_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            seed: None,
        }
    }
}

/// A setting that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A `listen` value is not `[ip:]port`.
    #[error("{key}: `{value}` is not [ip:]port")]
    Listen {
        /// The environment variable.
        key: String,
        /// What it held.
        value: String,
    },
    /// A number is not one, or is out of its range.
    #[error("{key}: `{value}` is not a number from {min} to {max}")]
    Number {
        /// The environment variable.
        key: String,
        /// What it held.
        value: String,
        /// The least value allowed.
        min: u64,
        /// The greatest value allowed.
        max: u64,
    },
}

impl Config {
    /// The zero-config profile with the process's `SRS_` environment variables on top.
    ///
    /// # Errors
    /// A variable that is set to something it cannot mean.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(|key| env::var(key).ok())
    }

    /// As [`Config::from_env`], with the variables from `var`.
    ///
    /// # Errors
    /// A variable that is set to something it cannot mean.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (key, listen) in [
            ("SRS_LISTEN", &mut config.rtmp),
            ("SRS_HTTP_SERVER_LISTEN", &mut config.http),
            ("SRS_HTTP_API_LISTEN", &mut config.api),
        ] {
            if let Some(value) = var(key) {
                *listen = Listen::parse(key, &value)?;
            }
        }
        let number = |key: &str, min: u64, max: u64| {
            var(key).map(|value| match value.parse() {
                Ok(n) if (min..=max).contains(&n) => Ok(n),
                _ => Err(ConfigError::Number { key: key.to_owned(), value, min, max }),
            })
        };
        if let Some(ms) = number("SRS_VHOST_PLAY_MW_LATENCY", 0, 10_000) {
            config.play.merge_window = Some(Duration::from_millis(ms?));
        }
        if let Some(seconds) = number("SRS_VHOST_PLAY_QUEUE_LENGTH", 1, 3_600) {
            config.play.ring_time = Duration::from_secs(seconds?);
        }
        if let Some(ms) = number("SRS_VHOST_PUBLISH_FIRSTPKT_TIMEOUT", 100, 3_600_000) {
            config.publish.first_packet_timeout = Duration::from_millis(ms?);
        }
        if let Some(ms) = number("SRS_VHOST_PUBLISH_NORMAL_TIMEOUT", 100, 3_600_000) {
            config.publish.idle_timeout = Duration::from_millis(ms?);
        }
        Ok(config)
    }
}

impl Listen {
    fn default_port(port: u16) -> Self {
        Self { addresses: vec![(Ipv6Addr::UNSPECIFIED, port).into()], required: false }
    }

    /// Reads a list of `[ip:]port` divided by white space.
    fn parse(key: &str, value: &str) -> Result<Self, ConfigError> {
        let error = || ConfigError::Listen { key: key.to_owned(), value: value.to_owned() };
        let addresses = value
            .split_whitespace()
            .map(|one| match one.parse::<u16>() {
                Ok(port) => Ok((IpAddr::from(Ipv6Addr::UNSPECIFIED), port).into()),
                Err(_) => one.parse::<SocketAddr>().map_err(|_| error()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() { Err(error()) } else { Ok(Self { addresses, required: true }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_overrides_the_defaults_and_is_then_required() {
        let config = Config::from_vars(|key| match key {
            "SRS_LISTEN" => Some("19350 127.0.0.1:0".to_owned()),
            "SRS_VHOST_PLAY_MW_LATENCY" => Some("350".to_owned()),
            _ => None,
        })
        .unwrap();
        assert_eq!(config.rtmp.addresses[0], "[::]:19350".parse().unwrap());
        assert_eq!(config.rtmp.addresses[1], "127.0.0.1:0".parse().unwrap());
        assert!(config.rtmp.required);
        assert!(!config.http.required);
        assert_eq!(config.play.merge_window, Some(Duration::from_millis(350)));
    }

    #[test]
    fn nonsense_is_named() {
        let listen = |value: &str| {
            let value = value.to_owned();
            Config::from_vars(|key| (key == "SRS_LISTEN").then(|| value.clone()))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(listen("rtmp"), "SRS_LISTEN: `rtmp` is not [ip:]port");
        assert_eq!(listen(""), "SRS_LISTEN: `` is not [ip:]port");
        let timeout = Config::from_vars(|key| {
            (key == "SRS_VHOST_PUBLISH_NORMAL_TIMEOUT").then(|| "0".to_owned())
        });
        assert_eq!(
            timeout.unwrap_err().to_string(),
            "SRS_VHOST_PUBLISH_NORMAL_TIMEOUT: `0` is not a number from 100 to 3600000"
        );
    }
}
