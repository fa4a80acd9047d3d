//! Projects of files: which one a directory belongs to, and how much one may have.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::checked;

/// `struct fsxattr`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_on_write_extent_size: u32,
    padding: [u8; 8],
}

const _: () = assert!(size_of::<Attributes>() == 28, "the kernel's struct fsxattr");

const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;
/// What is made in the directory belongs to its project too.
const FS_XFLAG_PROJINHERIT: u32 = 0x200;

const PRJQUOTA: u32 = 2;
const Q_SETQUOTA: u32 = 0x0080_0008;
const QIF_LIMITS: u32 = 1 | 4;
/// Bytes of a block, in which limits are said.
const BLOCK: u64 = 1024;

fn attributes(directory: BorrowedFd<'_>) -> io::Result<Attributes> {
    let mut attributes = Attributes::default();
    let command = FS_IOC_FSGETXATTR as libc::Ioctl;
    // SAFETY: the descriptor is open, and `attributes` has the layout and size that this command writes.
    let answer = unsafe { libc::ioctl(directory.as_raw_fd(), command, &raw mut attributes) };
    checked(answer.into())?;
    Ok(attributes)
}

/// The project that `directory` belongs to.
pub(crate) fn project(directory: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(attributes(directory)?.project)
}

/// Makes `directory`, and what will be made in it, part of `project`.
pub(crate) fn set_project(directory: BorrowedFd<'_>, project: u32) -> io::Result<()> {
    let mut attributes = attributes(directory)?;
    attributes.project = project;
    attributes.flags |= FS_XFLAG_PROJINHERIT;
    let command = FS_IOC_FSSETXATTR as libc::Ioctl;
    // SAFETY: the descriptor is open, and `attributes` has the layout and size that this command reads.
    let answer = unsafe { libc::ioctl(directory.as_raw_fd(), command, &raw const attributes) };
    checked(answer.into()).map(drop)
}

/// Sets what `project` may have on the file system of `directory`; 0 for any.
pub(crate) fn set_quota(
    directory: BorrowedFd<'_>,
    project: u32,
    bytes: u64,
    inodes: u64,
) -> io::Result<()> {
    let quota = libc::dqblk {
        dqb_bhardlimit: bytes.div_ceil(BLOCK),
        dqb_bsoftlimit: 0,
        dqb_curspace: 0,
        dqb_ihardlimit: inodes,
        dqb_isoftlimit: 0,
        dqb_curinodes: 0,
        dqb_btime: 0,
        dqb_itime: 0,
        dqb_valid: QIF_LIMITS,
    };
    // SAFETY: the descriptor is open, and `quota` has the layout that this command reads and lives across the call.
    checked(unsafe {
        libc::syscall(
            libc::SYS_quotactl_fd,
            directory.as_raw_fd(),
            (Q_SETQUOTA << 8) | PRJQUOTA,
            project,
            &raw const quota,
        )
    })
    .map(drop)
}
