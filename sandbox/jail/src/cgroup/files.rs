//! Directories and files of control groups: opened without following links, written in one call, read whole.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::error::CgroupError;
use super::host::Backend;

const CGROUP_V1_MAGIC: u64 = 0x0027_e0eb;
const CGROUP_V2_MAGIC: u64 = 0x6367_7270;

/// One group's directory.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Opens a directory that is a control group of this version. No part of the path may be a link.
    pub(super) fn open(path: &Path, backend: Backend) -> Result<Dir, CgroupError> {
        let failed = |errno| CgroupError::Open {
            path: path.to_owned(),
            errno,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let fd = match rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve) {
            // an older kernel, or a container's filter that does not know the call
            Err(Errno::NOSYS | Errno::PERM) => {
                rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty())
            }
            other => other,
        }
        .map_err(failed)?;
        if version(&fd, path).map_err(failed)? != backend {
            return Err(CgroupError::Foreign {
                path: path.to_owned(),
                name: last(path),
                why: "it does not lie on a mount of control groups of the version that was recorded",
            });
        }
        Ok(Dir {
            fd,
            path: path.to_owned(),
        })
    }

    /// Makes a directory that was not there and opens it.
    pub(super) fn make(path: &Path, backend: Backend) -> Result<Dir, CgroupError> {
        rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)).map_err(|errno| CgroupError::Make {
            dir: path.to_owned(),
            errno,
        })?;
        #[cfg(test)]
        super::tests::fake::made(path);
        Dir::open(path, backend).map_err(|first| match remove_dir(path) {
            Ok(()) => first,
            Err(errno) => {
                let undo = CgroupError::Remove {
                    dir: path.to_owned(),
                    errno,
                };
                CgroupError::Undo {
                    first: Box::new(first),
                    undo: Box::new(undo),
                }
            }
        })
    }

    /// Writes a value in one call: the kernel takes each write as a whole.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), CgroupError> {
        self.write_to(file, value)
            .map_err(|errno| CgroupError::Write {
                file: self.path.join(file),
                value: value.to_owned(),
                errno,
            })
    }

    fn write_to(&self, file: &str, value: &str) -> Result<(), Errno> {
        #[cfg(test)]
        super::tests::fake::refuse(&self.path, file)?;
        let fd = rustix::fs::openat(
            &self.fd,
            file,
            OFlags::WRONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&fd, value.as_bytes()))?;
        if written == value.len() {
            Ok(())
        } else {
            Err(Errno::IO)
        }
    }

    /// A file's text.
    pub(super) fn read(&self, file: &str) -> Result<String, CgroupError> {
        self.open_file(file, OFlags::RDONLY)
            .and_then(|fd| read_from_start(&fd))
            .map_err(|errno| CgroupError::Read {
                file: self.path.join(file),
                errno,
            })
    }

    /// A file's text, or none where the kernel does not have the file.
    pub(super) fn read_if_there(&self, file: &str) -> Result<Option<String>, CgroupError> {
        match self.read(file) {
            Ok(text) => Ok(Some(text)),
            Err(CgroupError::Read {
                errno: Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens one of the group's files.
    pub(super) fn open_file(&self, file: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(
            &self.fd,
            file,
            flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
        )
    }

    /// The ids of the processes in the group. A process that this process's pid namespace does not show counts as 0.
    pub(super) fn processes(&self) -> Result<Vec<i32>, CgroupError> {
        // a removed group's files answer so
        let text = match self.read("cgroup.procs") {
            Err(CgroupError::Read {
                errno: Errno::NOENT | Errno::NODEV,
                ..
            }) => return Ok(Vec::new()),
            other => other?,
        };
        Ok(text
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .collect())
    }

    /// Names of the groups below.
    pub(super) fn children(&self) -> Result<Vec<String>, CgroupError> {
        let failed = |errno| CgroupError::Read {
            file: self.path.clone(),
            errno,
        };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy();
            if entry.file_type() == rustix::fs::FileType::Directory && !name.starts_with('.') {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The whole text of an open file.
pub(super) fn read_from_start(fd: &OwnedFd) -> Result<String, Errno> {
    let mut bytes = vec![0; 4096];
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            bytes.resize(2 * filled, 0);
        }
        match rustix::io::pread(fd, &mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    bytes.truncate(filled);
    String::from_utf8(bytes).map_err(|_| Errno::ILSEQ)
}

/// Removes one group's directory.
pub(super) fn remove_dir(path: &Path) -> Result<(), Errno> {
    #[cfg(test)]
    super::tests::fake::removing(path);
    rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)
}

/// The version of the file system that a descriptor lies on.
fn version(fd: &OwnedFd, _path: &Path) -> Result<Backend, Errno> {
    #[cfg(test)]
    if let Some(backend) = super::tests::fake::version(_path) {
        return Ok(backend);
    }
    Ok(match rustix::fs::fstatfs(fd)?.f_type as u64 {
        CGROUP_V1_MAGIC => Backend::V1,
        CGROUP_V2_MAGIC => Backend::V2,
        _ => Backend::None,
    })
}

/// The last part of a path.
pub(super) fn last(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
