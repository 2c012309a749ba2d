//! A log file that may be moved away while it is written.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    /// Held for the write of one line.
    file: Mutex<File>,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = Mutex::new(append_to(&path)?);
        Ok(Self { path, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, line: &[u8]) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line)
    }

    /// Goes on in the file that is at the path now, or in a new one.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let new = append_to(&self.path)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::atomic::AtomicBool, sync::atomic::Ordering::Relaxed, thread};

    use super::*;

    #[test]
    fn no_line_is_lost_or_torn_while_the_file_is_rotated() {
        const LINES: usize = 2_000;
        let dir = std::env::temp_dir().join(format!("srs-log-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("srs.log");
        let log = LogFile::open(&path).unwrap();
        let done = AtomicBool::new(false);
        let mut moved = Vec::new();
        thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|writer| {
                    let log = &log;
                    scope.spawn(move || {
                        for line in 0..LINES {
                            log.write(format!("{writer} {line}\n").as_bytes()).unwrap();
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                for writer in writers {
                    writer.join().unwrap();
                }
                done.store(true, Relaxed);
            });
            while moved.len() < 3 || !done.load(Relaxed) && moved.len() < 50 {
                let to = dir.join(format!("srs.log.{}", moved.len()));
                fs::rename(&path, &to).unwrap();
                log.reopen().unwrap();
                moved.push(to);
            }
        });
        moved.push(path);
        let text: String = moved.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        fs::remove_dir_all(&dir).unwrap();
        for writer in 0..2 {
            let prefix = format!("{writer} ");
            let lines: Vec<usize> =
                text.lines().filter_map(|l| l.strip_prefix(&prefix)?.parse().ok()).collect();
            assert_eq!(lines, (0..LINES).collect::<Vec<_>>());
        }
    }
}
