//! What of `/proc` and `/sys` is hidden or cannot be written.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, fstat};
use rustix::mount::MountAttrFlags;

use super::root::new_filesystem;
use super::target::{attach, below, copy, copy_of, find};
use crate::outcome::{LaunchError, Stage};
use crate::step::At;
use crate::syscalls::{MountAttributes, mount_setattr};

/// Puts nothing over each of `paths` that is there: an empty directory, or a file that is always empty.
pub(super) fn mask(root: BorrowedFd<'_>, paths: &[&String]) -> Result<(), LaunchError> {
    // One empty directory stands for all: where it is attached first, copies of it can be made.
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let named = || format!("hiding {path}");
        let Some(place) = find(root, path).at(Stage::Mount, named)? else {
            continue;
        };
        let place = below(root, place, path)?;
        let kind = FileType::from_raw_mode(fstat(&place).at(Stage::Mount, named)?.st_mode);
        let nothing = match (&empty, kind) {
            (Some(empty), FileType::Directory) => copy_of(empty).at(Stage::Mount, named)?,
            (None, FileType::Directory) => new_filesystem(
                "tmpfs",
                &[("size", "4096"), ("nr_inodes", "1"), ("mode", "555")],
                MountAttrFlags::MOUNT_ATTR_RDONLY
                    | MountAttrFlags::MOUNT_ATTR_NOSUID
                    | MountAttrFlags::MOUNT_ATTR_NODEV,
            )?,
            _ => {
                let null = copy("/dev/null").at(Stage::Mount, named)?;
                // Its permissions and times are those of the host's device.
                let attributes = MountAttributes {
                    read_only: true,
                    nosuid: true,
                    noexec: true,
                    ..Default::default()
                };
                mount_setattr(null.as_fd(), attributes).at(Stage::Mount, named)?;
                null
            }
        };
        attach(nothing.as_fd(), place.as_fd()).at(Stage::Mount, named)?;
        if kind == FileType::Directory && empty.is_none() {
            empty = find(root, path).at(Stage::Mount, named)?;
        }
    }
    Ok(())
}

/// Makes each of `paths` that is there read-only.
pub(super) fn read_only(root: BorrowedFd<'_>, paths: &[String]) -> Result<(), LaunchError> {
    let attributes = MountAttributes {
        read_only: true,
        ..Default::default()
    };
    set(root, paths, attributes, "read-only")
}

/// Keeps programs from being run from each of `paths` that is there.
pub(super) fn no_exec(root: BorrowedFd<'_>, paths: &[String]) -> Result<(), LaunchError> {
    let attributes = MountAttributes {
        noexec: true,
        ..Default::default()
    };
    set(root, paths, attributes, "of no programs")
}

fn set(
    root: BorrowedFd<'_>,
    paths: &[String],
    attributes: MountAttributes<'_>,
    what: &str,
) -> Result<(), LaunchError> {
    for path in paths {
        let named = || format!("making {path} {what}");
        let Some(place) = find(root, path).at(Stage::Mount, named)? else {
            continue;
        };
        let copy = copy_of(&place).at(Stage::Mount, named)?;
        mount_setattr(copy.as_fd(), attributes).at(Stage::Mount, named)?;
        attach(copy.as_fd(), place.as_fd()).at(Stage::Mount, named)?;
    }
    Ok(())
}
