//! System calls that no training program needs. Arguments are such that a call which is let through does nothing.

use crate::arguments::Arguments;
use crate::call::{call, forked, judge, name_of, waited};
use crate::verdict::Verdict;

pub(super) const BAD: usize = usize::MAX;

/// Those of `calls` that came further than a refusal.
pub(super) fn those(calls: &[(&str, libc::c_long, [usize; 6])]) -> Verdict {
    let answers = calls
        .iter()
        .map(|(name, number, arguments)| (*name, call(*number, *arguments)));
    reached(answers)
}

fn reached<'a>(answers: impl IntoIterator<Item = (&'a str, Result<i64, i32>)>) -> Verdict {
    let mut successes = Vec::new();
    for (name, answer) in answers {
        match answer {
            Err(libc::EPERM | libc::ENOSYS | libc::EACCES) => {}
            Err(error) => successes.push(format!("{name} ({})", name_of(error))),
            Ok(_) => successes.push(name.to_owned()),
        }
    }
    Verdict::of_successes(successes)
}

pub(crate) fn kernel_code(_: &Arguments) -> Verdict {
    those(&[
        ("init_module", libc::SYS_init_module, [0, 0, 0, 0, 0, 0]),
        ("finit_module", libc::SYS_finit_module, [BAD, 0, 0, 0, 0, 0]),
        ("delete_module", libc::SYS_delete_module, [0, 0, 0, 0, 0, 0]),
        ("kexec_load", libc::SYS_kexec_load, [0, 0, 0, BAD, 0, 0]),
        (
            "kexec_file_load",
            libc::SYS_kexec_file_load,
            [BAD, BAD, 0, 0, BAD, 0],
        ),
        // With a wrong magic number: a kernel that would do it says EINVAL.
        ("reboot", libc::SYS_reboot, [1, 1, 0, 0, 0, 0]),
    ])
}

pub(crate) fn keys(_: &Arguments) -> Verdict {
    let (user, name) = (c"user".as_ptr() as usize, c"gradus-probe".as_ptr() as usize);
    those(&[
        (
            "keyctl",
            libc::SYS_keyctl,
            [0, -3_isize as usize, 0, 0, 0, 0],
        ),
        (
            "add_key",
            libc::SYS_add_key,
            [user, name, name, 1, -1_isize as usize, 0],
        ),
        (
            "request_key",
            libc::SYS_request_key,
            [user, name, 0, 0, 0, 0],
        ),
    ])
}

pub(crate) fn bpf(_: &Arguments) -> Verdict {
    let attributes = [0_u8; 128];
    judge(call(
        libc::SYS_bpf,
        [5, attributes.as_ptr() as usize, 128, 0, 0, 0],
    ))
}

pub(crate) fn perf(_: &Arguments) -> Verdict {
    let mut attributes = [0_u32; 32];
    (attributes[0], attributes[1]) = (1, 128);
    // User space of itself only: what most kernels let everybody have.
    attributes[10] = 0x60;
    judge(call(
        libc::SYS_perf_event_open,
        [attributes.as_ptr() as usize, 0, BAD, BAD, 0, 0],
    ))
}

/// How much of the host's number of operations under way it can have.
pub(crate) fn asynchronous_files(_: &Arguments) -> Verdict {
    let mut contexts = 0;
    loop {
        let context = 0_u64;
        // What it has goes with this process.
        match call(
            libc::SYS_io_setup,
            [1024, &raw const context as usize, 0, 0, 0, 0],
        ) {
            Ok(_) if contexts < 1000 => contexts += 1,
            Err(error) if contexts == 0 => return Verdict::refused(name_of(error)),
            _ => break,
        }
    }
    let number = std::fs::read_to_string("/proc/sys/fs/aio-nr").unwrap_or_default();
    Verdict::allowed(format!("{contexts} contexts, {} operations", number.trim()))
}

pub(crate) fn userfaultfd(_: &Arguments) -> Verdict {
    const USER_MODE_ONLY: usize = 1;
    judge(call(libc::SYS_userfaultfd, [USER_MODE_ONLY, 0, 0, 0, 0, 0]))
}

