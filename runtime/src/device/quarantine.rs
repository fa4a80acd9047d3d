//! GPUs that were not given back as they were taken: nobody leases them before somebody has looked.

use crate::bytes::ByteSize;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a device is in quarantine; one file of the state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The device.
    pub uuid: String,
    /// What was wrong.
    pub why: Why,
    /// What the lease was for.
    pub purpose: String,
    /// The process that had it.
    pub pid: u32,
    /// When, seconds since 1970.
    pub since_unix_s: u64,
}

/// What was wrong when a lease ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// Processes that were not there before.
    ProcessesLeft {
        /// Which.
        pids: Vec<u32>,
    },
    /// More memory in use than before.
    MemoryNotReturned {
        /// Bytes in use when it was taken, but for those of processes that were there.
        before: u64,
        /// The same when it was given back.
        after: u64,
    },
    /// It is gone.
    Lost,
    /// It did not say what is in use.
    Unknown {
        /// What it answered.
        error: String,
    },
    /// The record itself cannot be read.
    Unreadable,
}

impl Record {
    /// Of now and of this process.
    pub fn new(uuid: &str, why: Why, purpose: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            uuid: uuid.to_owned(),
            why,
            purpose: purpose.to_owned(),
            pid: std::process::id(),
            since_unix_s: now.map_or(0, |since| since.as_secs()),
        }
    }

    /// Of a device whose record is there, but damaged.
    pub(super) fn unreadable(uuid: &str) -> Self {
        Self {
            uuid: uuid.to_owned(),
            why: Why::Unreadable,
            purpose: String::new(),
            pid: 0,
            since_unix_s: 0,
        }
    }
}

impl Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProcessesLeft { pids } => {
                let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
                write!(f, "processes that a lease left behind: {}", pids.join(", "))
            }
            Self::MemoryNotReturned { before, after } => write!(
                f,
                "memory that a lease did not give back: {} in use, {} before",
                ByteSize(*after),
                ByteSize(*before)
            ),
            Self::Lost => f.write_str("it was lost during a lease"),
            Self::Unknown { error } => write!(f, "what a lease left is unknown: {error}"),
            Self::Unreadable => f.write_str("its record cannot be read"),
        }
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.why, self.uuid)?;
        if !self.purpose.is_empty() {
            write!(f, ", {} by process {}", self.purpose, self.pid)?;
        }
        f.write_str("); `gradus doctor --clear-quarantine` ends it")
    }
}
