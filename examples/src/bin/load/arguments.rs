//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};
use rtmp_proto::RtmpUrl;

/// Plays or publishes RTMP streams of a server on this machine, and checks what comes.
#[derive(Debug, Parser)]
#[command(name = "load")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play one stream many times
    RtmpPlay(Clients),
    /// Publish streams of H.264 and AAC in form; with more clients than one, stream `name` is
    /// `name-0`, `name-1` and so on
    RtmpPublish {
        #[command(flatten)]
        clients: Clients,
        #[command(flatten)]
        rate: Rate,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Clients {
    /// The stream, such as rtmp://127.0.0.1:1935/live/livestream; the host must be a loopback address
    #[arg(long)]
    pub(crate) url: RtmpUrl,
    /// How many clients
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,
    /// How long to run once all have been started
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Start the clients evenly over so many milliseconds
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub(crate) ramp_ms: u64,
    /// List every client in the summary
    #[arg(long)]
    pub(crate) per_client: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Rate {
    /// Kilobits per second of audio and video together
    #[arg(long, default_value_t = 600, value_parser = value_parser!(u32).range(32..=200_000))]
    pub(crate) kbps: u32,
    /// Video frames per second
    #[arg(long, default_value_t = 25, value_parser = value_parser!(u32).range(1..=240))]
    pub(crate) fps: u32,
}

impl Clients {
    /// When client `index` starts, from the beginning of the run.
    pub(crate) fn start_of(&self, index: u32) -> Duration {
        Duration::from_millis(self.ramp_ms * u64::from(index) / u64::from(self.clients))
    }

    /// How long the whole run takes.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(self.ramp_ms) + Duration::from_secs(self.seconds)
    }

    /// The address that publisher `index` publishes to.
    pub(crate) fn publish_url(&self, index: u32) -> RtmpUrl {
        let mut url = self.url.clone();
        if self.clients > 1 {
            let name = url.stream.find(['?', '#']).unwrap_or(url.stream.len());
            url.stream.insert_str(name, &format!("-{index}"));
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(url: &str, count: &str) -> Clients {
        let line = ["load", "rtmp-play", "--url", url, "--clients", count, "--ramp-ms", "1000"];
        match Arguments::try_parse_from(line).unwrap().command {
            Command::RtmpPlay(clients) => clients,
            Command::RtmpPublish { .. } => panic!("not a player"),
        }
    }

    #[test]
    fn streams_are_numbered_before_their_query() {
        let many = clients("rtmp://127.0.0.1/live/s?token=t", "2");
        assert_eq!(many.publish_url(1).stream, "s-1?token=t");
        assert_eq!(clients("rtmp://127.0.0.1/live/s", "1").publish_url(0).stream, "s");
    }

    #[test]
    fn starts_are_spread_over_the_ramp() {
        let four = clients("rtmp://127.0.0.1/live/s", "4");
        let starts: Vec<_> = (0..4).map(|index| four.start_of(index).as_millis()).collect();
        assert_eq!(starts, [0, 250, 500, 750]);
        assert_eq!(four.duration(), Duration::from_secs(11));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            ["load", "rtmp-play", "--url", "http://127.0.0.1/live/s"],
            ["load", "rtmp-play", "--url", "rtmp://127.0.0.1/"],
            ["load", "rtmp-play", "--clients", "0"],
        ] {
            assert!(Arguments::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
