//! The process: where it runs, what it holds, and how it ends.

mod background;
mod container;
mod drain;
mod error;
mod limits;
mod pid_file;
mod restart;
mod signals;

use std::{
    fs,
    path::{Path, PathBuf},
};

use srs_config::{Config, Loaded, Source};
use tracing::{error, info, warn};

pub(crate) use self::restart::needs_restart;
pub use self::{
    error::ProcessError,
    pid_file::{PidFile, PidFileError},
};
use self::{
    limits::raise_open_file_limit,
    signals::{Parent, Signal, Signals},
};
use crate::{
    config::{Reload, Settings},
    log::Log,
    ports::Ports,
    server::Server,
};

/// Runs the server as `loaded` says, which came from `source`, until a signal ends it.
///
/// The order matters: paths begin at `work_dir`; what can go wrong is tried before the process
/// goes to the background, so that who started it is told; only then are there threads.
///
/// # Errors
/// See [`ProcessError`]. Errors are logged too where the log is a file.
pub fn run(source: Source<'_>, loaded: &Loaded, reload: Reload) -> Result<(), ProcessError> {
    let config = &loaded.config;
    let parent = Parent::of(config);
    change_directory(&config.work_dir)?;
    if config.srs_log_tank == "file" {
        make_parent("srs_log_file", &config.srs_log_file)?;
    }
    let log = Log::open(config)?;
    let (pid_file, without) = match take_pid_file(source, loaded) {
        Ok(file) => (file, None),
        Err(error) if is_optional(source, loaded) => (None, Some(error)),
        Err(error) => return Err(error),
    };
    log.start(config);
    let in_background = goes_to_the_background(config);
    tell(loaded, in_background);
    if let Some(error) = without {
        info!("goes without a pid file: {error}");
    }
    make_media_directories(source, config);
    let mut settings = Settings::new(source, loaded);
    settings.reload = reload;
    let result = open_and_serve(settings, pid_file.as_ref(), in_background, &log, parent);
    if let Err(error) = &result
        && log.path().is_some()
    {
        error!("{error}");
    }
    result
}

fn open_and_serve(
    settings: Settings,
    pid_file: Option<&PidFile>,
    in_background: bool,
    log: &Log,
    parent: Parent,
) -> Result<(), ProcessError> {
    let ports = Ports::bind(&settings)?;
    if in_background {
        background::go().map_err(ProcessError::Background)?;
    }
    if let Some(file) = pid_file {
        file.write()?;
    }
    serve(ports, settings, log, parent)
}

fn change_directory(path: &Path) -> Result<(), ProcessError> {
    std::env::set_current_dir(path)
        .map_err(|source| ProcessError::WorkDir { path: path.to_owned(), source })
}

/// Makes the directories that files are served from. Live streams need none.
fn make_media_directories(source: Source<'_>, config: &Config) {
    // Who asked for nothing finds no new directories.
    if source != Source::ZeroConfig
        && config.http_server.enabled
        && let Err(error) = make("http_server.dir", &config.http_server.dir)
    {
        warn!("{error}");
    }
}

fn make_parent(directive: &'static str, file: &Path) -> Result<(), ProcessError> {
    file.parent().map_or(Ok(()), |directory| make(directive, directory))
}

fn make(directive: &'static str, path: &Path) -> Result<(), ProcessError> {
    fs::create_dir_all(path).map_err(|source| {
        let path: PathBuf = path.to_owned();
        ProcessError::Directory { directive, path, source }
    })
}

/// Takes the pid file, which who runs without a configuration has only if he asks for it.
fn take_pid_file(source: Source<'_>, loaded: &Loaded) -> Result<Option<PidFile>, ProcessError> {
    if source == Source::ZeroConfig && !is_set("pid", loaded) {
        return Ok(None);
    }
    let path = &loaded.config.pid;
    make_parent("pid", path)?;
    Ok(Some(PidFile::take(path)?))
}

/// Whether the server may go without its pid file: several may run in one directory by the
/// environment alone, where the default is nobody's wish.
fn is_optional(source: Source<'_>, loaded: &Loaded) -> bool {
    source == Source::Environment && !is_set("pid", loaded)
}

fn is_set(path: &str, loaded: &Loaded) -> bool {
    loaded.findings.iter().any(|finding| finding.path == path)
}

/// Whether the server is to go to the background: a container ends with its first process.
fn goes_to_the_background(config: &Config) -> bool {
    let in_container = || config.in_docker || container::is_inside();
    background::IS_THERE && config.daemon && !(config.disable_daemon_for_docker && in_container())
}

/// Logs what there is to say of the configuration, and where the process runs.
fn tell(loaded: &Loaded, in_background: bool) {
    for warning in loaded.warnings() {
        warn!("{warning}");
    }
    if let Some(line) = loaded.not_applied() {
        warn!("{line}");
    }
    if in_background && loaded.config.srs_log_tank == "console" {
        warn!(
            "`srs_log_tank console` with `daemon on`: in the background there is no console, and \
             from now on no log; set `srs_log_tank file` or `daemon off`"
        );
    }
    if loaded.config.daemon && !in_background {
        let why =
            if background::IS_THERE { "in a container" } else { "where there is no background" };
        info!("runs {why}, and so in the foreground");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(
    ports: Ports,
    settings: Settings,
    log: &Log,
    parent: Parent,
) -> Result<(), ProcessError> {
    raise_open_file_limit();
    // Before clients are accepted: a signal that comes at once still ends the server cleanly.
    let mut signals = Signals::install(&settings.config, parent).map_err(ProcessError::Signals)?;
    let mut server = Server::start_on(ports, settings)?;
    loop {
        match signals.next().await {
            Signal::Stop(why) => {
                info!("stops on {why}");
                break;
            }
            Signal::Drain(why) => {
                info!("stops on {why} when its clients are gone");
                drain::drain(&mut server, &mut signals, log).await;
                break;
            }
            Signal::ReopenLog => reopen(log),
            Signal::Reload => reload(&server),
            Signal::Ignored(name) => info!("{name} has no effect"),
        }
    }
    server.shutdown().await;
    Ok(())
}

fn reopen(log: &Log) {
    match (log.reopen(), log.path()) {
        (Ok(()), Some(path)) => info!("the log goes on in {}", path.display()),
        (Ok(()), None) => info!("the log is on the console: nothing to open anew"),
        (Err(error), _) => error!("{error}; the old one is written on"),
    }
}

fn reload(server: &Server) {
    match server.shared().reload() {
        Ok(()) => info!("the configuration was read again"),
        Err(error) => error!("the configuration stays as it was: {error}"),
    }
}
