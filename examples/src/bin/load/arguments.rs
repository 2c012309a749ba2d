//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};
use rtmp_proto::RtmpUrl;

use crate::{
    limit::LimitOptions,
    rtc::plain::PlainOptions,
    url::{HttpUrl, Numbered},
};

/// Plays or publishes streams of a server on this machine, and checks what comes.
#[derive(Debug, Parser)]
#[command(name = "load")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play RTMP streams many times
    RtmpPlay {
        /// The stream, such as rtmp://127.0.0.1:1935/live/livestream; the host must be a loopback
        /// address
        #[arg(long)]
        url: RtmpUrl,
        #[command(flatten)]
        clients: Clients,
    },
    /// Play HTTP-FLV streams many times
    FlvPlay {
        /// The stream, such as http://127.0.0.1:8080/live/livestream.flv; the host must be a
        /// loopback address
        #[arg(long)]
        url: HttpUrl,
        #[command(flatten)]
        clients: Clients,
    },
    /// Publish streams of H.264 and AAC in form; with more clients than one, stream `name` is
    /// `name-0`, `name-1` and so on
    RtmpPublish {
        /// The stream, such as rtmp://127.0.0.1:1935/live/livestream; the host must be a loopback
        /// address
        #[arg(long)]
        url: RtmpUrl,
        #[command(flatten)]
        clients: Clients,
        #[command(flatten)]
        rate: Rate,
    },
    /// Play WebRTC streams many times, by WHEP; each twentieth client opens what it gets and tells
    /// latency, all count packets
    RtcPlay {
        /// Where to play, such as http://127.0.0.1:1985/rtc/v1/whep/?app=live&stream=livestream;
        /// the host must be a loopback address
        #[arg(long)]
        url: HttpUrl,
        #[command(flatten)]
        clients: Clients,
        /// Ask for packets that are missing, as browsers do
        #[arg(long)]
        nack: bool,
        #[command(flatten)]
        loss: Loss,
    },
    /// Publish streams of H.264 and Opus in form to WebRTC, by WHIP: Opus packets of 20 ms with
    /// 48 kbit/s, the rest video with a keyframe each 2 s and whenever the server asks for one; what
    /// the server misses is sent again
    RtcPublish {
        /// Where to publish, such as
        /// http://127.0.0.1:1985/rtc/v1/whip/?app=live&stream=livestream; the host must be a
        /// loopback address
        #[arg(long)]
        url: HttpUrl,
        #[command(flatten)]
        clients: Clients,
        #[command(flatten)]
        rate: Rate,
        #[command(flatten)]
        loss: Loss,
    },
    /// Send a stream of H.264 and Opus in form by plain RTP
    RtpPublish(PlainOptions),
    /// Serve the same bytes to all who play, and drop what is published: what a server could reach
    Limit(LimitOptions),
    /// Measure servers side by side, and write the page about it
    #[cfg(target_os = "linux")]
    Report(crate::report::ReportOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Clients {
    /// How many clients
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,
    /// Spread the clients over so many streams: `name-0`, `name-1` and so on; one is `name` itself
    #[arg(long, value_parser = value_parser!(u32).range(1..=1_000_000))]
    streams: Option<u32>,
    /// How long to run once all have been started
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Start the clients evenly over so many milliseconds
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=3_600_000))]
    ramp_ms: u64,
    /// Start so many clients each second
    #[arg(long, conflicts_with = "ramp_ms", value_parser = value_parser!(u32).range(1..=100_000))]
    joins_per_second: Option<u32>,
    /// Count a player as behind that gets a frame later than this after it was sent
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u64).range(1..=3_600_000))]
    pub(crate) behind_ms: u64,
    /// Count latency, reads and settled bytes from so many milliseconds after the beginning on
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=86_400_000))]
    pub(crate) settle_ms: u64,
    /// Have all players but each twentieth rest so many milliseconds between their reads, so that
    /// more of them find room; latency and reads are then told by that twentieth
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=1_000))]
    pub(crate) rest_ms: u64,
    /// Threads that share the clients; by default one per 2,000 clients, as far as there are cores
    #[arg(long, value_parser = value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// List every client in the summary
    #[arg(long)]
    pub(crate) per_client: bool,
}