pub(crate) fn io_uring(_: &Arguments) -> Verdict {
    let parameters = [0_u8; 128];
    those(&[
        (
            "setup",
            libc::SYS_io_uring_setup,
            [4, parameters.as_ptr() as usize, 0, 0, 0, 0],
        ),
        ("enter", libc::SYS_io_uring_enter, [BAD, 0, 0, 0, 0, 0]),
        (
            "register",
            libc::SYS_io_uring_register,
            [BAD, 0, 0, 0, 0, 0],
        ),
    ])
}

/// Of the first process and of a child, which some kernels let everybody trace.
pub(crate) fn tracing(_: &Arguments) -> Verdict {
    let Ok(child) = forked(|| {
        // SAFETY: no memory is passed.
        unsafe { libc::sleep(5) };
        0
    }) else {
        return Verdict::allowed("not asked: no process");
    };
    let (buffer, child_id) = ([0_u8; 8], child as usize);
    let local = [buffer.as_ptr() as usize, 8];
    let remote = [buffer.as_ptr() as usize, 8];
    let (local, remote) = (local.as_ptr() as usize, remote.as_ptr() as usize);
    let verdict = those(&[
        (
            "seize child",
            libc::SYS_ptrace,
            [0x4206, child_id, 0, 0, 0, 0],
        ),
        ("seize 1", libc::SYS_ptrace, [0x4206, 1, 0, 0, 0, 0]),
        (
            "read child",
            libc::SYS_process_vm_readv,
            [child_id, local, 1, remote, 1, 0],
        ),
        (
            "read 1",
            libc::SYS_process_vm_readv,
            [1, local, 1, remote, 1, 0],
        ),
        (
            "write child",
            libc::SYS_process_vm_writev,
            [child_id, local, 1, remote, 1, 0],
        ),
        ("kcmp", libc::SYS_kcmp, [child_id, child_id, 0, 0, 0, 0]),
        ("pidfd_getfd", libc::SYS_pidfd_getfd, [BAD, 0, 0, 0, 0, 0]),
        (
            "process_madvise",
            libc::SYS_process_madvise,
            [BAD, 0, 0, 0, 0, 0],
        ),
    ]);
    // SAFETY: no memory is passed.
    unsafe { libc::kill(child, libc::SIGKILL) };
    waited(child);
    verdict
}

/// Files below no path, as a container's escape of 2014 opened them.
pub(crate) fn handles(_: &Arguments) -> Verdict {
    let handle = [8_u32, 1, 2, 0];
    those(&[
        (
            "open",
            libc::SYS_open_by_handle_at,
            [
                libc::AT_FDCWD as usize,
                handle.as_ptr() as usize,
                0,
                0,
                0,
                0,
            ],
        ),
        ("name", libc::SYS_name_to_handle_at, [BAD, 0, 0, 0, 0, 0]),
    ])
}

/// With a zone and a length of a tick that there are not: a kernel that would set them says EINVAL.
pub(crate) fn clocks(_: &Arguments) -> Verdict {
    let (zone, mut timex) = ([99_999_i32, 0], [0_u32; 52]);
    timex[0] = 0x4000;
    those(&[
        (
            "settimeofday",
            libc::SYS_settimeofday,
            [0, zone.as_ptr() as usize, 0, 0, 0, 0],
        ),
        (
            "adjtimex",
            libc::SYS_adjtimex,
            [timex.as_ptr() as usize, 0, 0, 0, 0, 0],
        ),
    ])
}

pub(crate) fn swap_and_accounting(_: &Arguments) -> Verdict {
    let nowhere = c"/nowhere".as_ptr() as usize;
    those(&[
        ("swapon", libc::SYS_swapon, [nowhere, 0, 0, 0, 0, 0]),
        ("swapoff", libc::SYS_swapoff, [nowhere, 0, 0, 0, 0, 0]),
        ("acct", libc::SYS_acct, [nowhere, 0, 0, 0, 0, 0]),
        (
            "quotactl",
            libc::SYS_quotactl,
            [0x8000_0100, nowhere, 0, 0, 0, 0],
        ),
        ("fanotify", libc::SYS_fanotify_init, [0, 0, 0, 0, 0, 0]),
        ("vhangup", libc::SYS_vhangup, [0; 6]),
        (
            "setdomainname",
            libc::SYS_setdomainname,
            [0, BAD, 0, 0, 0, 0],
        ),
    ])
}

