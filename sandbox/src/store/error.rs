//! Why the store cannot do something. None of it is a submission's fault.

use std::io;
use std::path::PathBuf;

use super::{Digest, MANIFEST_VERSION};
use crate::outputs::Owner;
use crate::private::PrivateError;

/// Why the store cannot be used as it is, or something in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// About its directory.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// Something is being taken in.
    #[error(
        "outputs are being taken into the store {path}, nothing can be removed from it now\nhelp: try again when that is done"
    )]
    Busy {
        /// the store
        path: PathBuf,
    },
    /// Content that is not there.
    #[error(
        "the store has no {digest}\nhelp: it was removed as garbage, or the manifest is another store's"
    )]
    Missing {
        /// which
        digest: Digest,
    },
    /// Content of another size than it should have.
    #[error(
        "{path} has {found} bytes, expected {expected}\nhelp: the disk or somebody changed it; remove it and take the outputs again"
    )]
    Size {
        /// the object
        path: PathBuf,
        /// what was asked for, bytes
        expected: u64,
        /// what is there, bytes
        found: u64,
    },
    /// Content that is not what it is named.
    #[error(
        "{path} has the digest {found}, expected {expected}\nhelp: the disk or somebody changed it; remove it and take the outputs again"
    )]
    Corrupt {
        /// the object
        path: PathBuf,
        /// its name
        expected: Digest,
        /// what it holds
        found: Digest,
    },
    /// A name that no manifest can have.
    #[error(
        "manifest name {0:?}: lower-case letters, digits and `-` are expected, at most 64, the first a letter or digit"
    )]
    Name(String),
    /// There is one already.
    #[error(
        "the store has a manifest {0:?} already\nhelp: choose another name, or forget that one"
    )]
    Exists(String),
    /// A manifest that cannot be understood.
    #[error(
        "{path} is no manifest of version {MANIFEST_VERSION}\nhelp: it was written by another version or changed; nothing is removed as garbage while it is there"
    )]
    Manifest {
        /// the file
        path: PathBuf,
        /// why
        source: serde_json::Error,
    },
    /// A tree with a path that leads out of it, or is there twice.
    #[error(
        "a tree has the path {path:?}, expected a relative one without `.` and `..`, once, sorted"
    )]
    Path {
        /// which
        path: String,
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

impl StoreError {
    /// Whose fault: the store is the host's.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

pub(super) fn io_error(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io {
        path: path.into(),
        source,
    }
}
