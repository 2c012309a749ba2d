//! Going to the background.

use std::io;

/// Whether there is a background. On macOS `launchd` starts servers, and wants them in the
/// foreground; Windows knows services.
pub(super) const IS_THERE: bool = cfg!(all(unix, not(target_vendor = "apple")));

/// Leaves the terminal and who started the process: it goes on in a child, with nothing on
/// standard input, output and error. Before there are threads, which would not come along.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(super) fn go() -> io::Result<()> {
    Ok(nix::unistd::daemon(true, false)?)
}

/// There is none.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
pub(super) fn go() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
