use std::io;

use super::Compression;
use super::archive::ArchiveError;
use crate::{Digest, Owner};

/// Why a layer cannot be applied. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ApplyLayerError {
    #[error(
        "the layer is {found}, but its media type says {declared}\nhelp: export the image again"
    )]
    Compression {
        declared: Compression,
        found: Compression,
    },
    #[error("the layer is compressed with {found}\nhelp: use gzip, zstd or nothing")]
    UnknownCompression { found: &'static str },
    #[error(
        "the layer's blob is {found} bytes long, its descriptor says {expected}\nhelp: upload it again"
    )]
    BlobSize { expected: u64, found: u64 },
    #[error("the layer's blob is {found}, its descriptor says {expected}\nhelp: upload it again")]
    BlobDigest { expected: Digest, found: Digest },
    #[error(
        "the layer's archive is {found}, the configuration's diff_ids say {expected}\nhelp: export the image again"
    )]
    DiffId { expected: Digest, found: Digest },
    #[error(
        "the layer does not decompress after {unpacked_bytes} bytes\nhelp: it is cut off or damaged: upload it again"
    )]
    Damaged {
        unpacked_bytes: u64,
        #[source]
        source: io::Error,
    },
    #[error("the layer's blob is longer than {limit} bytes\nhelp: make the image smaller")]
    BlobTooLarge { limit: u64 },
    #[error("the layer unpacks to more than {limit} bytes\nhelp: make the image smaller")]
    TooLarge { limit: u64 },
    #[error(
        "{compressed_bytes} bytes of the layer unpack to more than {unpacked_bytes}, which is past {ratio} to one\nhelp: leave out files that are mostly zeros"
    )]
    Ratio {
        compressed_bytes: u64,
        unpacked_bytes: u64,
        ratio: u64,
    },
    #[error("the layer has more than {limit} entries\nhelp: make the image smaller")]
    TooManyEntries { limit: u64 },
    #[error(
        "the layer's archive is malformed at byte {offset}: {reason}\nhelp: export the image again"
    )]
    Malformed { offset: u64, reason: String },
    #[error("entry {entry:?} {reason}\nhelp: leave it out of the image")]
    Entry { entry: String, reason: String },
    #[error("entry {entry:?}: {step} failed on this machine")]
    Io {
        entry: String,
        step: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the layer's blob cannot be read")]
    Input(#[source] io::Error),
    #[error("{failed}; what it left could not be removed either: {cleanup}")]
    Leftover {
        failed: Box<ApplyLayerError>,
        cleanup: io::Error,
    },
}

impl ApplyLayerError {
    /// The submission's where its bytes are wrong, the host's where reading them or writing the tree failed.
    pub fn owner(&self) -> Owner {
        match self {
            ApplyLayerError::Io { .. }
            | ApplyLayerError::Input(_)
            | ApplyLayerError::Leftover { .. } => Owner::Host,
            _ => Owner::Submission,
        }
    }

    pub(super) fn entry(entry: &[u8], reason: impl Into<String>) -> ApplyLayerError {
        ApplyLayerError::Entry {
            entry: super::note::shown(entry),
            reason: reason.into(),
        }
    }

    pub(super) fn io(
        entry: &[u8],
        step: &'static str,
    ) -> impl FnOnce(rustix::io::Errno) -> ApplyLayerError {
        let entry = super::note::shown(entry);
        move |errno| ApplyLayerError::Io {
            entry,
            step,
            source: errno.into(),
        }
    }
}

impl From<ArchiveError> for ApplyLayerError {
    fn from(error: ArchiveError) -> ApplyLayerError {
        match error {
            ArchiveError::Malformed { offset, reason } => {
                ApplyLayerError::Malformed { offset, reason }
            }
            ArchiveError::Io(source) => ApplyLayerError::Input(source),
        }
    }
}

/// Why a directory cannot be made a layer's archive.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ExportLayerError {
    #[error("{path:?} {reason}\nhelp: remove it in the step that made it")]
    Entry { path: String, reason: String },
    #[error(
        "the directory holds more than {limit} {what}\nhelp: remove what is not needed in the step that made it"
    )]
    TooMuch { what: &'static str, limit: u64 },
    #[error("{path:?} {reason}")]
    Unfit { path: String, reason: String },
    #[error("{path:?}: {step} failed on this machine")]
    Io {
        path: String,
        step: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the archive cannot be written")]
    Output(#[source] io::Error),
}

impl ExportLayerError {
    /// The submission's where a step left what a layer cannot hold, the host's where reading or writing failed.
    pub fn owner(&self) -> Owner {
        match self {
            ExportLayerError::Entry { .. } | ExportLayerError::TooMuch { .. } => Owner::Submission,
            _ => Owner::Host,
        }
    }

    pub(super) fn entry(path: &[u8], reason: impl Into<String>) -> ExportLayerError {
        ExportLayerError::Entry {
            path: super::note::shown(path),
            reason: reason.into(),
        }
    }

    pub(super) fn io(
        path: &[u8],
        step: &'static str,
    ) -> impl FnOnce(rustix::io::Errno) -> ExportLayerError {
        let path = super::note::shown(path);
        move |errno| ExportLayerError::Io {
            path,
            step,
            source: errno.into(),
        }
    }
}
