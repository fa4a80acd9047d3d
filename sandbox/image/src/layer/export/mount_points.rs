//! What was made for mounts to lie on, and is nobody's file.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, Stat};

use super::{DIR_FLAGS, Walk};
use crate::layer::error::ExportLayerError;

impl<W: std::io::Write> Walk<'_, W> {
    /// Whether this is a place for a mount, or a directory with nothing but such places in it.
    pub(super) fn is_mount_point(
        &self,
        parent: &OwnedFd,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<bool, ExportLayerError> {
        if !self.options.mount_points.contains(path) {
            return Ok(false);
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(stat.st_size == 0 && stat.st_nlink == 1),
            FileType::Directory => self.has_only_mount_points(parent, name, path),
            _ => Ok(false),
        }
    }

    /// As deep as the paths of the plan are, no deeper: each level has to be listed.
    fn has_only_mount_points(
        &self,
        parent: impl AsFd,
        name: &[u8],
        path: &[u8],
    ) -> Result<bool, ExportLayerError> {
        let dir = rustix::fs::openat(parent, name, DIR_FLAGS, Mode::empty())
            .map_err(ExportLayerError::io(path, "opening the directory"))?;
        for name in self.sorted_names(&dir, path)? {
            let inner = [path, &name].join(&b'/');
            let stat = rustix::fs::statat(&dir, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(ExportLayerError::io(&inner, "looking at it"))?;
            if !self.is_mount_point(&dir, &name, &inner, &stat)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
