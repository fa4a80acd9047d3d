//! Files that are taken in together: all of them, or none.
//!
//! On disk before it has a name: the first [`SYNCED_ONE_BY_ONE`] files are flushed one by one, further ones all at once by flushing the file
//! system, because a flush costs milliseconds and there may be a hundred thousand. Then each is renamed to where its digest says, and
//! the directories are flushed. A machine that stops meanwhile leaves whole objects that no manifest names, and garbage in `tmp`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::copy::{BUFFER_BYTES, CopyError, copy};
use super::error::io_error;
use super::{Digest, Lease, Store, StoreError};

const SYNCED_ONE_BY_ONE: usize = 64;

/// Files that are in the store, but not under their names yet. Dropped, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    store: &'a Store,
    /// there until it is published
    lease: Option<Lease>,
    staged: BTreeMap<Digest, Staged>,
    /// files that were not flushed
    unsynced: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Staged {
    path: PathBuf,
    bytes: u64,
}

/// Why a file was not taken in.
#[derive(Debug)]
pub(crate) enum AddError {
    /// because of the file
    Source(CopyError),
    /// because of the store
    Store(StoreError),
}

impl<'a> Batch<'a> {
    pub(super) fn new(store: &'a Store) -> Result<Batch<'a>, StoreError> {
        let lease = Some(store.lease()?);
        let buffer = vec![0; BUFFER_BYTES];
        Ok(Batch {
            store,
            lease,
            staged: BTreeMap::new(),
            unsynced: false,
            buffer,
        })
    }

    /// Takes in the first `bytes` of `source`, read once.
    pub(crate) fn add(&mut self, source: &File, bytes: u64) -> Result<Digest, AddError> {
        let path = self.store.session.place();
        let store = |error| AddError::Store(io_error(&path)(error));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(store)?;
        let added =
            copy(source, bytes, Some(&file), &mut self.buffer).map_err(|error| match error {
                CopyError::Write(error) => store(error),
                other => AddError::Source(other),
            });
        let kept = added.and_then(|digest| {
            if self.staged.contains_key(&digest) {
                return Ok((digest, false));
            }
            // Read-only: nobody has a reason to write to it again.
            file.set_permissions(fs::Permissions::from_mode(0o444))
                .map_err(store)?;
            if self.staged.len() < SYNCED_ONE_BY_ONE {
                file.sync_all().map_err(store)?;
            } else {
                self.unsynced = true;
            }
            Ok((digest, true))
        });
        match kept {
            Ok((digest, true)) => {
                self.staged.insert(digest, Staged { path, bytes });
                Ok(digest)
            }
            other => {
                // What cannot be removed now is removed when the store is opened the next time.
                let _ = fs::remove_file(&path);
                other.map(|(digest, _)| digest)
            }
        }
    }

    /// Gives all of it names. They are not removed as garbage while the lease lives.
    pub(crate) fn publish(mut self) -> Result<Lease, StoreError> {
        if self.unsynced {
            self.store.session.sync_all()?;
        }
        let mut touched = BTreeSet::new();
        for (digest, staged) in std::mem::take(&mut self.staged) {
            let object = self.store.object_path(&digest);
            let there = fs::symlink_metadata(&object);
            if there.is_ok_and(|there| there.is_file() && there.len() == staged.bytes) {
                fs::remove_file(&staged.path).map_err(io_error(&staged.path))?;
                continue;
            }
            let folder = object.parent().expect("objects lie in folders");
            make(folder)?;
            // Over one of the wrong size, too: that one is not what it is named.
            fs::rename(&staged.path, &object).map_err(io_error(&object))?;
            touched.insert(folder.to_owned());
        }
        if touched.len() > SYNCED_ONE_BY_ONE {
            self.store.session.sync_all()?;
        } else if !touched.is_empty() {
            touched.insert(self.store.root.join(super::OBJECTS));
            touched
                .iter()
                .try_for_each(|folder| sync_directory(folder))?;
        }
        Ok(self.lease.take().expect("it is published once"))
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for staged in self.staged.values() {
            // What is left is removed when the store is opened the next time.
            let _ = fs::remove_file(&staged.path);
        }
    }
}

fn make(folder: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(io_error(folder)),
    }
}

/// Waits until the names in a directory are on disk.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error(path))
}
