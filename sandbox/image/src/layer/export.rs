//! An overlay's upper directory, or an applied layer, to an archive: the same tree gives the same bytes.
//!
//! Entries come parents first and sorted by name; times are cut to whole seconds and to a latest one; owners are numbers
//! alone; a file's second and later names in the order of the walk are hard links to its first. Whiteouts and opaque
//! directories get the names that the image specification gives them.
//!
//! The archive is not compressed. The store keeps no archive of a layer that was made here: its tree exports to the same bytes
//! again. [`decode::compress`](super::decode::compress) is for those who want a blob.

mod attributes;
mod mount_points;
mod writer;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};

use self::writer::{Header, Writer};
use super::caps::{LayerCaps, NAME_BYTES_MAX, PATH_BYTES_MAX};
use super::error::ExportLayerError;
use super::note::{Note, Notes};
use super::path;
use crate::Digest;
use crate::digest::Tallied;

/// What marks a directory as opaque for an overlay mounted with `userxattr`.
pub(super) const OPAQUE_XATTR: &str = "user.overlay.opaque";
/// How a tree is written out.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Later times become this one, in seconds since 1970: `SOURCE_DATE_EPOCH`.
    pub mtime_max_s: u64,
    /// `entries`, `depth` and `unpacked_bytes` count; a file's holes are bytes.
    pub caps: LayerCaps,
    /// Whose ids the tree's owners are on this host, if they are not those of the image.
    pub owners: Option<Owners>,
    /// Paths, relative, at which something was mounted, with the directories that were made for that: they are left out where they are there and
    /// nothing else is in them.
    pub mount_points: BTreeSet<Vec<u8>>,
    /// The layer hides all that lies beneath it, as [`Applied::opaque_root`](super::Applied::opaque_root) said.
    pub opaque_root: bool,
}

/// A range of ids of this host that stand for those from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owners {
    /// What user 0 is here.
    pub uid: u32,
    /// What group 0 is here.
    pub gid: u32,
    /// How many follow.
    pub count: u32,
}

impl Owners {
    /// The ids in the image; none for somebody else's.
    fn inside(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        let inside = |id: u32, first: u32| id.checked_sub(first).filter(|id| *id < self.count);
        Some((inside(uid, self.uid)?, inside(gid, self.gid)?))
    }
}

