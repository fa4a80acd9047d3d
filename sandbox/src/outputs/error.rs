//! Why outputs are not taken. Paths begin with the output's name, and are escaped where they have to be.

use std::io;

use super::Owner;
use crate::store::StoreError;

/// Why nothing of a job's outputs was taken.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Neither file nor directory.
    #[error("output {path} is a {found}, expected a regular file or a directory\nhelp: {}", help(.found))]
    Kind {
        /// which
        path: String,
        /// what it is
        found: &'static str,
    },
    /// A file with several names: it may be one of somebody else's.
    #[error(
        "output {path} has {links} names (hard links), expected one\nhelp: write a copy, as in `cp --no-preserve=links`"
    )]
    HardLink {
        /// which
        path: String,
        /// how many
        links: u64,
    },
    /// A name that cannot be shown as it is.
    #[error(
        "output {path} has {what} in its name\nhelp: name files in UTF-8, without control and direction characters"
    )]
    Name {
        /// which
        path: String,
        /// what
        what: &'static str,
    },
    /// A name that is too long.
    #[error(
        "output {path} has a name of {bytes} bytes, expected {limit} at most\nhelp: shorten it"
    )]
    NameBytes {
        /// which
        path: String,
        /// how long
        bytes: usize,
        /// how long it may be
        limit: usize,
    },
    /// A path that is too long.
    #[error(
        "the path of output {path} has {bytes} bytes, expected {limit} at most\nhelp: shorten the names of its directories"
    )]
    PathBytes {
        /// its beginning
        path: String,
        /// how long
        bytes: usize,
        /// how long it may be
        limit: usize,
    },
    /// Too many directories in each other.
    #[error(
        "output {path} lies deeper than {limit} components\nhelp: write it into fewer directories"
    )]
    Depth {
        /// which
        path: String,
        /// how deep it may lie
        limit: usize,
    },
    /// Too many files.
    #[error(
        "there are more than {limit} files and directories in the outputs, the last of them in {path}\nhelp: write fewer, or one archive"
    )]
    Files {
        /// the directory where counting ended
        path: String,
        /// how many there may be
        limit: u64,
    },
    /// A file that is too large, holes included.
    #[error(
        "output {path} has {bytes} bytes (holes count), expected {limit} at most\nhelp: write less, or several files"
    )]
    FileBytes {
        /// which
        path: String,
        /// its size
        bytes: u64,
        /// how large a file may be
        limit: u64,
    },
    /// Files that are too large together, holes included.
    #[error(
        "the outputs have more than {limit} bytes (holes count), {path} is what passes them\nhelp: write less"
    )]
    Bytes {
        /// the file where adding ended
        path: String,
        /// how large they may be
        limit: u64,
    },
    /// A file or directory that may not be read.
    #[error(
        "output {path} cannot be read for its permissions\nhelp: make it readable for its owner"
    )]
    Permission {
        /// which
        path: String,
    },
    /// Something that is not what it was a moment ago. The job is gone, so it is not the job that has to answer for it.
    #[error(
        "output {path} changed while it was taken: {what}\nhelp: something still writes there; end it, and look why the job's end did not"
    )]
    Changed {
        /// which
        path: String,
        /// what was noticed
        what: &'static str,
    },
    /// The host cannot read it.
    #[error("output {path} cannot be read")]
    Io {
        /// which
        path: String,
        /// why
        source: io::Error,
    },
    /// The store cannot take it.
    #[error("the outputs cannot be stored")]
    Store(#[from] StoreError),
}

impl CollectError {
    /// Whose fault.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match self {
            CollectError::Kind { .. }
            | CollectError::HardLink { .. }
            | CollectError::Name { .. }
            | CollectError::NameBytes { .. }
            | CollectError::PathBytes { .. }
            | CollectError::Depth { .. }
            | CollectError::Files { .. }
            | CollectError::FileBytes { .. }
            | CollectError::Bytes { .. }
            | CollectError::Permission { .. } => Owner::Submission,
            CollectError::Changed { .. } | CollectError::Io { .. } => Owner::Host,
            CollectError::Store(error) => error.owner(),
        }
    }
}

/// What an author does about it.
fn help(found: &str) -> &'static str {
    match found {
        super::walk::SYMLINK => "write the file itself, as in `cp -L`",
        _ => "write what it would give into a file",
    }
}
