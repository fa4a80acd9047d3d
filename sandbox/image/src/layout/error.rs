use std::io;
use std::path::PathBuf;

use crate::layer::{ApplyLayerError, ExportLayerError};
use crate::store::{PutBlobError, PutLayerError, StoreError};
use crate::{Digest, Owner};

/// Why a document of an image is refused. Always the submission's fault.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ParseImageError {
    #[error(
        "the {what} has {found} bytes, the limit is {limit}\nhelp: leave out annotations and history"
    )]
    TooLong {
        what: &'static str,
        found: u64,
        limit: u64,
    },
    #[error("the {what} is not what the image specification says")]
    Json {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the {what} says {reason}")]
    Wrong { what: &'static str, reason: String },
    #[error("the {what} lists {found} {of}, the limit is {limit}")]
    TooMany {
        what: &'static str,
        of: &'static str,
        found: usize,
        limit: usize,
    },
}

/// Why a layout is not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ImportImageError {
    #[error("{file} cannot be used")]
    Parse {
        file: String,
        #[source]
        source: ParseImageError,
    },
    #[error("{file} is not in the layout\nhelp: export the image again")]
    Missing { file: String },
    #[error("{file} {reason}\nhelp: export the image again")]
    File { file: String, reason: String },
    #[error(
        "{file} is {found}, the descriptor that leads to it says {expected}\nhelp: export the image again"
    )]
    Digest {
        file: String,
        expected: Digest,
        found: Digest,
    },
    #[error(
        "{file} has {found} bytes, the descriptor that leads to it says {expected}\nhelp: export the image again"
    )]
    Size {
        file: String,
        expected: u64,
        found: u64,
    },
    #[error("the layout has no image called {wanted:?}; it has {}", .found.join(", "))]
    NoReference { wanted: String, found: Vec<String> },
    #[error("there is no image for {wanted}, only for {}\nhelp: build it for {wanted}", .found.join(", "))]
    NoPlatform { wanted: String, found: Vec<String> },
    #[error(
        "the layout has several images for {platform}: {}\nhelp: name one of them",
        .found.join(", ")
    )]
    Ambiguous {
        platform: String,
        found: Vec<String>,
    },
    #[error(
        "layer {digest} is of type {media_type:?}, which is no archive of ours\nhelp: use tar, tar+gzip or tar+zstd"
    )]
    LayerType { digest: Digest, media_type: String },
    #[error("the image's layers unpack to more than {limit} bytes\nhelp: make the image smaller")]
    TooLarge { limit: u64 },
    #[error("blob {digest} cannot be taken")]
    Blob {
        digest: Digest,
        #[source]
        source: PutBlobError,
    },
    #[error(transparent)]
    Layer(#[from] PutLayerError),
    #[error("layer {digest} is not what the configuration says")]
    Verify {
        digest: Digest,
        #[source]
        source: ApplyLayerError,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{file} cannot be read on this machine")]
    Io {
        file: String,
        #[source]
        source: io::Error,
    },
}

impl ImportImageError {
    /// The submission's where the layout is wrong, the host's where reading it or writing the store failed.
    pub fn owner(&self) -> Owner {
        match self {
            ImportImageError::Blob { source, .. } => source.owner(),
            ImportImageError::Layer(source) => source.owner(),
            ImportImageError::Verify { source, .. } => source.owner(),
            ImportImageError::Store(_) | ImportImageError::Io { .. } => Owner::Host,
            _ => Owner::Submission,
        }
    }
}

/// Why an image is not written out. Always the host's fault.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ExportImageError {
    #[error("{} exists\nhelp: name a directory that does not", .path.display())]
    Exists { path: PathBuf },
    #[error(
        "layer {expected} is now {found}: its tree was changed, or it was imported and its blob is gone\nhelp: import the image again"
    )]
    Changed { expected: Digest, found: Digest },
    #[error("layer {digest} cannot be written")]
    Layer {
        digest: Digest,
        #[source]
        source: ExportLayerError,
    },
    #[error("the image in the store cannot be used")]
    Parse(#[source] ParseImageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} cannot be written", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ExportImageError {
    /// The host's.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}
