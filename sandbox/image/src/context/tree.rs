//! Walking a context, its limits, its digests, and reading its files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::below::{
    Hashed, OPEN, copy, io, join, kind, mode, name, refused, same, special, too_much,
};
use super::digest::digest;
use super::error::{ContextError, IgnoreError};
use super::glob::Glob;
use super::ignore::{IGNORE_BYTES_MAX, Ignore, Matched};
use crate::dockerfile::ContentHash;

/// How much of a context is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most files, directories and links, those that are left out included.
    pub entries: u64,
    /// Most bytes of files that are kept.
    pub bytes: u64,
    /// Most directories above one another.
    pub depth: u64,
}

impl Default for Limits {
    /// 200 000 entries, 16 GiB, 128 deep.
    fn default() -> Self {
        Limits {
            entries: 200_000,
            bytes: 16 << 30,
            depth: 128,
        }
    }
}

/// One file, directory or link of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the context, `/` between components.
    pub path: String,
    /// Permissions, with set-id and sticky bits.
    pub mode: u32,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Its length.
        bytes: u64,
        /// SHA-256 of its content.
        content: ContentHash,
    },
    /// A link, as it is.
    Link {
        /// What it points to, which may be anything.
        target: Vec<u8>,
    },
}

/// What a source of `COPY` selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Paths that match the source, in order; the empty one is the context itself.
    pub roots: Vec<String>,
    /// They and all that is in them, each after its directory.
    pub entries: Vec<Entry>,
    /// Over paths, types, permissions, links and content. No owner (all is root's), no times, no extended attributes.
    pub digest: ContentHash,
}

/// A directory that builds copy from.
#[derive(Debug)]
pub struct Context {
    pub(super) root: OwnedFd,
    ignore: Ignore,
    limits: Limits,
}

struct Walk {
    entries: BTreeMap<String, Entry>,
    seen: u64,
    bytes: u64,
}

