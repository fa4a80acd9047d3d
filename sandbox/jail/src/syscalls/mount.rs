//! `mount_setattr`: attributes of mounts that are not attached yet.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::checked;

/// What is set on a mount, and on those below it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MountAttributes<'fd> {
    pub(crate) read_only: bool,
    pub(crate) nosuid: bool,
    pub(crate) nodev: bool,
    pub(crate) noexec: bool,
    /// links lead nowhere
    pub(crate) nosymfollow: bool,
    /// how times of reading are noted, in place of what the mount has: bits of `MOUNT_ATTR__ATIME`, and of directories
    pub(crate) atime: Option<u64>,
    /// not of mounts below it
    pub(crate) only_itself: bool,
    /// ids on disk are those inside this user namespace
    pub(crate) idmap: Option<BorrowedFd<'fd>>,
}

/// Sets attributes of the mount `mount`, and of those below it, and takes them out of the groups in which mounts spread.
pub(crate) fn mount_setattr(
    mount: BorrowedFd<'_>,
    attributes: MountAttributes<'_>,
) -> io::Result<()> {
    let set = [
        (attributes.read_only, libc::MOUNT_ATTR_RDONLY),
        (attributes.nosuid, libc::MOUNT_ATTR_NOSUID),
        (attributes.nodev, libc::MOUNT_ATTR_NODEV),
        (attributes.noexec, libc::MOUNT_ATTR_NOEXEC),
        (attributes.nosymfollow, libc::MOUNT_ATTR_NOSYMFOLLOW),
        (attributes.idmap.is_some(), libc::MOUNT_ATTR_IDMAP),
    ];
    let attr = libc::mount_attr {
        attr_set: set
            .iter()
            .filter(|(on, _)| *on)
            .fold(attributes.atime.unwrap_or(0), |all, (_, bit)| all | bit),
        attr_clr: attributes
            .atime
            .map_or(0, |_| libc::MOUNT_ATTR__ATIME | libc::MOUNT_ATTR_NODIRATIME),
        // A mount of the host is one of a group as a rule: what is mounted below it later would appear in the copy too, and with its own
        // attributes, not with these.
        propagation: libc::MS_PRIVATE,
        userns_fd: attributes.idmap.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    // SAFETY: the path is a literal that ends in NUL, `attr` lives across the call, its size is passed, and the descriptors are open: they
    // are borrowed.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH
                | if attributes.only_itself {
                    0
                } else {
                    libc::AT_RECURSIVE
                },
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}
