//! Files of one directory, opened so that none of them lies elsewhere, and re-opened only if it is still the same file.
//!
//! Symbolic links: a checkpoint's file may be a link to a file inside the same directory. In a Hugging Face cache
//! (`.../models--org--name/snapshots/<revision>/`) it may also point into that repository's `blobs/`. Every other link is
//! refused by name, so that a submission cannot make the host read a file of its own choosing.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::Owner;

/// Why a file of a checkpoint directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ReadFileError {
    #[error("{} does not exist", .path.display())]
    Missing { path: PathBuf },
    #[error("{} has neither an adapter_config.json (an adapter) nor a config.json (a model)", .path.display())]
    NoModel { path: PathBuf },
    #[error("{} is not a plain file", .path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is not a directory", .path.display())]
    NotADirectory { path: PathBuf },
    #[error("{name:?} is not a plain file name")]
    BadName { name: String },
    #[error("{} is a link to {}, outside of its directory\nhelp: put the file itself there", .path.display(), .target.display())]
    Escapes { path: PathBuf, target: PathBuf },
    #[error("{} is {found} bytes long, the limit for it is {limit}", .path.display())]
    TooLarge {
        path: PathBuf,
        found: u64,
        limit: u64,
    },
    #[error("{} was there and has vanished", .path.display())]
    Vanished { path: PathBuf },
    #[error("{} changed while it was in use: it was {before} bytes long and is {now}\nhelp: nobody may write to a checkpoint that is being evaluated", .path.display())]
    Changed {
        path: PathBuf,
        before: u64,
        now: u64,
    },
    #[error("{} cannot be read", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl ReadFileError {
    /// The submission's where its files are wrong, the host's where storage failed underneath.
    pub fn owner(&self) -> Owner {
        match self {
            ReadFileError::Missing { .. }
            | ReadFileError::NoModel { .. }
            | ReadFileError::NotAFile { .. }
            | ReadFileError::BadName { .. }
            | ReadFileError::Escapes { .. }
            | ReadFileError::TooLarge { .. } => Owner::Submission,
            ReadFileError::NotADirectory { .. }
            | ReadFileError::Vanished { .. }
            | ReadFileError::Changed { .. }
            | ReadFileError::Io { .. } => Owner::Host,
        }
    }
}

/// A directory whose files are read.
#[derive(Clone, Debug)]
pub struct SourceDir {
    shown: PathBuf,
    real: PathBuf,
    blobs: Option<PathBuf>,
}

impl SourceDir {
    /// # Errors
    /// `NotADirectory` or `Io`.
    pub fn open(dir: &Path) -> Result<SourceDir, ReadFileError> {
        let io = |source| ReadFileError::Io {
            path: dir.to_owned(),
            source,
        };
        let real = match dir.canonicalize() {
            Ok(real) => real,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(ReadFileError::NotADirectory {
                    path: dir.to_owned(),
                });
            }
            Err(e) => return Err(io(e)),
        };
        if !real.metadata().map_err(io)?.is_dir() {
            return Err(ReadFileError::NotADirectory {
                path: dir.to_owned(),
            });
        }
        Ok(SourceDir {
            shown: dir.to_owned(),
            blobs: hub_blobs(&real),
            real,
        })
    }

    /// The directory as it was named by the caller.
    pub fn path(&self) -> &Path {
        &self.shown
    }

    /// Whether there is an entry of that name (a file, a link, anything).
    pub fn has(&self, name: &str) -> bool {
        is_plain_name(name) && self.real.join(name).symlink_metadata().is_ok()
    }

    /// Names of the entries, sorted; at most `limit` of them.
    ///
    /// # Errors
    /// `Io` if the directory cannot be listed.
    pub fn names(&self, limit: usize) -> Result<Vec<String>, ReadFileError> {
        let io = |source| ReadFileError::Io {
            path: self.shown.clone(),
            source,
        };
        let mut names = Vec::new();
        for entry in self.real.read_dir().map_err(io)?.take(limit) {
            names.extend(entry.map_err(io)?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// A file of the directory.
    ///
    /// # Errors
    /// As [`ReadFileError`] says; the file is not read yet.
    pub fn file(&self, name: &str) -> Result<SourceFile, ReadFileError> {
        if !is_plain_name(name) {
            return Err(ReadFileError::BadName {
                name: name.chars().take(128).collect(),
            });
        }
        let shown = self.shown.join(name);
        let path = self.real.join(name);
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(ReadFileError::Missing { path: shown });
            }
            Err(source) => {
                return Err(ReadFileError::Io {
                    path: shown,
                    source,
                });
            }
        };
        let inside = real.starts_with(&self.real)
            || self
                .blobs
                .as_ref()
                .is_some_and(|blobs| real.starts_with(blobs));
        if !inside {
            return Err(ReadFileError::Escapes {
                path: shown,
                target: real,
            });
        }
        let meta = match real.metadata() {
            Ok(meta) => meta,
            Err(source) => {
                return Err(ReadFileError::Io {
                    path: shown,
                    source,
                });
            }
        };
        if !meta.is_file() {
            return Err(ReadFileError::NotAFile { path: shown });
        }
        Ok(SourceFile {
            shown,
            real,
            stamp: Stamp::of(&meta),
        })
    }

    /// The whole content of a small file.
    ///
    /// # Errors
    /// `TooLarge` past `limit` bytes, else as [`SourceDir::file`].
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, ReadFileError> {
        self.file(name)?.read_all(limit)
    }
}

