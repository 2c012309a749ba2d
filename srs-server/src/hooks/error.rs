//! Why a hook server didn't allow a client what it wanted.

use std::time::Duration;

/// Why a hook server didn't allow a client what it wanted.
///
/// The text names the hook server: it is for the log, not for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// It answered with another HTTP status than 200 or 201.
    #[error("{url} answered HTTP {status}: {body:?}")]
    Status {
        /// The hook's URL.
        url: String,
        /// The status.
        status: u16,
        /// How the answer begins.
        body: String,
    },
    /// It answered neither `0` nor a JSON object with an integer `code`.
    #[error("{url} answered neither 0 nor an object with an integer code: {body:?}")]
    Reply {
        /// The hook's URL.
        url: String,
        /// How the answer begins.
        body: String,
    },
    /// It said no.
    #[error("{url} answered code {code}: {body:?}")]
    Denied {
        /// The hook's URL.
        url: String,
        /// The code.
        code: i64,
        /// How the answer begins.
        body: String,
    },
    /// Its answer is too long.
    #[error("{url} answered more than {limit} bytes")]
    TooLong {
        /// The hook's URL.
        url: String,
        /// The most that is read.
        limit: usize,
    },
    /// It took too long.
    #[error("{url} gave no answer within {} s", .limit.as_secs())]
    Timeout {
        /// The hook's URL.
        url: String,
        /// How long it may take.
        limit: Duration,
    },
    /// It could not be reached, or the connection to it broke.
    #[error("{url} gave no answer: {reason}")]
    Unreachable {
        /// The hook's URL.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// Too much of this client is asked, and not yet told to have ended.
    #[error("more than {limit} of the client's publishes and plays are open at its hook servers")]
    TooMany {
        /// How much may be.
        limit: usize,
    },
    /// The server ends.
    #[error("nobody is left to ask the hook servers")]
    Gone,
}

impl HookError {
    /// The code that SRS has for the error.
    pub fn code(&self) -> u32 {
        match self {
            Self::Denied { .. } => 3064,
            Self::Reply { .. } | Self::TooLong { .. } => 3008,
            Self::Unreachable { .. } => 1018,
            Self::Timeout { .. } => 1011,
            Self::Status { .. } | Self::TooMany { .. } | Self::Gone => 4005,
        }
    }
}
