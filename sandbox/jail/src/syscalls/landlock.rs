//! The three calls of landlock.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `struct landlock_ruleset_attr` as of ABI 6; older kernels take a prefix of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ruleset {
    pub(crate) handled_access_fs: u64,
    pub(crate) handled_access_net: u64,
    pub(crate) scoped: u64,
}

/// `struct landlock_path_beneath_attr`, which is packed in the kernel.
#[repr(C, packed)]
#[derive(Clone, Copy)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

const CREATE_RULESET_VERSION: libc::c_ulong = 1;
const RULE_PATH_BENEATH: libc::c_ulong = 1;

/// Which version of landlock the kernel has.
pub(crate) fn version() -> io::Result<u32> {
    // SAFETY: with this flag the kernel wants no pointer and a size of 0, and answers a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<Ruleset>(),
            0usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

/// Makes a ruleset. What is zero at the end of `ruleset` is not shown to the kernel, so that older ones take it.
pub(crate) fn create_ruleset(ruleset: &Ruleset) -> io::Result<OwnedFd> {
    let size = match ruleset {
        Ruleset {
            handled_access_net: 0,
            scoped: 0,
            ..
        } => 8usize,
        Ruleset { scoped: 0, .. } => 16,
        _ => size_of::<Ruleset>(),
    };
    // SAFETY: `ruleset` is borrowed for the call and has at least `size` bytes, all of them initialised (three u64, no padding).
    let fd = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::from_ref(ruleset),
            size,
            0 as libc::c_ulong,
        )
    };
    match i32::try_from(fd) {
        // SAFETY: the kernel has just made this descriptor and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Allows `access` to `parent` and all that is below it.
pub(crate) fn add_path(
    ruleset: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    access: u64,
) -> io::Result<()> {
    let rule = PathBeneath {
        allowed_access: access,
        parent_fd: parent.as_raw_fd(),
    };
    // SAFETY: `rule` has the kernel's layout (a test holds it to 12 bytes) and lives until the call returns; both descriptors are
    // borrowed, hence open.
    let status = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            RULE_PATH_BENEATH,
            &raw const rule,
            0 as libc::c_ulong,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Restricts the calling thread, and whatever it starts.
pub(crate) fn restrict_self(ruleset: BorrowedFd<'_>, flags: u32) -> io::Result<()> {
    // SAFETY: no pointer is passed, and the descriptor is borrowed, hence open.
    let status = unsafe {
        libc::syscall(
            libc::SYS_landlock_restrict_self,
            ruleset.as_raw_fd(),
            libc::c_ulong::from(flags),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_kernels_layout() {
        assert_eq!(size_of::<Ruleset>(), 24);
        assert_eq!(std::mem::offset_of!(Ruleset, handled_access_net), 8);
        assert_eq!(std::mem::offset_of!(Ruleset, scoped), 16);
        assert_eq!(size_of::<PathBeneath>(), 12);
        assert_eq!(std::mem::offset_of!(PathBeneath, parent_fd), 8);
    }
}
