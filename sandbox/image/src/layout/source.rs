//! A layout's files, in a directory or in an uncompressed archive of one. Nothing else is reached: no link is followed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::ImportImageError;
use super::model::Descriptor;
use crate::Digest;
use crate::layer::{Archive, ArchiveError, EntryKind};

/// Where a layout lies.
#[derive(Debug)]
pub struct Source(Kind);

#[derive(Debug)]
enum Kind {
    Directory(OwnedFd),
    Archive {
        file: File,
        /// Offset and length by name.
        files: HashMap<String, (u64, u64)>,
    },
}

/// Most files of an archive.
const FILES_MAX: usize = 1 << 12;

impl Source {
    /// A layout at `path`.
    ///
    /// # Errors
    /// `Missing` where it has no `oci-layout`, `File` where its archive is malformed, `Parse` where it is of another version, `Io`.
    pub fn open(path: &Path) -> Result<Source, ImportImageError> {
        let shown = path.display().to_string();
        let io = |source: Errno| ImportImageError::Io {
            file: shown.clone(),
            source: source.into(),
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(io)?;
        let stat = rustix::fs::fstat(&fd).map_err(io)?;
        let source = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Source(Kind::Directory(fd)),
            FileType::RegularFile => {
                let file = File::from(fd);
                let files = names_of(&file, &shown)?;
                Source(Kind::Archive { file, files })
            }
            _ => {
                return Err(ImportImageError::File {
                    file: shown,
                    reason: "is neither a directory nor an archive".to_owned(),
                });
            }
        };
        source.check_version()?;
        Ok(source)
    }

    fn check_version(&self) -> Result<(), ImportImageError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            image_layout_version: String,
        }
        const FILE: &str = "oci-layout";
        let json = self.read(FILE, 4096)?;
        let parse = |source| ImportImageError::Parse {
            file: FILE.to_owned(),
            source,
        };
        let version: Version = super::model::parse("layout's version", &json).map_err(parse)?;
        if version.image_layout_version == "1.0.0" {
            return Ok(());
        }
        Err(parse(super::ParseImageError::Wrong {
            what: "layout",
            reason: format!(
                "that its version is {:?}, only 1.0.0 is known",
                version
                    .image_layout_version
                    .chars()
                    .take(40)
                    .collect::<String>()
            ),
        }))
    }

    /// A file and its length.
    pub(super) fn file(&self, name: &str) -> Result<(Box<dyn Read + '_>, u64), ImportImageError> {
        let io = |source| ImportImageError::Io {
            file: name.to_owned(),
            source,
        };
        let missing = || ImportImageError::Missing {
            file: name.to_owned(),
        };
        match &self.0 {
            Kind::Directory(dir) => {
                let fd = rustix::fs::openat2(
                    dir,
                    name,
                    OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW,
                    Mode::empty(),
                    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
                )
                .map_err(|errno| match errno {
                    Errno::NOENT | Errno::NOTDIR => missing(),
                    Errno::LOOP | Errno::XDEV | Errno::NXIO => ImportImageError::File {
                        file: name.to_owned(),
                        reason: "is a link, or no plain file".to_owned(),
                    },
                    other => io(other.into()),
                })?;
                let stat = rustix::fs::fstat(&fd).map_err(|errno| io(errno.into()))?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Err(ImportImageError::File {
                        file: name.to_owned(),
                        reason: "is no plain file".to_owned(),
                    });
                }
                Ok((Box::new(File::from(fd)), stat.st_size as u64))
            }
            Kind::Archive { file, files } => {
                let &(offset, size) = files.get(name).ok_or_else(missing)?;
                let mut file = file.try_clone().map_err(io)?;
                file.seek(SeekFrom::Start(offset)).map_err(io)?;
                Ok((Box::new(file.take(size)), size))
            }
        }
    }

    /// A small file as a whole.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImportImageError> {
        let (file, size) = self.file(name)?;
        if size > limit {
            return Err(ImportImageError::File {
                file: name.to_owned(),
                reason: format!("has {size} bytes, the limit is {limit}"),
            });
        }
        let mut bytes = Vec::new();
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|source| ImportImageError::Io {
                file: name.to_owned(),
                source,
            })?;
        Ok(bytes)
    }

    /// A small blob, verified.
    pub(super) fn read_blob(
        &self,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, ImportImageError> {
        let file = blob_name(&descriptor.digest);
        let bytes = self.read(&file, limit)?;
        if bytes.len() as u64 != descriptor.size {
            return Err(ImportImageError::Size {
                file,
                expected: descriptor.size,
                found: bytes.len() as u64,
            });
        }
        let found = Digest::of(&bytes);
        if found != descriptor.digest {
            return Err(ImportImageError::Digest {
                file,
                expected: descriptor.digest,
                found,
            });
        }
        Ok(bytes)
    }
}

pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Where each plain file of an archive lies. A name twice is refused: which one is meant is anybody's guess.
fn names_of(file: &File, shown: &str) -> Result<HashMap<String, (u64, u64)>, ImportImageError> {
    let refuse = |reason: String| ImportImageError::File {
        file: shown.to_owned(),
        reason,
    };
    let mut archive = Archive::new(BufReader::with_capacity(64 << 10, file));
    let mut files = HashMap::new();
    loop {
        let entry = match archive.next_entry_seeking() {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(files),
            Err(ArchiveError::Io(source)) => {
                return Err(ImportImageError::Io {
                    file: shown.to_owned(),
                    source,
                });
            }
            Err(ArchiveError::Malformed { offset, reason }) => {
                return Err(refuse(format!(
                    "is no uncompressed archive of a layout: at byte {offset}, {reason}"
                )));
            }
        };
        let name = match std::str::from_utf8(&entry.name) {
            Ok(name) => name.trim_start_matches("./").to_owned(),
            Err(_) => continue,
        };
        match entry.kind {
            EntryKind::File if entry.sparse.is_none() => {}
            EntryKind::Directory | EntryKind::GlobalHeader => continue,
            _ => return Err(refuse(format!("holds {name:?}, which is no plain file"))),
        }
        if files.len() == FILES_MAX {
            return Err(refuse(format!("holds more than {FILES_MAX} files")));
        }
        if files
            .insert(name.clone(), (archive.offset(), entry.size))
            .is_some()
        {
            return Err(refuse(format!("holds {name:?} twice")));
        }
    }
}
