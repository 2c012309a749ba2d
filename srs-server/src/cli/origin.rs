//! Where the configuration comes from, and how files are read.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use srs_config::{Loaded, Source};
use tracing::warn;

use crate::config::Reload;

/// Most bytes of a file of configuration.
const MAX_FILE: u64 = 1024 * 1024;

/// Where the configuration comes from; read as often as it is asked for.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    kind: Kind,
    /// Where paths began when the process started: a reload finds the same files, whatever
    /// `work_dir` says.
    dir: Arc<Path>,
}

#[derive(Debug, Clone)]
enum Kind {
    ZeroConfig,
    Environment,
    File(Arc<str>),
}

impl Origin {
    /// What `-c`, `-e`, `SRS_CONFIG_FILE` and `SRS_ENV_ONLY` mean together, as SRS has it.
    pub(super) fn new(file: Option<PathBuf>, environment: bool) -> Self {
        let environment = environment || std::env::var("SRS_ENV_ONLY").is_ok_and(|on| on == "on");
        let replaced = std::env::var_os("SRS_CONFIG_FILE").filter(|file| !file.is_empty());
        match (environment, replaced.map(PathBuf::from).or(file)) {
            (true, _) => Self::of(Kind::Environment),
            (false, Some(file)) => Self::file(file),
            (false, None) => Self::of(Kind::ZeroConfig),
        }
    }

    /// This file.
    pub(super) fn file(file: PathBuf) -> Self {
        Self::of(Kind::File(file.to_string_lossy().into()))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, dir: std::env::current_dir().unwrap_or_default().into() }
    }

    pub(super) fn source(&self) -> Source<'_> {
        match &self.kind {
            Kind::ZeroConfig => Source::ZeroConfig,
            Kind::Environment => Source::Environment,
            Kind::File(file) => Source::File(file),
        }
    }

    /// Reads the configuration as it is now.
    pub(super) fn load(&self) -> Loaded {
        let env = |key: &str| std::env::var(key).ok();
        let file = |name: &str| read(&self.dir.join(name));
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        srs_config::load(self.source(), &env, &file).with_variables(names)
    }

    /// Reads it again, in a server that runs.
    pub(super) fn reload(&self) -> Reload {
        let origin = self.clone();
        Reload::new(move || {
            let loaded = origin.load();
            for warning in loaded.warnings() {
                warn!("{warning}");
            }
            if let Some(line) = loaded.not_applied() {
                warn!("{line}");
            }
            let errors: Vec<String> = loaded.errors().map(ToString::to_string).collect();
            if errors.is_empty() { Ok(loaded.config) } else { Err(errors.join("; ")) }
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::ZeroConfig => "no file",
            Kind::Environment => "environment",
            Kind::File(file) => file,
        })
    }
}

/// The text of a file, within bounds.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes, which is the limit"));
    }
    text(&bytes)
}

/// UTF-8; what stands in a comment may be anything, such as the GBK of many an old file.
fn text(bytes: &[u8]) -> Result<String, String> {
    let mut text = String::with_capacity(bytes.len());
    let (mut line, mut column, mut in_comment) = (1, 1, false);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for c in chunk.valid().chars() {
            match c {
                '\n' => (line, column, in_comment) = (line + 1, 1, false),
                c => (column, in_comment) = (column + 1, in_comment || c == '#'),
            }
        }
        if let Some(byte) = chunk.invalid().first() {
            if !in_comment {
                return Err(format!("line {line}, column {column}: 0x{byte:02x} is not UTF-8"));
            }
            text.push(char::REPLACEMENT_CHARACTER);
            column += 1;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_may_be_in_any_encoding_and_nothing_else() {
        assert_eq!(text("listen 1; # \u{fc}\n".as_bytes()).unwrap(), "listen 1; # \u{fc}\n");
        assert_eq!(text(b"listen 1; # \xd6\xd0\nb").unwrap(), "listen 1; # \u{fffd}\u{fffd}\nb");
        assert_eq!(
            text(b"# \xd6\nlisten \xff1;").unwrap_err(),
            "line 2, column 8: 0xff is not UTF-8"
        );
    }

    #[test]
    fn a_file_without_end_is_not_read_to_it() {
        if cfg!(unix) {
            let error = read(Path::new("/dev/zero")).unwrap_err();
            assert_eq!(error, "it has more than 1048576 bytes, which is the limit");
        }
    }
}
