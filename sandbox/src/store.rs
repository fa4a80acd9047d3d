//! Files by the digest of their content, each there once.
//!
//! ```text
//! objects/ab/cdef…   content, read-only; the name is its SHA-256
//! roots/NAME.json    a manifest: what it names is kept
//! tmp/PID-N/         what a process is writing; locked while it lives, removed by the next one that opens the store when it is gone
//! lock               shared by whoever takes something in, alone for whoever removes garbage
//! ```
//! Several processes may use one store. One that is killed at any point leaves garbage in `tmp`, and whole objects that no manifest names
//! ([`Store::gc`]); never a part of an object under its name, never a manifest without its objects.
//!
//! What it does not do: it does not check content each time it is opened ([`Store::verify`] does), and it defends against nobody who can
//! write to its directory, which is why that is private.

mod batch;
mod copy;
mod digest;
mod error;
mod objects;
mod roots;
mod session;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use batch::{AddError, Batch};
pub(crate) use copy::CopyError;
pub use digest::{Digest, ParseDigestError};
pub use error::StoreError;
pub use roots::Freed;
pub(crate) use tree::PATH_BYTES;
pub use tree::{Entry, MANIFEST_VERSION, Manifest, Tree};

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::private;
use error::io_error;
use session::Session;

const OBJECTS: &str = "objects";
const ROOTS: &str = "roots";
const TMP: &str = "tmp";
const LOCK: &str = "lock";

/// A directory of content.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    session: Session,
}

/// While it lives, nothing is removed from the store as garbage.
#[derive(Debug)]
pub struct Lease(#[expect(dead_code, reason = "it holds a lock while it is open")] File);

impl Store {
    /// Opens the store in `root`, made where it is not there, and removes what processes have left that are gone.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        private::make(root, &[OBJECTS, ROOTS, TMP])?;
        session::sweep(&root.join(TMP))?;
        let session = Session::create(&root.join(TMP))?;
        Ok(Store {
            root: root.to_owned(),
            session,
        })
    }

    /// Begins to take in files.
    pub(crate) fn batch(&self) -> Result<Batch<'_>, StoreError> {
        Batch::new(self)
    }

    /// Holds off the removal of garbage; waits for one that is under way.
    pub fn lease(&self) -> Result<Lease, StoreError> {
        let lock = self.lock_file()?;
        flock(&lock, FlockOperation::LockShared)
            .map_err(|error| io_error(&self.root)(error.into()))?;
        Ok(Lease(lock))
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let path = self.root.join(LOCK);
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(io_error(&path))
    }
}
