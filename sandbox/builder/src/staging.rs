//! A layer that is being made: a directory that only this process writes, over the layers that it will lie on.
//!
//! Every path that is written is one without links, found by [`Union`]; nothing here follows one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
    XattrFlags,
};
use rustix::io::Errno;

use crate::union::{Entry, RealPath, Union, UnionError, shown};
use crate::users::User;

/// Why something cannot be put into a layer.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// the system's answer
    #[error("{step} {path} of the new layer failed on this machine")]
    Io {
        /// what was done
        step: &'static str,
        /// with which
        path: String,
        /// its answer
        #[source]
        source: std::io::Error,
    },
    /// something else is in its way
    #[error(
        "{path} is {found} in the image, {wanted} was expected there\nhelp: name another destination, or remove it with RUN before"
    )]
    InTheWay {
        /// which
        path: String,
        /// what is there
        found: &'static str,
        /// what was to be there
        wanted: &'static str,
    },
    /// more than a step may write
    #[error("more than {limit} {what} are copied\nhelp: copy less, or have the limit raised")]
    TooMuch {
        /// of what
        what: &'static str,
        /// how much there may be
        limit: u64,
    },
    /// layers cannot be read
    #[error(transparent)]
    Union(#[from] UnionError),
}

/// What an entry gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub(crate) mode: u32,
    pub(crate) owner: User,
    /// seconds since 1970
    pub(crate) mtime_s: i64,
}

/// A layer that is being made.
#[derive(Debug)]
pub(crate) struct Staging {
    upper: Rc<OwnedFd>,
    /// the layers beneath, and the new one over them
    union: Union,
    /// owner and time of directories that come to be because something is put in them
    implied: Meta,
    /// directories get their times last: each entry that is made changes them
    times: Vec<(RealPath, i64)>,
    bytes_left: u64,
    entries_left: u64,
    limits: (u64, u64),
}

