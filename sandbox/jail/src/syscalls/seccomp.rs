//! Installing a filter of system calls, and answering one that asks.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::checked;

const FILTER_FLAG_NEW_LISTENER: libc::c_ulong = 1 << 3;
const FILTER_FLAG_WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;
const IOCTL_NOTIF_RECV: libc::c_ulong = 0xC050_2100;
const IOCTL_NOTIF_SEND: libc::c_ulong = 0xC018_2101;

/// `struct seccomp_notif` of the kernel's `linux/seccomp.h`, with `struct seccomp_data` in it.
#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const _: () = assert!(
    size_of::<Notification>() == 80 && size_of::<Response>() == 24,
    "the kernel's struct seccomp_notif and its answer"
);

/// A call that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) id: u64,
    pub(crate) number: i32,
    /// `AUDIT_ARCH_…`
    pub(crate) architecture: u32,
    pub(crate) arguments: [u64; 6],
}

/// Adds `program` to the filters of the calling thread and of whatever it starts.
///
/// The kernel copies and checks the program: jumps outside of it, unknown instructions and a missing return are EINVAL.
pub(crate) fn set_mode_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    install(program, 0).map(drop)
}

/// The same with a descriptor on which it asks. A thread has at most one such filter.
pub(crate) fn set_asking_filter(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let flags = FILTER_FLAG_NEW_LISTENER | FILTER_FLAG_WAIT_KILLABLE_RECV;
    let listener = match install(program, flags) {
        // Before Linux 5.19: a signal makes it ask again.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            install(program, FILTER_FLAG_NEW_LISTENER)?
        }
        other => other?,
    };
    let listener = i32::try_from(listener).map_err(io::Error::other)?;
    // SAFETY: with this flag the kernel returns a descriptor that is new and this function's alone.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

fn install(program: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let len =
        u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // the field is *mut in libc's declaration alone: the kernel only reads
    let header = libc::sock_fprog {
        len,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `header` and the `len` instructions that it points to are borrowed until the call returns; the kernel reads them and
    // keeps no pointer.
    checked(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const header,
        )
    })
}

/// The next call that a filter asks about; waits for one.
pub(crate) fn next(listener: impl AsFd) -> io::Result<Asked> {
    let mut asked = Notification::default();
    // SAFETY: this command writes one such structure, which is borrowed until the call returns, and keeps no pointer.
    let received = unsafe {
        libc::ioctl(
            listener.as_fd().as_raw_fd(),
            IOCTL_NOTIF_RECV as _,
            &raw mut asked,
        )
    };
    checked(received.into())?;
    Ok(Asked {
        id: asked.id,
        number: asked.number,
        architecture: asked.architecture,
        arguments: asked.arguments,
    })
}

/// Answers that the call failed with `errno`; never that it is to be made, which is why 0 is EPERM.
pub(crate) fn answer(listener: impl AsFd, id: u64, errno: i32) -> io::Result<()> {
    let error = if errno > 0 { -errno } else { -libc::EPERM };
    let mut response = Response {
        id,
        value: 0,
        error,
        flags: 0,
    };
    // SAFETY: this command reads one such structure, which is borrowed until the call returns, and keeps no pointer.
    let sent = unsafe {
        libc::ioctl(
            listener.as_fd().as_raw_fd(),
            IOCTL_NOTIF_SEND as _,
            &raw mut response,
        )
    };
    checked(sent.into()).map(drop)
}
