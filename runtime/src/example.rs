//! The example that is embedded in the binary: a small trained model, a task, and candidates of different quality.

use crate::candidates::CandidateArg;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

include!(concat!(env!("OUT_DIR"), "/example_files.rs"));

/// The example's files in a temporary directory, which goes when this does.
#[derive(Debug)]
pub struct Example {
    directory: TempDir,
}

/// Why there is no example to run.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// Built without it.
    #[error(
        "this program was built without its example\nhelp: name a task and candidates: gradus eval TASK --candidate NAME=PATH"
    )]
    Absent,
    /// The temporary directory could not be filled.
    #[error(
        "the embedded example could not be unpacked\nhelp: it needs some megabytes in the directory for temporary files; TMPDIR names another"
    )]
    Unpack(#[from] std::io::Error),
}

impl Example {
    /// Unpacks it.
    ///
    /// # Errors
    /// `Absent` if the program was built without it, `Unpack` if there is no room for it.
    pub fn unpack() -> Result<Self, ExampleError> {
        if FILES.is_empty() {
            return Err(ExampleError::Absent);
        }
        let directory = tempfile::Builder::new()
            .prefix("gradus-example-")
            .tempdir()?;
        for (name, bytes) in FILES {
            let path = directory.path().join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, bytes)?;
        }
        Ok(Self { directory })
    }

    /// Its task file.
    pub fn task(&self) -> PathBuf {
        self.directory.path().join("task.json")
    }

    /// A path as results should have it: the directory's name differs from run to run.
    pub fn stable_source(&self, source: &str) -> String {
        match std::path::Path::new(source).strip_prefix(self.directory.path()) {
            Ok(inside) => format!("example:{}", inside.display()),
            Err(_) => source.to_owned(),
        }
    }

    /// Its candidates, by name.
    pub fn candidates(&self) -> Vec<CandidateArg> {
        let names: BTreeSet<&str> = FILES
            .iter()
            .filter_map(|(name, _)| name.strip_prefix("candidates/")?.split_once('/'))
            .map(|(name, _)| name)
            .collect();
        names
            .into_iter()
            .map(|name| CandidateArg {
                name: name.to_owned(),
                source: self
                    .directory
                    .path()
                    .join("candidates")
                    .join(name)
                    .display()
                    .to_string(),
            })
            .collect()
    }
}
