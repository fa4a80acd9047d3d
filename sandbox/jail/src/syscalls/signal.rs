//! Signals: none is handled, they are waited for.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

fn all_signals() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigfillset` writes the whole set and cannot fail for a valid pointer.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Blocks every signal that can be blocked, so that it is kept until [`next_signal`] takes it.
pub(crate) fn block_signals() -> io::Result<()> {
    let set = all_signals();
    // SAFETY: `set` is initialised, and no old set is asked for.
    checked(
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) }
            .into(),
    )
    .map(drop)
}

/// Waits for a blocked signal and takes it: its number.
pub(crate) fn next_signal() -> io::Result<i32> {
    let set = all_signals();
    loop {
        // SAFETY: `set` is initialised, and no information is asked for.
        match checked(unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) }.into()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(|signal| signal as i32),
        }
    }
}

/// A descriptor that can be waited for, of all blocked signals ([`signal_from`]).
pub(crate) fn signal_descriptor() -> io::Result<OwnedFd> {
    let set = all_signals();
    // SAFETY: `set` is initialised, and a new descriptor is asked for.
    let fd = checked(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) }.into())?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Waits for a signal on such a descriptor and takes it: its number.
pub(crate) fn signal_from(descriptor: BorrowedFd<'_>) -> io::Result<i32> {
    let mut taken = [0; size_of::<libc::signalfd_siginfo>()];
    rustix::io::retry_on_intr(|| rustix::io::read(descriptor, &mut taken))?;
    // The number is the first of its fields.
    let number = taken.first_chunk().copied().map(u32::from_ne_bytes);
    Ok(number.unwrap_or(0) as i32)
}

/// What a new program expects: nothing blocked, nothing ignored.
pub(crate) fn default_signals() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the default action is no function of ours. The two signals that cannot be changed, and those that libc keeps for
        // itself, are refused with EINVAL, which changes nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` writes the whole set; then it is initialised.
    checked(
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut())
        }
        .into(),
    )
    .map(drop)
}
