//! One repository in the cache that all programs share.
//!
//! ```text
//! models--owner--name/blobs/<hash>                    content
//!                     snapshots/<commit>/config.json  a link to it
//!                     refs/main                       a commit
//! ```

use super::select::missing_from;
use super::{Fetched, HubError, ModelId, id};
use gradus_checkpoint::checkpoint::{INDEX_BYTES_MAX, parse_index};
use hf_hub::{Cache, Repo, RepoType};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct RepoCache {
    root: PathBuf,
    dir: PathBuf,
}

impl RepoCache {
    pub(super) fn new(root: &Path, id: &ModelId) -> Self {
        let repo = Repo::new(id.repo.clone(), RepoType::Model);
        let dir = Cache::new(root.to_owned()).path().join(repo.folder_name());
        Self {
            root: root.to_owned(),
            dir,
        }
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.dir.join("snapshots").join(commit)
    }

    /// A model that is here whole, without asking the hub.
    pub(super) fn complete_snapshot(&self, id: &ModelId) -> Result<Fetched, HubError> {
        let not_here = |missing: String| HubError::NotCached {
            id: id.clone(),
            cache: self.root.clone(),
            missing,
        };
        let commit = match id::is_commit(&id.revision) {
            true => id.revision.clone(),
            false => match fs::read_to_string(self.dir.join("refs").join(&id.revision)) {
                Ok(text) if id::is_commit(text.trim()) => text.trim().to_owned(),
                _ => return Err(not_here(format!("revision {} is not known", id.revision))),
            },
        };
        let dir = self.snapshot(&commit);
        if !dir.is_dir() {
            return Err(not_here(format!("no snapshot {commit}")));
        }
        let shards = |index: &str| {
            let path = dir.join(index);
            let small = path
                .metadata()
                .is_ok_and(|found| found.len() <= INDEX_BYTES_MAX);
            let bytes = small.then(|| fs::read(&path).ok()).flatten()?;
            Some(parse_index(&bytes).ok()?.into_keys().collect())
        };
        match missing_from(|name| dir.join(name).is_file(), shards) {
            Some(missing) => Err(not_here(missing)),
            None => Ok(Fetched { dir, commit }),
        }
    }

    /// Where the content with a hash lies, once it is whole.
    pub(super) fn blob(&self, hash: &str) -> PathBuf {
        self.dir.join("blobs").join(hash)
    }

    /// Where it grows.
    pub(super) fn partial(&self, hash: &str) -> PathBuf {
        self.dir.join("blobs").join(format!("{hash}.incomplete"))
    }

    /// Keeps other programs of ours from writing the same content; ends with the returned file.
    pub(super) fn lock(&self, hash: &str) -> Result<File, HubError> {
        let path = self.dir.join("blobs").join(format!("{hash}.lock"));
        let locked = || {
            fs::create_dir_all(self.dir.join("blobs"))?;
            let file = File::create(&path)?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|source| HubError::Io {
            path: path.clone(),
            source,
        })
    }

    /// Gives content its name in a snapshot.
    pub(super) fn link(&self, commit: &str, name: &str, hash: &str) -> Result<PathBuf, HubError> {
        let dir = self.snapshot(commit);
        let path = dir.join(name);
        let target = Path::new("../../blobs").join(hash);
        let link = || {
            fs::create_dir_all(&dir)?;
            if fs::read_link(&path).is_ok_and(|found| found == target) {
                return Ok(());
            }
            // Aside and renamed: a reader sees the old link or the new one.
            let aside = dir.join(format!(".{name}.{}", std::process::id()));
            remove_if_there(&aside)?;
            std::os::unix::fs::symlink(&target, &aside)?;
            fs::rename(&aside, &path)
        };
        match link() {
            Ok(()) => Ok(path),
            Err(source) => Err(HubError::Io { path, source }),
        }
    }

    /// Notes which commit a branch or tag was.
    pub(super) fn set_ref(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if id::is_commit(revision) {
            return Ok(());
        }
        let path = self.dir.join("refs").join(revision);
        let write = || {
            let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
            fs::create_dir_all(dir)?;
            let aside = path.with_extension(format!("{}", std::process::id()));
            fs::write(&aside, commit)?;
            fs::rename(&aside, &path)
        };
        write().map_err(|source| HubError::Io {
            path: path.clone(),
            source,
        })
    }
}

/// Removes a file; one that is not there is fine.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
