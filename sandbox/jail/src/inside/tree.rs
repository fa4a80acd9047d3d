//! A directory that is made for the job: its entries are put into a file system of their own, by their names there and nothing else.
//!
//! Nothing on the way to an entry is the image's, so no link of it leads an entry, or what is bound onto it, anywhere. What the image has
//! where the directory goes is replaced, in the job's own writes; links above it are followed as if its root were all there is.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, statat, symlinkat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::root::new_filesystem;
use super::target::{Kind, attach, place};
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Content, Entry};
use crate::step::At;
use crate::syscalls::{MountAttributes, mount_setattr};

/// Makes it at `target` below `root`. `files` are the mounts of the entries that are files of the host, in their order.
pub(super) fn build(
    root: BorrowedFd<'_>,
    target: &str,
    entries: &[Entry],
    files: Vec<OwnedFd>,
) -> Result<(), LaunchError> {
    let place = own_directory(root, target).at(Stage::Mount, || format!("place {target:?}"))?;
    let texts = entries.iter().map(|entry| match &entry.content {
        Content::Text { text } => text.len(),
        _ => 0,
    });
    // Pages for texts and for folders; a file and the folders above it.
    let bytes: usize = texts.map(|length| length + (16 << 10)).sum::<usize>() + (64 << 10);
    let inodes: usize = entries
        .iter()
        .map(|entry| entry.path.split('/').count())
        .sum::<usize>()
        + 16;
    let options = [
        ("mode", "755"),
        ("size", &*bytes.to_string()),
        ("nr_inodes", &*inodes.to_string()),
    ];
    let tree = new_filesystem(
        "tmpfs",
        &options,
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
    )?;
    attach(tree.as_fd(), place.as_fd()).at(Stage::Mount, || format!("mounting on {target}"))?;
    let mut files = files.into_iter();
    for entry in entries {
        let named = || format!("{target}/{}", entry.path);
        match &entry.content {
            Content::Text { text } => write(tree.as_fd(), &entry.path, text),
            Content::Link { to } => folders(tree.as_fd(), &entry.path)
                .and_then(|(folder, name)| symlinkat(to.as_str(), folder, name)),
            Content::File { .. } => {
                let file = files.next().ok_or_else(|| LaunchError {
                    stage: Stage::Mount,
                    errno: 0,
                    what: format!("{} did not come along", named()),
                })?;
                let place = super::target::place(tree.as_fd(), &entry.path, Kind::File)?;
                attach(file.as_fd(), place.as_fd())
            }
        }
        .at(Stage::Mount, named)?;
    }
    let attributes = MountAttributes {
        read_only: true,
        only_itself: true,
        ..Default::default()
    };
    mount_setattr(tree.as_fd(), attributes).at(Stage::Mount, || format!("{target} read-only"))
}

/// The directory `path` below `root`; a link or file of that name is removed and a directory made.
fn own_directory(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let (parent, name) = path
        .trim_end_matches('/')
        .rsplit_once('/')
        .ok_or(Errno::INVAL)?;
    let parent = match parent {
        "" => rustix::io::dup(root)?,
        parent => place(root, parent, Kind::Directory)
            .map_err(|error| Errno::from_raw_os_error(error.errno))?,
    };
    let there = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode)),
        Err(Errno::NOENT) => None,
        Err(error) => return Err(error),
    };
    if there.is_some_and(|kind| kind != FileType::Directory) {
        unlinkat(&parent, name, AtFlags::empty())?;
    }
    if there != Some(FileType::Directory) {
        mkdirat(&parent, name, Mode::from_bits_truncate(0o755))?;
    }
    openat2(
        &parent,
        name,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
}

/// The folder of `path` below `tree`, made where it is not there, and the name in it.
fn folders<'a>(tree: BorrowedFd<'_>, path: &'a str) -> Result<(OwnedFd, &'a str), Errno> {
    match path.rsplit_once('/') {
        None => Ok((rustix::io::dup(tree)?, path)),
        Some((folder, name)) => {
            let folder = place(tree, folder, Kind::Directory)
                .map_err(|error| Errno::from_raw_os_error(error.errno))?;
            Ok((folder, name))
        }
    }
}

fn write(tree: BorrowedFd<'_>, path: &str, text: &str) -> Result<(), Errno> {
    let (folder, name) = folders(tree, path)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::from_bits_truncate(0o444))?;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    Ok(())
}
