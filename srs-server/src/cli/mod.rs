//! The command line.

mod origin;
mod report;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{ArgAction, Parser, Subcommand};
use srs_config::Loaded;

use self::origin::Origin;
use crate::process;

/// What a process ends with whose configuration has errors: what is left of SRS's 1023.
const INVALID: u8 = 255;

/// A live media server: RTMP in; RTMP, FLV and MPEG-TS over HTTP out.
///
/// Without arguments everything useful is on: RTMP on port 1935, HTTP on 8080, the API on 1985.
/// Each directive of the configuration has a variable of the environment, which lies over the
/// file: SRS_HTTP_API_LISTEN for `listen` in `http_api`.
#[derive(Debug, Parser)]
#[command(name = "srs-server", args_conflicts_with_subcommands = true)]
#[command(disable_help_flag = true, disable_help_subcommand = true)]
struct Arguments {
    /// The file of configuration; SRS_CONFIG_FILE replaces it
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the configuration from the environment alone
    #[arg(short = 'e')]
    environment: bool,
    /// Test the configuration: tell what is wrong with it, and end
    #[arg(short = 't')]
    test: bool,
    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long = "version")]
    version: bool,
    /// Print the name and version that clients are told
    #[arg(short = 'g', short_alias = 'G')]
    signature: bool,
    /// Print this
    #[arg(short = 'h', short_alias = '?', long, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look into a configuration
    #[command(subcommand)]
    Conf(Conf),
}

#[derive(Debug, Subcommand)]
enum Conf {
    /// Tell for each directive of a file whether it is applied
    Check {
        /// The file
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the whole configuration that is in force, defaults and passwords too, as a file
    Show {
        /// The file of configuration
        #[arg(short = 'c', value_name = "FILE")]
        config: Option<PathBuf>,
        /// Take the configuration from the environment alone
        #[arg(short = 'e')]
        environment: bool,
    },
}

/// Does what the command line says; what the process ends with.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.version {
        return print(&format!("{}\n", env!("CARGO_PKG_VERSION")));
    }
    if arguments.signature {
        return print(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"), "\n"));
    }
    match arguments.command {
        Some(Command::Conf(Conf::Check { file, json })) => check(file, json),
        Some(Command::Conf(Conf::Show { config, environment })) => {
            show(&Origin::new(config, environment))
        }
        None => {
            let origin = Origin::new(arguments.config, arguments.environment);
            if arguments.test { test(&origin) } else { serve(origin) }
        }
    }
}

fn check(file: PathBuf, json: bool) -> ExitCode {
    let loaded = Origin::file(file).load();
    let printed = print(&if json { report::json(&loaded) } else { report::text(&loaded) });
    match loaded.errors().next() {
        Some(_) => INVALID.into(),
        None => printed,
    }
}

fn show(origin: &Origin) -> ExitCode {
    let loaded = origin.load();
    if tell_errors(&loaded) {
        return INVALID.into();
    }
    print(&loaded.config.to_string())
}

fn test(origin: &Origin) -> ExitCode {
    let loaded = origin.load();
    for problem in &loaded.problems {
        tell(&report::problem(problem));
    }
    if let Some(line) = loaded.not_applied() {
        tell(&line);
    }
    match loaded.errors().next() {
        Some(_) => INVALID.into(),
        None => {
            tell(&format!("{origin}: the configuration is valid"));
            ExitCode::SUCCESS
        }
    }
}

fn serve(origin: Origin) -> ExitCode {
    let loaded = origin.load();
    if tell_errors(&loaded) {
        return INVALID.into();
    }
    match process::run(origin.source(), &loaded, origin.reload()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Tells every error; whether there was one.
fn tell_errors(loaded: &Loaded) -> bool {
    for error in loaded.errors() {
        tell(&report::problem(error));
    }
    loaded.errors().next().is_some()
}

/// A reader that went away is no failure of ours.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
