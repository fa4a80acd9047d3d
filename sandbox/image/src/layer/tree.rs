//! The directory that a layer is applied into: where a path's parent is, and how deep each directory really lies.
//!
//! Depth and length are counted per directory as it is made. A path may be short and yet lead far down through a symbolic
//! link; what counts is where an entry ends up.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::ApplyLayerError;
use super::caps::{LayerCaps, PATH_BYTES_MAX};
use super::note::{Note, Notes};
use super::path::InnerPath;

/// Owner, mode and time of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) mtime: (i64, u32),
}

/// What a directory without an entry of its own gets.
pub(super) const IMPLIED: Meta = Meta {
    uid: 0,
    gid: 0,
    mode: 0o755,
    mtime: (0, 0),
};

#[derive(Clone, Copy)]
pub(super) struct Known {
    depth: u32,
    path_bytes: u32,
    meta: Meta,
}

pub(super) struct Tree {
    root: OwnedFd,
    /// By inode. An inode that was freed and is used again is overwritten when its new directory is made.
    dirs: HashMap<u64, Known>,
    entries: u64,
    caps: LayerCaps,
}

/// Where an entry goes: its parent's descriptor and its name there.
pub(super) struct Place<'a> {
    pub(super) dir: OwnedFd,
    pub(super) name: &'a [u8],
    pub(super) known: Known,
}

/// What is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Present {
    Nothing,
    Directory,
    /// A character device 0:0, which this applier made of a whiteout.
    Whiteout,
    Other,
}

