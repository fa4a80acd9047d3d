//! Opening and reading below a context's root, and what goes wrong there.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::error::ContextError;
use super::tree::Context;

pub(super) const OPEN: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

impl Context {
    /// Opens below the root, through no link at all: one at the end is refused as one (`LOOP`), not as no directory.
    pub(super) fn below(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { "." } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        fs::openat2(&self.root, path, OPEN | flags, Mode::empty(), resolve)
    }

    pub(super) fn parent(&self, path: &str) -> Result<OwnedFd, ContextError> {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        self.below(directory, OFlags::DIRECTORY)
            .map_err(|e| refused(directory, e))
    }

    /// What is at a path, a link itself if it is one.
    pub(super) fn look(&self, path: &str) -> Result<Stat, Errno> {
        if path.is_empty() {
            return fs::fstat(&self.root);
        }
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let parent = self.below(directory, OFlags::DIRECTORY)?;
        fs::statat(&parent, name(path), AtFlags::SYMLINK_NOFOLLOW)
    }

    pub(super) fn regular(&self, path: &str, file: &OwnedFd) -> Result<Stat, ContextError> {
        let stat = fs::fstat(file).map_err(|e| io("look at", path, e))?;
        match kind(&stat) {
            FileType::RegularFile => Ok(stat),
            other => Err(special(path, other)),
        }
    }
}

/// Hashes what passes through.
pub(super) struct Hashed<W>(pub(super) Sha256, pub(super) W);

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.1.write(bytes)?;
        self.0.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.1.flush()
    }
}

/// Copies a file's content, which has to be as long as it was and untouched at the end.
pub(super) fn copy(
    path: &str,
    file: OwnedFd,
    before: &Stat,
    out: &mut impl Write,
) -> Result<(), ContextError> {
    let mut file = std::fs::File::from(file);
    let length = before.st_size as u64;
    // One byte more than there should be, so that a file that grows does not end in a full disk.
    let copied = std::io::copy(&mut (&mut file).take(length + 1), out);
    let copied = copied.map_err(|source| ContextError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let after = fs::fstat(file.as_fd()).map_err(|e| io("look at", path, e))?;
    match copied == length && same(before, &after) {
        true => Ok(()),
        false => Err(ContextError::Changed {
            path: path.to_owned(),
        }),
    }
}

pub(super) fn same(a: &Stat, b: &Stat) -> bool {
    let facts = |s: &Stat| {
        let times = (s.st_mtime, s.st_mtime_nsec, s.st_ctime, s.st_ctime_nsec);
        (s.st_dev, s.st_ino, s.st_mode, s.st_size, times)
    };
    facts(a) == facts(b)
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

pub(super) fn mode(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

pub(super) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

pub(super) fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    }
}

pub(super) fn io(action: &'static str, path: &str, error: Errno) -> ContextError {
    ContextError::Io {
        action,
        path: path.to_owned(),
        source: error.into(),
    }
}

/// A path that cannot be opened: a link on the way is the submission's, the rest the machine's.
pub(super) fn refused(path: &str, error: Errno) -> ContextError {
    match error {
        Errno::LOOP => ContextError::Link {
            path: path.to_owned(),
        },
        Errno::NXIO => special(path, FileType::Socket),
        error => io("open", path, error),
    }
}

pub(super) fn special(path: &str, kind: FileType) -> ContextError {
    ContextError::Special {
        path: path.to_owned(),
        kind: match kind {
            FileType::Socket => "socket",
            FileType::Fifo => "pipe",
            FileType::BlockDevice => "block device",
            FileType::CharacterDevice => "character device",
            FileType::Directory => "directory",
            _ => "special file",
        },
    }
}

pub(super) fn too_much(what: &'static str, limit: u64, path: &str) -> ContextError {
    ContextError::TooMuch {
        what,
        limit,
        path: path.to_owned(),
    }
}
