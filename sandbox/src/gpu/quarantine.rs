//! GPUs that did not come back from a job as they were given: nobody gets them before somebody has looked.
//!
//! Records lie where those of evaluations lie and have the same form, so that a GPU in quarantine is in quarantine for both.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::GpuError;
use super::error::io_error;

/// Why a GPU is in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// which
    pub uuid: String,
    /// what was wrong
    pub why: Why,
    /// for what it was held
    pub purpose: String,
    /// by which process
    pub pid: u32,
    /// when, seconds since 1970
    pub since_unix_s: u64,
}

/// What was wrong when it should have come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// Processes were on it.
    ProcessesLeft {
        /// which
        pids: Vec<u32>,
    },
    /// More memory was in use than before.
    MemoryNotReturned {
        /// bytes in use when it was taken
        before: u64,
        /// and when it should have come back
        after: u64,
    },
    /// It was gone.
    Lost,
    /// It did not say what is in use.
    Unknown {
        /// what it said
        error: String,
    },
    /// The record itself cannot be read.
    Unreadable,
}

impl Record {
    pub(super) fn new(uuid: &str, why: Why, purpose: String) -> Record {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Record {
            uuid: uuid.to_owned(),
            why,
            purpose,
            pid: std::process::id(),
            since_unix_s: now.map_or(0, |since| since.as_secs()),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::ProcessesLeft { pids } => {
                let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
                write!(f, "processes were left on it: {}", pids.join(", "))
            }
            Why::MemoryNotReturned { before, after } => write!(
                f,
                "memory was not given back: {} MiB in use, {} MiB before",
                after >> 20,
                before >> 20
            ),
            Why::Lost => f.write_str("it was lost"),
            Why::Unknown { error } => write!(f, "what is in use of it is unknown: {error}"),
            Why::Unreadable => f.write_str("the record of its quarantine cannot be read"),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.why)?;
        if !self.purpose.is_empty() {
            write!(f, " ({}, seen by process {})", self.purpose, self.pid)?;
        }
        Ok(())
    }
}

fn folder(root: &Path) -> PathBuf {
    root.join("quarantine")
}

fn path(root: &Path, uuid: &str) -> PathBuf {
    folder(root).join(format!("{}.json", file_name(uuid)))
}

/// UUIDs of instances have slashes under old drivers.
pub(super) fn file_name(uuid: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '-' => c,
        _ => '_',
    };
    uuid.chars().map(plain).collect()
}

/// The record of a GPU in quarantine; one that cannot be read still is one.
pub(super) fn find(root: &Path, uuid: &str) -> Option<Record> {
    let unreadable = || Record {
        pid: 0,
        since_unix_s: 0,
        ..Record::new(uuid, Why::Unreadable, String::new())
    };
    match fs::read(path(root, uuid)) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap_or_else(|_| unreadable())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => Some(unreadable()),
    }
}

/// All records, by UUID.
pub(super) fn all(root: &Path) -> Vec<Record> {
    let entries = fs::read_dir(folder(root)).into_iter().flatten().flatten();
    let mut records: Vec<Record> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let uuid = name.strip_suffix(".json")?;
            find(root, uuid)
        })
        .collect();
    records.sort_by(|one, other| one.uuid.cmp(&other.uuid));
    records
}

/// Writes a record: whole, on the disk, or not at all.
pub(super) fn write(root: &Path, record: &Record) -> Result<(), GpuError> {
    let folder = folder(root);
    fs::create_dir_all(&folder).map_err(io_error(&folder))?;
    let path = path(root, &record.uuid);
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    let text = serde_json::to_vec_pretty(record).expect("plain data");
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .open(&aside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&aside, &path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&aside);
        GpuError::Io { path, source }
    })
}

/// Ends a quarantine; whether there was one.
pub(super) fn end(root: &Path, uuid: &str) -> Result<bool, GpuError> {
    let path = path(root, uuid);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(GpuError::Io { path, source }),
    }
}
