//! Files that arguments name: read whole, up to a limit.

use gradus_chain::plain_file;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why a file that an argument names cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputFileError {
    /// The system says so.
    #[error("{argument} {} cannot be read", path.display())]
    Io {
        /// The argument, as the usage calls it.
        argument: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Larger than what it should be can get.
    #[error("{argument} {} has more than {most} bytes, which is no such file's size\nhelp: check which file is named", path.display())]
    TooLarge {
        /// The argument, as the usage calls it.
        argument: &'static str,
        /// The file.
        path: PathBuf,
        /// How many are read at most.
        most: usize,
    },
}

/// The file's bytes, at most `most`; `-` is standard input.
///
/// # Errors
/// `Io`, `TooLarge`.
pub fn read(argument: &'static str, path: &Path, most: usize) -> Result<Vec<u8>, InputFileError> {
    read_by(|path| File::open(path), argument, path, most)
}

/// As [`read`], of a plain file or standard input alone: see [`plain_file::open`].
///
/// # Errors
/// `Io`, `TooLarge`.
pub fn read_plain(
    argument: &'static str,
    path: &Path,
    most: usize,
) -> Result<Vec<u8>, InputFileError> {
    read_by(plain_file::open, argument, path, most)
}

fn read_by(
    open: impl FnOnce(&Path) -> io::Result<File>,
    argument: &'static str,
    path: &Path,
    most: usize,
) -> Result<Vec<u8>, InputFileError> {
    let failed = |source| InputFileError::Io {
        argument,
        path: path.to_owned(),
        source,
    };
    let limit = most as u64 + 1;
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => {
            let file = open(path).map_err(failed)?;
            file.take(limit).read_to_end(&mut bytes)
        }
    };
    read.map_err(failed)?;
    if bytes.len() > most {
        let path = path.to_owned();
        return Err(InputFileError::TooLarge {
            argument,
            path,
            most,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        let refused = |most| read("RESULTS", &path, most).unwrap_err().to_string();
        assert!(refused(4).starts_with("RESULTS "), "{}", refused(4));
        std::fs::write(&path, b"four").unwrap();
        assert_eq!(read("RESULTS", &path, 4).unwrap(), b"four");
        assert!(refused(3).contains("more than 3 bytes"), "{}", refused(3));
    }
}
