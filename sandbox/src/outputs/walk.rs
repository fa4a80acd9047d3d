//! What there is, before a byte of it is read.
//!
//! Nothing but directories is opened here, each from the outputs' own directory, by a path without links, in one call that the kernel
//! checks. A list of what is still to do takes the place of recursion, and only one directory is open at a time.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat, openat2, statat};
use rustix::io::Errno;

use super::{CollectError, CollectLimits, Links};
use crate::logs::{escape, is_shown_as_it_is};
use crate::store::PATH_BYTES;

/// Never out of the directory, through no link and into no other file system.
const WITHIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

pub(super) const SYMLINK: &str = "symbolic link";

/// Bytes for names that are read at once.
const NAMES_BYTES: usize = 64 << 10;

/// A regular file.
#[derive(Debug)]
pub(super) struct Found {
    /// begins with the output's name
    pub(super) path: String,
    pub(super) identity: Identity,
}

#[derive(Debug, Default)]
pub(super) struct Walked {
    /// names of outputs
    pub(super) outputs: Vec<String>,
    pub(super) files: Vec<Found>,
    /// symbolic links, where they are left out
    pub(super) skipped: Vec<String>,
}

/// Which file it is, and in which state. The change time is the kernel's alone: a writer can set back the other one. Before Linux 6.13 it has
/// steps of some milliseconds, and two changes in one step look like one; this is the second line behind the job's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    file: (u64, u64),
    kind: FileType,
    links: u64,
    pub(super) bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    #[allow(clippy::unnecessary_cast)] // The fields' types differ between architectures.
    pub(super) fn new(stat: &Stat) -> Identity {
        Identity {
            file: (stat.st_dev as u64, stat.st_ino as u64),
            kind: FileType::from_raw_mode(stat.st_mode),
            links: stat.st_nlink as u64,
            bytes: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

/// Opens `path` below `directory` for reading. Never waits: a fifo that has taken a file's place has nobody at its other end.
pub(super) fn open(directory: BorrowedFd<'_>, path: &str, kind: OFlags) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    loop {
        match openat2(directory, path, flags | kind, Mode::empty(), WITHIN) {
            // Something was renamed meanwhile, anywhere on the machine.
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

pub(super) fn read_error(path: &str) -> impl FnOnce(Errno) -> CollectError {
    move |error| match error {
        Errno::ACCESS | Errno::PERM => CollectError::Permission {
            path: path.to_owned(),
        },
        Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV | Errno::NXIO => {
            CollectError::Changed {
                path: path.to_owned(),
                what: "it is not there any more",
            }
        }
        error => CollectError::Io {
            path: path.to_owned(),
            source: error.into(),
        },
    }
}

/// Everything below `directory`, checked against `limits`.
pub(super) fn walk(
    directory: BorrowedFd<'_>,
    limits: &CollectLimits,
) -> Result<Walked, CollectError> {
    let mut walked = Walked::default();
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(NAMES_BYTES);
    let (mut left, mut bytes) = (limits.files, 0_u64);
    // Paths of directories, and how many components they have.
    let mut pending = vec![(String::new(), 0)];
    while let Some((parent, depth)) = pending.pop() {
        let path = if parent.is_empty() { "." } else { &*parent };
        let opened = open(directory, path, OFlags::DIRECTORY).map_err(read_error(path))?;
        read_names(opened.as_fd(), &mut buffer, &mut names, left).map_err(|error| match error {
            Some(error) => read_error(path)(error),
            None => CollectError::Files {
                path: path.to_owned(),
                limit: limits.files,
            },
        })?;
        left -= names.len() as u64;
        // In the order of names, so that the same outputs are refused for the same reason everywhere.
        names.sort_unstable();
        for name in names.drain(..) {
            let path = checked_path(&parent, &name, depth, limits)?;
            let stat =
                statat(&opened, &*name, AtFlags::SYMLINK_NOFOLLOW).map_err(read_error(&path))?;
            let identity = Identity::new(&stat);
            match identity.kind {
                FileType::Directory => {
                    if depth == 0 {
                        walked.outputs.push(path.clone());
                    }
                    pending.push((path, depth + 1));
                }
                FileType::RegularFile if depth > 0 => {
                    size(&path, &identity, &mut bytes, limits)?;
                    walked.files.push(Found { path, identity });
                }
                FileType::Symlink if depth > 0 && limits.links == Links::Skip => {
                    walked.skipped.push(path)
                }
                other => {
                    return Err(CollectError::Kind {
                        path,
                        found: named(other),
                    });
                }
            }
        }
    }
    Ok(walked)
}

fn size(
    path: &str,
    identity: &Identity,
    sum: &mut u64,
    limits: &CollectLimits,
) -> Result<(), CollectError> {
    let (path, bytes) = (path.to_owned(), identity.bytes);
    if identity.links != 1 {
        return Err(CollectError::HardLink {
            path,
            links: identity.links,
        });
    }
    if bytes > limits.file_bytes {
        return Err(CollectError::FileBytes {
            path,
            bytes,
            limit: limits.file_bytes,
        });
    }
    *sum = sum.saturating_add(bytes);
    if *sum > limits.bytes {
        return Err(CollectError::Bytes {
            path,
            limit: limits.bytes,
        });
    }
    Ok(())
}

/// Names in a directory, `limit` at most: one more is an error without a number.
fn read_names(
    directory: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    names: &mut Vec<Vec<u8>>,
    limit: u64,
) -> Result<(), Option<Errno>> {
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let name = entry.map_err(Some)?.file_name().to_bytes().to_vec();
        if name == b"." || name == b".." {
            continue;
        }
        if names.len() as u64 == limit {
            return Err(None);
        }
        names.push(name);
    }
    Ok(())
}

fn checked_path(
    parent: &str,
    name: &[u8],
    depth: usize,
    limits: &CollectLimits,
) -> Result<String, CollectError> {
    let join = |name: &str| {
        if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{parent}/{name}")
        }
    };
    let shown = || join(&escape(name));
    if name.len() > limits.name_bytes {
        return Err(CollectError::NameBytes {
            path: shown(),
            bytes: name.len(),
            limit: limits.name_bytes,
        });
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return Err(CollectError::Name {
            path: shown(),
            what: "bytes that are not UTF-8",
        });
    };
    if !text.chars().all(is_shown_as_it_is) {
        return Err(CollectError::Name {
            path: shown(),
            what: "characters that are not shown as they are",
        });
    }
    if depth > limits.depth {
        return Err(CollectError::Depth {
            path: shown(),
            limit: limits.depth,
        });
    }
    let path = join(text);
    if path.len() > PATH_BYTES {
        let beginning = path.chars().take(200).chain(['…']).collect();
        return Err(CollectError::PathBytes {
            path: beginning,
            bytes: path.len(),
            limit: PATH_BYTES,
        });
    }
    Ok(path)
}

fn named(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file where an output's directory should be",
        FileType::Symlink => SYMLINK,
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        _ => "thing of a kind that is not known",
    }
}
