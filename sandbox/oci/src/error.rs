//! Why a bundle is not run.

use std::io;
use std::path::PathBuf;

/// Why a bundle is not run as it says, or a container not found.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// It asks for what the jail does not do, or for what is no configuration.
    #[error("{property}: {why}")]
    Refused {
        /// which property, as a path from the top of `config.json`
        property: String,
        /// why, and what is done instead
        why: String,
    },
    /// It is no configuration at all.
    #[error("{path} is no configuration of a container")]
    Json {
        /// the file
        path: PathBuf,
        /// where, and what was expected
        source: serde_json::Error,
    },
    /// It is larger than any that a tool writes.
    #[error("{path} has {found} bytes, at most {most} are read")]
    Size {
        /// the file
        path: PathBuf,
        /// its size
        found: u64,
        /// the most that is read
        most: u64,
    },
    /// No container can be called so.
    #[error(
        "container id {0:?}: letters, digits, `_`, `+`, `-` and `.` are expected, at most 128, the first a letter or digit"
    )]
    Id(String),
    /// There is one already.
    #[error("container {0:?} exists already")]
    Exists(String),
    /// There is none.
    #[error("container {0:?} does not exist")]
    Missing(String),
    /// It is not in a state in which that can be done.
    #[error("container {id:?} is {found}, expected {expected}")]
    Status {
        /// which
        id: String,
        /// what it is
        found: &'static str,
        /// what it should be
        expected: &'static str,
    },
    /// A program of the host that the bundle has run failed.
    #[error("hooks.{kind}[{index}] ({program}) {what}")]
    Hook {
        /// when it is run
        kind: &'static str,
        /// which of them
        index: usize,
        /// its path
        program: String,
        /// what became of it
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{path}")]
    Io {
        /// which
        path: PathBuf,
        /// why
        source: io::Error,
    },
}

impl OciError {
    /// A property that is refused.
    pub(crate) fn refused(property: impl Into<String>, why: impl Into<String>) -> OciError {
        OciError::Refused {
            property: property.into(),
            why: why.into(),
        }
    }
}

/// For `map_err`.
pub(crate) fn io_error(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OciError {
    move |source| OciError::Io {
        path: path.into(),
        source,
    }
}
