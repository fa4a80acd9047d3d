//! Layers as one tree, read as a process whose root it is would see it, without a mount.
//!
//! Layers are hostile. Each name is opened below its directory's descriptor and never followed; links are followed here, component by
//! component, as if the union were all there is.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Links that lead to one place at most, as the kernel has it.
const LINKS_MAX: u32 = 40;
/// What marks a directory that hides those beneath it.
const OPAQUE: [&str; 2] = ["user.overlay.opaque", "trusted.overlay.opaque"];

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Why a path cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnionError {
    /// the system's answer
    #[error("{path} of the image cannot be read on this machine")]
    Io {
        /// which
        path: String,
        /// why
        #[source]
        source: std::io::Error,
    },
    /// too many links
    #[error(
        "{path} of the image leads through more than {LINKS_MAX} links\nhelp: name what they lead to"
    )]
    Links {
        /// which
        path: String,
    },
}

impl UnionError {
    fn io(name: &[u8]) -> impl FnOnce(Errno) -> UnionError {
        let path = shown(name);
        move |errno| UnionError::Io {
            path,
            source: errno.into(),
        }
    }
}

/// A name of an image for people.
pub(crate) fn shown(name: &[u8]) -> String {
    name.escape_ascii().take(400).map(char::from).collect()
}

/// A directory of the union: those of the layers that have it and are not hidden, the uppermost first.
#[derive(Clone, Debug)]
pub(crate) struct Dir(Vec<Rc<OwnedFd>>);

/// Where something lies that is no directory.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    dir: Rc<OwnedFd>,
    name: Vec<u8>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Directory(Dir),
    File(Place),
    Link(Vec<u8>),
    Fifo,
    /// devices and sockets, which no layer of ours has
    Other,
}

/// Components of a path without links.
pub(crate) type RealPath = Vec<Vec<u8>>;

/// Where a path leads.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    There {
        path: RealPath,
        entry: Entry,
        stat: Stat,
    },
    /// Nothing is there: the last directory that is, and what is missing below it.
    Missing {
        path: RealPath,
        rest: RealPath,
        /// a link led here
        by_link: bool,
    },
    /// Something on the way is no directory.
    Blocked { path: RealPath },
}

/// Layers as one tree.
#[derive(Debug)]
pub(crate) struct Union {
    root: Dir,
}

impl Union {
    /// Of these directories, the uppermost first. None is an empty tree.
    pub(crate) fn open(layers: &[PathBuf]) -> Result<Union, UnionError> {
        let open = |path: &PathBuf| open_layer(path).map(Rc::new);
        Ok(Union {
            root: Dir(layers.iter().map(open).collect::<Result<_, _>>()?),
        })
    }

    /// With this directory over all others.
    pub(crate) fn below(&self, upper: &Rc<OwnedFd>) -> Union {
        let mut dirs = vec![upper.clone()];
        dirs.extend(self.root.0.iter().cloned());
        Union { root: Dir(dirs) }
    }

    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }

    /// Where a path leads, from the root. A link at its end is followed if `follow`.
    pub(crate) fn resolve(&self, path: &str, follow: bool) -> Result<Found, UnionError> {
        let components = |path: &[u8]| -> Vec<Vec<u8>> {
            path.split(|byte| *byte == b'/')
                .filter(|part| !part.is_empty() && *part != b".")
                .rev()
                .map(<[u8]>::to_vec)
                .collect()
        };
        let mut todo = components(path.as_bytes());
        let mut stack: Vec<(Vec<u8>, Dir)> = Vec::new();
        let (mut links, mut by_link) = (0, false);
        let names = |stack: &[(Vec<u8>, Dir)]| -> RealPath {
            stack.iter().map(|(name, _)| name.clone()).collect()
        };
        while let Some(name) = todo.pop() {
            if name == b".." {
                stack.pop();
                continue;
            }
            let here = stack.last().map_or(&self.root, |(_, dir)| dir);
            let Some((entry, stat)) = here.child(&name)? else {
                let mut rest = vec![name];
                for name in todo.into_iter().rev() {
                    match name == b".." {
                        true => drop(rest.pop()),
                        false => rest.push(name),
                    }
                }
                return Ok(Found::Missing {
                    path: names(&stack),
                    rest,
                    by_link,
                });
            };
            match entry {
                Entry::Directory(dir) => stack.push((name, dir)),
                Entry::Link(target) if follow || !todo.is_empty() => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(UnionError::Links {
                            path: shown(path.as_bytes()),
                        });
                    }
                    by_link = todo.is_empty() || by_link;
                    if target.first() == Some(&b'/') {
                        stack.clear();
                    }
                    todo.extend(components(&target));
                }
                entry => {
                    let mut path = names(&stack);
                    path.push(name);
                    return Ok(match todo.is_empty() {
                        true => Found::There { path, entry, stat },
                        false => Found::Blocked { path },
                    });
                }
            }
        }
        let dir = stack.last().map_or(&self.root, |(_, dir)| dir).clone();
        let stat = match dir.0.first() {
            Some(fd) => rustix::fs::fstat(fd).map_err(UnionError::io(path.as_bytes()))?,
            None => {
                // A tree of no layers has a root all the same.
                return Ok(Found::Missing {
                    path: Vec::new(),
                    rest: Vec::new(),
                    by_link: false,
                });
            }
        };
        Ok(Found::There {
            path: names(&stack),
            entry: Entry::Directory(dir),
            stat,
        })
    }

    /// What is at a path without links.
    pub(crate) fn at(&self, path: &[Vec<u8>]) -> Result<Option<(Entry, Stat)>, UnionError> {
        let mut dir = self.root.clone();
        let Some((last, above)) = path.split_last() else {
            return Ok(None);
        };
        for name in above {
            match dir.child(name)? {
                Some((Entry::Directory(next), _)) => dir = next,
                _ => return Ok(None),
            }
        }
        dir.child(last)
    }

    /// A file's content, links followed; none where there is no such file, or it is longer.
    pub(crate) fn read(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, UnionError> {
        let Found::There {
            entry: Entry::File(place),
            ..
        } = self.resolve(path, true)?
        else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        place
            .open()?
            .take(bytes_max + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| UnionError::Io {
                path: shown(path.as_bytes()),
                source,
            })?;
        Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
    }
}

