//! Trees on disk that strangers filled: which files count, and at which commit they are.
//!
//! Links are followed to regular files inside the tree, and nowhere else. Nothing but regular files is opened. A file whose
//! beginning says that it is no text is not read on, since it does not count.

use super::EntryError;
use gradus_tasks::entry::licence::LICENCE_BYTES_MAX;
use gradus_tasks::rules::{DuplicateRules, LicenceRules};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Directories within one another.
const DEPTH_MAX: u64 = 100;
/// Files and directories of a tree.
const ENTRIES_MAX: u64 = 200_000;
/// Bytes of all text of a tree.
const TEXT_BYTES_MAX: u64 = 512 << 20;
/// Bytes of a file of git's that says where a clone is.
const GIT_BYTES_MAX: u64 = 4 << 20;

/// A tree.
pub(super) struct Checkout {
    root: PathBuf,
    commit: Option<String>,
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
        let commit = head(&root.join(".git"));
        Ok(Self { root, commit })
    }

    /// Its root.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that it is at, where it is a clone that says so.
    pub(super) fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
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
    let file = File::open(path).map_err(failed)?;
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The commit that a clone's directory of git says that it is at.
fn head(git: &Path) -> Option<String> {
    let text = |path: &Path| {
        let regular = path.symlink_metadata().ok()?.is_file();
        let bytes = regular.then(|| read(path, GIT_BYTES_MAX).ok()).flatten()?;
        String::from_utf8(bytes).ok()
    };
    let commit = |text: &str| {
        let text = text.trim_end();
        let digits = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| text.to_ascii_lowercase())
    };
    let head = text(&git.join("HEAD"))?;
    let Some(name) = head.trim_end().strip_prefix("ref: refs/heads/") else {
        return commit(&head);
    };
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !name.split('/').all(plain) {
        return None;
    }
    if let Some(text) = text(&git.join("refs/heads").join(name)) {
        return commit(&text);
    }
    let packed = text(&git.join("packed-refs"))?;
    packed.lines().find_map(|line| {
        let (found, of) = line.split_once(' ')?;
        (of.strip_prefix("refs/heads/") == Some(name)).then(|| commit(found))?
    })
}

#[cfg(test)]
mod tests;
