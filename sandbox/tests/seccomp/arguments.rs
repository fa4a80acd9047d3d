//! Rules that look at arguments.

use gradus_sandbox::seccomp::policy::When;
use gradus_sandbox::seccomp::{GPU, Policy};

use crate::cases::{meeting, number};
use crate::child::{Call, Filter, answers};

/// Upper halves of an argument, which the kernel drops and a filter must not see.
const UPPER: [u64; 3] = [0, 1 << 32, 0xFFFF_FFFF_0000_0000];

fn here(policy: &Policy) -> impl Iterator<Item = &When> {
    policy
        .when
        .iter()
        .filter(|when| number(&when.call).is_some())
}

#[test]
fn every_value_of_every_case_answers_as_it_does_without_the_filters() {
    allowed(&Policy::trainer(), Filter::On);
}

#[test]
fn the_same_with_a_gpu() {
    allowed(&Policy::trainer_with_gpu(), Filter::Gpu);
}

fn allowed(policy: &Policy, filter: Filter) {
    let mut calls = Vec::new();
    for when in here(policy) {
        for case in &when.case {
            for argument in &case.arguments {
                let base = meeting(when, case);
                for value in &argument.is {
                    for upper in UPPER {
                        let mut arguments = base;
                        let at = &mut arguments[usize::from(argument.index)];
                        let beside = *at & u64::from(!argument.mask);
                        *at = u64::from(*value) | beside | upper;
                        assert!(case.matches(&arguments));
                        if (when.call.as_str(), *value) == ("prctl", 29) {
                            // SET_TIMERSLACK takes -1, and GET_TIMERSLACK would then return it
                            arguments[1] = 50_000;
                        }
                        calls.push(Call::new(&when.call, arguments));
                    }
                }
            }
        }
    }
    assert!(calls.len() > 300, "{}", calls.len());
    let (bare, filtered) = (answers(Filter::Off, &calls), answers(filter, &calls));
    for ((call, bare), filtered) in calls.iter().zip(bare).zip(filtered) {
        assert_eq!(
            filtered, bare,
            "{call:x?}: {filtered} with the filters, {bare} without"
        );
        // arch_prctl says EPERM to an address that is none
        let clear =
            !(call.name == "arch_prctl" && matches!(call.arguments[0] as u32, 0x1001 | 0x1002));
        assert!(
            !clear || ![libc::EPERM, libc::ENOSYS].contains(&bare),
            "{call:x?} says nothing: {bare}"
        );
    }
}

#[test]
fn a_value_beside_every_case_answers_eperm() {
    stopped(&Policy::trainer(), Filter::On);
}

#[test]
fn the_same_with_a_gpu_too() {
    stopped(&Policy::trainer_with_gpu(), Filter::Gpu);
}

fn stopped(policy: &Policy, filter: Filter) {
    let mut calls = Vec::new();
    for when in here(policy) {
        for case in &when.case {
            for argument in &case.arguments {
                let index = usize::from(argument.index);
                let base = meeting(when, case);
                let matched = |it: &[u64; 6]| when.case.iter().any(|case| case.matches(it));
                let beside = (0..32).map(|bit| {
                    let mut arguments = base;
                    arguments[index] ^= 1 << bit;
                    arguments
                });
                let beside: Vec<[u64; 6]> = beside.filter(|it| !matched(it)).collect();
                assert!(!beside.is_empty(), "{}: every value is allowed", when.call);
                for mut arguments in beside {
                    for upper in UPPER {
                        arguments[index] = arguments[index] & 0xFFFF_FFFF | upper;
                        calls.push(Call::new(&when.call, arguments));
                    }
                }
            }
        }
    }
    assert!(calls.len() > 1000, "{}", calls.len());
    for (call, answer) in calls.iter().zip(answers(filter, &calls)) {
        assert_eq!(answer, libc::EPERM, "{call:x?}");
    }
}

