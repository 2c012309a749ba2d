//! The process: its open files and its signals.

use std::io;

use tokio::signal;
#[cfg(unix)]
use tracing::{info, warn};

/// Each client takes a descriptor: as many as the system lets us have.
#[cfg(unix)]
pub fn raise_open_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(limit) => info!("at most {limit} open files, and so clients"),
        Err(error) => warn!("the limit on open files stays as it is: {error}"),
    }
}

/// Each client takes a descriptor; how many there may be is not ours to say here.
#[cfg(not(unix))]
pub fn raise_open_file_limit() {}

/// Resolves to the name of the signal that asks the server to end.
///
/// # Errors
/// The system gives no signal handler.
#[cfg(unix)]
pub fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    use signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    })
}

/// Resolves when Ctrl-C asks the server to end.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        let _ = signal::ctrl_c().await;
        "Ctrl-C"
    })
}
