use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use super::lock::Guard;
use super::{Pin, PutBlobError, Store, StoreError};
use crate::Digest;
use crate::digest::Tally;

impl Store {
    /// Takes a blob whose digest and length are known, unless it is there. It cannot be read before both were verified.
    ///
    /// # Errors
    /// `Digest`, `Size`, `Input`, `Store`.
    pub fn put_blob(
        &self,
        pin: &Pin,
        input: impl Read,
        digest: &Digest,
        bytes: u64,
    ) -> Result<(), PutBlobError> {
        pin.add(digest)?;
        if self.blob_bytes(digest)? == Some(bytes) {
            return Ok(());
        }
        let made = self.scratch.next();
        let result = self.receive(input, digest, bytes, &made);
        if result.is_err() {
            let _ = std::fs::remove_file(&made);
        }
        result
    }

    fn receive(
        &self,
        input: impl Read,
        digest: &Digest,
        bytes: u64,
        made: &std::path::Path,
    ) -> Result<(), PutBlobError> {
        let io = |step| StoreError::io(made, step);
        let mut file = File::create_new(made).map_err(io("making a blob"))?;
        let mut tally = Tally::default();
        let input = input.take(bytes.saturating_add(1));
        take_in(input, &mut file, &mut tally, digest, made)?;
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
        if self.flush {
            file.sync_all().map_err(io("flushing a blob"))?;
        }
        let _guard = Guard::shared(&self.root)?;
        let path = self.blob_path(digest);
        std::fs::rename(made, &path).map_err(StoreError::io(&path, "publishing a blob"))?;
        Ok(self.flush_directory(&self.root.join("blobs/sha256"))?)
    }

    /// Length of a blob, if it is there.
    ///
    /// # Errors
    /// `Io`.
    pub fn blob_bytes(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let path = self.blob_path(digest);
        match path.metadata() {
            Ok(meta) => Ok(Some(meta.len())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io(&path, "looking for a blob")(e)),
        }
    }

    /// A blob, to be read.
    ///
    /// # Errors
    /// `Absent`, `Io`.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.blob_path(digest);
        File::open(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => StoreError::Absent {
                what: "blob",
                digest: *digest,
            },
            _ => StoreError::io(&path, "opening a blob")(e),
        })
    }

    /// A small blob as a whole.
    ///
    /// # Errors
    /// `Absent`, `TooLarge`, `Io`.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, StoreError> {
        let file = self.open_blob(digest)?;
        let path = self.blob_path(digest);
        let found = file
            .metadata()
            .map_err(StoreError::io(&path, "looking at a blob"))?
            .len();
        if found > limit {
            return Err(StoreError::TooLarge {
                what: "blob",
                digest: *digest,
                found,
                limit,
            });
        }
        let mut bytes = Vec::new();
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(StoreError::io(&path, "reading a blob"))?;
        Ok(bytes)
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }
}

/// Writes all of `input` to the end of `file`, which is at `path`, and counts it.
pub(super) fn take_in(
    mut input: impl Read,
    file: &mut File,
    tally: &mut Tally,
    digest: &Digest,
    path: &std::path::Path,
) -> Result<(), PutBlobError> {
    let mut buffer = vec![0u8; 128 << 10];
    loop {
        let n = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(PutBlobError::Input {
                    digest: *digest,
                    source,
                });
            }
        };
        tally.add(&buffer[..n]);
        file.write_all(&buffer[..n])
            .map_err(StoreError::io(path, "writing a blob"))?;
    }
}
