//! Blobs that were not fetched to their end. Their beginnings stay for whoever fetches them next, in this process or another one.
//!
//! One file for each digest, locked by whoever appends to it: the kernel lets go when that one dies. What is in it is a claim until all of it
//! hashes to its name; where it does not, all of it is fetched anew.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::blob::take_in;
use super::lock::{self, Guard};
use super::{Pin, PutBlobError, Store, StoreError};
use crate::Digest;
use crate::digest::Tally;

/// Bytes of beginnings that are kept in all; the oldest go first.
const KEPT_BYTES_MAX: u64 = 32 << 30;
/// A shorter beginning is not worth a file.
const KEPT_BYTES_MIN: u64 = 64 << 10;

/// The beginning of a blob, and the lock on it.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Store {
    /// As [`Store::put_blob`], going on where an earlier try has stopped: `open` is asked for the bytes from a position on, which is 0 where
    /// there was none. Of two at a time one goes on, and the other one begins anew on its own. Returns the position.
    ///
    /// # Errors
    /// As [`Store::put_blob`]. What came until `Input` stays for the next try.
    pub fn resume_blob<R: Read>(
        &self,
        pin: &Pin,
        digest: &Digest,
        bytes: u64,
        mut open: impl FnMut(u64) -> R,
    ) -> Result<u64, PutBlobError> {
        pin.add(digest)?;
        let (mut partial, kept) = loop {
            if self.blob_bytes(digest)? == Some(bytes) {
                return Ok(bytes);
            }
            match self.partial(digest)? {
                Some(partial) if partial.is_current()? => break (partial, true),
                // Whoever had it has put it into place, or away.
                Some(_) => {}
                None => break (self.own_file()?, false),
            }
        };
        if kept {
            self.make_room(digest, bytes)?;
        }
        let begun = partial.length()?;
        let result = match self.go_on(&mut partial, digest, bytes, &mut open) {
            // The beginning was another one's: once more, without it.
            Err(PutBlobError::Digest { .. }) if begun > 0 => {
                partial.empty()?;
                self.go_on(&mut partial, digest, bytes, &mut open)
            }
            other => other,
        };
        let is_worth_it = matches!(result, Err(PutBlobError::Input { .. }))
            && kept
            && partial.length()? >= KEPT_BYTES_MIN;
        match result {
            Ok(position) => {
                self.publish(&partial, digest)?;
                Ok(position)
            }
            Err(error) => {
                if !is_worth_it {
                    let _ = std::fs::remove_file(&partial.path);
                }
                Err(error)
            }
        }
    }

    /// The file of this digest with its lock; none where somebody else has it.
    fn partial(&self, digest: &Digest) -> Result<Option<Partial>, StoreError> {
        let path = self.root.join("partial").join(digest.hex());
        let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags)
            .open(&path)
            .map_err(StoreError::io(&path, "opening the beginning of a blob"))?;
        Ok(lock_of(&file, &path)?.then_some(Partial { path, file }))
    }

    /// A file that ends with this process.
    fn own_file(&self) -> Result<Partial, StoreError> {
        let path = self.scratch.next();
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io(&path, "making a blob"))?;
        Ok(Partial { path, file })
    }

    /// Appends what is missing, and checks all of it.
    fn go_on<R: Read>(
        &self,
        partial: &mut Partial,
        digest: &Digest,
        bytes: u64,
        open: &mut impl FnMut(u64) -> R,
    ) -> Result<u64, PutBlobError> {
        if partial.length()? > bytes {
            partial.empty()?;
        }
        let path = partial.path.clone();
        let mut tally = Tally::default();
        let mut buffer = vec![0u8; 128 << 10];
        partial.rewind()?;
        loop {
            match partial.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => tally.add(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    return Err(StoreError::io(&path, "reading the beginning of a blob")(e).into());
                }
            }
        }
        let position = tally.bytes();
        if position < bytes {
            let input = open(position).take(bytes - position + 1);
            take_in(input, &mut partial.file, &mut tally, digest, &path)?;
        }
        if tally.bytes() != bytes {
            return Err(PutBlobError::Size {
                digest: *digest,
                expected: bytes,
                found: tally.bytes(),
            });
        }
        if tally.digest() != *digest {
            return Err(PutBlobError::Digest {
                expected: *digest,
                found: tally.digest(),
            });
        }
        Ok(position)
    }

    fn publish(&self, partial: &Partial, digest: &Digest) -> Result<(), StoreError> {
        if self.flush {
            partial
                .file
                .sync_all()
                .map_err(StoreError::io(&partial.path, "flushing a blob"))?;
        }
        let _guard = Guard::shared(&self.root)?;
        let path = self.blob_path(digest);
        std::fs::rename(&partial.path, &path)
            .map_err(StoreError::io(&path, "publishing a blob"))?;
        self.flush_directory(&self.root.join("blobs/sha256"))
    }

    /// Removes the oldest beginnings of others where there would be too much of them.
    fn make_room(&self, digest: &Digest, bytes: u64) -> Result<(), StoreError> {
        let mut others = self.partials()?;
        others.retain(|other| other.digest != *digest);
        let mut sum: u64 = others.iter().map(|other| other.bytes).sum();
        for other in others {
            if sum.saturating_add(bytes) <= KEPT_BYTES_MAX {
                break;
            }
            if self.remove_partial(&other)? {
                sum -= other.bytes;
            }
        }
        Ok(())
    }

    /// Beginnings that there are, the oldest first.
    pub(super) fn partials(&self) -> Result<Vec<Kept>, StoreError> {
        let mut out = Vec::new();
        for path in lock::list(&self.root.join("partial"))? {
            // It may have come to its end meanwhile.
            let (Ok(meta), Some(digest)) = (path.metadata(), super::gc::digest_of(&path)) else {
                continue;
            };
            out.push(Kept {
                digest,
                bytes: meta.len(),
                used: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                path,
            });
        }
        out.sort_by_key(|kept| kept.used);
        Ok(out)
    }

    /// Removes one that nobody appends to; whether it is gone.
    pub(super) fn remove_partial(&self, kept: &Kept) -> Result<bool, StoreError> {
        let Ok(file) = File::open(&kept.path) else {
            return Ok(true);
        };
        let partial = Partial {
            path: kept.path.clone(),
            file,
        };
        if !lock_of(&partial.file, &kept.path)? || !partial.is_current()? {
            return Ok(false);
        }
        self.remove_if_there(&kept.path)?;
        Ok(true)
    }
}

/// A beginning that is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    digest: Digest,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
    path: PathBuf,
}

impl Partial {
    /// Whether its name is still its own: it may have been put into place or away between opening and locking it.
    fn is_current(&self) -> Result<bool, StoreError> {
        let own = self.meta()?;
        Ok(std::fs::symlink_metadata(&self.path)
            .is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())))
    }

    fn meta(&self) -> Result<std::fs::Metadata, StoreError> {
        self.file
            .metadata()
            .map_err(StoreError::io(&self.path, "looking at a blob"))
    }

    fn length(&self) -> Result<u64, StoreError> {
        Ok(self.meta()?.len())
    }

    fn rewind(&mut self) -> Result<(), StoreError> {
        self.file
            .seek(SeekFrom::Start(0))
            .map(drop)
            .map_err(StoreError::io(
                &self.path,
                "reading the beginning of a blob",
            ))
    }

    fn empty(&mut self) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .map_err(StoreError::io(&self.path, "beginning a blob anew"))?;
        self.rewind()
    }
}

/// Takes the lock of a file, if nobody has it.
fn lock_of(file: &File, path: &Path) -> Result<bool, StoreError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(StoreError::io(path, "locking the beginning of a blob")(
            e.into(),
        )),
    }
}
