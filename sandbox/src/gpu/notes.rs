//! What a keeper has seen, a line of JSON each, in the job's directory: part of its record.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::quarantine::Why;

/// The file's name in a job's directory.
pub const NOTES_FILE: &str = "gpus";

/// Something that was seen of one of a job's GPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// which
    pub uuid: String,
    /// when, seconds since 1970
    pub unix_s: u64,
    /// what
    #[serde(flatten)]
    pub seen: Seen,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum Seen {
    /// A keeper watches from here on.
    Watched {
        /// its process
        keeper: u32,
    },
    /// The job took more memory than it was granted, and was ended for it.
    OverLimit {
        /// bytes
        used_bytes: u64,
        /// bytes
        limit_bytes: u64,
    },
    /// A process that is not the job's is on the GPU: somebody else's, or one of the job's that got out.
    Foreign {
        /// its id
        pid: u32,
        /// its command's name, as far as it is told
        command: String,
    },
    /// A process is on the GPU that cannot be seen from here, so that nobody can say whose it is.
    Unseen {
        /// its id, as the driver counts
        pid: u32,
    },
    /// Nobody could say what is in use, from here on.
    Unwatched {
        /// why
        error: String,
    },
    /// It could be said again.
    WatchedAgain,
    /// The GPU was gone.
    Lost,
    /// The most that the job held at a look, when it had ended.
    Peak {
        /// bytes
        used_bytes: u64,
    },
    /// The GPU was back as it was given.
    Returned {
        /// milliseconds after the job's end, as far as the keeper was there
        after_ms: u64,
    },
    /// It was not.
    Quarantined {
        /// why
        why: Why,
    },
}

impl Seen {
    /// Whether somebody should be told.
    pub fn is_alarm(&self) -> bool {
        !matches!(
            self,
            Seen::Watched { .. } | Seen::WatchedAgain | Seen::Peak { .. } | Seen::Returned { .. }
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.uuid)?;
        match &self.seen {
            Seen::Watched { keeper } => write!(f, "watched by process {keeper}"),
            Seen::OverLimit {
                used_bytes,
                limit_bytes,
            } => write!(
                f,
                "the job took {} MiB, granted are {} MiB",
                used_bytes >> 20,
                limit_bytes >> 20
            ),
            Seen::Foreign { pid, command } => {
                write!(f, "process {pid} ({command}) is on it and not the job's")
            }
            Seen::Unseen { pid } => {
                write!(f, "process {pid} is on it, and cannot be seen from here")
            }
            Seen::Unwatched { error } => write!(f, "what is in use of it is unknown: {error}"),
            Seen::WatchedAgain => f.write_str("what is in use of it is known again"),
            Seen::Lost => f.write_str("it is lost"),
            Seen::Peak { used_bytes } => write!(f, "at most {} MiB were held", used_bytes >> 20),
            Seen::Returned { after_ms } => write!(f, "it came back after {after_ms} ms"),
            Seen::Quarantined { why } => write!(f, "in quarantine: {why}"),
        }
    }
}

/// Appends a note, if the job is still there.
pub(super) fn append(directory: &Path, note: &Note) {
    let mut line = serde_json::to_vec(note).expect("plain data");
    line.push(b'\n');
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(directory.join(NOTES_FILE));
    // The job may be removed already; who asked for that was told the note another way.
    let _ = file.and_then(|mut file| file.write_all(&line));
}

/// All notes of the job whose directory this is.
pub fn read(directory: &Path) -> Vec<Note> {
    let text = fs::read(directory.join(NOTES_FILE)).unwrap_or_default();
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}
