//! What an entry keeps of its attributes, and what overlay said by its own.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::{OPAQUE_XATTR, Walk};
use crate::layer::apply::is_opaque;
use crate::layer::error::ExportLayerError;
use crate::layer::note::{Note, shown};

/// The same for an overlay mounted without.
const OPAQUE_XATTR_TRUSTED: &str = "trusted.overlay.opaque";
/// What an overlay with features that ours is mounted without would leave: the tree alone does not say what it holds then.
const UNFIT_XATTRS: [&[u8]; 4] = [
    b"user.overlay.redirect",
    b"user.overlay.metacopy",
    b"trusted.overlay.redirect",
    b"trusted.overlay.metacopy",
];

pub(super) struct Xattrs {
    pub(super) kept: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) opaque: bool,
}

impl<W: std::io::Write> Walk<'_, W> {
    pub(super) fn directory_xattrs(
        &mut self,
        dir: &OwnedFd,
        path: &[u8],
    ) -> Result<Xattrs, ExportLayerError> {
        let mut xattrs = self.xattrs(dir, path)?;
        xattrs.opaque = is_opaque(dir, OPAQUE_XATTR)
            .and_then(|user| Ok(user || is_opaque(dir, OPAQUE_XATTR_TRUSTED)?))
            .map_err(ExportLayerError::io(path, "reading its attributes"))?;
        Ok(xattrs)
    }

    /// What an entry keeps, sorted.
    pub(super) fn xattrs(&mut self, fd: &OwnedFd, path: &[u8]) -> Result<Xattrs, ExportLayerError> {
        const LIST_BYTES_MAX: usize = 64 << 10;
        let io = || ExportLayerError::io(path, "reading its attributes");
        let mut list = vec![0u8; 1 << 10];
        let len = loop {
            match rustix::fs::flistxattr(fd, list.as_mut_slice()) {
                Ok(len) => break len,
                Err(Errno::NOTSUP) => break 0,
                Err(Errno::RANGE) if list.len() < LIST_BYTES_MAX => list.resize(LIST_BYTES_MAX, 0),
                Err(errno) => return Err(io()(errno)),
            }
        };
        let mut kept = Vec::new();
        for name in list[..len]
            .split(|&b| b == 0)
            .filter(|name| !name.is_empty())
        {
            if UNFIT_XATTRS.contains(&name) {
                return Err(ExportLayerError::Unfit {
                    path: shown(path),
                    reason: format!(
                        "has {}: the overlay was mounted with redirect_dir or metacopy, which must be off",
                        shown(name)
                    ),
                });
            }
            if name.starts_with(b"user.overlay.") || name.starts_with(b"trusted.overlay.") {
                continue;
            }
            if !name.starts_with(b"user.") {
                self.notes.take(Note::AttributeDropped, path);
                continue;
            }
            let mut value = vec![0u8; 64 << 10];
            let len = rustix::fs::fgetxattr(fd, name, value.as_mut_slice()).map_err(io())?;
            value.truncate(len);
            kept.push((name.to_vec(), value));
        }
        kept.sort_unstable();
        Ok(Xattrs {
            kept,
            opaque: false,
        })
    }
}