pub(crate) fn kernel_log(_: &Arguments) -> Verdict {
    let mut bytes = [0_u8; 64];
    let read = call(
        libc::SYS_syslog,
        [3, bytes.as_mut_ptr() as usize, 64, 0, 0, 0],
    );
    let opened = super::identity::opens("/dev/kmsg", libc::O_RDONLY).map(|()| 0);
    let proc = super::identity::opens("/proc/kmsg", libc::O_RDONLY).map(|()| 0);
    let absent = |answer| {
        if answer == Err(libc::ENOENT) {
            Err(libc::EPERM)
        } else {
            answer
        }
    };
    reached([
        ("syslog", read),
        ("/dev/kmsg", absent(opened)),
        ("/proc/kmsg", absent(proc)),
    ])
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ports(_: &Arguments) -> Verdict {
    Verdict::refused("this processor has none")
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn ports(_: &Arguments) -> Verdict {
    let entry = [0_u8; 16];
    those(&[
        ("iopl", libc::SYS_iopl, [3, 0, 0, 0, 0, 0]),
        ("ioperm", libc::SYS_ioperm, [0x80, 1, 1, 0, 0, 0]),
        (
            "modify_ldt",
            libc::SYS_modify_ldt,
            [1, entry.as_ptr() as usize, 16, 0, 0, 0],
        ),
    ])
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn other_architectures(_: &Arguments) -> Verdict {
    Verdict::refused("this processor has none")
}

/// `getpid` by the call gates of i386 and x32, to which no filter of x86-64 numbers applies.
#[cfg(target_arch = "x86_64")]
pub(crate) fn other_architectures(_: &Arguments) -> Verdict {
    let old = crate::call::isolated(|| {
        let answer: i64;
        // SAFETY: call 20 of i386 is getpid, which takes nothing; it clobbers what is named.
        unsafe {
            std::arch::asm!("int 0x80", inlateout("rax") 20_i64 => answer, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
        }
        judge(if answer > 0 {
            Ok(answer)
        } else {
            Err(-answer as i32)
        })
    });
    let x32 = crate::call::isolated(|| judge(call(0x4000_0000 + libc::SYS_getpid, [0; 6])));
    let both = [("int 0x80", old), ("x32", x32)];
    let through = both
        .iter()
        .filter(|(_, verdict)| verdict.encode()[0] != b'r');
    Verdict::of_successes(through.map(|(name, _)| (*name).to_owned()).collect())
}

/// Typing into a terminal, which a shell that comes after would run.
pub(crate) fn terminal_injection(_: &Arguments) -> Verdict {
    let mut answers = Vec::new();
    for (name, command) in [
        ("TIOCSTI", 0x5412),
        ("TIOCLINUX", 0x541C),
        ("TIOCSETD", 0x5423),
    ] {
        // Of the upper half, which the kernel drops, a comparison of 64 bits would be fooled.
        for high in [0, 1 << 32] {
            answers.push((
                name,
                call(
                    libc::SYS_ioctl,
                    [1, command | high, c"x".as_ptr() as usize, 0, 0, 0],
                ),
            ));
        }
    }
    reached(answers)
}

pub(crate) fn unusual_calls(_: &Arguments) -> Verdict {
    const READ_IMPLIES_EXEC: usize = 0x0040_0000;
    const SET_MM: usize = 35;
    const SECCOMP_NEW_LISTENER: usize = 8;
    const MAP_HUGE: usize = 0;
    // One instruction: return ALLOW.
    let allow = [0x7FFF_0000_0000_0006_u64];
    let program = [1_usize, allow.as_ptr() as usize];
    those(&[
        (
            "memfd_secret",
            libc::SYS_memfd_secret,
            [MAP_HUGE, 0, 0, 0, 0, 0],
        ),
        (
            "personality",
            libc::SYS_personality,
            [READ_IMPLIES_EXEC, 0, 0, 0, 0, 0],
        ),
        ("prctl SET_MM", libc::SYS_prctl, [SET_MM, 0, 0, 0, 0, 0]),
        (
            "seccomp listener",
            libc::SYS_seccomp,
            [1, SECCOMP_NEW_LISTENER, program.as_ptr() as usize, 0, 0, 0],
        ),
        (
            "remap_file_pages",
            libc::SYS_remap_file_pages,
            [1, 0, 0, 0, 0, 0],
        ),
        (
            "migrate_pages",
            libc::SYS_migrate_pages,
            [0, BAD, 0, 0, 0, 0],
        ),
        ("vmsplice", libc::SYS_vmsplice, [BAD, 0, 0, 0, 0, 0]),
    ])
}
