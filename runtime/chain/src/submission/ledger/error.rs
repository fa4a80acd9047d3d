//! Why something could not be written down or read again.

use super::super::intent::{IntentError, IntentId};
use super::super::journal::JournalError;
use super::super::state::Disorder;
use gradus_owner::Owner;
use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be written down or read again.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system.
    #[error("{} cannot be {action}: nothing is submitted that is not written down", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// Another process.
    #[error("{} is locked by another process: two that submit for one hotkey would hinder each other, stop one", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// Another chain's.
    #[error("{} holds intents of {found}, not of {expected}: give each network a directory of its own", path.display())]
    OtherChain {
        /// The directory.
        path: PathBuf,
        /// Profile and genesis that were asked for.
        expected: String,
        /// Those that it has.
        found: String,
    },
    /// Not `ledger.json`.
    #[error("{} is not version 1 of a ledger's chain: another program or version wrote it", path.display())]
    LedgerFile {
        /// The file.
        path: PathBuf,
    },
    /// A journal that is none.
    #[error("{} is not read", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// A journal whose last record lacks its newline alone.
    #[error(
        "line {line}, the last of {}, is a whole record without its newline, and perhaps what it says was done, so it is neither left out nor gone on with\nhelp: give it its newline, `printf '\\n' >> {}`, and run the command again: it looks on chain for what came of it",
        path.display(),
        quoted(path)
    )]
    NoNewline {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// Records that do not follow each other.
    #[error("{} has records that do not follow each other", path.display())]
    Disorder {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        source: Disorder,
    },
    /// A file of another name than its intent.
    #[error("{} has the records of {found}: journals are not renamed", path.display())]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The intent in it.
        found: IntentId,
    },
    /// An intent that cannot be.
    #[error("the intent cannot be followed")]
    Intent(#[source] IntentError),
    /// The name is taken.
    #[error("there is another intent {id}: names are given once")]
    Taken {
        /// The name.
        id: IntentId,
    },
    /// Another intent of the same row is on its way.
    #[error(
        "intent {open} for the same hotkey, subnet and mechanism is not through, and the chain would keep only one\nhelp: finish it first, `gradus weights set --resume`\nhelp: or give it up, if nothing of it can land: `gradus weights abandon {open}`"
    )]
    Open {
        /// The other.
        open: IntentId,
    },
    /// It cannot be given up.
    #[error(
        "intent {id} cannot be given up: {}",
        match ended {
            true => "it is over",
            false => "something of it may land or has landed, look at the chain until it is through",
        }
    )]
    NotIdle {
        /// The name.
        id: IntentId,
        /// Whether it has its verdict.
        ended: bool,
    },
    /// Not there.
    #[error("there is no intent {id} here")]
    Unknown {
        /// The name.
        id: IntentId,
    },
    /// A write failed before.
    #[error("{} failed to be written before, and takes no more: open the directory again", path.display())]
    Spoilt {
        /// The file.
        path: PathBuf,
    },
}

impl LedgerError {
    /// Whose fault.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Intent(source) => source.owner(),
            Self::Taken { .. } => Owner::Bug,
            Self::Disorder { source, .. } => source.owner(),
            _ => Owner::Host,
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
