//! The clocks of a client, which has nobody outside to bring it the time.

use std::time::{Duration, Instant, SystemTime};

/// Now, by the runtime's clock.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time since the beginning of 1970 (UTC), for sender reports.
#[allow(clippy::disallowed_methods, reason = "a client runs on its own and is asked by nobody")]
pub(super) fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
