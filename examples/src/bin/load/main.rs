//! A load generator for live media servers: thousands of players or publishers on a thread, each of
//! which checks what it gets.
//!
//! A publisher writes a counter and the time into every frame ([`stamp`]). A player that finds
//! them tells gaps and latency; of any other stream it checks what the protocol shows. Progress
//! goes to standard error each second, a summary as JSON to standard output at the end. It
//! connects to this machine only, and stops by itself.

mod arguments;
mod client;
mod clock;
mod flv_play;
mod histogram;
mod limit;
mod player;
mod publish;
#[cfg(target_os = "linux")]
mod report;
mod rtc;
mod rtmp_play;
mod run;
mod stamp;
mod stream;
mod summary;
mod target;
mod url;
mod walk;

use std::{error::Error, process::ExitCode};

use arguments::{Arguments, Clients, Command};
use clap::Parser;
use rtc::Manner;
use run::Work;

fn main() -> ExitCode {
    raise_open_file_limit();
    match Arguments::parse().command {
        Command::RtmpPlay { url, clients } => run_clients(Work::RtmpPlay(url), clients),
        Command::FlvPlay { url, clients } => run_clients(Work::FlvPlay(url), clients),
        Command::RtmpPublish { url, clients, rate } => {
            run_clients(Work::Publish(url, rate), clients)
        }
        Command::RtcPlay { url, clients, nack, loss } => {
            run_clients(Work::RtcPlay(url, Manner { nack, lose: loss.lose_permille }), clients)
        }
        Command::RtcPublish { url, clients, rate, loss } => {
            let manner = Manner { nack: false, lose: loss.lose_permille };
            run_clients(Work::RtcPublish(url, rate, manner), clients)
        }
        Command::RtpPublish(options) => ended(rtc::plain::run(options)),
        Command::Limit(options) => ended(limit::run(options)),
        #[cfg(target_os = "linux")]
        Command::Report(options) => ended(report::run(&options)),
    }
}

fn ended(result: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run_clients(work: Work, clients: Clients) -> ExitCode {
    let summary = match run::run(work, clients) {
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
