//! Files that hold a secret: opened once, judged by what was opened, read whole, and overwritten in memory.

use gradus_owner::Owner;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Permissions that nobody but the owner may have.
const OTHERS: u32 = 0o077;
/// Permissions besides reading by the group, for files that root owns and lends to this program's group.
const OTHERS_BUT_GROUP_READ: u32 = 0o037;

/// Whether a path may end in a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Links {
    /// It may not: what is named is what is read.
    #[default]
    Refuse,
    /// It may, for secrets that an orchestrator mounts: Kubernetes makes each a link. What it leads to obeys the same rules as any file.
    Follow,
}

/// How files with secrets are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FileRules {
    /// Links at the path's end; those on the way there are the operator's directories, and followed.
    pub links: Links,
}

/// Why a file with a secret was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFileError {
    /// It cannot be opened or read.
    #[error("{} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A link.
    #[error("{} is a symbolic link: name the file itself, or say --allow-keyfile-link if an orchestrator mounts it so", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A directory, a pipe, a device.
    #[error("{} is not a regular file: name the file that holds the secret", path.display())]
    NotRegular {
        /// What was named.
        path: PathBuf,
    },
    /// Somebody else's.
    #[error("{} belongs to user {found}, neither to this program's user {expected} nor to root, so somebody else can change it: chown it", path.display())]
    OtherOwner {
        /// The file.
        path: PathBuf,
        /// Its owner's number.
        found: u32,
        /// This program's effective user's number.
        expected: u32,
    },
    /// Others can read or change it.
    #[error("{} has mode {found:04o}, others than its owner can read or change it: chmod 600 it, and take the secret for known if others use this machine", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        found: u32,
    },
    /// Too long.
    #[error("{} has more than {max} bytes: is it another file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        max: usize,
    },
}

impl ReadFileError {
    /// Whose fault: the host's, which keeps the secret.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Reads all of a file that only its owner may read.
///
/// It must be regular, belong to this program's user or to root, and give others nothing. A file of root's may be lent to this program's group
/// for reading, which is the one way for a program that is not root to get a mounted secret. Never blocks on a pipe.
///
/// # Errors
/// [`ReadFileError`]; `TooLarge` above `bytes_max`.
pub fn read_private_file(
    path: &Path,
    bytes_max: usize,
    rules: &FileRules,
) -> Result<Zeroizing<Vec<u8>>, ReadFileError> {
    let io_error = |source: io::Error| ReadFileError::Io {
        path: path.to_owned(),
        source,
    };
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    if rules.links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) if rules.links == Links::Refuse => {
            return Err(ReadFileError::Link {
                path: path.to_owned(),
            });
        }
        // What opening a socket says.
        Err(rustix::io::Errno::NXIO) => {
            return Err(ReadFileError::NotRegular {
                path: path.to_owned(),
            });
        }
        Err(errno) => return Err(io_error(errno.into())),
    };
    let metadata = file.metadata().map_err(io_error)?;
    if !metadata.is_file() {
        return Err(ReadFileError::NotRegular {
            path: path.to_owned(),
        });
    }
    judge(
        path,
        metadata.uid(),
        metadata.mode(),
        rustix::process::geteuid().as_raw(),
    )?;
    let too_large = || ReadFileError::TooLarge {
        path: path.to_owned(),
        max: bytes_max,
    };
    if metadata.len() > bytes_max as u64 {
        return Err(too_large());
    }
    // Of the full length from the start: a buffer that grows leaves its earlier self behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    file.take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    if bytes.len() > bytes_max {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Whether who owns a file and what others may do with it suit a secret.
fn judge(path: &Path, uid: u32, mode: u32, user: u32) -> Result<(), ReadFileError> {
    if uid != user && uid != 0 {
        return Err(ReadFileError::OtherOwner {
            path: path.to_owned(),
            found: uid,
            expected: user,
        });
    }
    let forbidden = if uid == user {
        OTHERS
    } else {
        OTHERS_BUT_GROUP_READ
    };
    if mode & forbidden != 0 {
        return Err(ReadFileError::Exposed {
            path: path.to_owned(),
            found: mode & 0o7777,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_a_group_that_root_lends_to_may_read() {
        let judged = |uid, mode: u32, user| judge("key".as_ref(), uid, 0o100_000 | mode, user);
        for (uid, mode, user) in [
            (1000, 0o600, 1000),
            (1000, 0o400, 1000),
            (0, 0o440, 1000),
            (0, 0o600, 0),
        ] {
            assert!(judged(uid, mode, user).is_ok(), "{uid} {mode:o} {user}");
        }
        for (uid, mode, user) in [
            (1000, 0o604, 1000),
            (1000, 0o640, 1000),
            (1000, 0o620, 1000),
            (0, 0o444, 1000),
            (0, 0o460, 1000),
            (0, 0o440, 0),
        ] {
            let refused = judged(uid, mode, user).expect_err("exposed");
            assert!(
                matches!(refused, ReadFileError::Exposed { .. }),
                "{uid} {mode:o} {user}"
            );
        }
        let other = judged(1001, 0o600, 1000).expect_err("another user's");
        assert!(matches!(
            other,
            ReadFileError::OtherOwner {
                found: 1001,
                expected: 1000,
                ..
            }
        ));
    }
}
