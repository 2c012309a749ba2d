//! The log: standard error or a file, an event a line.

mod file;
mod lines;

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use srs_config::Config;
use tracing::error;
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        format::Writer,
        time::{ChronoLocal, ChronoUtc, FormatTime},
    },
};

use self::{file::LogFile, lines::Lines};

/// Where the log goes.
#[derive(Debug, Clone)]
pub struct Log(Arc<Output>);

/// The log can't be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log {}: {source}", path.display())]
pub struct LogError {
    path: PathBuf,
    source: io::Error,
}

#[derive(Debug)]
enum Output {
    Console { ansi: bool },
    File(LogFile),
}

impl Log {
    /// Opens the log that `config` asks for. Nothing is written before [`Log::start`].
    ///
    /// # Errors
    /// Its file can't be opened for writing.
    pub fn open(config: &Config) -> Result<Self, LogError> {
        let output = match config.srs_log_tank.as_str() {
            "file" => {
                let path = &config.srs_log_file;
                let open = LogFile::open(path);
                Output::File(open.map_err(|source| LogError { path: path.clone(), source })?)
            }
            _ => {
                let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                Output::Console { ansi: !plain && io::stderr().is_terminal() }
            }
        };
        Ok(Self(Arc::new(output)))
    }

    /// Takes the events of the whole process from now on, and tells of panics: at the levels that
    /// `RUST_LOG` asks for, or else at the one that `config` does.
    pub fn start(&self, config: &Config) {
        let asked = std::env::var("RUST_LOG").ok().filter(|asked| !asked.trim().is_empty());
        let filter = asked
            .and_then(|asked| EnvFilter::try_new(format!("{QUIET},{asked}")).ok())
            .unwrap_or_else(|| EnvFilter::new(format!("{QUIET},{}", levels(config))));
        let clock = match config.utc_time {
            true => Clock::Utc(ChronoUtc::new("%Y-%m-%dT%H:%M:%S%.6fZ".to_owned())),
            false => Clock::Local(ChronoLocal::new("%Y-%m-%dT%H:%M:%S%.6f%:z".to_owned())),
        };
        let (log, ansi) = (self.clone(), self.ansi());
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(ansi)
            .with_timer(clock)
            // They would go to standard error, and panic where nobody reads that.
            .log_internal_errors(false)
            .with_writer(move || Lines { out: log.clone(), ansi })
            .init();
        if self.path().is_some() {
            // Who reads the file would not see what goes to standard error.
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                error!("{panic}");
                told(panic);
            }));
        }
    }

    /// The log's file, where it has one.
    pub fn path(&self) -> Option<&Path> {
        match &*self.0 {
            Output::Console { .. } => None,
            Output::File(file) => Some(file.path()),
        }
    }

    /// Begins a new file where the old one was moved away; no event is lost in between.
    ///
    /// # Errors
    /// The file can't be opened: the old one is written on.
    pub fn reopen(&self) -> Result<(), LogError> {
        match &*self.0 {
            Output::Console { .. } => Ok(()),
            Output::File(file) => {
                file.reopen().map_err(|source| LogError { path: file.path().to_owned(), source })
            }
        }
    }

    fn ansi(&self) -> bool {
        matches!(&*self.0, Output::Console { ansi: true })
    }
}

impl Write for Log {
    /// Whole lines come here, and whole lines are written. One that can't be is lost: where nobody
    /// reads, or the disk is full, the server serves on.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = match &*self.0 {
            Output::Console { .. } => io::stderr().lock().write_all(line),
            Output::File(file) => file.write(line),
        };
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The DTLS library warns of every extension of a handshake that it doesn't know, and browsers offer
/// several; why a handshake fails is told by the server itself.
const QUIET: &str = "dtls=error";

/// The levels that are asked for, in SRS's words or in everybody's. SRS's own `trace` is what all
/// users should see, and `info` and `verbose` are more. What libraries have to say is of use only
/// where everything is wanted.
fn levels(config: &Config) -> &'static str {
    const DEBUG: &str = "info,srs_server=debug";
    const TRACE: &str = "debug,srs_server=trace";
    let common = config.srs_log_level_v2.as_deref();
    match common.unwrap_or(&config.srs_log_level) {
        "error" => "error",
        "warn" => "warn",
        "debug" => DEBUG,
        "info" if common.is_none() => DEBUG,
        "trace" if common.is_some() => TRACE,
        "verbose" => TRACE,
        _ => "info",
    }
}

enum Clock {
    Utc(ChronoUtc),
    Local(ChronoLocal),
}

impl FormatTime for Clock {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        match self {
            Self::Utc(clock) => clock.format_time(out),
            Self::Local(clock) => clock.format_time(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srs_words_for_levels_are_its_own() {
        let mut config = Config::default();
        let mut levels_of = |word: &str, common: Option<&str>| {
            config.srs_log_level = word.to_owned();
            config.srs_log_level_v2 = common.map(str::to_owned);
            levels(&config)
        };
        assert_eq!(levels_of("verbose", None), "debug,srs_server=trace");
        assert_eq!(levels_of("info", None), "info,srs_server=debug");
        assert_eq!(levels_of("trace", None), "info");
        assert_eq!(levels_of("warn", None), "warn");
        assert_eq!(levels_of("error", None), "error");
        assert_eq!(levels_of("error", Some("info")), "info");
        assert_eq!(levels_of("error", Some("debug")), "info,srs_server=debug");
        assert_eq!(levels_of("error", Some("trace")), "debug,srs_server=trace");
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_named() {
        let mut config = Config::default();
        config.srs_log_file = "/dev/null/srs.log".into();
        let error = Log::open(&config).unwrap_err().to_string();
        assert!(error.starts_with("cannot open the log /dev/null/srs.log: "), "{error}");
    }
}
