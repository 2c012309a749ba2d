use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Codec, Error};

/// Runs what is not ours. A panic in it becomes an error, and whatever it owned is gone with it:
/// a codec is moved in, so that one which failed half-way is never used again.
///
/// Has no effect in programs that are built to abort on panics.
pub(crate) fn contain<T>(codec: Codec, work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::Panicked(codec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(contain(Codec::Opus, || 3), Ok(3));
        let failed: Result<(), _> = contain(Codec::Aac, || panic!("by a codec"));
        assert_eq!(failed, Err(Error::Panicked(Codec::Aac)));
    }
}
