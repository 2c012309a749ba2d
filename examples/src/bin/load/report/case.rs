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
}

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
        if self == Self::TwoCores { 2 } else { 1 }
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

    /// A millisecond each, so that a server answers to at most a thousand new clients a second.
    pub(super) fn ramp(clients: u32) -> Duration {
        Duration::from_millis(clients.max(1_000).into())
    }

    /// About what one measurement takes.
    pub(super) fn duration(&self, kind: Kind, clients: u32) -> Duration {
        let base = Self::ramp(clients) + self.warmup + self.steady + Duration::from_secs(7);
        base + match kind {
            Kind::Shrink => Duration::from_secs(18),
            Kind::Join => Duration::from_secs(3),
            _ => Duration::ZERO,
        }
    }
}