impl ExportOptions {
    /// Under the default caps.
    pub fn new(mtime_max_s: u64) -> ExportOptions {
        ExportOptions {
            mtime_max_s,
            caps: LayerCaps::default(),
            owners: None,
            mount_points: BTreeSet::new(),
            opaque_root: false,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Digest of the archive.
    pub diff_id: Digest,
    /// Its length.
    pub archive_bytes: u64,
    /// Entries, whiteouts included.
    pub entries: u64,
    /// What was left out.
    pub notes: Notes,
}

/// Writes the archive of the tree at `upper`, on which nobody works any more. The root itself has no entry.
///
/// # Errors
/// As [`ExportLayerError`] says.
pub fn export(
    upper: &Path,
    out: impl Write,
    options: &ExportOptions,
) -> Result<Exported, ExportLayerError> {
    let root = rustix::fs::openat(CWD, upper, DIR_FLAGS, Mode::empty())
        .map_err(ExportLayerError::io(b"/", "opening the directory"))?;
    export_from(root, out, options)
}

/// As [`export()`], of a directory that is open.
///
/// # Errors
/// As [`ExportLayerError`] says.
pub fn export_from(
    root: OwnedFd,
    out: impl Write,
    options: &ExportOptions,
) -> Result<Exported, ExportLayerError> {
    let device = rustix::fs::fstat(&root)
        .map_err(ExportLayerError::io(b"/", "looking at the directory"))?
        .st_dev;
    let mut walk = Walk {
        writer: Writer::new(Tallied::new(out)),
        options,
        device,
        links: HashMap::new(),
        notes: Notes::default(),
        entries: 0,
        bytes: 0,
        buffer: vec![0; 128 << 10],
    };
    walk.run(root)?;
    let out = walk.writer.finish().map_err(ExportLayerError::Output)?;
    Ok(Exported {
        diff_id: out.tally.digest(),
        archive_bytes: out.tally.bytes(),
        entries: walk.entries,
        notes: walk.notes,
    })
}

const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

struct Level {
    dir: OwnedFd,
    /// Names that are left, the next one last.
    names: Vec<Vec<u8>>,
    path_bytes: usize,
}

struct Walk<'a, W: Write> {
    writer: Writer<Tallied<W>>,
    options: &'a ExportOptions,
    device: u64,
    /// The first path of each file with several names.
    links: HashMap<u64, Vec<u8>>,
    notes: Notes,
    entries: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl<W: Write> Walk<'_, W> {
    fn run(&mut self, root: OwnedFd) -> Result<(), ExportLayerError> {
        let mut path = Vec::new();
        if self.options.opaque_root || self.directory_xattrs(&root, b"/")?.opaque {
            self.mark(path::OPAQUE)?;
        }
        let names = self.sorted_names(&root, b"/")?;
        let mut stack = vec![Level {
            dir: root,
            names,
            path_bytes: 0,
        }];
        while let Some(level) = stack.last_mut() {
            path.truncate(level.path_bytes);
            let Some(name) = level.names.pop() else {
                stack.pop();
                continue;
            };
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            if path.len() > PATH_BYTES_MAX {
                return Err(ExportLayerError::entry(
                    &path,
                    "has a path of more than 4095 bytes",
                ));
            }
            let stat = rustix::fs::statat(&level.dir, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(ExportLayerError::io(&path, "looking at it"))?;
            if stat.st_dev != self.device {
                return Err(ExportLayerError::Unfit {
                    path: super::note::shown(&path),
                    reason: "lies on another file system".to_owned(),
                });
            }
            if name.starts_with(path::WHITEOUT) {
                return Err(ExportLayerError::entry(
                    &path,
                    "has a name that starts with .wh., which in a layer says that a file is gone",
                ));
            }
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                if stack.len() as u64 > u64::from(self.options.caps.depth) {
                    return Err(ExportLayerError::entry(
                        &path,
                        format!("lies below {} directories", self.options.caps.depth),
                    ));
                }
                let parent = &stack[stack.len() - 1].dir;
                if self.is_mount_point(parent, &name, &path, &stat)? {
                    continue;
                }
                let inner = self.directory(parent, &name, &path, &stat)?;
                let names = self.sorted_names(&inner, &path)?;
                stack.push(Level {
                    dir: inner,
                    names,
                    path_bytes: path.len(),
                });
                continue;
            }
            let level = &stack[stack.len() - 1];
            if self.is_mount_point(&level.dir, &name, &path, &stat)? {
                continue;
            }
            self.leaf(&level.dir, &name, &path, &stat)?;
        }
        Ok(())
    }

    fn directory(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<OwnedFd, ExportLayerError> {
        let dir = rustix::fs::openat(parent, name, DIR_FLAGS, Mode::empty())
            .map_err(ExportLayerError::io(path, "opening the directory"))?;
        let xattrs = self.directory_xattrs(&dir, path)?;
        self.count()?;
        let header = self.header(tar::EntryType::Directory, path, stat)?;
        let mut slashed = path.to_vec();
        slashed.push(b'/');
        self.writer
            .entry(&header, &slashed, b"", 0, &xattrs.kept)
            .map_err(ExportLayerError::Output)?;
        if xattrs.opaque {
            slashed.extend_from_slice(path::OPAQUE);
            self.mark(&slashed)?;
        }
        Ok(dir)
    }

    fn leaf(
        &mut self,
        dir: &OwnedFd,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<(), ExportLayerError> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket => {
                self.notes.take(Note::SocketSkipped, path);
                return Ok(());
            }
            FileType::CharacterDevice if stat.st_rdev == 0 => {
                if name.len() + path::WHITEOUT.len() > NAME_BYTES_MAX {
                    return Err(ExportLayerError::entry(
                        path,
                        "was removed, and its name is too long for a whiteout: at most 251 bytes",
                    ));
                }
                let mut marked = path[..path.len() - name.len()].to_vec();
                marked.extend_from_slice(path::WHITEOUT);
                marked.extend_from_slice(name);
                return self.mark(&marked);
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                self.notes.take(Note::DeviceSkipped, path);
                return Ok(());
            }
            _ => {}
        }
        self.count()?;
        let several = stat.st_nlink > 1;
        if several && let Some(first) = self.links.get(&stat.st_ino) {
            let header = self.header(tar::EntryType::Link, path, stat)?;
            return self
                .writer
                .entry(&header, path, first, 0, &[])
                .map_err(ExportLayerError::Output);
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.file(dir, name, path, stat)?,
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new())
                    .map_err(ExportLayerError::io(path, "reading the link"))?;
                let header = self.header(tar::EntryType::Symlink, path, stat)?;
                self.writer
                    .entry(&header, path, target.as_bytes(), 0, &[])
                    .map_err(ExportLayerError::Output)?;
            }
            FileType::Fifo => {
                let header = self.header(tar::EntryType::Fifo, path, stat)?;
                self.writer
                    .entry(&header, path, b"", 0, &[])
                    .map_err(ExportLayerError::Output)?;
                return Ok(());
            }
            _ => {
                return Err(ExportLayerError::Unfit {
                    path: super::note::shown(path),
                    reason: "is of an unknown type".to_owned(),
                });
            }
        }
        if several {
            self.links.insert(stat.st_ino, path.to_vec());
        }
        Ok(())
    }

    fn file(
        &mut self,
        dir: &OwnedFd,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<(), ExportLayerError> {
        let size = stat.st_size as u64;
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.options.caps.unpacked_bytes {
            return Err(ExportLayerError::TooMuch {
                what: "bytes, holes of files included",
                limit: self.options.caps.unpacked_bytes,
            });
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, name, flags, Mode::empty())
            .map_err(ExportLayerError::io(path, "opening the file"))?;
        let opened = rustix::fs::fstat(&fd).map_err(ExportLayerError::io(path, "looking at it"))?;
        let changed = || ExportLayerError::Unfit {
            path: super::note::shown(path),
            reason: "changed while it was read: nobody may work in the directory".to_owned(),
        };
        if opened.st_ino != stat.st_ino || opened.st_size != stat.st_size {
            return Err(changed());
        }
        let xattrs = self.xattrs(&fd, path)?;
        let header = self.header(tar::EntryType::Regular, path, stat)?;
        self.writer
            .entry(&header, path, b"", size, &xattrs.kept)
            .map_err(ExportLayerError::Output)?;
        let mut file = File::from(fd);
        let mut left = size;
        while left > 0 {
            let wanted =
                usize::try_from(left).map_or(self.buffer.len(), |n| n.min(self.buffer.len()));
            let n =
                file.read(&mut self.buffer[..wanted])
                    .map_err(|source| ExportLayerError::Io {
                        path: super::note::shown(path),
                        step: "reading the file",
                        source,
                    })?;
            if n == 0 {
                return Err(changed());
            }
            self.writer
                .data(&self.buffer[..n])
                .map_err(ExportLayerError::Output)?;
            left -= n as u64;
        }
        self.writer.pad(size).map_err(ExportLayerError::Output)
    }

    /// An empty file with a whiteout's name, with nothing of its own: owner root, no time.
    fn mark(&mut self, path: &[u8]) -> Result<(), ExportLayerError> {
        self.count()?;
        let header = Header {
            kind: tar::EntryType::Regular,
            mode: 0,
            owner: (0, 0),
            mtime_s: 0,
        };
        self.writer
            .entry(&header, path, b"", 0, &[])
            .map_err(ExportLayerError::Output)
    }

    fn header(
        &self,
        kind: tar::EntryType,
        path: &[u8],
        stat: &Stat,
    ) -> Result<Header, ExportLayerError> {
        let mtime = u64::try_from(stat.st_mtime).unwrap_or(0);
        let (uid, gid) = (stat.st_uid, stat.st_gid);
        let owner = match &self.options.owners {
            None => (uid, gid),
            Some(owners) => owners
                .inside(uid, gid)
                .ok_or_else(|| ExportLayerError::Unfit {
                    path: super::note::shown(path),
                    reason: format!("belongs to {uid}:{gid}, which is not of the job's ids"),
                })?,
        };
        Ok(Header {
            kind,
            mode: stat.st_mode & 0o7777,
            owner,
            mtime_s: mtime.min(self.options.mtime_max_s),
        })
    }

    fn count(&mut self) -> Result<(), ExportLayerError> {
        self.entries += 1;
        if self.entries > self.options.caps.entries {
            return Err(ExportLayerError::TooMuch {
                what: "entries",
                limit: self.options.caps.entries,
            });
        }
        Ok(())
    }

    /// In reverse, so that the next one is taken from the end.
    fn sorted_names(&self, dir: impl AsFd, path: &[u8]) -> Result<Vec<Vec<u8>>, ExportLayerError> {
        let io = || ExportLayerError::io(path, "listing the directory");
        let mut names = Vec::new();
        for entry in Dir::read_from(dir).map_err(io())? {
            let entry = entry.map_err(io())?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            names.push(name.to_vec());
            if self.entries + names.len() as u64 > self.options.caps.entries {
                return Err(ExportLayerError::TooMuch {
                    what: "entries",
                    limit: self.options.caps.entries,
                });
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }
}
