//! Removes a tree, however deep: nothing here recurses, holds a descriptor per level, or builds a long path.
//!
//! A directory inside a directory is moved up to the top of the tree before it is emptied, so that no more than two levels are
//! ever looked at.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Removes `path`, whatever it is. That nothing is there is no error.
///
/// # Errors
/// The system's, where an entry cannot be removed.
pub fn remove_tree(path: &Path) -> std::io::Result<()> {
    Ok(remove_at(CWD, path.as_os_str().as_encoded_bytes())?)
}

pub(crate) fn remove_at(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e),
    }
    let top = open_dir(&parent, name)?;
    let mut moved = 0u64;
    // Each round empties what lies in the top directory and brings up what was one level deeper.
    while empty_round(&top, &mut moved)? {}
    rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)
}

/// Whether anything was left to look at.
fn empty_round(top: &OwnedFd, moved: &mut u64) -> rustix::io::Result<bool> {
    let mut seen = false;
    for entry in Dir::read_from(top)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        seen = true;
        if unlink_unless_dir(top, name, entry.file_type())? {
            continue;
        }
        let dir = open_dir(top, name)?;
        for inner in Dir::read_from(&dir)? {
            let inner = inner?;
            let inner_name = inner.file_name().to_bytes();
            if inner_name == b"." || inner_name == b".." {
                continue;
            }
            if !unlink_unless_dir(&dir, inner_name, inner.file_type())? {
                move_up(&dir, inner_name, top, moved)?;
            }
        }
        rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR)?;
    }
    Ok(seen)
}

fn unlink_unless_dir(dir: &OwnedFd, name: &[u8], kind: FileType) -> rustix::io::Result<bool> {
    if kind == FileType::Directory {
        return Ok(false);
    }
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(Errno::PERM) if kind == FileType::Unknown => Ok(false),
        Err(e) => Err(e),
    }
}

fn move_up(from: &OwnedFd, name: &[u8], top: &OwnedFd, moved: &mut u64) -> rustix::io::Result<()> {
    let mut opened = false;
    loop {
        *moved += 1;
        let target = format!("gone.{moved}");
        match rustix::fs::renameat_with(from, name, top, target, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            // To be moved, a directory has to be writable itself.
            Err(Errno::ACCESS) if !opened => {
                rustix::fs::chmodat(from, name, Mode::RWXU, AtFlags::empty())?;
                opened = true;
            }
            other => return other,
        }
    }
}

/// Opens a directory that may forbid its own owner to.
fn open_dir(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if !rustix::process::geteuid().is_root() {
        let _ = rustix::fs::chmodat(&parent, name, Mode::RWXU, AtFlags::empty());
    }
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests;
