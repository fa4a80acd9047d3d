//! Another place for a job's writes: a directory whose file system counts by project. No image and no loop device, but its files are files of
//! the host's file system, and removing a job removes them one by one.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use gradus_jail::quota;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, fstatvfs, openat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;

use super::ScratchError;

/// Less than any file system has that jobs could be run on.
const PROBE_BYTES: u64 = 1 << 20;

/// Makes the directory `path`, in which `bytes` and `inodes` fit. `project` is nobody else's number on that file system.
pub(crate) fn make_directory(
    path: &Path,
    project: u32,
    bytes: u64,
    inodes: u64,
) -> Result<(), ScratchError> {
    let made = DirBuilder::new().mode(0o755).create(path);
    let bounded = made.and_then(|()| {
        let directory = File::open(path)?;
        // Tried with little first: of a limit that is larger than the file system nothing could be seen.
        quota::bound(directory.as_fd(), project, PROBE_BYTES, inodes)?;
        let stat = fstatvfs(&directory)?;
        if stat.f_blocks * stat.f_frsize > PROBE_BYTES {
            let what = "it counts what projects have, and lets them have more than they may";
            return Err(io::Error::other(what));
        }
        quota::bound(directory.as_fd(), project, bytes, inodes)
    });
    bounded.map_err(|source| {
        let _ = remove_directory(path);
        ScratchError::NoQuota {
            path: path.to_owned(),
            source,
        }
    })
}

/// Removes the directory `path` with all that is in it, and what was said about its project. What is not there is removed already.
pub(crate) fn remove_directory(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match openat(CWD, path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    empty(directory.as_fd())?;
    // There may be none here. With nothing in it, nothing counts.
    let _ = quota::lift(directory.as_fd());
    unlinkat(CWD, path, AtFlags::REMOVEDIR)?;
    Ok(())
}

/// Removes what is in `top`. A job may have made directories a hundred thousand deep: those below are moved up, so that two descriptors are
/// enough for any depth.
fn empty(top: BorrowedFd<'_>) -> io::Result<()> {
    let mut next = 0u64;
    loop {
        let names = entries(top)?;
        if names.is_empty() {
            return Ok(());
        }
        for (name, is_directory) in names {
            if !is_directory {
                unlinkat(top, &name, AtFlags::empty())?;
                continue;
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = openat(top, &name, flags, Mode::empty())?;
            for (below, is_directory) in entries(directory.as_fd())? {
                if is_directory {
                    move_up(directory.as_fd(), &below, top, &mut next)?;
                } else {
                    unlinkat(&directory, &below, AtFlags::empty())?;
                }
            }
            unlinkat(top, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

fn move_up(
    from: BorrowedFd<'_>,
    name: &std::ffi::CStr,
    top: BorrowedFd<'_>,
    next: &mut u64,
) -> io::Result<()> {
    loop {
        *next += 1;
        match renameat_with(from, name, top, next.to_string(), RenameFlags::NOREPLACE) {
            // The job has used that name.
            Err(Errno::EXIST) => {}
            other => return Ok(other?),
        }
    }
}

fn entries(directory: BorrowedFd<'_>) -> io::Result<Vec<(std::ffi::CString, bool)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        found.push((name.to_owned(), kind == FileType::Directory));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;

    /// Nothing that counts on its depth removes one that a job has made as deep as it may have files.
    #[test]
    fn a_deep_tree_with_names_in_the_way_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scratch");
        std::fs::create_dir(&path).unwrap();
        let mut at = File::open(&path).unwrap();
        for _ in 0..500 {
            // Names that moving up would use, too.
            for name in ["1", "d"] {
                mkdirat(&at, name, Mode::RWXU).unwrap();
            }
            openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            at = openat(&at, "d", OFlags::RDONLY, Mode::empty())
                .unwrap()
                .into();
        }
        std::os::unix::fs::symlink("/etc", path.join("link")).unwrap();
        remove_directory(&path).unwrap();
        assert!(!path.exists());
        assert!(Path::new("/etc/passwd").exists());
        remove_directory(&path).unwrap();
    }
}
