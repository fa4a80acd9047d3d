//! What only bundles ask for: a domain name, priorities, clocks.

use std::io;

use super::checked;

/// The kernel's `linux/sched.h`.
const CLONE_NEWTIME: libc::c_int = 0x80;
/// The kernel's `linux/ioprio.h`.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
const IOPRIO_CLASS_SHIFT: u32 = 13;

/// Sets the domain name of this namespace of host names.
pub(crate) fn set_domain_name(name: &[u8]) -> io::Result<()> {
    // SAFETY: the bytes live across the call, and their number is passed.
    checked(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// What this process starts from here on has clocks of its own.
pub(crate) fn new_time_namespace() -> io::Result<()> {
    // SAFETY: the process has one thread, this concerns its children alone, and no memory is passed.
    checked(unsafe { libc::unshare(CLONE_NEWTIME) }.into()).map(drop)
}

/// How this process is given processors: a policy without priorities, and its nice value.
pub(crate) fn set_scheduling(policy: i32, nice: i32) -> io::Result<()> {
    // SAFETY: an all-zero `sched_param` is valid: its fields are integers.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: `parameters` lives across the call, which reads it.
    checked(unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) }.into())?;
    // SAFETY: no memory is passed.
    checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }.into()).map(drop)
}

/// How this process is given disks.
pub(crate) fn set_io_priority(class: u16, level: u16) -> io::Result<()> {
    let value = (u32::from(class) << IOPRIO_CLASS_SHIFT) | u32::from(level);
    // SAFETY: no memory is passed.
    checked(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) }).map(drop)
}
