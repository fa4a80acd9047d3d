//! `/proc` and `/sys`: the kernel's own files. None is written to.

use std::fs;
use std::path::Path;

use crate::arguments::Arguments;
use crate::questions::files::{can_write, walk};
use crate::questions::identity::opens;
use crate::verdict::Verdict;

/// Every setting that can be written.
pub(crate) fn proc_sys(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    let mut number = 0;
    walk(Path::new("/proc/sys"), 8, &mut |file, _| {
        number += 1;
        let file = file.to_string_lossy();
        if can_write(&file) {
            successes.push(file["/proc/sys/".len()..].to_owned());
        }
    });
    match (successes.is_empty(), number) {
        (true, number) if number > 100 => Verdict::refused(format!("{number} settings")),
        (true, _) => Verdict::refused("not there"),
        _ => Verdict::of_successes(successes),
    }
}

/// What tells about the host, its memory or its kernel's addresses.
pub(crate) fn proc_secrets(_: &Arguments) -> Verdict {
    let files = [
        "/proc/kcore",
        "/proc/kmsg",
        "/proc/keys",
        "/proc/timer_list",
        "/proc/sched_debug",
        "/proc/kpagemap",
        "/proc/kpageflags",
        "/proc/kpagecount",
        "/proc/slabinfo",
        "/proc/vmallocinfo",
        "/proc/pagetypeinfo",
        "/proc/interrupts",
        "/proc/latency_stats",
    ];
    let mut successes: Vec<String> = files
        .iter()
        .filter(|file| {
            fs::File::open(file).is_ok_and(|mut opened| {
                use std::io::Read;
                opened.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0)
            })
        })
        .map(|file| (*file).to_owned())
        .collect();
    for (file, what) in [
        ("/proc/kallsyms", 0),
        ("/proc/iomem", 0),
        ("/proc/modules", 5),
    ] {
        let text = fs::read_to_string(file).unwrap_or_default();
        let addresses = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(what));
        let zero = |address: &str| {
            address
                .trim_start_matches("0x")
                .bytes()
                .all(|byte| matches!(byte, b'0' | b'-'))
        };
        if addresses.take(1000).any(|address| !zero(address)) {
            successes.push(format!("addresses in {file}"));
        }
    }
    if fs::read_dir("/proc/acpi").is_ok_and(|entries| entries.count() > 0) {
        successes.push("/proc/acpi".to_owned());
    }
    Verdict::of_successes(successes)
}

/// Files directly below `/proc` that can be written: all are the whole machine's.
pub(crate) fn proc_writable(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let own = name.bytes().all(|byte| byte.is_ascii_digit())
            || ["self", "thread-self", "sys"].contains(&&*name);
        if own {
            continue;
        }
        let mut look = |file: &Path| {
            let file = file.to_string_lossy();
            // A masked file is the null device.
            let masked = fs::metadata(&*file).is_ok_and(|meta| {
                std::os::unix::fs::FileTypeExt::is_char_device(&meta.file_type())
            });
            if !masked && can_write(&file) {
                successes.push(file.into_owned());
            }
        };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), 3, &mut |file, _| look(file)),
            Ok(kind) if kind.is_file() => look(&entry.path()),
            _ => {}
        }
    }
    Verdict::of_successes(successes)
}

/// Everything in `/sys` that can be written.
pub(crate) fn sys_writable(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    let mut number = 0;
    for top in [
        "kernel",
        "power",
        "module",
        "class",
        "bus",
        "firmware",
        "fs",
        "devices",
        "block",
        "dev",
        "hypervisor",
    ] {
        walk(&Path::new("/sys").join(top), 8, &mut |file, kind| {
            number += 1;
            if kind.is_file() && number < 40_000 && can_write(&file.to_string_lossy()) {
                successes.push(file.display().to_string());
            }
        });
    }
    match successes.is_empty() {
        true => Verdict::refused(format!("{number} files")),
        false => Verdict::of_successes(successes),
    }
}

/// What tells which jobs there are beside this one: a loop device names the file behind it.
pub(crate) fn sys_other_jobs(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    for folder in [
        "/sys/devices/virtual/block",
        "/sys/block",
        "/sys/class/block",
        "/sys/dev/block",
    ] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if let Ok(text) = fs::read_to_string(entry.path().join("loop/backing_file")) {
                successes.push(format!("{}: {}", entry.path().display(), text.trim()));
            }
        }
    }
    for folder in ["/sys/fs/ext4", "/proc/fs/ext4"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "features" {
                successes.push(format!("{folder}/{name}"));
            }
        }
    }
    Verdict::of_successes(successes)
}

/// Control groups: their file system, files of it that can be written, programs that the kernel runs when one is empty.
pub(crate) fn control_groups(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    let types = [("cgroup", "memory"), ("cgroup2", "")];
    for (kind, data) in types {
        let (kind_path, data) = (super::identity::path(kind), super::identity::path(data));
        let answer = crate::call::call(
            libc::SYS_mount,
            [
                kind_path.as_ptr() as usize,
                c"/tmp".as_ptr() as usize,
                kind_path.as_ptr() as usize,
                0,
                data.as_ptr() as usize,
                0,
            ],
        );
        if answer.is_ok() {
            successes.push(format!("{kind} can be mounted"));
        }
    }
    walk(Path::new("/sys/fs/cgroup"), 6, &mut |file, _| {
        if can_write(&file.to_string_lossy()) {
            successes.push(file.display().to_string());
        }
    });
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let outside = own.lines().filter(|line| !line.ends_with(":/"));
    successes.extend(outside.map(|line| format!("sees where its group is: {line}")));
    Verdict::of_successes(successes)
}

/// Registering an interpreter, which the kernel would run for other programs.
pub(crate) fn binfmt(_: &Arguments) -> Verdict {
    let files = ["register", "status"].map(|name| format!("/proc/sys/fs/binfmt_misc/{name}"));
    let opened = files
        .into_iter()
        .filter(|file| opens(file, libc::O_WRONLY).is_ok());
    Verdict::of_successes(opened.collect())
}
