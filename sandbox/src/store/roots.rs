//! Manifests that keep content, and the removal of what none of them names.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::batch::sync_directory;
use super::error::io_error;
use super::{
    Digest, Lease, MANIFEST_VERSION, Manifest, OBJECTS, ROOTS, Store, StoreError, session,
};

/// How long a lock that was let go may still be held: a program that is being started has a copy of every descriptor until it runs.
const WAITS: Duration = Duration::from_millis(200);

const SUFFIX: &str = ".json";

/// What [`Store::gc`] has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// how many
    pub objects: u64,
    /// their sizes, holes included
    pub bytes: u64,
}

impl Store {
    fn root_path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || name.starts_with('-') || !name.bytes().all(letter)
        {
            return Err(StoreError::Name(name.to_owned()));
        }
        Ok(self.root.join(ROOTS).join(format!("{name}{SUFFIX}")))
    }

    /// Keeps what `manifest` names, as `name`. The lease says that none of it was removed meanwhile.
    pub fn keep(&self, name: &str, manifest: &Manifest, _lease: &Lease) -> Result<(), StoreError> {
        let path = self.root_path(name)?;
        let staged = self.session.place();
        let text = serde_json::to_vec(manifest).expect("manifests are plain data");
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&staged);
        let written =
            file.and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
        // A link, unlike renaming, fails where there is one.
        let linked =
            written
                .map_err(io_error(&staged))
                .and_then(|()| match fs::hard_link(&staged, &path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        Err(StoreError::Exists(name.to_owned()))
                    }
                    other => other.map_err(io_error(&path)),
                });
        let _ = fs::remove_file(&staged);
        linked.and_then(|()| sync_directory(&self.root.join(ROOTS)))
    }

    /// The manifest `name`, if there is one.
    pub fn kept(&self, name: &str) -> Result<Option<Manifest>, StoreError> {
        let path = self.root_path(name)?;
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io_error(&path))?,
        };
        let parsed =
            serde_json::from_slice::<Manifest>(&text).and_then(|manifest| match manifest.version {
                MANIFEST_VERSION => Ok(manifest),
                other => Err(serde::de::Error::custom(format!("it says version {other}"))),
            });
        parsed
            .map(Some)
            .map_err(|source| StoreError::Manifest { path, source })
    }

    /// Names of all manifests, sorted.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let path = self.root.join(ROOTS);
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(io_error(&path))? {
            let name = entry.map_err(io_error(&path))?.file_name();
            names.extend(
                name.to_str()
                    .and_then(|name| name.strip_suffix(SUFFIX))
                    .map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }

    /// Keeps what the manifest `name` names no longer; whether there was one.
    pub fn forget(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.root_path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true).map_err(io_error(&path)),
        }
    }

    /// Removes content that no manifest names, and what processes have left that are gone.
    ///
    /// # Errors
    /// `Busy` while something is taken in; `Manifest` if one cannot be read, because then nobody knows what it keeps.
    pub fn gc(&self) -> Result<Freed, StoreError> {
        let lock = self.lock_file()?;
        let until = Instant::now() + WAITS;
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(StoreError::Busy {
                        path: self.root.clone(),
                    });
                }
                other => break other.map_err(|error| io_error(&self.root)(error.into()))?,
            }
        }
        let mut named = BTreeSet::new();
        for name in self.names()? {
            let manifest = self.kept(&name)?;
            let trees = manifest
                .iter()
                .flat_map(|manifest| manifest.outputs.values());
            named.extend(trees.flat_map(|tree| &tree.files).map(|file| file.sha256));
        }
        let mut freed = Freed::default();
        let objects = self.root.join(OBJECTS);
        for folder in fs::read_dir(&objects).map_err(io_error(&objects))? {
            let folder = folder.map_err(io_error(&objects))?;
            for object in fs::read_dir(folder.path()).map_err(io_error(folder.path()))? {
                let object = object.map_err(io_error(folder.path()))?;
                let name = format!(
                    "{}{}",
                    folder.file_name().display(),
                    object.file_name().display()
                );
                // Not one of ours, or one that is kept.
                if name
                    .parse::<Digest>()
                    .is_ok_and(|digest| !named.contains(&digest))
                {
                    freed.bytes += object.metadata().map_err(io_error(object.path()))?.len();
                    fs::remove_file(object.path()).map_err(io_error(object.path()))?;
                    freed.objects += 1;
                }
            }
        }
        session::sweep(&self.root.join(super::TMP))?;
        Ok(freed)
    }
}
