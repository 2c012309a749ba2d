//! The clock that publishers and players of one machine share.

/// Nanoseconds of the system's monotonic clock, the same in every process.
#[cfg(unix)]
pub(crate) fn nanos() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs()
    })
}

/// Nanoseconds of the system's clock: the monotonic one is not shared between processes here.
#[cfg(not(unix))]
pub(crate) fn nanos() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos() as u64)
}
