//! Where one process writes what has no name yet.
//!
//! A folder each, locked for as long as the process lives: whoever finds one without a lock removes it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

use super::StoreError;
use super::error::io_error;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) path: PathBuf,
    /// held while it is open
    lock: File,
    next: AtomicU64,
}

impl Session {
    /// A new folder in `tmp`.
    pub(super) fn create(tmp: &Path) -> Result<Session, StoreError> {
        let mut number = 0_u64;
        loop {
            let path = tmp.join(format!("{}-{number}", std::process::id()));
            number += 1;
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other.map_err(io_error(&path))?,
            }
            // Until it is locked, it looks like one that was left, and somebody may remove it.
            let lock = match directory(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(io_error(&path))?,
            };
            flock(&lock, FlockOperation::LockExclusive)
                .map_err(|error| io_error(&path)(error.into()))?;
            let locked = lock.metadata().map_err(io_error(&path))?;
            let there = fs::metadata(&path);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino())) {
                return Ok(Session {
                    path,
                    lock,
                    next: AtomicU64::new(0),
                });
            }
        }
    }

    /// The place of a file that is not there yet.
    pub(super) fn place(&self) -> PathBuf {
        self.path
            .join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Waits until everything on this file system is on its disk.
    pub(super) fn sync_all(&self) -> Result<(), StoreError> {
        rustix::fs::syncfs(&self.lock).map_err(|error| io_error(&self.path)(error.into()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the store is opened the next time.
        let _ = remove(&self.path);
    }
}

/// Removes what processes have left that are gone.
pub(super) fn sweep(tmp: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(tmp).map_err(io_error(tmp))? {
        let path = entry.map_err(io_error(tmp))?.path();
        let found = match directory(&path) {
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(io_error(&path))?,
        };
        match flock(&found, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(io_error(&path)(error.into())),
            Ok(()) => remove(&path).map_err(io_error(&path))?,
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn directory(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?.into())
}
