//! The server's command line.

use std::process::ExitCode;

use clap::Parser;
use srs_server::{config::Config, server::Server};
use tokio::signal;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// A live media server: RTMP in, RTMP and HTTP-FLV out.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {}

fn main() -> ExitCode {
    Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_env()?;
    raise_open_file_limit();
    // Before the ports open: a signal that comes at once still ends the server cleanly.
    let stop = stop_signal()?;
    let server = Server::start(config)?;
    info!("stops on {}", stop.await);
    server.shutdown().await;
    Ok(())
}

/// Each client takes a descriptor: as many as the system lets us have.
#[cfg(unix)]
fn raise_open_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(limit) => info!("at most {limit} open files, and so clients"),
        Err(error) => warn!("the limit on open files stays as it is: {error}"),
    }
}

#[cfg(not(unix))]
fn raise_open_file_limit() {}

/// Resolves to the name of the signal that asks the server to end.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        let _ = signal::ctrl_c().await;
        "Ctrl-C"
    })
}
