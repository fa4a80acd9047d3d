//! Loading a device filter and attaching it to a control group.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_PROG_LOAD: libc::c_ulong = 5;
const BPF_PROG_ATTACH: libc::c_ulong = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The part of `union bpf_attr` that loads a program; the kernel takes what is missing at the end as zero.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// The part of `union bpf_attr` that attaches a program.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Gives a device filter to the kernel, which verifies it: EINVAL or EACCES for a program that could misbehave.
pub(crate) fn load_device_filter(program: &[u8]) -> io::Result<OwnedFd> {
    let (whole, rest) = (program.len() / 8, program.len() % 8);
    let count = u32::try_from(whole)
        .ok()
        .filter(|count| *count > 0 && rest == 0);
    let count = count.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    // instructions are 8 bytes with 4-byte fields, and the kernel copies them from any address
    let load = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: count,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    // SAFETY: `load` has the kernel's layout (a test holds it to its offsets) and is borrowed for the call, like the `count` times 8
    // bytes of `program`; the licence is a static string that ends in NUL. The kernel copies all three and keeps no pointer.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &raw const load,
            size_of::<Load>(),
        )
    };
    match i32::try_from(fd) {
        // SAFETY: the kernel has just made this descriptor and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes `filter` decide about devices for the group (a directory of cgroup2) and all groups below it, besides what is attached there.
pub(crate) fn attach_device_filter(
    group: BorrowedFd<'_>,
    filter: BorrowedFd<'_>,
) -> io::Result<()> {
    let number = |fd: BorrowedFd<'_>| {
        u32::try_from(fd.as_raw_fd()).expect("a borrowed descriptor is not negative")
    };
    let attach = Attach {
        target_fd: number(group),
        attach_bpf_fd: number(filter),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: `attach` has the kernel's layout (a test holds it to its offsets) and is borrowed for the call; it holds no pointer, and
    // both descriptors are borrowed, hence open.
    let status = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_ATTACH,
            &raw const attach,
            size_of::<Attach>(),
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
    use std::mem::offset_of;

    #[test]
    fn structures_have_the_kernels_layout() {
        let load = [
            (offset_of!(Load, prog_type), 0),
            (offset_of!(Load, insn_cnt), 4),
            (offset_of!(Load, insns), 8),
            (offset_of!(Load, license), 16),
            (offset_of!(Load, log_level), 24),
            (offset_of!(Load, log_size), 28),
            (offset_of!(Load, log_buf), 32),
            (offset_of!(Load, kern_version), 40),
            (offset_of!(Load, prog_flags), 44),
            (size_of::<Load>(), 48),
        ];
        let attach = [
            (offset_of!(Attach, target_fd), 0),
            (offset_of!(Attach, attach_bpf_fd), 4),
            (offset_of!(Attach, attach_type), 8),
            (offset_of!(Attach, attach_flags), 12),
            (size_of::<Attach>(), 16),
        ];
        for (found, expected) in load.into_iter().chain(attach) {
            assert_eq!(found, expected);
        }
    }
}
