//! What only bundles ask for: a domain name, priorities, clocks.

use std::io;

use super::{Cloned, checked};

/// The kernel's `linux/sched.h`.
const CLONE_NEWTIME: libc::c_int = 0x80;
/// The kernel's `linux/ioprio.h`.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
/// The kernel's `linux/personality.h`.
const PER_LINUX32: libc::c_ulong = 8;
const IOPRIO_CLASS_SHIFT: u32 = 13;

/// Clones this process as it is, by the old call: the filters of a job answer that there is no new one.
pub(crate) fn clone_behind_filters() -> io::Result<Cloned<i32>> {
    // SAFETY: memory is copied (no CLONE_VM), and the process has one thread, so no lock is held by another. No pointer is passed.
    match checked(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) })? {
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent(pid as i32)),
    }
}

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

/// Where this process's memory is: `mode` of `set_mempolicy`, and a bit for each node.
pub(crate) fn set_memory_policy(mode: i32, nodes: u64) -> io::Result<()> {
    let mask = [nodes];
    let (mask, bits) = match nodes {
        0 => (std::ptr::null(), 0),
        _ => (mask.as_ptr(), u64::BITS + 1),
    };
    // SAFETY: the kernel reads one word of 64 bits, one fewer than it is told, which lives across the call; or none.
    checked(unsafe {
        libc::syscall(
            libc::SYS_set_mempolicy,
            mode,
            mask,
            libc::c_ulong::from(bits),
        )
    })
    .map(drop)
}

/// This process, and what comes from it, sees a machine of 32 bits.
pub(crate) fn see_32_bits() -> io::Result<()> {
    // SAFETY: no memory is passed.
    checked(unsafe { libc::personality(PER_LINUX32) }.into()).map(drop)
}

/// How this process is given disks.
pub(crate) fn set_io_priority(class: u16, level: u16) -> io::Result<()> {
    let value = (u32::from(class) << IOPRIO_CLASS_SHIFT) | u32::from(level);
    // SAFETY: no memory is passed.
    checked(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) }).map(drop)
}
