//! A load generator for RTMP servers: thousands of players or publishers on one thread, each of
//! which checks what it gets.
//!
//! A publisher writes a counter and the time into every frame ([`stamp`]). A player that finds
//! them tells gaps and latency; of any other stream it checks what the protocol shows. Progress
//! goes to standard error each second, a summary as JSON to standard output at the end. It
//! connects to this machine only, and stops by itself.

mod arguments;
mod client;
mod clock;
mod histogram;
mod play;
mod publish;
mod report;
mod run;
mod stamp;
mod stream;
mod target;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    raise_open_file_limit();
    let summary = match run::run(arguments.command).await {
        Ok(summary) => summary,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match serde_json::to_string_pretty(&summary) {
        Ok(json) => println!("{json}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    }
    if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each client takes a descriptor: as many as the system lets us have.
#[cfg(unix)]
fn raise_open_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        eprintln!("the limit on open files stays as it is: {error}");
    }
}

#[cfg(not(unix))]
fn raise_open_file_limit() {}