const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Tree {
    /// Of a directory that was just made and is empty.
    pub(super) fn open(dir: &Path, caps: &LayerCaps) -> rustix::io::Result<Tree> {
        let root = rustix::fs::openat(CWD, dir, DIR_FLAGS, Mode::empty())?;
        let known = Known {
            depth: 0,
            path_bytes: 0,
            meta: IMPLIED,
        };
        let ino = rustix::fs::fstat(&root)?.st_ino;
        Ok(Tree {
            root,
            dirs: HashMap::from([(ino, known)]),
            entries: 0,
            caps: caps.clone(),
        })
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    pub(super) fn count_entry(&mut self) -> Result<(), ApplyLayerError> {
        self.entries += 1;
        if self.entries > self.caps.entries {
            return Err(ApplyLayerError::TooManyEntries {
                limit: self.caps.entries,
            });
        }
        Ok(())
    }

    /// The parent of `path`, made if it is missing.
    pub(super) fn place<'a>(
        &mut self,
        path: &'a InnerPath,
        notes: &mut Notes,
    ) -> Result<Place<'a>, ApplyLayerError> {
        let Some((parent, name)) = path.split() else {
            return Err(ApplyLayerError::entry(
                b"/",
                "stands for the root, and is no directory",
            ));
        };
        let dir = match self.open_inside(parent) {
            Err(Errno::NOENT) => self.make_parents(path, parent, notes)?,
            // What was a whiteout may become a directory that hides everything beneath.
            Err(Errno::NOTDIR) => self.make_parents(path, parent, notes)?,
            other => other.map_err(|errno| refused_parent(path, parent, errno))?,
        };
        let known = self.known(&dir, path)?;
        let place = Place { dir, name, known };
        self.check_depth(&place, path)?;
        Ok(place)
    }

    /// Whether this layer has something at `parent`, or above it, that is no directory: then nothing beneath it is to be seen
    /// anyway, of this layer or of those below.
    pub(super) fn is_hidden(&self, parent: &[u8]) -> rustix::io::Result<bool> {
        if parent.is_empty() {
            return Ok(false);
        }
        let opened = rustix::fs::openat2(
            &self.root,
            parent,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
        );
        match opened {
            Ok(_) | Err(Errno::NOENT) => Ok(false),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    /// An existing entry's parent; nothing is made.
    pub(super) fn find<'a>(
        &self,
        path: &'a InnerPath,
    ) -> rustix::io::Result<Option<(OwnedFd, &'a [u8])>> {
        let Some((parent, name)) = path.split() else {
            return Ok(None);
        };
        match self.open_inside(parent) {
            Ok(dir) => Ok(Some((dir, name))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Opens a directory by its path beneath the root, as a process whose root it is would see it.
    fn open_inside(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat2(
            &self.root,
            if path.is_empty() { b"." } else { path },
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV,
        )
    }

    fn make_parents(
        &mut self,
        path: &InnerPath,
        parent: &[u8],
        notes: &mut Notes,
    ) -> Result<OwnedFd, ApplyLayerError> {
        let mut dir = self
            .open_inside(b"")
            .map_err(ApplyLayerError::io(path.as_bytes(), "opening the root"))?;
        let mut end = 0;
        for name in parent.split(|&b| b == b'/') {
            end += name.len() + usize::from(end > 0);
            let prefix = &parent[..end];
            match self.open_inside(prefix) {
                Ok(next) => dir = next,
                Err(errno @ (Errno::NOENT | Errno::NOTDIR)) => {
                    let known = self.known(&dir, path)?;
                    let place = Place { dir, name, known };
                    match present(&place, path)? {
                        Present::Nothing | Present::Whiteout => {}
                        _ => return Err(refused_parent(path, prefix, errno)),
                    }
                    self.check_depth(&place, path)?;
                    self.count_entry()?;
                    notes.take(Note::ParentImplied, prefix);
                    self.make_dir(&place, path, IMPLIED)?;
                    dir = self
                        .open_inside(prefix)
                        .map_err(ApplyLayerError::io(prefix, "opening a new directory"))?;
                }
                Err(errno) => return Err(refused_parent(path, prefix, errno)),
            }
        }
        Ok(dir)
    }

    /// Makes a directory, or takes the one that is there. Replaces anything else.
    pub(super) fn make_dir(
        &mut self,
        place: &Place<'_>,
        path: &InnerPath,
        meta: Meta,
    ) -> Result<(), ApplyLayerError> {
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        let was = present(place, path)?;
        if was != Present::Directory {
            if was != Present::Nothing {
                rustix::fs::unlinkat(&place.dir, place.name, AtFlags::empty())
                    .map_err(io("replacing what was there"))?;
            }
            rustix::fs::mkdirat(&place.dir, place.name, Mode::RWXU)
                .map_err(io("making the directory"))?;
        }
        let dir = rustix::fs::openat(&place.dir, place.name, DIR_FLAGS, Mode::empty())
            .map_err(io("opening the directory"))?;
        if was == Present::Whiteout {
            set_opaque(&dir).map_err(io("making the directory opaque"))?;
        }
        let ino = rustix::fs::fstat(&dir)
            .map_err(io("looking at the directory"))?
            .st_ino;
        let known = Known {
            depth: place.known.depth + 1,
            path_bytes: place.known.path_bytes + place.name.len() as u32 + 1,
            meta,
        };
        self.dirs.insert(ino, known);
        Ok(())
    }

    /// Owner, mode and time of the root itself.
    pub(super) fn set_root(&mut self, meta: Meta) -> Result<(), ApplyLayerError> {
        let stat = rustix::fs::fstat(&self.root)
            .map_err(ApplyLayerError::io(b"/", "looking at the root"))?;
        if let Some(known) = self.dirs.get_mut(&stat.st_ino) {
            known.meta = meta;
        }
        Ok(())
    }

    pub(super) fn meta_of(&self, ino: u64) -> Option<Meta> {
        self.dirs.get(&ino).map(|known| known.meta)
    }

    fn known(&self, dir: &OwnedFd, path: &InnerPath) -> Result<Known, ApplyLayerError> {
        let stat = rustix::fs::fstat(dir).map_err(ApplyLayerError::io(
            path.as_bytes(),
            "looking at its parent",
        ))?;
        self.dirs.get(&stat.st_ino).copied().ok_or_else(|| {
            ApplyLayerError::io(path.as_bytes(), "finding its parent again")(Errno::STALE)
        })
    }

    fn check_depth(&self, place: &Place<'_>, path: &InnerPath) -> Result<(), ApplyLayerError> {
        if place.known.depth >= self.caps.depth {
            return Err(ApplyLayerError::entry(
                path.as_bytes(),
                format!("lies below more than {} directories", self.caps.depth),
            ));
        }
        if place.known.path_bytes as usize + place.name.len() > PATH_BYTES_MAX {
            return Err(ApplyLayerError::entry(
                path.as_bytes(),
                "leads through links to a path of more than 4095 bytes",
            ));
        }
        Ok(())
    }
}

/// What lies at a place, links not followed.
pub(super) fn present(place: &Place<'_>, path: &InnerPath) -> Result<Present, ApplyLayerError> {
    match stat(&place.dir, place.name) {
        Ok(Some(stat)) => Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Present::Directory,
            FileType::CharacterDevice => Present::Whiteout,
            _ => Present::Other,
        }),
        Ok(None) => Ok(Present::Nothing),
        Err(errno) => Err(ApplyLayerError::io(
            path.as_bytes(),
            "looking at what is there",
        )(errno)),
    }
}

pub(super) fn stat(dir: &OwnedFd, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Marks a directory so that overlay, mounted with `userxattr`, shows nothing of the layers beneath.
pub(super) fn set_opaque(dir: &OwnedFd) -> rustix::io::Result<()> {
    rustix::fs::fsetxattr(
        dir,
        super::export::OPAQUE_XATTR,
        b"y",
        rustix::fs::XattrFlags::empty(),
    )
}

fn refused_parent(path: &InnerPath, parent: &[u8], errno: Errno) -> ApplyLayerError {
    let parent = super::note::shown(parent);
    let why = match errno {
        Errno::LOOP => "is a link that leads through too many others",
        Errno::NOTDIR => "is no directory",
        Errno::NOENT => "is a link to nothing in this layer",
        Errno::NAMETOOLONG => "is too long",
        Errno::XDEV => "leads to another file system",
        _ => return ApplyLayerError::io(path.as_bytes(), "opening its parent")(errno),
    };
    ApplyLayerError::entry(
        path.as_bytes(),
        format!("has a parent, {parent:?}, that {why}"),
    )
}
