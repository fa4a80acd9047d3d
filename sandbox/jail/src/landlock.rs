//! What the file system refuses beyond permissions.
//!
//! Landlock is the fence that needs no privilege, and that what is inside cannot take down. It repeats in the kernel's access checks
//! what the job's mounts, namespaces and filters already say, so that a hole in one of those is not a way out:
//!
//! * no device nodes are made anywhere (from ABI 2, see below);
//! * `ioctl` on devices only below `/dev` (ABI 5);
//! * abstract sockets and signals reach processes of the job alone (ABI 6).
//!
//! It does not handle TCP: rules there are by port and not by address, so they would take away the loopback that training needs. The
//! network namespace bounds the network.
//!
//! ABI 1 (Linux 5.13 to 5.18) is not used: it refuses every rename between directories, on which git, pip and dpkg stand.

use std::fs::FileType;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::syscalls::landlock::{Ruleset, add_path, create_ruleset, restrict_self, version};

/// The newest version that this module makes use of.
pub const ABI_MAX: u32 = 7;

/// The oldest version that this module makes use of.
pub const ABI_MIN: u32 = 2;

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_BLOCK: u64 = 1 << 11;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// Rights that mean something for what is no directory.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1 << 0;
const SCOPE_SIGNAL: u64 = 1 << 1;

/// Rulesets that the job makes below this one do not write to the host's audit log, which it could flood.
const LOG_SUBDOMAINS_OFF: u32 = 1 << 2;

/// Whether the job can make new entries directly below `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// It cannot. What may be written is listed by the directories that `/` has now, `/proc` and `/sys` apart.
    Fixed,
    /// It can, so everything below `/` has to be allowed at once: rights add up on the way to a file, and no rule takes any away. What
    /// `/sys` refuses is then up to its mount, which is read-only.
    Grows,
}

/// What landlock holds, for a job's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// the kernel's version; 0 where it has no landlock
    pub abi: u32,
    /// no device nodes are made
    pub device_nodes: bool,
    /// nothing is written below `/sys`
    pub sys: bool,
    /// `ioctl` on devices only below `/dev`
    pub device_commands: bool,
    /// abstract sockets and signals reach the job alone
    pub scope: bool,
}

/// Why landlock does not hold, though the kernel has it.
#[derive(Debug, thiserror::Error)]
pub enum RestrictError {
    /// its version cannot be asked
    #[error(
        "the kernel does not say which version of landlock it has; no answer, ENOSYS and EOPNOTSUPP are known: report this one"
    )]
    Version(#[source] io::Error),
    /// a path cannot be opened
    #[error("{} cannot be opened for landlock; it must exist where the job begins: look at the job's mounts", path.display())]
    Open {
        /// the path
        path: PathBuf,
        /// why
        #[source]
        source: io::Error,
    },
    /// no ruleset
    #[error(
        "the kernel makes no ruleset for landlock ABI {abi}, which it says it has; report this, or run with an older ABI"
    )]
    Ruleset {
        /// the version asked for
        abi: u32,
        /// its answer
        #[source]
        source: io::Error,
    },
    /// a rule is refused
    #[error("the kernel refuses rights {rights:#x} below {} in a ruleset of landlock ABI {abi}; report this", path.display())]
    Rule {
        /// the path
        path: PathBuf,
        /// the rights
        rights: u64,
        /// the version
        abi: u32,
        /// its answer
        #[source]
        source: io::Error,
    },
    /// not in force
    #[error(
        "landlock is not in force; EPERM: set no_new_privs first, E2BIG: 16 rulesets are in force already"
    )]
    Restrict(#[source] io::Error),
}

/// Restricts the calling thread, and whatever it starts, at the newest version that the kernel has. There is no way back.
///
/// To be called when the job's root is in place, with `no_new_privs` set, from the only thread.
///
/// # Errors
/// Never because the kernel has no landlock, or an old one: [`Held`] says so. As [`RestrictError`] lists otherwise.
pub fn restrict(root: Root) -> Result<Held, RestrictError> {
    match version() {
        Ok(abi) => restrict_as(root, abi),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EOPNOTSUPP)) => {
            Ok(held(root, 0))
        }
        Err(error) => Err(RestrictError::Version(error)),
    }
}

