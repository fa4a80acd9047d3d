//! Installing a filter of system calls.

use std::io;

/// Adds `program` to the filters of the calling thread and of whatever it starts.
///
/// The kernel copies and checks the program: jumps outside of it, unknown instructions and a missing return are EINVAL.
pub(crate) fn set_mode_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let len =
        u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // the field is *mut in libc's declaration alone: the kernel only reads
    let header = libc::sock_fprog {
        len,
        filter: program.as_ptr().cast_mut(),
    };
    let flags: libc::c_ulong = 0;
    // SAFETY: `header` and the `len` instructions that it points to are borrowed until the call returns; the kernel reads them and
    // keeps no pointer.
    let status = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const header,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
