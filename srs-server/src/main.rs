//! The server's command line; see [`srs_server::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    srs_server::cli::run()
}