impl Staging {
    /// In `dir`, which is empty, over `lower`.
    pub(crate) fn new(
        dir: &Path,
        lower: &Union,
        implied: Meta,
        bytes_max: u64,
        entries_max: u64,
    ) -> Result<Staging, StageError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let upper = rustix::fs::openat(CWD, dir, flags, Mode::empty()).map_err(io(
            "opening",
            &[dir.as_os_str().as_encoded_bytes().to_vec()],
        ))?;
        let upper = Rc::new(upper);
        Ok(Staging {
            union: lower.below(&upper),
            upper,
            implied,
            times: Vec::new(),
            bytes_left: bytes_max,
            entries_left: entries_max,
            limits: (bytes_max, entries_max),
        })
    }

    pub(crate) fn union(&self) -> &Union {
        &self.union
    }

    fn count(&mut self) -> Result<(), StageError> {
        self.entries_left = self
            .entries_left
            .checked_sub(1)
            .ok_or(StageError::TooMuch {
                what: "files",
                limit: self.limits.1,
            })?;
        Ok(())
    }

    /// A directory of the new layer.
    fn open(&self, path: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
        let joined = path.join(&b'/');
        let joined = if joined.is_empty() {
            b".".to_vec()
        } else {
            joined
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat2(&self.upper, joined, flags, Mode::empty(), resolve)
    }

    /// The directory above `path`, and its name; all above are made as they are beneath, or as new ones.
    fn place<'a>(&mut self, path: &'a [Vec<u8>]) -> Result<(OwnedFd, &'a [u8]), StageError> {
        let Some((name, above)) = path.split_last() else {
            return Err(StageError::InTheWay {
                path: "/".to_owned(),
                found: "a directory",
                wanted: "a file",
            });
        };
        for end in 1..=above.len() {
            let above = &above[..end];
            match self.open(above) {
                Ok(_) => continue,
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(io("opening", above)(errno)),
            }
            match self.union.at(above)? {
                Some((Entry::Directory(dir), stat)) => {
                    self.make(above, meta_of(&stat))?;
                    if let Some(from) = dir.top() {
                        let to = self.open(above).map_err(io("opening", above))?;
                        copy_xattrs(from, &to).map_err(io("copying attributes of", above))?;
                    }
                }
                Some((entry, _)) => return Err(in_the_way(above, &entry, "a directory")),
                None => self.make(above, self.implied)?,
            }
        }
        let dir = self.open(above).map_err(io("opening", above))?;
        Ok((dir, name))
    }

    fn make(&mut self, path: &[Vec<u8>], meta: Meta) -> Result<(), StageError> {
        let (name, above) = path.split_last().expect("the root is there");
        self.count()?;
        let parent = self.open(above).map_err(io("opening", above))?;
        rustix::fs::mkdirat(&parent, name.as_slice(), Mode::RWXU).map_err(io("making", path))?;
        self.times.push((path.to_vec(), meta.mtime_s));
        let dir = self.open(path).map_err(io("opening", path))?;
        settle(&dir, meta).map_err(io("setting permissions of", path))
    }

    /// A directory. One that is there stays as it is; whether it is new.
    pub(crate) fn directory(
        &mut self,
        path: &[Vec<u8>],
        meta: Option<Meta>,
    ) -> Result<bool, StageError> {
        if path.is_empty() {
            return Ok(false);
        }
        match self.union.at(path)? {
            Some((Entry::Directory(_), _)) => Ok(false),
            Some((entry, _)) => Err(in_the_way(path, &entry, "a directory")),
            None => {
                self.place(path)?;
                self.make(path, meta.unwrap_or(self.implied))?;
                Ok(true)
            }
        }
    }

    /// Takes what is at `path` of the new layer away, and sees that it is no directory in the image.
    fn clear(&mut self, path: &[Vec<u8>]) -> Result<(), StageError> {
        if let Some((entry @ Entry::Directory(_), _)) = self.union.at(path)? {
            return Err(in_the_way(path, &entry, "a file"));
        }
        let (dir, name) = self.place(path)?;
        match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(io("replacing", path)(errno)),
        }
    }

    /// A file whose content `fill` writes.
    pub(crate) fn file<E: From<StageError>>(
        &mut self,
        path: &[Vec<u8>],
        meta: Meta,
        fill: impl FnOnce(&mut Counted<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.clear(path)?;
        self.count()?;
        let (dir, name) = self.place(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&dir, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(io("making", path))?;
        let file = std::fs::File::from(file);
        let mut counted = Counted {
            out: &file,
            left: &mut self.bytes_left,
            over: false,
        };
        let filled = fill(&mut counted);
        if counted.over {
            return Err(StageError::TooMuch {
                what: "bytes",
                limit: self.limits.0,
            }
            .into());
        }
        filled?;
        settle(&file, meta).map_err(io("setting permissions of", path))?;
        let times = times(meta.mtime_s);
        Ok(rustix::fs::futimens(&file, &times).map_err(io("setting the time of", path))?)
    }

    /// As [`Staging::file`], with the attributes of the file that it is a copy of.
    pub(crate) fn copy(
        &mut self,
        path: &[Vec<u8>],
        meta: Meta,
        from: std::fs::File,
    ) -> Result<(), StageError> {
        self.file(path, meta, |out| {
            let mut from = from;
            let to = out.out;
            let copied = std::io::copy(&mut Read::by_ref(&mut from), out);
            copied.map_err(|source| StageError::Io {
                step: "writing",
                path: joined(path),
                source,
            })?;
            copy_xattrs(&from, to).map_err(io("copying attributes of", path))
        })
    }

    /// A symbolic link.
    pub(crate) fn link(
        &mut self,
        path: &[Vec<u8>],
        target: &[u8],
        meta: Meta,
    ) -> Result<(), StageError> {
        self.clear(path)?;
        self.count()?;
        let (dir, name) = self.place(path)?;
        rustix::fs::symlinkat(target, &dir, name).map_err(io("making", path))?;
        let (uid, gid) = ids(meta.owner);
        rustix::fs::chownat(&dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(io("setting the owner of", path))?;
        let times = times(meta.mtime_s);
        rustix::fs::utimensat(&dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(io("setting the time of", path))
    }

    /// A further name of a file of the new layer.
    pub(crate) fn hard_link(
        &mut self,
        path: &[Vec<u8>],
        first: &[Vec<u8>],
    ) -> Result<(), StageError> {
        self.clear(path)?;
        self.count()?;
        let (from, from_name) = self.place(first)?;
        let (dir, name) = self.place(path)?;
        rustix::fs::linkat(&from, from_name, &dir, name, AtFlags::empty())
            .map_err(io("linking", path))
    }

    /// A pipe.
    pub(crate) fn fifo(&mut self, path: &[Vec<u8>], meta: Meta) -> Result<(), StageError> {
        self.clear(path)?;
        self.count()?;
        let (dir, name) = self.place(path)?;
        rustix::fs::mknodat(
            &dir,
            name,
            FileType::Fifo,
            Mode::from_raw_mode(meta.mode),
            0,
        )
        .map_err(io("making", path))?;
        let (uid, gid) = ids(meta.owner);
        rustix::fs::chownat(&dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(io("setting the owner of", path))
    }

    /// Whether anything was put into it. Directories have their times from here on.
    pub(crate) fn finish(self) -> Result<bool, StageError> {
        for (path, mtime_s) in &self.times {
            let dir = self.open(path).map_err(io("opening", path))?;
            rustix::fs::futimens(&dir, &times(*mtime_s))
                .map_err(io("setting the time of", path))?;
        }
        Ok(self.entries_left < self.limits.1)
    }
}

/// Writes as long as there is room in the step's limit.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    out: &'a std::fs::File,
    left: &'a mut u64,
    over: bool,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() as u64 > *self.left {
            self.over = true;
            return Err(std::io::Error::other("past the step's limit"));
        }
        let written = self.out.write(bytes)?;
        *self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// As a file is beneath.
pub(crate) fn meta_of(stat: &Stat) -> Meta {
    Meta {
        mode: stat.st_mode & 0o7777,
        owner: User {
            uid: stat.st_uid,
            gid: stat.st_gid,
        },
        mtime_s: stat.st_mtime,
    }
}

/// Owner, then permissions: a change of owner takes set-id bits away.
fn settle(file: impl std::os::fd::AsFd, meta: Meta) -> rustix::io::Result<()> {
    let (uid, gid) = ids(meta.owner);
    rustix::fs::fchown(&file, uid, gid)?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(meta.mode))
}

fn ids(user: User) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
}

fn times(mtime_s: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime_s,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Attributes that a layer keeps, by name.
pub(crate) fn xattrs(
    from: impl std::os::fd::AsFd,
) -> rustix::io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut list = vec![0u8; 64 << 10];
    let length = match rustix::fs::flistxattr(&from, list.as_mut_slice()) {
        Err(Errno::NOTSUP) => 0,
        other => other?,
    };
    let mut out = BTreeMap::new();
    for name in list[..length].split(|byte| *byte == 0) {
        if !name.starts_with(b"user.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let mut value = vec![0u8; 64 << 10];
        let length = rustix::fs::fgetxattr(&from, name, value.as_mut_slice())?;
        value.truncate(length);
        out.insert(name.to_vec(), value);
    }
    Ok(out)
}

fn copy_xattrs(from: impl std::os::fd::AsFd, to: impl std::os::fd::AsFd) -> rustix::io::Result<()> {
    for (name, value) in xattrs(from)? {
        rustix::fs::fsetxattr(&to, name.as_slice(), &value, XattrFlags::empty())?;
    }
    Ok(())
}

pub(crate) fn joined(path: &[Vec<u8>]) -> String {
    format!("/{}", shown(&path.join(&b'/')))
}

fn io(step: &'static str, path: &[Vec<u8>]) -> impl FnOnce(Errno) -> StageError {
    let path = joined(path);
    move |errno| StageError::Io {
        step,
        path,
        source: errno.into(),
    }
}

fn in_the_way(path: &[Vec<u8>], entry: &Entry, wanted: &'static str) -> StageError {
    StageError::InTheWay {
        path: joined(path),
        found: match entry {
            Entry::Directory(_) => "a directory",
            Entry::File(_) => "a file",
            Entry::Link(_) => "a link",
            Entry::Fifo => "a pipe",
            Entry::Other => "a device",
        },
        wanted,
    }
}
