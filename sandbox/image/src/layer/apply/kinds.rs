//! Files, links and whiteouts.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Applier;
use crate::layer::archive::Entry;
use crate::layer::error::ApplyLayerError;
use crate::layer::path::{InnerPath, Whiteout};
use crate::layer::tree::{self, Meta, Place, Present};

impl Applier<'_> {
    pub(super) fn file(
        &mut self,
        place: &Place<'_>,
        path: &InnerPath,
        entry: &Entry,
        meta: Meta,
    ) -> Result<(), ApplyLayerError> {
        let real = entry.real_size();
        self.holes = self.holes.saturating_add(real - entry.size.min(real));
        let unpacked = self.holes.saturating_add(self.archive.offset());
        if unpacked.saturating_add(entry.size) > self.caps.unpacked_bytes {
            return Err(ApplyLayerError::TooLarge {
                limit: self.caps.unpacked_bytes,
            });
        }
        let fd = rustix::fs::openat(
            &place.dir,
            place.name,
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(ApplyLayerError::io(path.as_bytes(), "making the file"))?;
        let mut file = File::from(fd);
        match &entry.sparse {
            None => self.copy(&mut file, path, entry.size)?,
            Some(sparse) => {
                let io = |source| write_failed(path, source);
                for &(offset, len) in &sparse.pieces {
                    file.seek(SeekFrom::Start(offset)).map_err(io)?;
                    self.copy(&mut file, path, len)?;
                }
                file.set_len(sparse.real_size).map_err(io)?;
            }
        }
        let fd = OwnedFd::from(file);
        self.set_xattrs(&fd, entry)?;
        self.set(&fd, path.as_bytes(), meta)
    }

    fn copy(&mut self, file: &mut File, path: &InnerPath, len: u64) -> Result<(), ApplyLayerError> {
        let mut left = len;
        while left > 0 {
            let wanted =
                usize::try_from(left).map_or(self.buffer.len(), |n| n.min(self.buffer.len()));
            let read = self.archive.read_data(&mut self.buffer[..wanted]);
            let n = self.explained(read)?;
            if n == 0 {
                return Err(ApplyLayerError::entry(path.as_bytes(), "is cut off"));
            }
            file.write_all(&self.buffer[..n])
                .map_err(|source| write_failed(path, source))?;
            left -= n as u64;
        }
        Ok(())
    }

    pub(super) fn hardlink(
        &mut self,
        place: &Place<'_>,
        path: &InnerPath,
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), ApplyLayerError> {
        let refuse = |reason: &str| {
            let target = crate::layer::note::shown(target);
            ApplyLayerError::entry(
                &entry.name,
                format!("is a hard link to {target:?}, which {reason}"),
            )
        };
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        let target_path = InnerPath::new(target).map_err(refuse)?;
        let Some((dir, name)) = self
            .tree
            .find(&target_path)
            .map_err(io("looking for the link's target"))?
        else {
            return Err(refuse("is not in this layer"));
        };
        let Some(stat) = tree::stat(&dir, name).map_err(io("looking at the link's target"))? else {
            return Err(refuse("is not in this layer"));
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Symlink => {}
            _ => return Err(refuse("is neither a file nor a symbolic link")),
        }
        let here = tree::stat(&place.dir, place.name).map_err(io("looking at what is there"))?;
        if here.is_some_and(|here| here.st_ino == stat.st_ino) {
            return Ok(());
        }
        self.make_way(place, path)?;
        // What made way may have been a directory with the target in it.
        match rustix::fs::linkat(&dir, name, &place.dir, place.name, AtFlags::empty()) {
            Err(Errno::NOENT) => Err(refuse("it replaces together with its directory")),
            Err(Errno::MLINK) => Err(refuse("has more names than the file system allows")),
            other => other.map_err(io("making the hard link")),
        }
    }

    pub(super) fn whiteout(
        &mut self,
        path: &InnerPath,
        whiteout: &Whiteout<'_>,
    ) -> Result<(), ApplyLayerError> {
        let place = self.tree.place(path, &mut self.notes)?;
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        let open = |name: &[u8]| {
            rustix::fs::openat(
                &place.dir,
                name,
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            )
        };
        let Whiteout::Name(hidden) = *whiteout else {
            if path.split().is_some_and(|(parent, _)| parent.is_empty()) {
                self.opaque_root = true;
            }
            let dir = open(b".").map_err(io("opening the directory"))?;
            return tree::set_opaque(&dir).map_err(io("making the directory opaque"));
        };
        // A whiteout is about the layers beneath, wherever it stands in the archive: what this layer has of that name stays.
        let hidden_place = Place {
            name: hidden,
            ..place
        };
        match tree::present(&hidden_place, path)? {
            Present::Directory => {
                let dir = open_dir(&hidden_place).map_err(io("opening the directory"))?;
                tree::set_opaque(&dir).map_err(io("making the directory opaque"))
            }
            Present::Nothing => rustix::fs::mknodat(
                &hidden_place.dir,
                hidden,
                FileType::CharacterDevice,
                Mode::empty(),
                0,
            )
            .map_err(io("making the whiteout")),
            Present::Whiteout | Present::Other => Ok(()),
        }
    }
}

fn open_dir(place: &Place<'_>) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(
        &place.dir,
        place.name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

pub(super) fn check_target(entry: &Entry, target: &[u8]) -> Result<(), ApplyLayerError> {
    let reason = match target {
        b"" => "is a symbolic link to nothing",
        _ if target.contains(&0) => "is a symbolic link whose target has a NUL",
        _ if target.len() > crate::layer::caps::PATH_BYTES_MAX => {
            "is a symbolic link to more than 4095 bytes"
        }
        _ => return Ok(()),
    };
    Err(ApplyLayerError::entry(&entry.name, reason))
}

fn write_failed(path: &InnerPath, source: io::Error) -> ApplyLayerError {
    ApplyLayerError::Io {
        entry: crate::layer::note::shown(path.as_bytes()),
        step: "writing the file",
        source,
    }
}
