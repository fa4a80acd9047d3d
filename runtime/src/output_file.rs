//! Result files: whole, or not there.
//!
//! | module | is about |
//! |---|---|
//! | `apart` | outputs that are no input and no other output |
//! | `aside` | the file that becomes the result, and those that a kill left |
//!
//! Bytes go to a temporary file in the same directory, are flushed to the disk, and take their name by a rename. A
//! full disk, a crash or Ctrl-C leaves the old file, or none. What replaces a file has its mode, and its owner where
//! that is allowed.

mod apart;
mod aside;

pub use apart::apart;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Why a result file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputFileError {
    /// The place is not one for files.
    #[error("{} is a directory\nhelp: name a file in it", .0.display())]
    IsDirectory(PathBuf),
    /// Its directory cannot take files.
    #[error("no file can be made in {}, where {} should go\nhelp: {}", directory.display(), path.display(), of_directory(source))]
    Directory {
        /// The file.
        path: PathBuf,
        /// Its directory.
        directory: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What is read would be written over.
    #[error("{} is read by this command, and the output {} would replace it\nhelp: name another file for the output", input.display(), path.display())]
    IsInput {
        /// The output.
        path: PathBuf,
        /// What is read there.
        input: PathBuf,
    },
    /// Two outputs, one place.
    #[error("two results cannot both be written to {}\nhelp: name a file for each", .0.display())]
    Twice(PathBuf),
    /// A file that must not be there.
    #[error("{} is there already\nhelp: name another, or move that one away", .0.display())]
    Exists(PathBuf),
    /// Writing failed; no part of it is left behind.
    #[error("{} was not written, and {left}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What is there now.
        left: Left,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What is in the place of a file that was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing, as before.
    Nothing,
    /// What was there before.
    Old,
    /// The new file, unless the machine stops before the disk has its name.
    New,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "no part of it is left",
            Self::Old => "what was there before is there unchanged",
            Self::New => "it is there for now, but the disk does not say that it stays",
        })
    }
}

impl OutputFileError {
    /// Whether the arguments do not fit, whatever is on the disk.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::IsInput { .. } | Self::Twice(_))
    }
}

/// What helps where no file can be made.
fn of_directory(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "make the directory, or name another",
        io::ErrorKind::PermissionDenied => "name a directory that this user may write to",
        io::ErrorKind::NotADirectory => "name a file in a directory",
        _ => "name another directory",
    }
}

/// A place for a result, checked before the work that leads to it.
#[derive(Clone, Debug)]
pub struct OutputFile {
    path: PathBuf,
    // Pipes and devices are written to as they are: a rename would replace the device.
    special: bool,
}

impl OutputFile {
    /// Checks that a file can be made at `path`. Leaves nothing there.
    ///
    /// # Errors
    /// `IsDirectory`, or `Directory` if its directory is missing or read-only.
    pub fn checked(path: &Path) -> Result<Self, OutputFileError> {
        let file = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(OutputFileError::IsDirectory(path.to_owned()));
            }
            Ok(found) if !found.is_file() => {
                return Ok(Self {
                    path: path.to_owned(),
                    special: true,
                });
            }
            _ => Self {
                path: path.to_owned(),
                special: false,
            },
        };
        aside::make(&file.path, file.directory()).map_err(|source| OutputFileError::Directory {
            path: path.to_owned(),
            directory: file.directory().to_owned(),
            source,
        })?;
        Ok(file)
    }

    /// Where the file goes, without links and dots in what leads there.
    pub fn place(&self) -> PathBuf {
        let whole = self.path.canonicalize();
        whole.unwrap_or_else(|_| {
            let directory = self.directory().canonicalize();
            let directory = directory.unwrap_or_else(|_| self.directory().to_owned());
            self.path
                .file_name()
                .map_or(directory.clone(), |name| directory.join(name))
        })
    }

    /// Whether it is a pipe or a device.
    pub fn is_special(&self) -> bool {
        self.special
    }

    /// Where the file goes, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `bytes`, or nothing.
    ///
    /// # Errors
    /// `Write`, with what the system said.
    pub fn write(&self, bytes: &[u8]) -> Result<(), OutputFileError> {
        let before = self.identity();
        self.try_write(bytes)
            .map_err(|source| self.not_written(before, source))
    }

    /// As [`OutputFile::write`], where no file may be yet: of two who make it at once, one does.
    ///
    /// # Errors
    /// `Exists`, `Write`.
    pub fn create(&self, bytes: &[u8]) -> Result<(), OutputFileError> {
        let before = self.identity();
        let created = self.filled(bytes).and_then(|file| {
            file.persist_noclobber(&self.path)
                .map_err(|error| error.error)?;
            self.sync_directory()
        });
        created.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => OutputFileError::Exists(self.path.clone()),
            _ => self.not_written(before, source),
        })
    }

    /// Which file is there: its device and number.
    fn identity(&self) -> Option<(u64, u64)> {
        let there = fs::metadata(&self.path).ok()?;
        Some((there.dev(), there.ino()))
    }

    fn not_written(&self, before: Option<(u64, u64)>, source: io::Error) -> OutputFileError {
        let left = match (before, self.identity()) {
            _ if self.special => Left::Nothing,
            (_, None) => Left::Nothing,
            (before, after) if before == after => Left::Old,
            _ => Left::New,
        };
        OutputFileError::Write {
            path: self.path.clone(),
            left,
            source,
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<()> {
        if self.special {
            return fs::OpenOptions::new()
                .write(true)
                .open(&self.path)?
                .write_all(bytes);
        }
        let file = self.filled(bytes)?;
        if let Ok(old) = fs::metadata(&self.path) {
            aside::take_after(file.as_file(), &old)?;
        }
        file.persist(&self.path).map_err(|error| error.error)?;
        self.sync_directory()
    }

    /// All bytes in a file aside, on the disk.
    fn filled(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        aside::remove_left(&self.path, self.directory());
        let mut file = aside::make(&self.path, self.directory())?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// The rename itself is on the disk once the directory is.
    fn sync_directory(&self) -> io::Result<()> {
        File::open(self.directory())?.sync_all()
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

#[cfg(test)]
mod tests;
