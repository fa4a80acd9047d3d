//! Content that is there: opened, checked, laid out as files again.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::copy::{BUFFER_BYTES, CopyError, copy};
use super::error::io_error;
use super::{Digest, Entry, Store, StoreError, Tree};

impl Store {
    pub(super) fn object_path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let (folder, rest) = name.split_at(2);
        self.root.join(super::OBJECTS).join(folder).join(rest)
    }

    /// Whether content is there; not whether it is intact.
    pub fn has(&self, digest: &Digest) -> bool {
        fs::symlink_metadata(self.object_path(digest)).is_ok_and(|found| found.is_file())
    }

    /// Opens content for reading. Its size is checked, its bytes are not: see [`Store::verify`].
    pub fn open_object(&self, digest: &Digest, bytes: u64) -> Result<File, StoreError> {
        let (path, file, found) = self.find(digest)?;
        if found != bytes {
            return Err(StoreError::Size {
                path,
                expected: bytes,
                found,
            });
        }
        Ok(file)
    }

    /// Reads all of it and compares with its digest: its size.
    pub fn verify(&self, digest: &Digest) -> Result<u64, StoreError> {
        let (path, file, bytes) = self.find(digest)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let found =
            copy(&file, bytes, None, &mut buffer).map_err(copy_error(&path, &path, bytes))?;
        if found != *digest {
            return Err(StoreError::Corrupt {
                path,
                expected: *digest,
                found,
            });
        }
        Ok(bytes)
    }

    fn find(&self, digest: &Digest) -> Result<(PathBuf, File, u64), StoreError> {
        let path = self.object_path(digest);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Err(StoreError::Missing { digest: *digest }),
            other => File::from(other.map_err(|error| io_error(&path)(error.into()))?),
        };
        let bytes = file.metadata().map_err(io_error(&path))?.len();
        Ok((path, file, bytes))
    }

    /// Lays out `tree` as files in `directory`, which is made here: files are read-only, holes stay holes. On failure nothing is left.
    ///
    /// Copies, never hard links: a link is the store's own file, and whoever may change its permissions (a job's root, where the mount
    /// is not read-only by mistake) would change what every later reader gets. Where the file system shares blocks between copies
    /// (btrfs, xfs), they cost no space; elsewhere the bytes are read, and then compared with the digest as well.
    pub fn materialise(&self, tree: &Tree, directory: &Path) -> Result<(), StoreError> {
        if let Some(path) = tree.first_wrong_path() {
            return Err(StoreError::Path {
                path: path.to_owned(),
            });
        }
        DirBuilder::new()
            .mode(0o755)
            .create(directory)
            .map_err(io_error(directory))?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let made = tree
            .files
            .iter()
            .try_for_each(|entry| self.lay_out(entry, directory, &mut buffer));
        if made.is_err() {
            // The reason is worth more than what went wrong after it.
            let _ = fs::remove_dir_all(directory);
        }
        made
    }

    fn lay_out(
        &self,
        entry: &Entry,
        directory: &Path,
        buffer: &mut [u8],
    ) -> Result<(), StoreError> {
        let source = self.open_object(&entry.sha256, entry.bytes)?;
        let path = directory.join(&entry.path);
        let parent = path.parent().expect("it lies in the directory");
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(io_error(parent))?;
        let target = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let target = target.map_err(io_error(&path))?;
        if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
            let object = self.object_path(&entry.sha256);
            let found = copy(&source, entry.bytes, Some(&target), buffer).map_err(copy_error(
                &object,
                &path,
                entry.bytes,
            ))?;
            if found != entry.sha256 {
                return Err(StoreError::Corrupt {
                    path: object,
                    expected: entry.sha256,
                    found,
                });
            }
        }
        target
            .set_permissions(Permissions::from_mode(0o444))
            .map_err(io_error(&path))
    }
}

fn copy_error(source: &Path, target: &Path, expected: u64) -> impl FnOnce(CopyError) -> StoreError {
    move |error| match error {
        CopyError::Read(error) => io_error(source)(error),
        CopyError::Write(error) => io_error(target)(error),
        CopyError::Short { at } => StoreError::Size {
            path: source.to_owned(),
            expected,
            found: at,
        },
    }
}
