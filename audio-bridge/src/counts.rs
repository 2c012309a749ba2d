use crate::Error;

/// What a bridge has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Frames or packets that came in.
    pub frames: u64,
    /// Packets or frames that went out.
    pub packets: u64,
    /// Frames that gave no sound, or sound that was not encoded; panics are among them.
    pub errors: u64,
    /// Times that a codec panicked and was built anew.
    pub panics: u64,
    /// Times that the timeline began anew behind a gap, a jump or a change of format.
    pub restarts: u64,
    /// Ticks of silence put in where frames were missing.
    pub filled: u64,
    /// Ticks of sound left out where frames overlapped.
    pub dropped: u64,
    /// Samples put in or left out, one at a time and faded, to follow the input's clock.
    pub slips: u64,
    /// Ticks concealed by the Opus decoder where packets were lost.
    pub concealed: u64,
}

impl Counts {
    pub(crate) fn note<T>(&mut self, outcome: &Result<T, Error>) {
        if let Err(error) = outcome {
            self.errors = self.errors.saturating_add(1);
            if matches!(error, Error::Panicked(_)) {
                self.panics = self.panics.saturating_add(1);
            }
        }
    }
}
