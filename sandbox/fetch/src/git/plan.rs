//! All entries of a commit, counted before one of them is written: a few small trees that name each other can be more files than a disk holds.

use super::error::FetchError;
use super::fetch::GitCaps;
use super::id::{Algorithm, Kind, ObjectId};
use super::name;
use super::object::{Mode, parse_commit, parse_tree};
use super::pack::Pack;

/// Longest path, without a NUL.
const PATH_BYTES_MAX: usize = 4095;
/// Longest commit.
const COMMIT_BYTES_MAX: u64 = 1 << 20;

/// One step of writing a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make a directory and go in.
    Enter(Vec<u8>),
    /// Go up.
    Leave,
    /// Write a file.
    File {
        name: Vec<u8>,
        id: ObjectId,
        size: u64,
        executable: bool,
    },
    /// Make a symbolic link.
    Link { name: Vec<u8>, id: ObjectId },
    /// Make an empty directory.
    Submodule { name: Vec<u8>, id: ObjectId },
}

/// What a commit holds.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tree: ObjectId,
    pub(super) steps: Vec<Step>,
}

pub(super) fn plan(pack: &mut Pack, commit: &ObjectId, caps: &GitCaps) -> Result<Plan, FetchError> {
    let algorithm = commit.algorithm();
    let what = || "commit".to_owned();
    match pack.find(commit) {
        Some((Kind::Commit, size)) if size <= COMMIT_BYTES_MAX => {}
        Some((Kind::Commit, _)) => {
            return Err(FetchError::TooMuch {
                what: "bytes of its own",
                limit: COMMIT_BYTES_MAX,
            });
        }
        Some(_) => {
            return Err(FetchError::Entry {
                path: commit.to_string(),
                reason: "is an object of the repository, and no commit",
            });
        }
        None => {
            return Err(FetchError::Missing {
                what: what(),
                id: *commit,
            });
        }
    }
    let content = read(pack, commit)?;
    let tree = parse_commit(algorithm, &content).map_err(|source| FetchError::Object {
        what: what(),
        id: *commit,
        source,
    })?;
    let mut planner = Planner {
        pack,
        algorithm,
        caps,
        steps: Vec::new(),
        entries: 0,
        bytes: 0,
        path: Vec::new(),
    };
    planner.tree(&tree, 0)?;
    Ok(Plan {
        tree,
        steps: planner.steps,
    })
}

fn read(pack: &mut Pack, id: &ObjectId) -> Result<Vec<u8>, FetchError> {
    pack.read(id).map_err(|source| FetchError::Pack {
        server: "the server".to_owned(),
        source,
    })
}

struct Planner<'a> {
    pack: &'a mut Pack,
    algorithm: Algorithm,
    caps: &'a GitCaps,
    steps: Vec<Step>,
    entries: u64,
    bytes: u64,
    path: Vec<u8>,
}

impl Planner<'_> {
    /// As deep as the cap allows, and no deeper.
    fn tree(&mut self, id: &ObjectId, depth: u32) -> Result<(), FetchError> {
        if depth > self.caps.depth {
            return Err(FetchError::TooMuch {
                what: "directories below each other",
                limit: self.caps.depth.into(),
            });
        }
        let size = self.find(id, Kind::Tree)?;
        // An entry takes 6 + 1 + 1 + 1 + 20 bytes at least: a tree of that size has too many.
        if size / 29 > self.caps.entries.saturating_mul(16) {
            return Err(self.too_many_entries());
        }
        let content = read(self.pack, id)?;
        let entries =
            parse_tree(self.algorithm, &content).map_err(|source| FetchError::Object {
                what: format!("tree {:?}", name::shown(&self.path)),
                id: *id,
                source,
            })?;
        for entry in entries {
            self.entries += 1;
            if self.entries > self.caps.entries {
                return Err(self.too_many_entries());
            }
            let above = self.path.len();
            if above > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(entry.name);
            if self.path.len() > PATH_BYTES_MAX {
                return Err(FetchError::TooMuch {
                    what: "bytes in a path",
                    limit: PATH_BYTES_MAX as u64,
                });
            }
            let (name, id) = (entry.name.to_vec(), entry.id);
            match entry.mode {
                Mode::Tree => {
                    self.steps.push(Step::Enter(name));
                    self.tree(&id, depth + 1)?;
                    self.steps.push(Step::Leave);
                }
                Mode::File | Mode::Executable => {
                    let size = self.find(&id, Kind::Blob)?;
                    self.count(size)?;
                    self.steps.push(Step::File {
                        name,
                        id,
                        size,
                        executable: entry.mode == Mode::Executable,
                    });
                }
                Mode::Link => {
                    let size = self.find(&id, Kind::Blob)?;
                    if size == 0 || size > PATH_BYTES_MAX as u64 {
                        return Err(FetchError::Entry {
                            path: name::shown(&self.path),
                            reason: "is a link to nothing, or to a path that is too long",
                        });
                    }
                    self.steps.push(Step::Link { name, id });
                }
                Mode::Submodule => self.steps.push(Step::Submodule { name, id }),
            }
            self.path.truncate(above);
        }
        Ok(())
    }

    /// The length of an object of this kind.
    fn find(&self, id: &ObjectId, kind: Kind) -> Result<u64, FetchError> {
        match self.pack.find(id) {
            Some((found, size)) if found == kind => Ok(size),
            Some(_) => Err(FetchError::Entry {
                path: name::shown(&self.path),
                reason: "is an object of another kind than its tree says",
            }),
            None => Err(FetchError::Missing {
                what: format!("{:?}", name::shown(&self.path)),
                id: *id,
            }),
        }
    }

    fn count(&mut self, size: u64) -> Result<(), FetchError> {
        if size > self.caps.file_bytes {
            return Err(FetchError::TooMuch {
                what: "bytes in one file",
                limit: self.caps.file_bytes,
            });
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.caps.tree_bytes {
            return Err(FetchError::TooMuch {
                what: "bytes in its files",
                limit: self.caps.tree_bytes,
            });
        }
        Ok(())
    }

    fn too_many_entries(&self) -> FetchError {
        FetchError::TooMuch {
            what: "files and directories",
            limit: self.caps.entries,
        }
    }
}
