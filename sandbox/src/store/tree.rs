//! Trees of files by digest, and manifests of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Digest;

/// The form of manifests that this version writes and reads.
pub const MANIFEST_VERSION: u32 = 1;

/// Bytes of a path: what one system call takes, with the zero at its end.
pub(crate) const PATH_BYTES: usize = 4095;

/// One file of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// relative to the tree, `/` between components; none of them empty, `.` or `..`
    pub path: String,
    /// its size
    pub bytes: u64,
    /// its content
    pub sha256: Digest,
}

/// Files by path. Directories are there for the files in them: an empty one is not kept, nor are times, owners and permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// sorted by the bytes of their paths, none twice
    pub files: Vec<Entry>,
    /// paths of symbolic links that were left out, where the policy says so; no part of [`Tree::digest`]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

impl Tree {
    /// Names all of it: equal for trees with the same paths and contents, and for no others.
    pub fn digest(&self) -> Digest {
        let mut hasher = Sha256::new_with_prefix(b"gradus tree 1\0");
        for file in &self.files {
            // The length first: no path can pass for another and what follows it.
            hasher.update((file.path.len() as u64).to_le_bytes());
            hasher.update(&file.path);
            hasher.update(file.bytes.to_le_bytes());
            hasher.update(file.sha256.bytes());
        }
        Digest::new(hasher.finalize().into())
    }

    /// Sum of the files' sizes, holes included.
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// The file at `path`.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let found = self
            .files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .ok()?;
        Some(&self.files[found])
    }

    /// The first path that leads out of the tree, or is no path, or not where sorting puts it.
    pub(super) fn first_wrong_path(&self) -> Option<&str> {
        let wrong = |path: &str| {
            let component = |part: &str| part.is_empty() || part == "." || part == "..";
            path.len() > PATH_BYTES || path.contains('\0') || path.split('/').any(component)
        };
        let unsorted = self
            .files
            .windows(2)
            .find(|pair| pair[0].path >= pair[1].path);
        let wrong = self
            .files
            .iter()
            .map(|file| &*file.path)
            .find(|path| wrong(path));
        wrong.or(unsorted.map(|pair| &*pair[1].path))
    }
}

/// What was taken of one job: a tree for each of its outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`]
    pub version: u32,
    /// by the outputs' names
    pub outputs: BTreeMap<String, Tree>,
}