impl Dir {
    /// What a name in it stands for.
    pub(crate) fn child(&self, name: &[u8]) -> Result<Option<(Entry, Stat)>, UnionError> {
        let mut dirs: Vec<Rc<OwnedFd>> = Vec::new();
        let mut first: Option<Stat> = None;
        for parent in &self.0 {
            let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT | Errno::NAMETOOLONG) => continue,
                Err(errno) => return Err(UnionError::io(name)(errno)),
            };
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Directory {
                let dir = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
                    .map_err(UnionError::io(name))?;
                let hides = is_opaque(&dir).map_err(UnionError::io(name))?;
                dirs.push(Rc::new(dir));
                first.get_or_insert(stat);
                if hides {
                    break;
                }
                continue;
            }
            // Under a directory, it is hidden by that; so is all beneath a whiteout.
            if first.is_some() || kind == FileType::CharacterDevice && stat.st_rdev == 0 {
                break;
            }
            let place = || Place {
                dir: parent.clone(),
                name: name.to_vec(),
            };
            let entry = match kind {
                FileType::RegularFile => Entry::File(place()),
                FileType::Symlink => Entry::Link(
                    rustix::fs::readlinkat(parent, name, Vec::new())
                        .map_err(UnionError::io(name))?
                        .into_bytes(),
                ),
                FileType::Fifo => Entry::Fifo,
                _ => Entry::Other,
            };
            return Ok(Some((entry, stat)));
        }
        Ok(first.map(|stat| (Entry::Directory(Dir(dirs)), stat)))
    }

    /// Names in it, sorted.
    pub(crate) fn names(&self) -> Result<Vec<Vec<u8>>, UnionError> {
        let mut all = BTreeSet::new();
        for fd in &self.0 {
            for entry in rustix::fs::Dir::read_from(fd).map_err(UnionError::io(b"a directory"))? {
                let entry = entry.map_err(UnionError::io(b"a directory"))?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    all.insert(name.to_vec());
                }
            }
        }
        let mut out = Vec::new();
        for name in all {
            if self.child(&name)?.is_some() {
                out.push(name);
            }
        }
        Ok(out)
    }

    /// Visits all that is in it, directories before what they hold. As many directories are open as lie above one another, however many there are.
    pub(crate) fn walk<E: From<UnionError>>(
        &self,
        mut visit: impl FnMut(&RealPath, &Entry, &Stat) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut todo: Vec<(Dir, Option<Vec<u8>>, RealPath)> =
            vec![(self.clone(), None, Vec::new())];
        while let Some((dir, name, path)) = todo.pop() {
            let dir = match name {
                None => dir,
                Some(name) => match dir.child(&name)? {
                    Some((Entry::Directory(dir), _)) => dir,
                    _ => continue,
                },
            };
            for name in dir.names()? {
                let Some((entry, stat)) = dir.child(&name)? else {
                    continue;
                };
                let mut path = path.clone();
                path.push(name.clone());
                visit(&path, &entry, &stat)?;
                if matches!(entry, Entry::Directory(_)) {
                    todo.push((dir.clone(), Some(name), path));
                }
            }
        }
        Ok(())
    }

    /// A name in it that says that something beneath is gone, or its own mark that all is.
    pub(crate) fn mark(&self) -> Result<Option<Vec<u8>>, UnionError> {
        for fd in &self.0 {
            if is_opaque(fd).map_err(UnionError::io(b"a directory"))? {
                return Ok(Some(b".wh..wh..opq".to_vec()));
            }
            for entry in rustix::fs::Dir::read_from(fd).map_err(UnionError::io(b"a directory"))? {
                let entry = entry.map_err(UnionError::io(b"a directory"))?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." && self.child(name)?.is_none() {
                    return Ok(Some([b".wh.", name].concat()));
                }
            }
        }
        Ok(None)
    }

    /// The uppermost directory itself: for its attributes.
    pub(crate) fn top(&self) -> Option<&OwnedFd> {
        self.0.first().map(Rc::as_ref)
    }
}

impl Place {
    /// What it is called there.
    pub(crate) fn name(&self) -> &Vec<u8> {
        &self.name
    }

    /// Opens the file.
    pub(crate) fn open(&self) -> Result<File, UnionError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.dir, self.name.as_slice(), flags, Mode::empty())
            .map(File::from)
            .map_err(UnionError::io(&self.name))
    }
}

fn open_layer(path: &Path) -> Result<OwnedFd, UnionError> {
    rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())
        .map_err(UnionError::io(path.as_os_str().as_encoded_bytes()))
}

fn is_opaque(dir: &OwnedFd) -> rustix::io::Result<bool> {
    let mut value = [0; 2];
    for name in OPAQUE {
        match rustix::fs::fgetxattr(dir, name, value.as_mut_slice()) {
            Ok(length) if value[..length] == *b"y" => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}
