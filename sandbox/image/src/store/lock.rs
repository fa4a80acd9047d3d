//! Locks that end with their process, and the directory in `tmp` that one of them guards.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::StoreError;
use crate::layer::remove_tree;

/// The store's lock, held. Each has a descriptor of its own, so that threads of one process exclude each other too.
pub(super) struct Guard {
    _file: File,
}

impl Guard {
    /// Others may publish at the same time; nobody collects.
    pub(super) fn shared(root: &Path) -> Result<Guard, StoreError> {
        Guard::take(root, FlockOperation::LockShared)
    }

    /// Nobody else does anything.
    pub(super) fn exclusive(root: &Path) -> Result<Guard, StoreError> {
        Guard::take(root, FlockOperation::LockExclusive)
    }

    fn take(root: &Path, how: FlockOperation) -> Result<Guard, StoreError> {
        let path = root.join("lock");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io(&path, "opening the lock"))?;
        loop {
            match rustix::fs::flock(&file, how) {
                Ok(()) => return Ok(Guard { _file: file }),
                Err(Errno::INTR) => {}
                Err(e) => return Err(StoreError::io(&path, "locking the store")(e.into())),
            }
        }
    }
}

/// Whether nobody holds a lock on this any more. Takes it if so.
pub(super) fn is_dead(file: &OwnedFd) -> rustix::io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(e),
    }
}

/// This process's directory in `tmp`. Removed with all that is in it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    next: AtomicU64,
    _lock: OwnedFd,
}

impl Scratch {
    /// Under the store's lock: between making it and locking it, it looks dead.
    pub(super) fn new(tmp: &Path) -> Result<Scratch, StoreError> {
        let path = unique(tmp, |path| {
            std::fs::DirBuilder::new().mode(0o700).create(path)
        })?;
        let lock = open_dir(&path)
            .and_then(|dir| {
                rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive)?;
                Ok(dir)
            })
            .map_err(|e| StoreError::io(&path, "locking a directory")(e.into()))?;
        Ok(Scratch {
            path,
            next: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// A path at which nothing is yet.
    pub(super) fn next(&self) -> PathBuf {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.path.join(n.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the store is next opened.
        let _ = remove_tree(&self.path);
    }
}

/// Makes something under a name that nothing has.
pub(super) fn unique<T>(
    dir: &Path,
    make: impl Fn(&Path) -> std::io::Result<T>,
) -> Result<PathBuf, StoreError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{}-{n}", std::process::id()));
        match make(&path) {
            Ok(_) => return Ok(path),
            // Of a process that had our number before us.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(StoreError::io(&path, "making a temporary file")(e)),
        }
    }
}

/// Removes the directories in `tmp` whose processes are gone.
pub(super) fn remove_dead(tmp: &Path) -> Result<(), StoreError> {
    for path in list(tmp)? {
        let io = |e: Errno| StoreError::io(&path, "looking at a temporary directory")(e.into());
        let dead = match open_dir(&path) {
            Ok(dir) => is_dead(&dir).map_err(io)?,
            Err(Errno::NOENT) => continue,
            Err(Errno::NOTDIR | Errno::LOOP) => true,
            Err(e) => return Err(io(e)),
        };
        if dead {
            remove_tree(&path).map_err(StoreError::io(&path, "removing what a process left"))?;
        }
    }
    Ok(())
}

pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let io = || StoreError::io(dir, "listing a directory");
    dir.read_dir()
        .map_err(io())?
        .map(|entry| Ok(entry.map_err(io())?.path()))
        .collect()
}

fn open_dir(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Makes the store's directory, or sees that nobody else can enter it.
pub(super) fn make_private(root: &Path) -> Result<(), StoreError> {
    match std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(root)
    {
        Ok(()) => {}
        Err(e) => return Err(StoreError::io(root, "making the store")(e)),
    }
    let meta = root
        .metadata()
        .map_err(StoreError::io(root, "looking at the store"))?;
    let is_ours = meta.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || meta.mode() & 0o077 != 0 {
        return Err(StoreError::NotPrivate {
            path: root.to_owned(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
        });
    }
    Ok(())
}

/// Refuses a directory that holds something else, before anything is written there.
pub(super) fn check_ours(root: &Path) -> Result<(), StoreError> {
    // In this order: who makes the store writes its version before all else but the lock.
    let others = list(root)?;
    let is_ours = root.join("version").exists();
    if !is_ours && others.iter().any(|path| !path.ends_with("lock")) {
        return Err(StoreError::Foreign {
            path: root.to_owned(),
        });
    }
    Ok(())
}

/// Writes the version into an empty store, compares it in another.
pub(super) fn check_version(root: &Path, expected: &'static str) -> Result<(), StoreError> {
    let path = root.join("version");
    match std::fs::read_to_string(&path) {
        Ok(found) if found == expected => Ok(()),
        // The first start died before it was written.
        Ok(found) if found.is_empty() => write_version(&path, expected),
        Ok(found) => Err(StoreError::Version {
            path: root.to_owned(),
            found: found.chars().take(20).collect(),
            expected,
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => write_version(&path, expected),
        Err(e) => Err(StoreError::io(&path, "reading the version")(e)),
    }
}

fn write_version(path: &Path, version: &str) -> Result<(), StoreError> {
    std::fs::write(path, version).map_err(StoreError::io(path, "writing the version"))
}
