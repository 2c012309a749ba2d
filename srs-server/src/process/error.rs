//! Why the process could not start.

use std::{io, path::PathBuf};

use super::PidFileError;
use crate::{log::LogError, ports::StartError};

/// The process could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The working directory isn't there.
    #[error("work_dir: cannot change to {}: {source}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory for files can't be made.
    #[error("{directive}: cannot make the directory {}: {source}", path.display())]
    Directory {
        /// The directive that names it.
        directive: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server has the pid file, or it can't be written.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// The log can't be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The system gives no process in the background.
    #[error("cannot go to the background: {0}")]
    Background(io::Error),
    /// The system gives no signal handlers.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// The server could not start.
    #[error(transparent)]
    Start(#[from] StartError),
}
