//! The digest of what a source selects.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::tree::{Entry, EntryKind};
use crate::dockerfile::ContentHash;

/// A node of a tree of digests: what it is itself, then its children by name.
pub(super) fn digest(roots: &[String], entries: &[Entry]) -> ContentHash {
    fn field(hash: &mut Sha256, bytes: &[u8]) {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    // Paths sort after those of their directories, so from the end each directory's children are complete before it.
    let mut children: BTreeMap<&str, Vec<(&str, ContentHash)>> = BTreeMap::new();
    let wanted: BTreeSet<&str> = roots.iter().map(String::as_str).collect();
    let mut tops: BTreeMap<&str, ContentHash> = BTreeMap::new();
    for entry in entries.iter().rev() {
        let mut hash = Sha256::new();
        let (kind, content): (&[u8], &[u8]) = match &entry.kind {
            EntryKind::Directory => (b"directory", b""),
            EntryKind::File { content, .. } => (b"file", content),
            EntryKind::Link { target } => (b"link", target),
        };
        field(&mut hash, kind);
        // A link's own permissions mean nothing.
        let mode = if kind == b"link" { 0o777 } else { entry.mode };
        hash.update(mode.to_le_bytes());
        // Owner and group: whoever made the context, what is copied is root's.
        hash.update([0; 8]);
        field(&mut hash, content);
        for (name, digest) in children
            .remove(entry.path.as_str())
            .unwrap_or_default()
            .iter()
            .rev()
        {
            field(&mut hash, name.as_bytes());
            hash.update(digest);
        }
        let digest: ContentHash = hash.finalize().into();
        if wanted.contains(entry.path.as_str()) {
            tops.insert(&entry.path, digest);
        }
        let (directory, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        children.entry(directory).or_default().push((name, digest));
    }
    let mut hash = Sha256::new();
    for root in roots {
        field(&mut hash, root.as_bytes());
        match root.is_empty() {
            true => children
                .remove("")
                .unwrap_or_default()
                .iter()
                .rev()
                .for_each(|(name, digest)| {
                    field(&mut hash, name.as_bytes());
                    hash.update(digest);
                }),
            false => hash.update(tops[root.as_str()]),
        }
    }
    hash.finalize().into()
}
