use std::io;
use std::path::{Path, PathBuf};

use crate::layer::{ApplyLayerError, ExportLayerError};
use crate::{Digest, Owner};

/// Why the store does not do what it is asked. Always the host's fault.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum StoreError {
    #[error(
        "{} is no store and not empty\nhelp: name an empty directory, or the one that was made for it",
        .path.display()
    )]
    Foreign { path: PathBuf },
    #[error(
        "the store at {} is of version {found:?}, this program knows {expected:?}\nhelp: give it another directory",
        .path.display()
    )]
    Version {
        path: PathBuf,
        found: String,
        expected: &'static str,
    },
    #[error(
        "{} can be used by others (mode {mode:o}, owner {uid})\nhelp: it has to belong to this user, with mode 700",
        .path.display()
    )]
    NotPrivate { path: PathBuf, mode: u32, uid: u32 },
    #[error("{} is damaged\nhelp: remove it, and import the image again", .path.display())]
    Record {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{what} {digest} is not in the store\nhelp: import the image again")]
    Absent { what: &'static str, digest: Digest },
    #[error("{what} {digest} has {found} bytes, the limit is {limit}")]
    TooLarge {
        what: &'static str,
        digest: Digest,
        found: u64,
        limit: u64,
    },
    #[error("there is no lease called {name:?}")]
    NoLease { name: String },
    #[error("{}: {step} failed", .path.display())]
    Io {
        path: PathBuf,
        step: &'static str,
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// The host's.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }

    pub(super) fn io(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { path, step, source }
    }
}

/// Why a blob is not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum PutBlobError {
    #[error("a blob is {found}, {expected} was announced\nhelp: upload it again")]
    Digest { expected: Digest, found: Digest },
    #[error(
        "blob {digest} has {found} bytes or more, {expected} were announced\nhelp: upload it again"
    )]
    Size {
        digest: Digest,
        expected: u64,
        found: u64,
    },
    #[error("blob {digest} cannot be read where it comes from")]
    Input {
        digest: Digest,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PutBlobError {
    /// The submission's where its bytes are others than it says.
    pub fn owner(&self) -> Owner {
        match self {
            PutBlobError::Digest { .. } | PutBlobError::Size { .. } => Owner::Submission,
            PutBlobError::Input { .. } | PutBlobError::Store(_) => Owner::Host,
        }
    }
}

/// Why a layer is not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum PutLayerError {
    #[error("layer {digest} cannot be applied")]
    Apply {
        digest: Digest,
        #[source]
        source: ApplyLayerError,
    },
    #[error("what a step left cannot be made a layer")]
    Export(#[source] ExportLayerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PutLayerError {
    /// As the cause says.
    pub fn owner(&self) -> Owner {
        match self {
            PutLayerError::Apply { source, .. } => source.owner(),
            PutLayerError::Export(source) => source.owner(),
            PutLayerError::Store(source) => source.owner(),
        }
    }
}
