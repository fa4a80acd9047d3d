//! Result files: whole, or not there.
//!
//! Bytes go to a temporary file in the same directory, are flushed to the disk, and take their name by a rename. A
//! full disk, a crash or Ctrl-C leaves the old file, or none.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Why a result file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputFileError {
    /// The place is not one for files.
    #[error("{} is a directory\nhelp: name a file in it", .0.display())]
    IsDirectory(PathBuf),
    /// Its directory cannot take files.
    #[error("no file can be made in {}, where {} should go\nhelp: make the directory, or name another", directory.display(), path.display())]
    Directory {
        /// The file.
        path: PathBuf,
        /// Its directory.
        directory: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Writing failed; nothing is left behind.
    #[error("{} was not written, and no part of it is left", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
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
        file.temporary()
            .map_err(|source| OutputFileError::Directory {
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
        self.try_write(bytes)
            .map_err(|source| OutputFileError::Write {
                path: self.path.clone(),
                source,
            })
    }

    fn try_write(&self, bytes: &[u8]) -> std::io::Result<()> {
        if self.special {
            return fs::OpenOptions::new()
                .write(true)
                .open(&self.path)?
                .write_all(bytes);
        }
        let mut file = self.temporary()?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        // The rename itself is on the disk once the directory is.
        File::open(self.directory())?.sync_all()
    }

    fn temporary(&self) -> std::io::Result<tempfile::NamedTempFile> {
        let mut prefix = OsStr::new(".").to_owned();
        prefix.push(self.path.file_name().unwrap_or(OsStr::new("gradus")));
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(self.directory())
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.json");
        let file = OutputFile::checked(&path).unwrap();
        assert!(
            names(directory.path()).is_empty(),
            "checking leaves nothing"
        );
        file.write(b"first, and longer").unwrap();
        file.write(b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(directory.path()), ["r.json"]);
    }

    #[test]
    fn a_missing_directory_is_found_before_the_work() {
        let directory = tempfile::tempdir().unwrap();
        let missing = OutputFile::checked(&directory.path().join("no/r.json")).unwrap_err();
        assert!(
            matches!(missing, OutputFileError::Directory { .. }),
            "{missing}"
        );
        let itself = OutputFile::checked(directory.path()).unwrap_err();
        assert!(
            matches!(itself, OutputFileError::IsDirectory(_)),
            "{itself}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_to_and_stays_a_device() {
        use std::os::unix::fs::FileTypeExt;
        OutputFile::checked(Path::new("/dev/null"))
            .unwrap()
            .write(b"x")
            .unwrap();
        assert!(
            fs::metadata("/dev/null")
                .unwrap()
                .file_type()
                .is_char_device()
        );
        let full = OutputFile::checked(Path::new("/dev/full"))
            .unwrap()
            .write(b"x")
            .unwrap_err();
        assert!(matches!(full, OutputFileError::Write { .. }), "{full}");
    }
}
