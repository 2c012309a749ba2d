//! How many files the process may open.

/// Each client takes a descriptor: as many as the system lets us have.
#[cfg(unix)]
pub(super) fn raise_open_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use tracing::{info, warn};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(limit) => info!("at most {limit} open files, and so clients"),
        Err(error) => warn!("the limit on open files stays as it is: {error}"),
    }
}

/// Each client takes a descriptor; how many there may be is not ours to say here.
#[cfg(not(unix))]
pub(super) fn raise_open_file_limit() {}
