//! What the process is told by signals.

use std::io;

use srs_config::Config;

/// What is to be done.
// Elsewhere than on Unix there is one signal.
#[cfg_attr(not(unix), allow(dead_code))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End at once; why.
    Stop(&'static str),
    /// End when the clients are gone; why.
    Drain(&'static str),
    /// Read the configuration again.
    Reload,
    /// The log's file was moved away.
    ReopenLog,
    /// Nothing; which signal.
    Ignored(&'static str),
}

#[cfg(unix)]
pub(super) use self::unix::{Parent, Signals};

#[cfg(unix)]
mod unix {
    use std::time::Duration;

    use nix::unistd::{Pid, getppid};
    use tokio::{
        select,
        signal::unix::{Signal as Stream, SignalKind, signal},
        time::sleep,
    };

    use super::{Config, Signal, io};

    /// The signals that the server heeds.
    #[derive(Debug)]
    pub(in super::super) struct Signals {
        terminate: Stream,
        interrupt: Stream,
        quit: Stream,
        hangup: Stream,
        user1: Stream,
        user2: Stream,
        /// Whether SIGTERM lets clients leave.
        drains: bool,
        parent: Parent,
    }

    /// The process that this one is to end with, if any. Asked for before anything else, so that
    /// its end is not missed.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Parent(Option<Pid>);

    impl Parent {
        pub(in super::super) fn of(config: &Config) -> Self {
            Self(config.asprocess.then(getppid))
        }

        /// A process whose parent ends gets another.
        async fn end(self) {
            let Some(parent) = self.0 else { return std::future::pending().await };
            while getppid() == parent {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    impl Signals {
        /// Heeds signals from now on; they no longer kill.
        pub(in super::super) fn install(config: &Config, parent: Parent) -> io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                hangup: signal(SignalKind::hangup())?,
                user1: signal(SignalKind::user_defined1())?,
                user2: signal(SignalKind::user_defined2())?,
                drains: config.force_grace_quit,
                parent,
            })
        }

        /// The next one.
        pub(in super::super) async fn next(&mut self) -> Signal {
            select! {
                _ = self.terminate.recv() => match self.drains {
                    true => Signal::Drain("SIGTERM"),
                    false => Signal::Stop("SIGTERM"),
                },
                _ = self.interrupt.recv() => Signal::Stop("SIGINT"),
                _ = self.quit.recv() => Signal::Drain("SIGQUIT"),
                _ = self.hangup.recv() => Signal::Reload,
                _ = self.user1.recv() => Signal::ReopenLog,
                _ = self.user2.recv() => Signal::Ignored("SIGUSR2"),
                () = self.parent.end() => Signal::Stop("the end of its parent"),
            }
        }
    }
}

/// The one signal that there is everywhere.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct Signals;

/// Nobody can tell there.
#[cfg(not(unix))]
#[derive(Debug, Clone, Copy)]
pub(super) struct Parent;

#[cfg(not(unix))]
impl Parent {
    pub(super) fn of(_: &Config) -> Self {
        Self
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Heeds Ctrl-C.
    pub(super) fn install(_: &Config, _: Parent) -> io::Result<Self> {
        Ok(Self)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        let _ = tokio::signal::ctrl_c().await;
        Signal::Stop("Ctrl-C")
    }
}
