//! Processes: clone into namespaces, run a program, bring up a loopback.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

/// The kernel's `linux/sched.h`; libc's own does not fit its type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The kernel's `linux/sockios.h`: the network namespace of a socket.
const SIOCGSKNS: libc::c_ulong = 0x894C;

/// Where a clone goes on.
#[derive(Debug)]
pub(crate) enum Cloned<T> {
    /// in the process that called
    Parent(T),
    /// in the new one
    Child,
}

/// Clones this process into namespaces of its own, all but those of time, control groups and the network, and into the control group
/// `group`. Its id, and a descriptor of it.
pub(crate) fn clone_into_namespaces(
    group: Option<BorrowedFd<'_>>,
) -> io::Result<Cloned<(i32, OwnedFd)>> {
    let namespaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    clone(namespaces as u64, group)
}

/// Clones this process as it is. Its id, and a descriptor of it.
pub(crate) fn clone_process() -> io::Result<Cloned<(i32, OwnedFd)>> {
    clone(0, None)
}

fn clone(namespaces: u64, group: Option<BorrowedFd<'_>>) -> io::Result<Cloned<(i32, OwnedFd)>> {
    let mut flags = namespaces | libc::CLONE_PIDFD as u64;
    if group.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    let mut pidfd: libc::c_int = -1;
    // SAFETY: an all-zero `clone_args` is valid: every field is an integer.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = flags;
    arguments.pidfd = &raw mut pidfd as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.cgroup = group.map_or(0, |fd| fd.as_raw_fd() as u64);
    // SAFETY: memory is copied (no CLONE_VM), so the child has its own stack and the caller's frames; the process has one thread, so no
    // lock is held by another that does not exist in the child. `arguments` and `pidfd` live across the call.
    let pid = checked(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut arguments,
            size_of::<libc::clone_args>(),
        )
    })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel has just put a new descriptor there, which nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned::Parent((pid as i32, pidfd)))
}

/// From here on this process has a network of its own, which nothing leads out of.
pub(crate) fn new_network_namespace() -> io::Result<()> {
    // SAFETY: the process has one thread, so nothing is shared with others, and no memory is passed.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) }.into()).map(drop)
}

/// From here on this process's control groups are the roots of all it sees.
pub(crate) fn new_cgroup_namespace() -> io::Result<()> {
    // SAFETY: of this namespace nothing is shared with other threads, and no memory is passed.
    checked(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }.into()).map(drop)
}

/// Becomes the program `path`. Returns only what went wrong.
pub(crate) fn execute(path: &CString, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: the path and both lists end as the call wants them, and all of it lives until the call returns or replaces the process.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on as closed by the next program.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: no descriptor is closed here, and no memory is passed.
    checked(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })
    .map(drop)
}

/// Closes every descriptor from 3 on but `kept`. Whoever else has them in this process must never use them again.
pub(crate) fn close_all_but(kept: &mut [i32]) -> io::Result<()> {
    kept.sort_unstable();
    let mut first = 3;
    let ends = kept.iter().map(|fd| *fd as u32);
    for end in ends.chain([u32::MAX]) {
        if end > first {
            // SAFETY: no memory is passed. The descriptors belong to values that the caller promises not to use, nor to drop.
            checked(unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) })?;
        }
        first = first.max(end.saturating_add(1));
    }
    Ok(())
}

/// Brings up the loopback of this network namespace through the socket `socket`.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: an all-zero `ifreq` is valid: it is integers and a union of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the descriptor is open and `request` is of the kind that this command reads.
    checked(
        unsafe {
            libc::ioctl(
                socket.as_raw_fd(),
                libc::SIOCSIFFLAGS as _,
                &raw const request,
            )
        }
        .into(),
    )
    .map(drop)
}

/// The network namespace that the socket `socket` belongs to, which takes rights over that.
pub(crate) fn network_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open, and this command takes no argument.
    let namespace = checked(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS as _, 0) }.into())?;
    // SAFETY: the kernel has just put a new descriptor there, which nobody else knows.
    let namespace = unsafe { OwnedFd::from_raw_fd(namespace as i32) };
    // It is not marked as closed by the next program.
    rustix::io::fcntl_setfd(&namespace, rustix::io::FdFlags::CLOEXEC)?;
    Ok(namespace)
}
