//! Whether a stream has what an output carries, so that its players are told instead of waiting.

use std::time::Duration;

use stream_hub::ConvertError;

/// After this much of a stream, what it has not shown it doesn't have.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for what an output carries.
#[derive(Debug)]
pub(super) struct Wanted {
    what: &'static str,
    /// The first frame that was not carried, while none was that is.
    since: Option<Duration>,
    is_found: bool,
}

impl Wanted {
    /// `what` says what the output carries.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, since: None, is_found: false }
    }

    /// A frame was carried.
    pub(super) fn found(&mut self) {
        self.is_found = true;
    }

    /// A frame at `time` was not.
    ///
    /// # Errors
    /// The stream has been without for long enough.
    pub(super) fn missing(&mut self, time: Duration) -> Result<(), ConvertError> {
        if self.is_found || time < *self.since.get_or_insert(time) + PATIENCE {
            return Ok(());
        }
        Err(ConvertError::new(format!("{}, of which the stream has none", self.what)))
    }

    /// Another publisher goes on.
    pub(super) fn restart(&mut self) {
        (self.since, self.is_found) = (None, false);
    }
}
