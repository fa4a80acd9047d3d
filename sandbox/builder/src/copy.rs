//! `COPY` and `ADD`: what is selected, to where it goes, in the new layer.
//!
//! As BuildKit does it: of a directory the content is copied; a file goes into a destination that is a directory, or written as one. What comes
//! from the context is root's, what comes from a stage or image keeps its owner. Two things differ on purpose: times are the build's and not the
//! context's, so that two clones of one commit give one image; and sources that match several files need a directory.

mod content;
mod unpack;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use gradus_image::context::glob::Glob;
use gradus_image::context::{Context, ContextError, EntryKind, Selected};
use gradus_image::layer::LayerCaps;
use rustix::fs::Stat;

use crate::staging::{Meta, StageError, Staging, joined, meta_of};
use crate::union::{Dir, Entry, Found, RealPath, Union, UnionError, shown};
use crate::users::User;

pub(crate) use content::digest;
pub(crate) use unpack::Unpacker;

/// Why files are not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// about the context
    #[error(transparent)]
    Context(#[from] ContextError),
    /// about the layer
    #[error(transparent)]
    Stage(#[from] StageError),
    /// about the image
    #[error(transparent)]
    Union(#[from] UnionError),
    /// nothing there
    #[error(
        "the source {pattern:?} matches nothing in the stage or image that it is copied from\nhelp: correct the path; it is relative to that one's root"
    )]
    NoMatch {
        /// what was asked for
        pattern: String,
    },
    /// several for one place
    #[error(
        "the source {pattern:?} matches {found} files, but the destination is not written as a directory\nhelp: end the destination with /"
    )]
    Several {
        /// what was asked for
        pattern: String,
        /// how many there are
        found: usize,
    },
    /// no file
    #[error(
        "{path} is a device or a socket: only files, directories, links and pipes can be copied\nhelp: copy what lies beside it by name"
    )]
    Special {
        /// which
        path: String,
    },
    /// a URL without a name
    #[error(
        "{url} ends in no file's name, and the destination is a directory\nhelp: write the file's name at the destination's end"
    )]
    NoName {
        /// where it comes from
        url: String,
    },
    /// a commit without that directory
    #[error("the commit of {url} has no directory {directory:?}\nhelp: correct it")]
    NoDirectory {
        /// the repository
        url: String,
        /// what was asked for
        directory: String,
    },
    /// an archive
    #[error("the archive {path:?} cannot be unpacked")]
    Archive {
        /// which
        path: String,
        /// why
        #[source]
        source: gradus_image::layer::ApplyLayerError,
    },
    /// an archive with names of layers
    #[error(
        "the archive {path:?} holds {name}, which in a layer says that a file is gone\nhelp: leave it out, or unpack the archive with RUN"
    )]
    Whiteout {
        /// which
        path: String,
        /// its entry
        name: String,
    },
}

/// How what is copied is changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changes {
    pub(crate) owner: Option<User>,
    pub(crate) mode: Option<u32>,
    /// seconds since 1970
    pub(crate) epoch_s: i64,
}

/// A destination, as it is now.
struct Target {
    path: RealPath,
    is_directory: bool,
    /// It was written as a directory, or is one already.
    takes_names: bool,
}

/// Copies into one layer.
pub(crate) struct Copier<'a> {
    pub(crate) staging: &'a mut Staging,
    pub(crate) destination: &'a str,
    /// the destination was written as a directory
    pub(crate) into_directory: bool,
    pub(crate) changes: Changes,
}

