//! Owners, modes, times and attributes.

use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::Applier;
use crate::layer::archive::Entry;
use crate::layer::error::ApplyLayerError;
use crate::layer::note::Note;
use crate::layer::path::InnerPath;
use crate::layer::tree::{self, Meta, Place};

impl Applier<'_> {
    pub(super) fn meta(&mut self, entry: &Entry) -> Result<Meta, ApplyLayerError> {
        let id = |id: u64| match u32::try_from(id) {
            // The last one means "leave it as it is" to the kernel.
            Ok(id) if id != u32::MAX => Ok(id),
            _ => Err(ApplyLayerError::entry(
                &entry.name,
                format!("belongs to id {id}, which no system has"),
            )),
        };
        let (uid, gid) = (id(entry.uid)?, id(entry.gid)?);
        if uid > 0xffff || gid > 0xffff {
            self.notes.take(Note::OwnerUnmapped, &entry.name);
        }
        if !self.is_root {
            self.notes.take(Note::OwnerNotKept, &entry.name);
        }
        Ok(Meta {
            uid,
            gid,
            mode: entry.mode,
            mtime: entry.mtime,
        })
    }

    pub(super) fn set_xattrs(
        &mut self,
        fd: &OwnedFd,
        entry: &Entry,
    ) -> Result<(), ApplyLayerError> {
        for (name, value) in &entry.xattrs {
            let allowed = name.starts_with(b"user.")
                && !name.starts_with(b"user.overlay.")
                && name.len() <= 255
                && name.len() > 5
                && !name.contains(&0);
            let kept = allowed
                && match rustix::fs::fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()) {
                    Ok(()) => true,
                    // Past what the file system holds for one file, or it holds none.
                    Err(Errno::NOSPC | Errno::RANGE | Errno::TOOBIG | Errno::NOTSUP) => false,
                    Err(errno) => {
                        return Err(ApplyLayerError::io(&entry.name, "setting an attribute")(
                            errno,
                        ));
                    }
                };
            if !kept {
                self.notes.take(Note::AttributeDropped, &entry.name);
            }
        }
        Ok(())
    }

    /// Owner first: changing it clears the setuid bits.
    pub(super) fn set(
        &self,
        fd: &OwnedFd,
        entry: &[u8],
        meta: Meta,
    ) -> Result<(), ApplyLayerError> {
        if self.is_root {
            rustix::fs::fchown(
                fd,
                Some(Uid::from_raw(meta.uid)),
                Some(Gid::from_raw(meta.gid)),
            )
            .map_err(ApplyLayerError::io(entry, "setting the owner"))?;
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode(meta.mode))
            .map_err(ApplyLayerError::io(entry, "setting the mode"))?;
        rustix::fs::futimens(fd, &times(meta))
            .map_err(ApplyLayerError::io(entry, "setting the time"))
    }

    pub(super) fn set_at(
        &self,
        place: &Place<'_>,
        path: &InnerPath,
        meta: Meta,
        has_mode: bool,
    ) -> Result<(), ApplyLayerError> {
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        if self.is_root {
            rustix::fs::chownat(
                &place.dir,
                place.name,
                Some(Uid::from_raw(meta.uid)),
                Some(Gid::from_raw(meta.gid)),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .map_err(io("setting the owner"))?;
        }
        if has_mode {
            // This process alone writes here, and has just made it: it is no link.
            rustix::fs::chmodat(
                &place.dir,
                place.name,
                Mode::from_raw_mode(meta.mode),
                AtFlags::empty(),
            )
            .map_err(io("setting the mode"))?;
        }
        rustix::fs::utimensat(
            &place.dir,
            place.name,
            &times(meta),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(io("setting the time"))
    }

    /// Directories get their owners, modes and times last: making entries in them changes the time, and may need the mode.
    /// Children before their parents, as deep as the cap of depth allows and no deeper.
    pub(super) fn set_directories(&self) -> Result<(), ApplyLayerError> {
        let io = |step| ApplyLayerError::io(b"a directory", step);
        let root = rustix::io::dup(self.tree.root()).map_err(io("opening the root"))?;
        let mut stack = vec![(subdirectories(&root).map_err(io("listing it"))?, root)];
        while let Some((left, dir)) = stack.last_mut() {
            if let Some(name) = left.pop() {
                let inner = rustix::fs::openat(
                    &*dir,
                    name.as_slice(),
                    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                    Mode::empty(),
                )
                .map_err(io("opening it"))?;
                stack.push((subdirectories(&inner).map_err(io("listing it"))?, inner));
                continue;
            }
            let ino = rustix::fs::fstat(&*dir)
                .map_err(io("looking at it"))?
                .st_ino;
            let meta = self.tree.meta_of(ino).unwrap_or(tree::IMPLIED);
            self.set(dir, b"a directory", meta)?;
            stack.pop();
        }
        Ok(())
    }
}

fn subdirectories(dir: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let is_dir = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => tree::stat(dir, name)?
                .is_some_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory),
            _ => false,
        };
        if is_dir {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn times(meta: Meta) -> Timestamps {
    let time = Timespec {
        tv_sec: meta.mtime.0,
        tv_nsec: meta.mtime.1.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
