//! Files to a tree's id: what git would call what lies on the disk. Reads the disk and nothing else, so it says what was written, and not what
//! was meant to be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode as Permissions, OFlags};
use rustix::io::Errno;

use super::id::{Algorithm, Hasher, Kind, ObjectId};
use super::name;
use super::object::{Entry, Mode, write_tree};

/// Directories below each other that are looked into.
const DEPTH_MAX: u32 = 512;

/// Why a directory is no tree of git.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum VerifyError {
    #[error("{path:?} {reason}")]
    Unfit { path: String, reason: &'static str },
    #[error("{path:?}: {step} failed")]
    Io {
        path: String,
        step: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// The id of the tree that a directory is. `submodules` are empty directories that stand for commits of other repositories, by path.
///
/// # Errors
/// `Unfit` where something lies there that no tree of git holds, `Io`.
pub fn tree_id(
    dir: &Path,
    algorithm: Algorithm,
    submodules: &BTreeMap<Vec<u8>, ObjectId>,
) -> Result<ObjectId, VerifyError> {
    let mut reader = Reader {
        algorithm,
        submodules,
        path: Vec::new(),
        buffer: vec![0; 128 << 10],
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, dir, flags, Permissions::empty())
        .map_err(|e| reader.io("opening it", e))?;
    reader.tree(fd, 0)
}

struct Reader<'a> {
    algorithm: Algorithm,
    submodules: &'a BTreeMap<Vec<u8>, ObjectId>,
    path: Vec<u8>,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    fn tree(&mut self, fd: OwnedFd, depth: u32) -> Result<ObjectId, VerifyError> {
        if depth > DEPTH_MAX {
            return Err(self.unfit("lies deeper than any tree that is fetched"));
        }
        let mut found: Vec<(Vec<u8>, Mode, ObjectId)> = Vec::new();
        let dir = Dir::read_from(&fd).map_err(|e| self.io("listing it", e))?;
        for entry in dir {
            let entry = entry.map_err(|e| self.io("listing it", e))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let above = self.path.len();
            if above > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name);
            let (mode, id) = self.entry(&fd, name, depth)?;
            self.path.truncate(above);
            found.push((name.to_vec(), mode, id));
        }
        let mut entries: Vec<Entry<'_>> = found
            .iter()
            .map(|(name, mode, id)| Entry {
                mode: *mode,
                name,
                id: *id,
            })
            .collect();
        let content = write_tree(&mut entries);
        Ok(ObjectId::of(self.algorithm, Kind::Tree, &content))
    }

    fn entry(
        &mut self,
        dir: &OwnedFd,
        name: &[u8],
        depth: u32,
    ) -> Result<(Mode, ObjectId), VerifyError> {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| self.io("looking at it", e))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(dir, name, flags, Permissions::empty())
                    .map_err(|e| self.io("opening it", e))?;
                let submodule = self.submodules.get(&self.path).copied();
                let id = self.tree(fd, depth + 1)?;
                match submodule {
                    None => Ok((Mode::Tree, id)),
                    Some(_) if id != ObjectId::of(self.algorithm, Kind::Tree, b"") => {
                        Err(self
                            .unfit("stands for a commit of another repository, and is not empty"))
                    }
                    Some(commit) => Ok((Mode::Submodule, commit)),
                }
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(dir, name, flags, Permissions::empty())
                    .map_err(|e| self.io("opening it", e))?;
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                let mode = if stat.st_mode & 0o100 != 0 {
                    Mode::Executable
                } else {
                    Mode::File
                };
                Ok((mode, self.file(File::from(fd), size)?))
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new())
                    .map_err(|e| self.io("reading the link", e))?;
                let id = ObjectId::of(self.algorithm, Kind::Blob, target.as_bytes());
                Ok((Mode::Link, id))
            }
            _ => Err(self.unfit("is neither a file nor a directory nor a link")),
        }
    }

    fn file(&mut self, mut file: File, size: u64) -> Result<ObjectId, VerifyError> {
        let mut hasher = Hasher::plain(self.algorithm, Kind::Blob, size);
        let mut read = 0;
        loop {
            match file.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(n) => {
                    read += n as u64;
                    hasher.add(&self.buffer[..n]);
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(VerifyError::Io {
                        path: name::shown(&self.path),
                        step: "reading it",
                        source,
                    });
                }
            }
        }
        if read != size {
            return Err(self.unfit("changes while it is read"));
        }
        Ok(hasher.finish().expect("only a checked one can collide"))
    }

    fn unfit(&self, reason: &'static str) -> VerifyError {
        VerifyError::Unfit {
            path: name::shown(&self.path),
            reason,
        }
    }

    fn io(&self, step: &'static str, errno: Errno) -> VerifyError {
        VerifyError::Io {
            path: name::shown(&self.path),
            step,
            source: errno.into(),
        }
    }
}