/// What an attacker would try, with names. None of it is EPERM without the filters: the descriptors, addresses and paths are none.
const ATTACKS: [(&str, &str, [u64; 3]); 50] = [
    ("clone", "NEWNS", [0x0002_0000, 0, 0]),
    ("clone", "NEWCGROUP", [0x0200_0000, 0, 0]),
    ("clone", "NEWUTS", [0x0400_0000, 0, 0]),
    ("clone", "NEWIPC", [0x0800_0000, 0, 0]),
    ("clone", "NEWUSER", [0x1000_0000, 0, 0]),
    ("clone", "NEWPID", [0x2000_0000, 0, 0]),
    ("clone", "NEWNET", [0x4000_0000, 0, 0]),
    (
        "clone",
        "NEWUSER among the flags of a thread",
        [0x103D_0F00, 0, 0],
    ),
    ("socket", "VSOCK", [40, 1, 0]),
    ("socket", "PACKET", [17, 3, 0x0300]),
    ("socket", "ALG", [38, 5, 0]),
    ("socket", "raw IPv4", [2, 3, 1]),
    ("socket", "raw IPv6", [10, 3, 58]),
    ("socket", "SCTP", [2, 1, 132]),
    ("socket", "MPTCP", [2, 1, 262]),
    ("socket", "UDP-Lite", [2, 2, 136]),
    ("socket", "netlink of netfilter", [16, 3, 12]),
    ("socket", "netlink of sockets", [16, 3, 4]),
    ("socket", "netlink of uevents", [16, 2, 15]),
    ("socket", "Bluetooth", [31, 3, 1]),
    ("socket", "TIPC", [30, 1, 0]),
    ("socket", "CAN", [29, 3, 1]),
    ("socket", "XDP", [44, 3, 0]),
    ("socket", "key management", [15, 3, 2]),
    ("socketpair", "TIPC", [30, 1, 0]),
    ("ioctl", "TIOCSTI", [u64::MAX, 0x5412, 0]),
    ("ioctl", "TIOCLINUX", [u64::MAX, 0x541C, 0]),
    ("ioctl", "TIOCSETD", [u64::MAX, 0x5423, 0]),
    ("ioctl", "TIOCCONS", [u64::MAX, 0x541D, 0]),
    ("ioctl", "UVM_TOOLS_READ_PROCESS_MEMORY", [u64::MAX, 62, 0]),
    ("ioctl", "UVM_TOOLS_WRITE_PROCESS_MEMORY", [u64::MAX, 63, 0]),
    ("ioctl", "UVM_TOOLS_INIT_EVENT_TRACKER", [u64::MAX, 56, 0]),
    ("ioctl", "UVM_RUN_TEST", [u64::MAX, 200, 0]),
    ("ioctl", "EXPORT_TO_DMABUF_FD", [u64::MAX, 0xC010_46D9, 0]),
    ("ioctl", "NVKMS of displays", [u64::MAX, 0xC010_6D00, 0]),
    ("ioctl", "DRM_IOCTL_VERSION", [u64::MAX, 0xC040_6400, 0]),
    ("ioctl", "KVM_CREATE_VM", [u64::MAX, 0xAE01, 0]),
    ("ioctl", "NS_GET_USERNS", [u64::MAX, 0xB701, 0]),
    ("prctl", "SET_MM", [35, u64::MAX, 0]),
    ("prctl", "SET_SPECULATION_CTRL", [53, u64::MAX, 0]),
    ("prctl", "SET_SYSCALL_USER_DISPATCH", [59, u64::MAX, 0]),
    ("prctl", "SET_MEMORY_MERGE", [67, u64::MAX, 0]),
    ("personality", "READ_IMPLIES_EXEC", [0x0040_0000, 0, 0]),
    ("personality", "MMAP_PAGE_ZERO", [0x0010_0000, 0, 0]),
    ("mknod", "a character device", [u64::MAX, 0x21B6, 0x0103]),
    ("mknod", "a block device", [u64::MAX, 0x61B6, 0x0700]),
    (
        "mknodat",
        "an overlay's whiteout",
        [u64::MAX, u64::MAX, 0x2000],
    ),
    ("seccomp", "NEW_LISTENER", [1, 8, 0]),
    ("seccomp", "GET_NOTIF_SIZES", [3, 0, 0]),
    ("arch_prctl", "MAP_VDSO_64", [0x2003, 0, 0]),
];

#[test]
fn what_an_attacker_would_try_answers_eperm() {
    let mut calls = Vec::new();
    let mut names = Vec::new();
    for (call, name, [a, b, c]) in ATTACKS {
        if number(call).is_none() {
            continue;
        }
        for upper in UPPER {
            // the upper half of the argument that says what it is; of -1 it is set already
            calls.push(Call::new(call, [a | upper, b | upper, c | upper, 0, 0, 0]));
            names.push(format!("{call} {name} {upper:#x}"));
        }
    }
    for filter in [Filter::On, Filter::Gpu] {
        for (name, answer) in names.iter().zip(answers(filter, &calls)) {
            assert_eq!(answer, libc::EPERM, "{name} with {filter:?}");
        }
    }
}

#[test]
fn a_job_without_a_gpu_asks_nothing_of_its_driver() {
    let more = Policy::parse(GPU).unwrap();
    let mut calls = Vec::new();
    for when in here(&more) {
        for case in &when.case {
            for argument in &case.arguments {
                for value in &argument.is {
                    let mut arguments = meeting(when, case);
                    arguments[usize::from(argument.index)] = u64::from(*value);
                    calls.push(Call::new(&when.call, arguments));
                }
            }
        }
    }
    assert_eq!(calls.len(), 49);
    let (without, with) = (answers(Filter::On, &calls), answers(Filter::Gpu, &calls));
    for ((call, without), with) in calls.iter().zip(without).zip(with) {
        assert_eq!((without, with), (libc::EPERM, libc::EBADF), "{call:x?}");
    }
}

#[test]
fn a_whiteout_is_not_renamed_into_being() {
    let call = |flags| {
        Call::new(
            "renameat2",
            [u64::MAX, u64::MAX, u64::MAX, u64::MAX, flags, 0],
        )
    };
    assert_eq!(
        answers(Filter::On, &[call(4), call(4 | 1 << 40), call(0), call(2)])[..2],
        [libc::EPERM, libc::EPERM]
    );
    assert_eq!(
        answers(Filter::On, &[call(0), call(2)]),
        [libc::EFAULT, libc::EFAULT]
    );
}
