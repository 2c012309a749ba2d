//! What is measured.

use std::time::Duration;

/// How often a server writes to a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// As the server comes.
    Auto,
    /// Once in so many milliseconds; 0 is for every message.
    Fixed(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    RtmpPlay(Window),
    FlvPlay(Window),
    RtmpPublish,
    /// Players of one stream while the server has two cores, with a window, so that the same number
    /// on one core can be compared.
    TwoCores,
    /// Players that come while many are there.
    Join,
    /// What a few players get while there are many, and after those have gone.
    Shrink,
    /// Players by WHEP of so many streams, while the server has so many cores.
    RtcPlay {
        streams: u32,
        cores: usize,
    },
    /// Publishers by WHIP, a stream each.
    RtcPublish,
    /// Players by WHEP that come while others play.
    RtcJoin,
    /// Players by WHEP that all come and all go, again and again.
    RtcRounds,
}

/// How many players come by WHEP while others play, and in what time.
pub(super) const RTC_JOINERS: u32 = 1_280;
pub(super) const RTC_JOINING: Duration = Duration::from_secs(4);
/// How often all players come and go.
pub(super) const ROUNDS: usize = 10;
/// How long they stay.
pub(super) const ROUND: Duration = Duration::from_secs(1);

impl Kind {
    /// How the server is to be set up.
    pub(super) fn window(self) -> Window {
        match self {
            Self::RtmpPlay(window) | Self::FlvPlay(window) => window,
            Self::TwoCores => Window::Fixed(350),
            _ => Window::Auto,
        }
    }

    /// The cores that the server gets.
    pub(super) fn cores(self) -> usize {
        match self {
            Self::TwoCores => 2,
            Self::RtcPlay { cores, .. } => cores,
            _ => 1,
        }
    }

    /// Whether it is of WebRTC.
    pub(super) fn is_rtc(self) -> bool {
        matches!(self, Self::RtcPlay { .. } | Self::RtcPublish | Self::RtcJoin | Self::RtcRounds)
    }

    /// Whether the clients publish.
    pub(super) fn is_publish(self) -> bool {
        matches!(self, Self::RtmpPublish | Self::RtcPublish)
    }
}

/// Measurements of a kind, for numbers of clients.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    quick: &'static [u32],
    full: &'static [u32],
}

const FEW: &[u32] = &[100, 1000];
const SOME: &[u32] = &[1000, 2000];

