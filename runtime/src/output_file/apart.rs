//! Outputs that are no input and no other output: a result never replaces what it was made of.

use super::{OutputFile, OutputFileError};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Which file a path means, by whatever name: by number where it is there, by place where it is not yet.
#[derive(PartialEq, Eq)]
enum Which {
    There { device: u64, inode: u64 },
    Not(PathBuf),
}

impl Which {
    /// Links are followed.
    fn of(path: &Path, place: impl FnOnce() -> PathBuf) -> Self {
        match fs::metadata(path) {
            Ok(found) => Self::There {
                device: found.dev(),
                inode: found.ino(),
            },
            Err(_) => Self::Not(place()),
        }
    }
}

/// Refuses outputs that are a file which is read, or each other, through links too. To be asked before anything is read or written.
///
/// * `inputs`: files that are read; `-`, which is standard input, is none
///
/// # Errors
/// `IsInput`, `Twice`. Pipes and devices are not replaced, so they may be both.
pub fn apart(outputs: &[&OutputFile], inputs: &[&Path]) -> Result<(), OutputFileError> {
    let mut before: Vec<Which> = Vec::new();
    for output in outputs.iter().filter(|output| !output.is_special()) {
        let which = Which::of(output.path(), || output.place());
        for input in inputs.iter().filter(|input| **input != Path::new("-")) {
            if which == Which::of(input, || input.to_path_buf()) {
                return Err(OutputFileError::IsInput {
                    path: output.path().to_owned(),
                    input: input.to_path_buf(),
                });
            }
        }
        if before.contains(&which) {
            return Err(OutputFileError::Twice(output.path().to_owned()));
        }
        before.push(which);
    }
    Ok(())
}