/// What would hold here, without anything being restricted.
#[must_use]
pub fn offered(root: Root) -> Held {
    held(root, version().unwrap_or(0))
}

fn held(root: Root, abi: u32) -> Held {
    Held {
        abi,
        device_nodes: abi >= ABI_MIN,
        sys: abi >= ABI_MIN && root == Root::Fixed,
        device_commands: abi >= 5,
        scope: abi >= 6,
    }
}

/// Every right on files that a version knows.
fn all_rights(abi: u32) -> u64 {
    let bits = match abi {
        0 | 1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    (1 << bits) - 1
}

/// As a kernel with version `abi` would.
fn restrict_as(root: Root, abi: u32) -> Result<Held, RestrictError> {
    if abi < ABI_MIN {
        return Ok(held(root, abi));
    }
    let all = all_rights(abi);
    let scoped = if abi >= 6 {
        SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL
    } else {
        0
    };
    let ruleset = Ruleset {
        handled_access_fs: all,
        handled_access_net: 0,
        scoped,
    };
    let ruleset =
        create_ruleset(&ruleset).map_err(|source| RestrictError::Ruleset { abi, source })?;
    for (path, rights) in rules(root)? {
        let rights = rights & all;
        let Some(parent) = open(&path)? else { continue };
        let refused = |source| RestrictError::Rule {
            path,
            rights,
            abi,
            source,
        };
        add_path(ruleset.as_fd(), parent.as_fd(), rights).map_err(refused)?;
    }
    let flags = if abi >= 7 { LOG_SUBDOMAINS_OFF } else { 0 };
    restrict_self(ruleset.as_fd(), flags).map_err(RestrictError::Restrict)?;
    Ok(held(root, abi))
}

/// What is allowed below which path.
///
/// Writing below `/proc` stays allowed: what is worth refusing there belongs to the host's root or is mounted read-only, while the names
/// of threads (`task/TID/comm`, how glibc names another thread), `oom_score_adj` and `coredump_filter` are written by ordinary programs,
/// and a rule cannot say "of the process that asks".
fn rules(root: Root) -> Result<Vec<(PathBuf, u64)>, RestrictError> {
    let anywhere = !(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV);
    let read = EXECUTE | READ_FILE | READ_DIR;
    let dev = (PathBuf::from("/dev"), anywhere | IOCTL_DEV);
    match root {
        Root::Grows => Ok(vec![(PathBuf::from("/"), anywhere), dev]),
        Root::Fixed => {
            let mut rules = vec![(PathBuf::from("/"), read), dev];
            for (path, kind) in entries(Path::new("/"))? {
                let rights = match path.to_str() {
                    Some("/dev" | "/sys") => continue,
                    Some("/proc") => read | WRITE_FILE | TRUNCATE,
                    _ if kind.is_dir() => anywhere,
                    _ if kind.is_symlink() => continue,
                    _ => anywhere & OF_FILES,
                };
                rules.push((path, rights));
            }
            Ok(rules)
        }
    }
}

fn entries(directory: &Path) -> Result<Vec<(PathBuf, FileType)>, RestrictError> {
    let list = || -> io::Result<Vec<_>> {
        std::fs::read_dir(directory)?
            .map(|entry| entry.and_then(|it| Ok((it.path(), it.file_type()?))))
            .collect()
    };
    list().map_err(|source| RestrictError::Open {
        path: directory.to_owned(),
        source,
    })
}

/// `path`, not through a link; nothing where it is not there, since what does not exist needs no rule.
fn open(path: &Path) -> Result<Option<OwnedFd>, RestrictError> {
    match openat(
        CWD,
        path,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT) if path != Path::new("/") => Ok(None),
        Err(errno) => Err(RestrictError::Open {
            path: path.to_owned(),
            source: errno.into(),
        }),
    }
}

#[cfg(test)]
mod tests;
