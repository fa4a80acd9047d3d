//! GPUs that did not come back as they were taken: nobody gets them before somebody has looked.
//!
//! A record is a file of the directory that all who use the host's GPUs share, so that a GPU in quarantine is so for jobs and evaluations alike.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

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
    /// Of now and of this process.
    #[must_use]
    pub fn new(uuid: &str, why: Why, purpose: &str) -> Record {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Record {
            uuid: uuid.to_owned(),
            why,
            purpose: purpose.to_owned(),
            pid: std::process::id(),
            since_unix_s: now.map_or(0, |since| since.as_secs()),
        }
    }

    /// Of a GPU whose record is there, but damaged.
    fn unreadable(uuid: &str) -> Record {
        Record {
            uuid: uuid.to_owned(),
            why: Why::Unreadable,
            purpose: String::new(),
            pid: 0,
            since_unix_s: 0,
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

/// Where the record of a GPU is.
#[must_use]
pub fn path(root: &Path, uuid: &str) -> PathBuf {
    folder(root).join(format!("{}.json", file_name(uuid)))
}

/// What a GPU's files are called: UUIDs of instances have slashes under old drivers.
#[must_use]
pub fn file_name(uuid: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '-' => c,
        _ => '_',
    };
    uuid.chars().map(plain).collect()
}

/// The record of a GPU in quarantine; one that cannot be read still is one.
#[must_use]
pub fn find(root: &Path, uuid: &str) -> Option<Record> {
    match fs::read(path(root, uuid)) {
        Ok(text) => {
            Some(serde_json::from_slice(&text).unwrap_or_else(|_| Record::unreadable(uuid)))
        }
        Err(error) => match error.kind() {
            // A part of the path that is a file, too.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => None,
            _ => Some(Record::unreadable(uuid)),
        },
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
///
/// # Errors
/// If it cannot be written; an earlier one is still there then.
pub fn write(root: &Path, record: &Record) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(folder(root))?;
    let path = path(root, &record.uuid);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
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
    write().inspect_err(|_| {
        let _ = fs::remove_file(&aside);
    })
}

/// Ends a quarantine; whether there was one.
///
/// # Errors
/// If the record cannot be removed.
pub fn end(root: &Path, uuid: &str) -> io::Result<bool> {
    match fs::remove_file(path(root, uuid)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records outlive programs: these are files of earlier ones.
    #[test]
    fn records_on_disks_stay_readable() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("quarantine")).expect("a folder");
        let pids = vec![7, 9];
        let (before, after) = (1 << 20, 3 << 30);
        let error = "x".to_owned();
        for (kind, why, said) in [
            (
                r#"{"kind": "processes_left", "pids": [7, 9]}"#,
                Why::ProcessesLeft { pids },
                "processes were left on it: 7, 9 (p, seen by process 5)",
            ),
            (
                r#"{"kind": "memory_not_returned", "before": 1048576, "after": 3221225472}"#,
                Why::MemoryNotReturned { before, after },
                "memory was not given back: 3072 MiB in use, 1 MiB before (p, seen by process 5)",
            ),
            (
                r#"{"kind": "lost"}"#,
                Why::Lost,
                "it was lost (p, seen by process 5)",
            ),
            (
                r#"{"kind": "unknown", "error": "x"}"#,
                Why::Unknown { error },
                "what is in use of it is unknown: x (p, seen by process 5)",
            ),
        ] {
            let text = format!(
                r#"{{"uuid": "MIG-a/1/0", "why": {kind}, "purpose": "p", "pid": 5, "since_unix_s": 3}}"#
            );
            fs::write(path(folder.path(), "MIG-a/1/0"), text).expect("a file");
            let record = find(folder.path(), "MIG-a/1/0").expect("a record");
            assert_eq!((&record.why, record.since_unix_s), (&why, 3));
            assert_eq!(record.to_string(), said);
        }
    }
}
