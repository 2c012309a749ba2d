//! The server's command line.

use std::process::ExitCode;

use clap::Parser;
use srs_server::{
    config::Config,
    log,
    process::{raise_open_file_limit, stop_signal},
    server::Server,
};
use tracing::{error, info};

/// A live media server: RTMP in, RTMP and HTTP-FLV out.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {}

fn main() -> ExitCode {
    Arguments::parse();
    log::init();
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
    // Not within the macro: where the log is quieter, it would not be waited for.
    let signal = stop.await;
    info!("stops on {signal}");
    server.shutdown().await;
    Ok(())
}
