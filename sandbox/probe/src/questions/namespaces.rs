//! Namespaces and mounts: the walls themselves.

use super::kernel::{BAD, those};
use crate::arguments::Arguments;
use crate::call::{call, forked, waited};
use crate::questions::identity::path;
use crate::verdict::Verdict;

const NEWTIME: i32 = 0x80;

/// Each in a process of its own: whoever gets one is in it from then on.
pub(crate) fn namespaces(_: &Arguments) -> Verdict {
    let kinds = [
        ("user", libc::CLONE_NEWUSER),
        ("mount", libc::CLONE_NEWNS),
        ("pid", libc::CLONE_NEWPID),
        ("net", libc::CLONE_NEWNET),
        ("ipc", libc::CLONE_NEWIPC),
        ("uts", libc::CLONE_NEWUTS),
        ("cgroup", libc::CLONE_NEWCGROUP),
        ("time", NEWTIME),
        ("user and mount", libc::CLONE_NEWUSER | libc::CLONE_NEWNS),
    ];
    let mut got = Vec::new();
    for (name, flag) in kinds {
        let unshared =
            forked(|| i32::from(call(libc::SYS_unshare, [flag as usize, 0, 0, 0, 0, 0]).is_ok()));
        if unshared
            .map(waited)
            .is_ok_and(|status| libc::WEXITSTATUS(status) == 1)
        {
            got.push(format!("unshare {name}"));
        }
        // A clone's child ends at once.
        let flags = flag as usize | libc::SIGCHLD as usize;
        // The old call takes the flag of time for a part of the signal's number.
        if flag == NEWTIME {
            if cloned3(NEWTIME as u64).is_ok() {
                got.push("clone3 time".to_owned());
            }
            continue;
        }
        for (how, answer) in [
            ("clone", cloned(flags)),
            ("clone with bit 32", cloned(flags | 1 << 32)),
            ("clone3", cloned3(flag as u64)),
        ] {
            if answer.is_ok() {
                got.push(format!("{how} {name}"));
            }
        }
    }
    let own = path("/proc/self/ns/net");
    // SAFETY: the path ends in NUL.
    let fd = unsafe { libc::open(own.as_ptr(), libc::O_RDONLY) };
    if call(libc::SYS_setns, [fd as usize, 0, 0, 0, 0, 0]).is_ok() {
        got.push("setns".to_owned());
    }
    Verdict::of_successes(got)
}

fn cloned(flags: usize) -> Result<i64, i32> {
    ended(call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]))
}

fn cloned3(flags: u64) -> Result<i64, i32> {
    let mut arguments = [0_u64; 11];
    arguments[0] = flags;
    arguments[4] = libc::SIGCHLD as u64;
    ended(call(
        libc::SYS_clone3,
        [arguments.as_ptr() as usize, 88, 0, 0, 0, 0],
    ))
}

fn ended(answer: Result<i64, i32>) -> Result<i64, i32> {
    match answer {
        // SAFETY: this is the new process, of which nothing is needed.
        Ok(0) => unsafe { libc::_exit(0) },
        Ok(pid) => {
            waited(pid as libc::pid_t);
            Ok(pid)
        }
        Err(error) => Err(error),
    }
}

pub(crate) fn mounting(_: &Arguments) -> Verdict {
    let (nothing, root, tmpfs, tmp) = (
        c"".as_ptr() as usize,
        c"/".as_ptr() as usize,
        c"tmpfs".as_ptr() as usize,
        c"/tmp".as_ptr() as usize,
    );
    let here = libc::AT_FDCWD as usize;
    let remount = (libc::MS_REMOUNT | libc::MS_BIND) as usize;
    those(&[
        ("mount", libc::SYS_mount, [tmpfs, tmp, tmpfs, 0, 0, 0]),
        (
            "bind",
            libc::SYS_mount,
            [root, tmp, 0, libc::MS_BIND as usize, 0, 0],
        ),
        ("remount", libc::SYS_mount, [0, root, 0, remount, 0, 0]),
        (
            "remount of an input",
            libc::SYS_mount,
            [0, c"/in".as_ptr() as usize, 0, remount, 0, 0],
        ),
        (
            "propagation",
            libc::SYS_mount,
            [0, root, 0, libc::MS_SHARED as usize, 0, 0],
        ),
        (
            "umount",
            libc::SYS_umount2,
            [
                c"/proc/sys".as_ptr() as usize,
                libc::MNT_DETACH as usize,
                0,
                0,
                0,
                0,
            ],
        ),
        ("pivot_root", libc::SYS_pivot_root, [root, root, 0, 0, 0, 0]),
        ("chroot", libc::SYS_chroot, [root, 0, 0, 0, 0, 0]),
        ("fsopen", libc::SYS_fsopen, [tmpfs, 0, 0, 0, 0, 0]),
        ("fspick", libc::SYS_fspick, [here, root, 0, 0, 0, 0]),
        ("fsmount", libc::SYS_fsmount, [BAD, 0, 0, 0, 0, 0]),
        ("open_tree", libc::SYS_open_tree, [here, root, 1, 0, 0, 0]),
        (
            "move_mount",
            libc::SYS_move_mount,
            [here, root, here, tmp, 0, 0],
        ),
        (
            "mount_setattr",
            libc::SYS_mount_setattr,
            [here, root, 0, nothing, 32, 0],
        ),
    ])
}
