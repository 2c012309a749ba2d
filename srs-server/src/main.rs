//! The server's command line.

use std::process::ExitCode;

use clap::Parser;
use srs_config::Source;
use srs_server::{
    config::Settings,
    log,
    process::{raise_open_file_limit, stop_signal},
    server::Server,
};
use tracing::{error, info};

/// A live media server: RTMP in, RTMP and HTTP-FLV out.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The file of configuration.
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<String>,
    /// Take the configuration from the environment alone.
    #[arg(short = 'e')]
    environment: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let settings = settings(arguments)?;
    raise_open_file_limit();
    // Before the ports open: a signal that comes at once still ends the server cleanly.
    let stop = stop_signal()?;
    let server = Server::start(settings)?;
    // Not within the macro: where the log is quieter, it would not be waited for.
    let signal = stop.await;
    info!("stops on {signal}");
    server.shutdown().await;
    Ok(())
}

/// What the command line and the environment say.
fn settings(arguments: &Arguments) -> Result<Settings, String> {
    let source = match (&arguments.config, arguments.environment) {
        (Some(file), _) => Source::File(file),
        (None, true) => Source::Environment,
        (None, false) => Source::ZeroConfig,
    };
    let env = |key: &str| std::env::var(key).ok();
    let read = |file: &str| std::fs::read_to_string(file).map_err(|error| error.to_string());
    let loaded = srs_config::load(source, &env, &read);
    match loaded.errors().next() {
        Some(error) => Err(error.to_string()),
        None => Ok(Settings::new(source, &loaded)),
    }
}
