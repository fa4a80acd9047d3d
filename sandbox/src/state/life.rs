//! How a job's directory comes and goes: each is one rename, so that a process may be killed anywhere in between.
//!
//! ```text
//! new/NAME ── with its lock, held ──► jobs/NAME ── ids given back ──► gone/INODE ── content removed ──►
//! ```
//! What is in `new/` while nobody has that directory's turn, and what is in `gone/` at any time, is nobody's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::{LOCK_FILE, State, StateError, io_error, is_name};
use crate::scratch::quota::remove_directory;
use crate::turn::Turn;

/// How long is kept what was found about the host, which is found again in milliseconds.
const FOUND_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// In a job's directory: what it writes, where that is a directory. A hostile job made it, so it is not removed as others are.
pub(super) const SCRATCH: &str = "scratch";

/// A job that nobody else recovers or removes while this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    turn: Turn,
}

impl State {
    /// Takes the name, and makes the job's directory with its lock, which is held as long as the file is open anywhere.
    pub(crate) fn create(&self, name: &str) -> Result<(PathBuf, File), StateError> {
        if !is_name(name) {
            return Err(StateError::Name(name.to_owned()));
        }
        let new = self.root.join("new");
        let _turn = Turn::wait(&new).map_err(io_error(&new))?;
        let aside = new.join(name);
        let made = self.create_aside(name, &aside);
        if made.is_err() {
            let _ = clear(&aside);
        }
        made
    }

    fn create_aside(&self, name: &str, aside: &Path) -> Result<(PathBuf, File), StateError> {
        let directory = self.directory(name);
        if directory.exists() {
            return Err(StateError::Exists(name.to_owned()));
        }
        clear(aside)?;
        DirBuilder::new()
            .mode(0o700)
            .create(aside)
            .map_err(io_error(aside))?;
        let path = aside.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(io_error(&path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| io_error(&path)(error.into()))?;
        match fs::rename(aside, &directory) {
            Ok(()) => Ok((directory, lock)),
            // A job's directory is never empty, so none is replaced.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Err(StateError::Exists(name.to_owned()))
            }
            Err(error) => Err(io_error(directory)(error)),
        }
    }

    /// Waits until nobody else recovers or removes the job `name`.
    pub(crate) fn claim(&self, name: &str) -> Result<Claim, StateError> {
        let directory = self.directory(name);
        loop {
            let failed = |error: io::Error| match error.kind() {
                io::ErrorKind::NotFound => StateError::Missing(name.to_owned()),
                _ => io_error(&directory)(error),
            };
            let turn = Turn::wait(&directory).map_err(failed)?;
            let held = turn.directory().metadata().map_err(io_error(&directory))?;
            // Otherwise it was removed meanwhile, and another one has its name.
            if fs::metadata(&directory).map_err(failed)?.ino() == held.ino() {
                return Ok(Claim { turn });
            }
        }
    }

    /// Forgets the job `name`, of which nothing runs: its ids are free and its directory is gone. Needs no room on the disk.
    pub(crate) fn remove(&self, name: &str, claim: Claim) -> Result<(), StateError> {
        self.free_ids(name)?;
        let directory = self.directory(name);
        let inode = claim.turn.directory().metadata();
        let inode = inode.map_err(io_error(&directory))?.ino();
        // No other directory that is still there has this number.
        let gone = self.root.join("gone").join(inode.to_string());
        fs::rename(&directory, &gone).map_err(io_error(&directory))?;
        clear(&gone)
    }

    /// Removes what processes have left that were killed while they made or removed something.
    pub(crate) fn sweep(&self) -> Result<(), StateError> {
        let new = self.root.join("new");
        let turn = Turn::wait(&new).map_err(io_error(&new))?;
        for path in entries(&new)? {
            clear(&path)?;
        }
        drop(turn);
        for path in entries(&self.root.join("gone"))? {
            clear(&path)?;
        }
        self.free_lost_ids()?;
        self.sweep_templates()
    }

    fn sweep_templates(&self) -> Result<(), StateError> {
        let templates = self.templates();
        let _turn = Turn::wait(&templates).map_err(io_error(&templates))?;
        for path in entries(&templates)? {
            let ends = |end: &str| path.extension().is_some_and(|found| found == end);
            let old = || {
                let written = fs::metadata(&path).and_then(|meta| meta.modified());
                let age = written.map(|written| SystemTime::now().duration_since(written));
                matches!(age, Ok(Ok(age)) if age > FOUND_KEPT)
            };
            if ends("tmp") || ends("json") && old() {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(io_error(path)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, StateError> {
    let entries = fs::read_dir(directory).map_err(io_error(directory))?;
    entries
        .map(|entry| Ok(entry.map_err(io_error(directory))?.path()))
        .collect()
}

/// Removes a job's directory with all that is in it. Another process may do the same.
fn clear(path: &Path) -> Result<(), StateError> {
    let scratch = path.join(SCRATCH);
    match remove_directory(&scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error(scratch)(error));
        }
        _ => {}
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}