/// `blobs/` of the repository in a Hugging Face cache, if `real` is one of its snapshots.
fn hub_blobs(real: &Path) -> Option<PathBuf> {
    let snapshots = real.parent()?;
    let repo = snapshots.parent()?;
    let is_cache = snapshots.file_name()? == "snapshots"
        && repo.file_name()?.to_str()?.starts_with("models--");
    is_cache.then(|| repo.join("blobs"))
}

/// A name that stays in its directory: no separator, no `..`, nothing hidden behind a NUL.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', '\0'])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Stamp {
        Stamp {
            len: meta.len(),
            device: meta.dev(),
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

/// A file that was checked once and is recognised on every later read.
///
/// It is not kept open: a job with fifty sharded candidates would run out of descriptors. Each read opens it, compares
/// device, inode, length and modification time with the first look, and reads by position.
#[derive(Clone, Debug)]
pub struct SourceFile {
    shown: PathBuf,
    real: PathBuf,
    stamp: Stamp,
}

impl SourceFile {
    /// The path as the caller would name it.
    pub fn path(&self) -> &Path {
        &self.shown
    }

    /// Length in bytes at the first look.
    pub fn size_bytes(&self) -> u64 {
        self.stamp.len
    }

    fn io(&self, source: std::io::Error) -> ReadFileError {
        ReadFileError::Io {
            path: self.shown.clone(),
            source,
        }
    }

    fn open(&self) -> Result<File, ReadFileError> {
        let file = File::open(&self.real).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => ReadFileError::Vanished {
                path: self.shown.clone(),
            },
            _ => self.io(e),
        })?;
        let now = Stamp::of(&file.metadata().map_err(|e| self.io(e))?);
        if now != self.stamp {
            return Err(ReadFileError::Changed {
                path: self.shown.clone(),
                before: self.stamp.len,
                now: now.len,
            });
        }
        Ok(file)
    }

    /// Fills `out` from the bytes that start at `begin`.
    ///
    /// # Errors
    /// `Vanished`, `Changed` or `Io`.
    pub fn read_at(&self, begin: u64, out: &mut [u8]) -> Result<(), ReadFileError> {
        self.opened()?.read_at(begin, out)
    }

    /// The file opened for many reads.
    ///
    /// # Errors
    /// `Vanished`, `Changed` or `Io`.
    pub(crate) fn opened(&self) -> Result<OpenFile<'_>, ReadFileError> {
        Ok(OpenFile {
            source: self,
            file: self.open()?,
        })
    }

    /// The whole file.
    ///
    /// # Errors
    /// `TooLarge` past `limit` bytes, `Vanished`, `Changed` or `Io`.
    pub fn read_all(&self, limit: u64) -> Result<Vec<u8>, ReadFileError> {
        if self.stamp.len > limit {
            return Err(ReadFileError::TooLarge {
                path: self.shown.clone(),
                found: self.stamp.len,
                limit,
            });
        }
        let mut bytes = Vec::new();
        self.open()?
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| self.io(e))?;
        if bytes.len() as u64 != self.stamp.len {
            let now = bytes.len() as u64;
            return Err(ReadFileError::Changed {
                path: self.shown.clone(),
                before: self.stamp.len,
                now,
            });
        }
        Ok(bytes)
    }
}

/// A file that was the one expected when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile<'a> {
    source: &'a SourceFile,
    file: File,
}

impl OpenFile<'_> {
    /// Fills `out` from the bytes that start at `begin`. Several threads may at once.
    ///
    /// # Errors
    /// `Changed` or `Io`.
    pub(crate) fn read_at(&self, begin: u64, out: &mut [u8]) -> Result<(), ReadFileError> {
        self.file
            .read_exact_at(out, begin)
            .map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => ReadFileError::Changed {
                    path: self.source.shown.clone(),
                    before: self.source.stamp.len,
                    now: self.file.metadata().map_or(0, |m| m.len()),
                },
                _ => self.source.io(e),
            })
    }
}

#[cfg(test)]
mod tests;
