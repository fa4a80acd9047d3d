use std::io;
use std::path::PathBuf;

use super::WrongHeader;
use crate::outputs::Owner;

/// Why a job's output cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Bytes that no watcher writes.
    #[error(
        "{path} is damaged at byte {at}\nhelp: the disk or somebody changed it; what was read before is right"
    )]
    Damaged {
        /// which file
        path: PathBuf,
        /// where
        at: u64,
        /// what is there
        source: WrongHeader,
    },
    /// A file that was finished within a record.
    #[error(
        "{path} ends at byte {at} within a record\nhelp: the disk was full, or somebody cut it off; what was read before is right"
    )]
    Cut {
        /// which file
        path: PathBuf,
        /// where
        at: u64,
    },
    /// A file cannot be read.
    #[error("{path}")]
    Io {
        /// which
        path: PathBuf,
        /// why
        source: io::Error,
    },
}

impl LogError {
    /// Whose fault: the files are the host's, whatever a job has printed.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}
