//! Locks on files that say who has them.

use crate::device::state::{StateDir, StateError};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// Who holds a lock: what the lock file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id; `None` if the holder has not written it.
    pub pid: Option<u32>,
    /// What for.
    pub purpose: String,
}

impl Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid} ({})", self.purpose),
            None if !self.purpose.is_empty() => f.write_str(&self.purpose),
            None => f.write_str("another gradus process"),
        }
    }
}

/// A lock of this process; dropping gives it back.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    exclusive: bool,
    /// Who had it and ended without giving it back.
    pub(super) abandoned_by: Option<Holder>,
}

/// How an attempt ended.
pub(super) enum Locked {
    Yes(Lock),
    By(Holder),
}

/// How long a holder that has just locked is waited for, until its name is in the file.
const NAME_WITHIN: Duration = Duration::from_millis(200);

impl Lock {
    /// For this process alone.
    pub(super) fn exclusive(
        state: &StateDir,
        uuid: &str,
        purpose: &str,
    ) -> Result<Locked, StateError> {
        let path = state.lock_file(uuid)?;
        let failed = |source| StateError {
            path: path.clone(),
            source,
        };
        let mut file = open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Locked::By(name(&mut file))),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Whoever gives a lock back empties the file.
        let abandoned_by = read(&mut file);
        let holder = Holder {
            pid: Some(std::process::id()),
            purpose: purpose.to_owned(),
        };
        let text = serde_json::to_vec(&holder).expect("a holder has text keys");
        overwrite(&mut file, &text).map_err(failed)?;
        Ok(Locked::Yes(Self {
            file,
            exclusive: true,
            abandoned_by,
        }))
    }

    /// With others who share it, against those who want it alone.
    pub(super) fn shared(state: &StateDir, uuid: &str) -> Result<Locked, StateError> {
        let path = state.lock_file(uuid)?;
        let failed = |source| StateError {
            path: path.clone(),
            source,
        };
        let mut file = open(&path).map_err(failed)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Locked::Yes(Self {
                file,
                exclusive: false,
                abandoned_by: None,
            })),
            Err(TryLockError::WouldBlock) => Ok(Locked::By(name(&mut file))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Only the empty file tells a lease that was given back from one that died; the lock ends with the file.
        if self.exclusive {
            let _ = overwrite(&mut self.file, b"");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // The file is never removed: a lock on a removed file excludes nobody.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn overwrite(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(4096).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The holder's name, which it writes after it has locked. Several who share a lock write none.
fn name(file: &mut File) -> Holder {
    let step = Duration::from_millis(10);
    for _ in 0..NAME_WITHIN.as_millis() / step.as_millis() {
        if let Some(holder) = read(file) {
            return holder;
        }
        std::thread::sleep(step);
    }
    Holder {
        pid: None,
        purpose: String::new(),
    }
}