/// Loss that is made here, as between this machine and a server there is none.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Loss {
    /// Lose so many of 1,000 RTP packets on purpose: a player those that come, a publisher those that
    /// it sends for the first time
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u32).range(0..=1_000))]
    pub(crate) lose_permille: u32,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Rate {
    /// Kilobits per second of audio and video together
    #[arg(long, default_value_t = Self::default().kbps, value_parser = value_parser!(u32).range(32..=200_000))]
    pub(crate) kbps: u32,
    /// Video frames per second
    #[arg(long, default_value_t = Self::default().fps, value_parser = value_parser!(u32).range(1..=240))]
    pub(crate) fps: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { kbps: 600, fps: 25 }
    }
}

impl Clients {
    /// When client `index` starts, from the beginning of the run.
    pub(crate) fn start_of(&self, index: u32) -> Duration {
        self.ramp() * index / self.clients
    }

    /// Over how long the clients are started.
    fn ramp(&self) -> Duration {
        match self.joins_per_second {
            Some(rate) => Duration::from_secs(self.clients.into()) / rate,
            None => Duration::from_millis(self.ramp_ms),
        }
    }

    /// How long the whole run takes.
    pub(crate) fn duration(&self) -> Duration {
        self.ramp() + Duration::from_secs(self.seconds)
    }

    /// How many streams there are: without a word one for all players, and one for each publisher.
    pub(crate) fn streams(&self, is_publish: bool) -> u32 {
        self.streams.unwrap_or(if is_publish { self.clients } else { 1 })
    }

    /// The address of client `index`.
    pub(crate) fn url_of<U: Numbered>(&self, url: &U, is_publish: bool, index: u32) -> U {
        match self.streams(is_publish) {
            1 => url.clone(),
            streams => url.numbered(index % streams),
        }
    }

    pub(crate) fn threads(&self) -> u32 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        self.threads.unwrap_or_else(|| self.clients.div_ceil(2_000).min(cores)).min(self.clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(line: &str) -> (RtmpUrl, Clients) {
        let line = format!("load rtmp-play --url rtmp://127.0.0.1/live/s {line}");
        match Arguments::try_parse_from(line.split(' ')).unwrap().command {
            Command::RtmpPlay { url, clients } => (url, clients),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clients_are_spread_over_streams() {
        let names = |line: &str, is_publish| {
            let (url, clients) = clients(line);
            let name = |index| clients.url_of(&url, is_publish, index).stream;
            (0..clients.clients).map(name).collect::<Vec<_>>()
        };
        assert_eq!(names("--clients 2", false), ["s", "s"]);
        assert_eq!(names("--clients 2", true), ["s-0", "s-1"]);
        assert_eq!(names("--clients 1", true), ["s"]);
        assert_eq!(names("--clients 3 --streams 2", false), ["s-0", "s-1", "s-0"]);
    }

    #[test]
    fn starts_are_spread_over_the_ramp() {
        let (_, four) = clients("--clients 4 --ramp-ms 1000");
        let starts: Vec<_> = (0..4).map(|index| four.start_of(index).as_millis()).collect();
        assert_eq!(starts, [0, 250, 500, 750]);
        assert_eq!(four.duration(), Duration::from_secs(11));
        assert_eq!(four.threads(), 1);
        let (_, four) = clients("--clients 4 --joins-per-second 2");
        assert_eq!(four.start_of(3).as_millis(), 1_500);
        assert_eq!(four.duration(), Duration::from_secs(12));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            ["load", "rtmp-play", "--url", "http://127.0.0.1/live/s"],
            ["load", "rtmp-play", "--url", "rtmp://127.0.0.1/"],
            ["load", "flv-play", "--url", "rtmp://127.0.0.1/live/s"],
            ["load", "rtmp-play", "--clients", "0"],
            ["load", "rtc-play", "--lose-permille", "1001"],
        ] {
            assert!(Arguments::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
