//! Where a mount goes: a path inside the root, resolved there, whatever links the image has planted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::outcome::{LaunchError, Stage};
use crate::step::At;

/// Links are followed as if the root were the only one there is, and never out of `/proc`.
const CONTAINED: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// What is made where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

/// Opens `path` below `root`, if it is there.
pub(super) fn find(root: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>, Errno> {
    match openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        CONTAINED,
    ) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Opens `path` below `root`, made as `kind` where it is not there, with the directories above it.
pub(super) fn place(root: BorrowedFd<'_>, path: &str, kind: Kind) -> Result<OwnedFd, LaunchError> {
    let named = || format!("place {path:?} for a mount");
    if let Some(found) = find(root, path).at(Stage::Mount, named)? {
        return Ok(found);
    }
    let path_without = path.trim_end_matches('/');
    let (parent, name) = path_without.rsplit_once('/').unwrap_or(("", path_without));
    let parent = if parent.is_empty() {
        rustix::io::dup(root).at(Stage::Mount, named)?
    } else {
        place(root, parent, Kind::Directory)?
    };
    match kind {
        Kind::Directory => {
            mkdirat(&parent, name, Mode::from_bits_truncate(0o755)).at(Stage::Mount, named)?
        }
        Kind::File => {
            let flags =
                OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            openat(&parent, name, flags, Mode::from_bits_truncate(0o644))
                .map(drop)
                .at(Stage::Mount, named)?;
        }
    }
    find(root, path)
        .and_then(|found| found.ok_or(Errno::NOENT))
        .at(Stage::Mount, named)
}

/// Opens `path` below `root` for a mount that the job's fences stand on: an image that has a link there is refused, since what is hidden and
/// locked below it would be looked for elsewhere.
pub(super) fn own_place(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, LaunchError> {
    let found = place(root, path, Kind::Directory)?;
    let plain = openat2(
        root,
        path.trim_start_matches('/'),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    );
    drop(found);
    plain.at(Stage::Mount, || {
        format!(
            "{path} of the image, expected a directory and no link; help: remove it from the image"
        )
    })
}

/// `place`, which is not `root` itself: what is mounted there would lie over all that is mounted in it.
pub(super) fn below(
    root: BorrowedFd<'_>,
    place: OwnedFd,
    path: &str,
) -> Result<OwnedFd, LaunchError> {
    let identity = |fd: BorrowedFd<'_>| -> Result<_, LaunchError> {
        let stat = rustix::fs::fstat(fd).at(Stage::Mount, || path.to_owned())?;
        Ok((stat.st_dev, stat.st_ino))
    };
    if identity(root)? == identity(place.as_fd())? {
        return Err(LaunchError {
            stage: Stage::Mount,
            errno: libc::ELOOP,
            what: format!(
                "{path} leads to / in the image, expected a place below it; help: remove the link from the image"
            ),
        });
    }
    Ok(place)
}

/// Attaches a mount that is not attached yet.
pub(super) fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), Errno> {
    move_mount(
        mount,
        "",
        target,
        "",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )
}

/// A copy of the mount at `path` of this process's root, not attached yet.
pub(super) fn copy(path: &str) -> Result<OwnedFd, Errno> {
    open_tree(
        CWD,
        path,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )
}

/// A copy of what is at `place`, not attached yet.
pub(super) fn copy_of(place: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(place, "", flags)
}