/// All that can be measured, in the order of the page.
pub(super) const GROUPS: &[Group] = &[
    Group {
        name: "rtmp-play-auto",
        title: "RTMP play, servers as they come",
        kind: Kind::RtmpPlay(Window::Auto),
        quick: &[10, 100, 1000],
        full: &[10, 100, 1000, 2000, 5000, 10_000],
    },
    Group {
        name: "rtmp-play-350",
        title: "RTMP play, writes merged for 350 ms",
        kind: Kind::RtmpPlay(Window::Fixed(350)),
        quick: FEW,
        full: &[1000, 2000, 4000, 10_000],
    },
    Group {
        name: "rtmp-play-40",
        title: "RTMP play, writes merged for 40 ms",
        kind: Kind::RtmpPlay(Window::Fixed(40)),
        quick: FEW,
        full: SOME,
    },
    Group {
        name: "rtmp-play-0",
        title: "RTMP play, every message written at once",
        kind: Kind::RtmpPlay(Window::Fixed(0)),
        quick: FEW,
        full: &[100, 1000, 2000],
    },
    Group {
        name: "flv-play-auto",
        title: "HTTP-FLV play, servers as they come",
        kind: Kind::FlvPlay(Window::Auto),
        quick: FEW,
        full: SOME,
    },
    Group {
        name: "flv-play-350",
        title: "HTTP-FLV play, writes merged for 350 ms",
        kind: Kind::FlvPlay(Window::Fixed(350)),
        quick: FEW,
        full: &[1000, 2000, 4000],
    },
    Group {
        name: "flv-play-40",
        title: "HTTP-FLV play, writes merged for 40 ms",
        kind: Kind::FlvPlay(Window::Fixed(40)),
        quick: FEW,
        full: SOME,
    },
    Group {
        name: "rtmp-publish",
        title: "RTMP publish, a stream each",
        kind: Kind::RtmpPublish,
        quick: &[100],
        full: &[100, 600],
    },
    Group {
        name: "two-cores",
        title: "RTMP play of one stream, writes merged for 350 ms, the server on two cores",
        kind: Kind::TwoCores,
        quick: &[1000],
        full: &[4000],
    },
    Group {
        name: "join",
        title: "Joining while others play",
        kind: Kind::Join,
        quick: &[1000],
        full: &[2000],
    },
    Group {
        name: "shrink",
        title: "Delay under load, and 5 s after it",
        kind: Kind::Shrink,
        quick: &[1000],
        full: &[3000],
    },
    Group {
        name: "rtc-play",
        title: "WebRTC play of one stream",
        kind: Kind::RtcPlay { streams: 1, cores: 1 },
        quick: &[100, 500],
        full: &[100, 200, 500, 1000],
    },
    Group {
        name: "rtc-publish",
        title: "WebRTC publish, a stream each",
        kind: Kind::RtcPublish,
        quick: &[100],
        full: &[100, 200],
    },
    Group {
        name: "rtc-busy",
        title: "WebRTC play of one stream by a busy core",
        kind: Kind::RtcPlay { streams: 1, cores: 1 },
        quick: &[],
        full: &[2800],
    },
    Group {
        name: "rtc-busy-20",
        title: "WebRTC play of 20 streams by a busy core",
        kind: Kind::RtcPlay { streams: 20, cores: 1 },
        quick: &[],
        full: &[2000, 2600],
    },
    Group {
        name: "rtc-two-cores",
        title: "WebRTC play of one stream, the server on two cores",
        kind: Kind::RtcPlay { streams: 1, cores: 2 },
        quick: &[],
        full: &[1000],
    },
    Group {
        name: "rtc-join",
        title: "WebRTC: joining while others play",
        kind: Kind::RtcJoin,
        quick: &[100],
        full: &[100],
    },
    Group {
        name: "rtc-rounds",
        title: "WebRTC: memory as players come and go",
        kind: Kind::RtcRounds,
        quick: &[],
        full: &[500],
    },
];

impl Group {
    /// The numbers of clients to measure with.
    pub(super) fn clients(&self, is_quick: bool) -> &[u32] {
        if is_quick { self.quick } else { self.full }
    }
}

/// How long a measurement takes, and how often it is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// After the last client has started.
    pub(super) warmup: Duration,
    /// What is measured.
    pub(super) steady: Duration,
    pub(super) repeat: u32,
}

impl Plan {
    pub(super) fn of(is_quick: bool) -> Self {
        match is_quick {
            true => Self::new(2, 4, 1),
            // Three GOPs: what comes with a keyframe is in each measurement as often.
            false => Self::new(2, 6, 2),
        }
    }

    fn new(warmup: u64, steady: u64, repeat: u32) -> Self {
        let (warmup, steady) = (Duration::from_secs(warmup), Duration::from_secs(steady));
        Self { warmup, steady, repeat }
    }

    /// A millisecond each, so that a server answers to at most a thousand new clients a second; by
    /// WebRTC, where a client is a handshake at both ends, to at most two hundred.
    pub(super) fn ramp(kind: Kind, clients: u32) -> Duration {
        let each = if kind.is_rtc() { 5 } else { 1 };
        Duration::from_millis((clients * each).max(1_000).into())
    }

    /// About what one measurement takes.
    pub(super) fn duration(&self, kind: Kind, clients: u32) -> Duration {
        let ramp = Self::ramp(kind, clients);
        let base = ramp + self.warmup + self.steady + Duration::from_secs(7);
        let second = Duration::from_secs(1);
        base + match kind {
            Kind::Shrink => 18 * second,
            Kind::Join => 3 * second,
            Kind::RtcJoin => RTC_JOINING + 4 * second,
            Kind::RtcRounds => (ramp + ROUND + 2 * second) * ROUNDS as u32,
            _ => Duration::ZERO,
        }
    }
}