impl Copier<'_> {
    fn target(&self) -> Result<Target, CopyError> {
        let found = self.staging.union().resolve(self.destination, true)?;
        Ok(match found {
            Found::There { path, entry, .. } => {
                let is_directory = matches!(entry, Entry::Directory(_));
                Target {
                    path,
                    is_directory,
                    takes_names: is_directory || self.into_directory,
                }
            }
            Found::Missing { mut path, rest, .. } => {
                path.extend(rest);
                let is_directory = path.is_empty();
                Target {
                    path,
                    is_directory,
                    takes_names: is_directory || self.into_directory,
                }
            }
            Found::Blocked { path } => {
                return Err(StageError::InTheWay {
                    path: joined(&path),
                    found: "no directory",
                    wanted: "a directory",
                }
                .into());
            }
        })
    }

    fn meta(&self, mode: u32, owner: User, mtime_s: i64) -> Meta {
        Meta {
            mode: self.changes.mode.unwrap_or(mode),
            owner: self.changes.owner.unwrap_or(owner),
            mtime_s,
        }
    }

    /// The directory that contents go into, made where it is missing: as the source is, unless it was written as a directory.
    fn directory(&mut self, like: Meta) -> Result<RealPath, CopyError> {
        let target = self.target()?;
        if !target.is_directory {
            let meta = (!self.into_directory).then_some(like);
            self.staging.directory(&target.path, meta)?;
        }
        Ok(target.path)
    }

    /// Where a file of that name goes.
    fn file_path(&mut self, name: &[u8]) -> Result<RealPath, CopyError> {
        let target = self.target()?;
        if !target.takes_names {
            return Ok(target.path);
        }
        self.staging.directory(&target.path, None)?;
        let mut path = target.path;
        path.push(name.to_vec());
        Ok(path)
    }

    /// More than one file needs a place for names.
    fn check_several(&self, pattern: &str, files: usize) -> Result<(), CopyError> {
        if files > 1 && !self.target()?.takes_names {
            return Err(CopyError::Several {
                pattern: pattern.to_owned(),
                found: files,
            });
        }
        Ok(())
    }

    /// A file that the Dockerfile holds.
    pub(crate) fn text(&mut self, name: &str, content: &str) -> Result<(), CopyError> {
        let path = self.file_path(name.as_bytes())?;
        let meta = self.meta(0o644, ROOT, self.changes.epoch_s);
        self.staging.file(&path, meta, |out| {
            std::io::Write::write_all(out, content.as_bytes()).map_err(|source| {
                CopyError::Stage(StageError::Io {
                    step: "writing",
                    path: name.to_owned(),
                    source,
                })
            })
        })
    }

    /// A file of the network, as Docker has it: for root alone, and as old as its server says.
    pub(crate) fn download(
        &mut self,
        url: &str,
        name: Option<&str>,
        mut from: File,
        mtime_s: i64,
    ) -> Result<(), CopyError> {
        let Some(name) = name.or(match self.target()?.takes_names {
            true => None,
            false => Some(""),
        }) else {
            return Err(CopyError::NoName {
                url: url.to_owned(),
            });
        };
        let path = self.file_path(name.as_bytes())?;
        let meta = self.meta(0o600, ROOT, mtime_s);
        self.staging.file(&path, meta, |out| {
            std::io::copy(&mut from, out).map(drop).map_err(|source| {
                CopyError::Stage(StageError::Io {
                    step: "writing",
                    path: joined(&path),
                    source,
                })
            })
        })
    }

    /// What is in a directory of a commit's files, which lie at `tree`.
    pub(crate) fn commit(
        &mut self,
        tree: &Path,
        url: &str,
        directory: &str,
    ) -> Result<(), CopyError> {
        let files = Union::open(std::slice::from_ref(&tree.to_owned()))?;
        match files.resolve(directory, false)? {
            Found::There {
                entry: Entry::Directory(dir),
                ..
            } => {
                let base = self.directory(self.meta(0o755, ROOT, self.changes.epoch_s))?;
                self.tree(&dir, &base)
            }
            _ => Err(CopyError::NoDirectory {
                url: url.to_owned(),
                directory: directory.to_owned(),
            }),
        }
    }

    /// What a source selects in the context; archives are unpacked where there is an unpacker.
    pub(crate) fn context(
        &mut self,
        context: &Context,
        pattern: &str,
        selected: &Selected,
        mut unpacker: Option<&mut Unpacker<'_>>,
    ) -> Result<(), CopyError> {
        let is_directory = |root: &str| {
            root.is_empty()
                || selected
                    .entries
                    .iter()
                    .any(|entry| entry.path == root && entry.kind == EntryKind::Directory)
        };
        let files = selected.roots.iter().filter(|root| !is_directory(root));
        self.check_several(pattern, files.count())?;
        let epoch_s = self.changes.epoch_s;
        for root in &selected.roots {
            let (prefix, base) = if is_directory(root) {
                let entry = selected.entries.iter().find(|entry| entry.path == *root);
                let like = self.meta(entry.map_or(0o755, |entry| entry.mode), ROOT, epoch_s);
                let prefix = if root.is_empty() {
                    String::new()
                } else {
                    format!("{root}/")
                };
                (prefix, self.directory(like)?)
            } else {
                if let Some(unpacker) = &mut unpacker
                    && let Some(entry) = selected.entries.iter().find(|entry| entry.path == *root)
                    && let Some(tree) = unpacker.unpack(context, entry)?
                {
                    let base = self.directory(self.meta(0o755, ROOT, epoch_s))?;
                    self.tree(tree.root(), &base)?;
                    continue;
                }
                (String::new(), Vec::new())
            };
            for entry in &selected.entries {
                let path = if is_directory(root) {
                    match entry.path.strip_prefix(&prefix) {
                        Some(inner) if !inner.is_empty() && entry.path != *root => {
                            let mut path = base.clone();
                            path.extend(inner.split('/').map(|name| name.as_bytes().to_vec()));
                            path
                        }
                        _ => continue,
                    }
                } else if entry.path == *root {
                    let name = root.rsplit('/').next().unwrap_or(root);
                    self.file_path(name.as_bytes())?
                } else {
                    continue;
                };
                match &entry.kind {
                    EntryKind::Directory => {
                        self.staging
                            .directory(&path, Some(self.meta(entry.mode, ROOT, epoch_s)))?;
                    }
                    EntryKind::File { .. } => {
                        let meta = self.meta(entry.mode, ROOT, epoch_s);
                        self.staging.file(&path, meta, |out| {
                            Ok::<_, CopyError>(context.read(entry, out)?)
                        })?;
                    }
                    EntryKind::Link { target } => {
                        self.staging
                            .link(&path, target, self.meta(0o777, ROOT, epoch_s))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What a source selects in a stage or an image.
    pub(crate) fn layers(&mut self, from: &Union, pattern: &str) -> Result<(), CopyError> {
        let found = select(from, pattern)?;
        let files = found
            .iter()
            .filter(|(_, entry, _)| !matches!(entry, Entry::Directory(_)));
        self.check_several(pattern, files.count())?;
        for (name, entry, stat) in &found {
            match entry {
                Entry::Directory(dir) => {
                    let like = self.as_there(stat);
                    let base = self.directory(like)?;
                    self.tree(dir, &base)?;
                }
                entry => {
                    let path = self.file_path(name)?;
                    self.one(entry, stat, &path)?;
                }
            }
        }
        Ok(())
    }

    fn as_there(&self, stat: &Stat) -> Meta {
        let there = meta_of(stat);
        self.meta(there.mode, there.owner, there.mtime_s)
    }

    fn one(&mut self, entry: &Entry, stat: &Stat, path: &RealPath) -> Result<(), CopyError> {
        let meta = self.as_there(stat);
        match entry {
            Entry::File(place) => Ok(self.staging.copy(path, meta, place.open()?)?),
            Entry::Link(target) => Ok(self.staging.link(path, target, meta)?),
            Entry::Fifo => Ok(self.staging.fifo(path, meta)?),
            Entry::Directory(_) | Entry::Other => Err(CopyError::Special { path: joined(path) }),
        }
    }

    /// All that is in a directory; hard links within it stay such.
    fn tree(&mut self, from: &Dir, to: &RealPath) -> Result<(), CopyError> {
        let mut first_names: HashMap<(u64, u64), RealPath> = HashMap::new();
        from.walk(|inner, entry, stat| {
            let path = [to.as_slice(), inner].concat();
            if matches!(entry, Entry::Directory(_)) {
                let meta = self.as_there(stat);
                self.staging.directory(&path, Some(meta))?;
                return Ok(());
            }
            let identity = (stat.st_dev, stat.st_ino);
            if stat.st_nlink > 1
                && let Some(first) = first_names.get(&identity)
            {
                return Ok(self.staging.hard_link(&path, first)?);
            }
            self.one(entry, stat, &path)?;
            if stat.st_nlink > 1 {
                first_names.insert(identity, path);
            }
            Ok(())
        })
    }
}

const ROOT: User = User { uid: 0, gid: 0 };

/// What a path with wildcards selects in a union, links at its end followed: names, and what they stand for.
fn select(from: &Union, pattern: &str) -> Result<Vec<(Vec<u8>, Entry, Stat)>, CopyError> {
    let nothing = || CopyError::NoMatch {
        pattern: pattern.to_owned(),
    };
    let mut paths = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        // The Dockerfile's own check has refused what is no pattern.
        let glob = Glob::new(part).map_err(|_| nothing())?;
        let mut next = Vec::new();
        for path in paths {
            if let Some(name) = glob.plain() {
                next.push(format!("{path}/{name}"));
                continue;
            }
            let Found::There {
                entry: Entry::Directory(dir),
                ..
            } = from.resolve(&path, true)?
            else {
                continue;
            };
            let names = dir.names()?;
            let matching = names
                .iter()
                .filter_map(|name| std::str::from_utf8(name).ok())
                .filter(|name| glob.matches(name));
            next.extend(matching.map(|name| format!("{path}/{name}")));
        }
        paths = next;
    }
    let mut found = Vec::new();
    for path in paths {
        if let Found::There { entry, stat, .. } = from.resolve(&path, true)? {
            if matches!(entry, Entry::Other) {
                return Err(CopyError::Special {
                    path: shown(path.as_bytes()),
                });
            }
            let name = path.rsplit('/').next().unwrap_or_default();
            found.push((name.as_bytes().to_vec(), entry, stat));
        }
    }
    match found.is_empty() {
        true => Err(nothing()),
        false => Ok(found),
    }
}

/// What an archive of the context may come to.
pub(crate) fn archive_caps(bytes: u64, entries: u64) -> LayerCaps {
    LayerCaps {
        compressed_bytes: bytes,
        unpacked_bytes: bytes,
        entries,
        ..LayerCaps::default()
    }
}
