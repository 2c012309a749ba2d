//! The file that tells which process the server is, and keeps a second one away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// A pid file that is ours. The lock tells who lives: a file that was left behind by a server
/// that was killed is taken over, whatever pid is in it. Removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    locked: Locked,
}

/// The pid file is another's, or can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PidFileError {
    /// A server that runs has it.
    #[error("pid {}: another server runs already{}", path.display(), process(pid))]
    Taken {
        /// The file.
        path: PathBuf,
        /// What it says; empty while the other server starts.
        pid: String,
    },
    /// The file can't be opened, locked or written.
    #[error("pid {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn process(pid: &str) -> String {
    if pid.is_empty() { String::new() } else { format!(", process {pid}") }
}

impl PidFile {
    /// Takes the file at `path` for this process and its child in the background.
    ///
    /// # Errors
    /// See [`PidFileError`].
    pub fn take(path: &Path) -> Result<Self, PidFileError> {
        // It is removed by its path, later, when the working directory may be another.
        let absolute = std::path::absolute(path);
        let absolute = absolute.map_err(|source| PidFileError::io(path, source))?;
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&absolute)
                .map_err(|source| PidFileError::io(path, source))?;
            let mut pid = String::new();
            // What isn't a number is nobody's.
            let _ = (&mut file).take(20).read_to_string(&mut pid);
            match lock(file) {
                Ok(locked) if is_at(&locked, &absolute) => {
                    return Ok(Self { path: absolute, locked });
                }
                // The server that had it removed it in between.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let pid = pid.trim();
                    let is_number = pid.bytes().all(|byte| byte.is_ascii_digit());
                    let pid = if is_number { pid.to_owned() } else { String::new() };
                    return Err(PidFileError::Taken { path: path.to_owned(), pid });
                }
                Err(source) => return Err(PidFileError::io(path, source)),
            }
        }
    }

    /// Writes this process's id.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self) -> Result<(), PidFileError> {
        let mut file: &File = &self.locked;
        file.set_len(0)
            .and_then(|()| io::Seek::rewind(&mut file))
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|source| PidFileError::io(&self.path, source))
    }
}

impl PidFileError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl Drop for PidFile {
    /// While it is locked: nobody else's is removed.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
type Locked = nix::fcntl::Flock<File>;

#[cfg(unix)]
fn lock(file: File) -> io::Result<Locked> {
    use nix::fcntl::{Flock, FlockArg};
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error.into())
}

/// Whether the file that was locked is the one that is at `path` now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
type Locked = Box<File>;

/// Elsewhere the file tells the process, and keeps nobody away.
#[cfg(not(unix))]
fn lock(file: File) -> io::Result<Locked> {
    Ok(Box::new(file))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_what_was_left_behind_is_taken_over() {
        let path = std::env::temp_dir().join(format!("srs-pid-{}", std::process::id()));
        fs::write(&path, "999999999\n").unwrap();
        let first = PidFile::take(&path).unwrap();
        let shown = path.display();
        assert_eq!(
            PidFile::take(&path).unwrap_err().to_string(),
            format!("pid {shown}: another server runs already, process 999999999")
        );
        first.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(first);
        assert!(!path.exists());
        fs::write(&path, "no number\u{1b}[31m").unwrap();
        let second = PidFile::take(&path).unwrap();
        assert_eq!(
            PidFile::take(&path).unwrap_err().to_string(),
            format!("pid {shown}: another server runs already")
        );
        drop(second);
    }

    #[test]
    fn a_path_that_is_none_is_named() {
        let error = PidFile::take(Path::new("/dev/null/a.pid")).unwrap_err().to_string();
        assert!(error.starts_with("pid /dev/null/a.pid: "), "{error}");
    }
}
