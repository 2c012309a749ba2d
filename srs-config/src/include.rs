//! A file and those that it includes.

use crate::{
    Directive, Position,
    grammar::{MAX_LEN, parse},
    reading::Reading,
    report::shortened,
};

/// Files that are read in all.
const MAX_FILES: usize = 64;
/// Bytes of all files together.
const MAX_BYTES: usize = 4 * MAX_LEN;
/// Files that include files that include files.
const MAX_DEPTH: usize = 8;

/// Reads files within the limits.
pub(crate) struct Files<'a, 'b> {
    file: &'a dyn Fn(&str) -> Result<String, String>,
    reading: &'a mut Reading<'b>,
    files: usize,
    bytes: usize,
    depth: usize,
}

impl<'a, 'b> Files<'a, 'b> {
    pub(crate) fn new(
        file: &'a dyn Fn(&str) -> Result<String, String>,
        reading: &'a mut Reading<'b>,
    ) -> Self {
        Self { file, reading, files: 0, bytes: 0, depth: 0 }
    }

    /// The directives of a file, and of those that it includes. `from` is where it is named.
    pub(crate) fn read(&mut self, name: &str, from: &Position) -> Vec<Directive> {
        if let Err(text) = self.is_within_limits() {
            self.reading.error(from, text);
            return Vec::new();
        }
        let text = match (self.file)(name) {
            Ok(text) => text,
            Err(error) => {
                let text = format!("cannot read {}: {error}", shortened(name));
                self.reading.error(from, text);
                return Vec::new();
            }
        };
        self.files = self.files.saturating_add(1);
        self.bytes = self.bytes.saturating_add(text.len());
        match parse(name, &text) {
            Ok(directives) => {
                self.depth = self.depth.saturating_add(1);
                let all = self.included(directives);
                self.depth = self.depth.saturating_sub(1);
                all
            }
            Err(error) => {
                self.reading.error(&error.position, error.kind.to_string());
                Vec::new()
            }
        }
    }

    fn is_within_limits(&self) -> Result<(), String> {
        if self.files >= MAX_FILES {
            return Err(format!("more than {MAX_FILES} files are included"));
        }
        if self.bytes > MAX_BYTES {
            let bytes = self.bytes;
            return Err(format!("the files have {bytes} bytes already, the limit is {MAX_BYTES}"));
        }
        if self.depth >= MAX_DEPTH {
            return Err(format!("files are included more than {MAX_DEPTH} deep"));
        }
        Ok(())
    }

    /// Puts the files' directives where they are included.
    fn included(&mut self, directives: Vec<Directive>) -> Vec<Directive> {
        let mut all = Vec::with_capacity(directives.len());
        for mut directive in directives {
            if directive.name != "include" {
                directive.children = directive.children.map(|children| self.included(children));
                all.push(directive);
            } else if directive.children.is_some() || directive.args.is_empty() {
                let text = "`include` is followed by the names of files and `;`".to_owned();
                self.reading.error(&directive.position, text);
            } else {
                for name in &directive.args {
                    all.extend(self.read(name, &directive.position));
                }
            }
        }
        all
    }
}