impl Context {
    /// A context with the `.dockerignore` in it, if there is one.
    ///
    /// # Errors
    /// The directory or its `.dockerignore` cannot be read, or that is refused.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, ContextError> {
        let flags = OPEN | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let root = fs::open(path, flags, Mode::empty())
            .map_err(|e| io("open", &path.display().to_string(), e))?;
        let mut context = Context {
            root,
            ignore: Ignore::default(),
            limits,
        };
        match context.below(".dockerignore", OFlags::NONBLOCK) {
            Ok(file) => {
                let before = context.regular(".dockerignore", &file)?;
                if before.st_size as u64 > IGNORE_BYTES_MAX as u64 {
                    return Err(ContextError::Ignore(IgnoreError::TooLarge {
                        bytes: before.st_size as usize,
                    }));
                }
                let mut bytes = Vec::new();
                copy(".dockerignore", file, &before, &mut bytes)?;
                context.ignore = Ignore::parse(&bytes).map_err(ContextError::Ignore)?;
            }
            Err(Errno::NOENT) => {}
            Err(e) => return Err(refused(".dockerignore", e)),
        }
        Ok(context)
    }

    /// What a source of `COPY` or `ADD` selects: a path with wildcards, relative to the context.
    ///
    /// # Errors
    /// It leads out, matches nothing, holds what cannot be copied or more than the limits allow, or changes meanwhile.
    pub fn select(&self, pattern: &str) -> Result<Selected, ContextError> {
        let parts = parts(pattern)?;
        let hidden =
            |part: &String| Glob::new(part).is_ok_and(|g| g.plain().as_deref() == Some(".git"));
        if parts.iter().any(hidden) {
            return Err(ContextError::Git {
                path: pattern.to_owned(),
            });
        }
        let mut walk = Walk {
            entries: BTreeMap::new(),
            seen: 0,
            bytes: 0,
        };
        let roots = self.find(pattern, &parts, &mut walk)?;
        for root in &roots {
            self.take(root, &mut walk)?;
        }
        let mut kept = roots;
        kept.retain(|root| root.is_empty() || walk.entries.contains_key(root));
        let entries: Vec<Entry> = walk.entries.into_values().collect();
        if kept.is_empty() {
            return Err(ContextError::NoMatch {
                pattern: pattern.to_owned(),
                ignored: true,
            });
        }
        Ok(Selected {
            digest: digest(&kept, &entries),
            roots: kept,
            entries,
        })
    }

    /// Writes a selected file's content, and refuses it if it is no longer what was selected.
    ///
    /// # Errors
    /// It changed, or cannot be read or written.
    pub fn read(&self, entry: &Entry, out: &mut impl Write) -> Result<(), ContextError> {
        let changed = || ContextError::Changed {
            path: entry.path.clone(),
        };
        let EntryKind::File { content, .. } = &entry.kind else {
            return Err(changed());
        };
        let file = self
            .below(&entry.path, OFlags::NONBLOCK)
            .map_err(|e| refused(&entry.path, e))?;
        let before = self.regular(&entry.path, &file)?;
        let mut hashed = Hashed(Sha256::new(), out);
        copy(&entry.path, file, &before, &mut hashed)?;
        let found: ContentHash = hashed.0.finalize().into();
        match found == *content && mode(&before) == entry.mode {
            true => Ok(()),
            false => Err(changed()),
        }
    }

    /// Paths that match, component by component, so that only directories on the way are listed.
    fn find(
        &self,
        pattern: &str,
        parts: &[String],
        walk: &mut Walk,
    ) -> Result<Vec<String>, ContextError> {
        let mut found = vec![String::new()];
        for part in parts {
            let glob = Glob::new(part).map_err(|source| ContextError::Pattern {
                pattern: pattern.to_owned(),
                source,
            })?;
            let mut next = Vec::new();
            for directory in found {
                if let Some(name) = glob.plain() {
                    next.push(join(&directory, &name));
                    continue;
                }
                match self.below(&directory, OFlags::DIRECTORY) {
                    Ok(fd) => {
                        let names = self.names(&directory, &fd, walk)?;
                        let matching = names.iter().filter(|n| glob.matches(n) && *n != ".git");
                        next.extend(matching.map(|n| join(&directory, n)));
                    }
                    // A file on the way matches nothing further.
                    Err(Errno::NOTDIR | Errno::NOENT) => {}
                    Err(e) => return Err(refused(&directory, e)),
                }
            }
            found = next;
        }
        let mut roots = Vec::new();
        for path in found {
            match self.look(&path) {
                Ok(stat) if path.is_empty() || kind(&stat) != FileType::Symlink => roots.push(path),
                Ok(_) => return Err(ContextError::Link { path }),
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(e) => return Err(refused(&path, e)),
            }
        }
        match roots.is_empty() {
            true => Err(ContextError::NoMatch {
                pattern: pattern.to_owned(),
                ignored: false,
            }),
            false => Ok(roots),
        }
    }

    /// A root and what is in it.
    fn take(&self, root: &str, walk: &mut Walk) -> Result<(), ContextError> {
        let mut matched = self.ignore.root();
        let mut ignored = false;
        for end in root.match_indices('/').map(|(i, _)| i).chain([root.len()]) {
            if end > 0 {
                (ignored, matched) = self.ignore.below(&root[..end], &matched);
            }
        }
        // Directories that are still to be listed. Links are not followed, so none comes twice.
        let mut open = vec![(root.to_owned(), ignored, matched)];
        while let Some((path, ignored, matched)) = open.pop() {
            let stat = self.look(&path).map_err(|e| refused(&path, e))?;
            let is_directory = kind(&stat) == FileType::Directory;
            if !path.is_empty() && !ignored {
                self.keep(root, &path, &stat, walk)?;
            }
            if !is_directory || ignored && !self.ignore.keeps_any() {
                continue;
            }
            let depth = path.matches('/').count() as u64 + 1;
            if depth > self.limits.depth {
                return Err(too_much(
                    "directories above one another",
                    self.limits.depth,
                    &path,
                ));
            }
            let fd = self
                .below(&path, OFlags::DIRECTORY)
                .map_err(|e| refused(&path, e))?;
            for name in self.names(&path, &fd, walk)? {
                if name != ".git" {
                    let inner = join(&path, &name);
                    let (ignored, matched): (bool, Matched) = self.ignore.below(&inner, &matched);
                    open.push((inner, ignored, matched));
                }
            }
        }
        Ok(())
    }

    /// Notes an entry, and the directories between the root and it that were left out themselves.
    fn keep(
        &self,
        root: &str,
        path: &str,
        stat: &Stat,
        walk: &mut Walk,
    ) -> Result<(), ContextError> {
        for (end, _) in path
            .match_indices('/')
            .filter(|(end, _)| *end >= root.len())
        {
            let above = &path[..end];
            if !above.is_empty() && !walk.entries.contains_key(above) {
                let stat = self.look(above).map_err(|e| refused(above, e))?;
                walk.entries.insert(
                    above.to_owned(),
                    Entry {
                        path: above.to_owned(),
                        mode: mode(&stat),
                        kind: EntryKind::Directory,
                    },
                );
            }
        }
        let kind = match kind(stat) {
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => {
                let target = fs::readlinkat(self.parent(path)?, name(path), Vec::new());
                EntryKind::Link {
                    target: target
                        .map_err(|e| io("read the link", path, e))?
                        .into_bytes(),
                }
            }
            FileType::RegularFile => {
                walk.bytes = walk.bytes.saturating_add(stat.st_size as u64);
                if walk.bytes > self.limits.bytes {
                    return Err(too_much("bytes", self.limits.bytes, path));
                }
                let file = self
                    .below(path, OFlags::NONBLOCK)
                    .map_err(|e| refused(path, e))?;
                let before = self.regular(path, &file)?;
                if !same(stat, &before) {
                    return Err(ContextError::Changed {
                        path: path.to_owned(),
                    });
                }
                let mut hashed = Hashed(Sha256::new(), std::io::sink());
                copy(path, file, &before, &mut hashed)?;
                EntryKind::File {
                    bytes: before.st_size as u64,
                    content: hashed.0.finalize().into(),
                }
            }
            other => return Err(special(path, other)),
        };
        let entry = Entry {
            path: path.to_owned(),
            mode: mode(stat),
            kind,
        };
        walk.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Names in a directory, sorted; those that are not UTF-8 are refused.
    fn names(
        &self,
        path: &str,
        fd: &OwnedFd,
        walk: &mut Walk,
    ) -> Result<BTreeSet<String>, ContextError> {
        let mut names = BTreeSet::new();
        for entry in Dir::read_from(fd).map_err(|e| io("list", path, e))? {
            let entry = entry.map_err(|e| io("list", path, e))?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            walk.seen += 1;
            if walk.seen > self.limits.entries {
                return Err(too_much("entries", self.limits.entries, path));
            }
            match std::str::from_utf8(bytes) {
                Ok(name) => names.insert(name.to_owned()),
                Err(_) => {
                    return Err(ContextError::Special {
                        path: join(path, &String::from_utf8_lossy(bytes)),
                        kind: "name that is not UTF-8",
                    });
                }
            };
        }
        Ok(names)
    }
}

/// Components of a source, none of which leads out of the context.
fn parts(pattern: &str) -> Result<Vec<String>, ContextError> {
    let mut parts: Vec<String> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => {
                return Err(ContextError::Escapes {
                    pattern: pattern.to_owned(),
                });
            }
            ".." => {}
            part => parts.push(part.to_owned()),
        }
    }
    Ok(parts)
}
