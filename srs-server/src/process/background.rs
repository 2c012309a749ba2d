//! Going to the background.

use std::io;

/// Leaves the terminal and who started the process: it goes on in a child, with nothing on
/// standard input, output and error. Before there are threads, which would not come along.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn go() -> io::Result<()> {
    Ok(nix::unistd::daemon(true, false)?)
}

/// `launchd` is what starts servers there, and wants them in the foreground.
#[cfg(target_vendor = "apple")]
pub(super) fn go() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
