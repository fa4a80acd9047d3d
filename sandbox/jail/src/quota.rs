//! Bounds what is written below a directory, by the quota of its file system for projects.
//!
//! A project is a number that files carry, beside their owner. Nobody without rights on the host can change it: not from a user namespace.

use std::io;
use std::os::fd::BorrowedFd;

use crate::syscalls::quota::{project, set_project, set_quota};

/// What is written below `directory`, which is empty, counts as the project `number`, which may have this much. Whether the file system
/// keeps to it is another question: a file system that does says that it is no larger than this, when it is asked by this directory.
pub fn bound(directory: BorrowedFd<'_>, number: u32, bytes: u64, inodes: u64) -> io::Result<()> {
    set_project(directory, number)?;
    set_quota(directory, number, bytes, inodes)
}

/// Forgets what was said about the project of `directory`.
pub fn lift(directory: BorrowedFd<'_>) -> io::Result<()> {
    match project(directory)? {
        // Everybody's: nobody has bounded it.
        0 => Ok(()),
        number => set_quota(directory, number, 0, 0),
    }
}
