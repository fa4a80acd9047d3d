//! Trees on disk that strangers filled: which files count, and at which commit they are.
//!
//! Links are followed to regular files inside the tree, and nowhere else. Nothing but regular files is opened. A file whose
//! beginning says that it is no text is not read on, since it does not count.

mod head;

use super::EntryError;
use gradus_chain::plain_file;
use gradus_tasks::entry::licence::LICENCE_BYTES_MAX;
use gradus_tasks::rules::{DuplicateRules, LicenceRules};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Directories within one another.
const DEPTH_MAX: u64 = 100;
/// Files and directories of a tree.
const ENTRIES_MAX: u64 = 200_000;
/// Bytes of all text of a tree.
const TEXT_BYTES_MAX: u64 = 512 << 20;

/// A tree.
pub(super) struct Checkout {
    root: PathBuf,
    at: At,
}

/// Where a tree says that it is.
enum At {
    /// At this commit.
    Commit(String),
    /// It is no clone.
    Nowhere,
    /// It is a clone or a worktree, and where it is cannot be read.
    Unreadable,
}

impl Checkout {
    /// Opens a directory.
    pub(super) fn open(path: PathBuf) -> Result<Self, EntryError> {
        let failed = |source| EntryError::Tree {
            path: path.clone(),
            what: "opened as a tree",
            source,
        };
        let root = path.canonicalize().map_err(failed)?;
        if !root.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let git = root.join(".git");
        let at = match (git.symlink_metadata(), head::of(&git)) {
            (_, Some(commit)) => At::Commit(commit),
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => At::Nowhere,
            _ => At::Unreadable,
        };
        Ok(Self { root, at })
    }

    /// Its root.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that it is at, if it is a clone or a worktree.
    ///
    /// # Errors
    /// `Head` for one that does not say.
    pub(super) fn commit(&self) -> Result<Option<&str>, EntryError> {
        match &self.at {
            At::Commit(commit) => Ok(Some(commit)),
            At::Nowhere => Ok(None),
            At::Unreadable => Err(EntryError::Head(self.root.clone())),
        }
    }

    /// Licence and notice at the root, by the names that are looked for.
    pub(super) fn licences(
        &self,
        rules: &LicenceRules,
    ) -> Result<BTreeMap<String, Vec<u8>>, EntryError> {
        let mut files = BTreeMap::new();
        for name in rules.licence_names.iter().chain(&rules.notice_names) {
            if let Some(path) = self.regular(&self.root.join(name)) {
                let bytes = read(&path, LICENCE_BYTES_MAX as u64 + 1)?;
                files.insert(name.clone(), bytes);
            }
        }
        Ok(files)
    }

    /// Files that can count, by path.
    pub(super) fn sources(
        &self,
        rules: &DuplicateRules,
    ) -> Result<BTreeMap<String, Vec<u8>>, EntryError> {
        let DuplicateRules::Dropped {
            text_probe_bytes,
            excluded_parts,
            ..
        } = rules
        else {
            return Ok(BTreeMap::new());
        };
        let probe = u64::from(*text_probe_bytes);
        let too_many = |what, max| EntryError::TreeSize {
            path: self.root.clone(),
            what,
            max,
        };
        let mut files = BTreeMap::new();
        let mut open = vec![(self.root.clone(), String::new(), 0)];
        let (mut entries, mut text_bytes) = (0, 0);
        while let Some((directory, prefix, depth)) = open.pop() {
            if depth > DEPTH_MAX {
                return Err(too_many("directories within one another", DEPTH_MAX));
            }
            let failed = |source| EntryError::Tree {
                path: directory.clone(),
                what: "listed",
                source,
            };
            for entry in fs::read_dir(&directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                entries += 1;
                if entries > ENTRIES_MAX {
                    return Err(too_many("files", ENTRIES_MAX));
                }
                let name = entry.file_name().to_string_lossy().into_owned();
                if excluded_parts.contains(&name) {
                    continue;
                }
                let path = format!("{prefix}{name}");
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    open.push((entry.path(), format!("{path}/"), depth + 1));
                    continue;
                }
                let Some(place) = self.regular(&entry.path()) else {
                    continue;
                };
                let beginning = read(&place, probe)?;
                if beginning.contains(&0) {
                    continue;
                }
                let bytes = match (beginning.len() as u64) < probe {
                    true => beginning,
                    false => read(&place, TEXT_BYTES_MAX - text_bytes + 1)?,
                };
                text_bytes += bytes.len() as u64;
                if text_bytes > TEXT_BYTES_MAX {
                    return Err(too_many("bytes of text", TEXT_BYTES_MAX));
                }
                files.insert(path, bytes);
            }
        }
        Ok(files)
    }

    /// The regular file that a path is or leads to, inside the tree.
    fn regular(&self, path: &Path) -> Option<PathBuf> {
        let place = path.canonicalize().ok()?;
        let inside = place.starts_with(&self.root);
        (inside && place.is_file()).then_some(place)
    }
}

/// At most `most` bytes of a file.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, EntryError> {
    let failed = |source| EntryError::Tree {
        path: path.to_owned(),
        what: "read",
        source,
    };
    let mut bytes = Vec::new();
    let file = plain_file::open(path).map_err(failed)?;
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
