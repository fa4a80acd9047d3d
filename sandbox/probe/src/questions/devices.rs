//! Device nodes and terminals.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::files::walk;
use crate::arguments::Arguments;
use crate::call::{errno, name_of};
use crate::questions::identity::{opens, path};
use crate::verdict::Verdict;

/// Devices by number: the host's memory, its disks, its kernel's interfaces, its GPUs.
const DEVICES: [(&str, u32, u32, u32); 16] = [
    ("mem", libc::S_IFCHR, 1, 1),
    ("port", libc::S_IFCHR, 1, 4),
    ("zero", libc::S_IFCHR, 1, 5),
    ("kmsg", libc::S_IFCHR, 1, 11),
    ("whiteout", libc::S_IFCHR, 0, 0),
    ("console", libc::S_IFCHR, 5, 1),
    ("tun", libc::S_IFCHR, 10, 200),
    ("fuse", libc::S_IFCHR, 10, 229),
    ("kvm", libc::S_IFCHR, 10, 232),
    ("loop-control", libc::S_IFCHR, 10, 237),
    ("gpu 0", libc::S_IFCHR, 195, 0),
    ("gpu 7", libc::S_IFCHR, 195, 7),
    ("loop 0", libc::S_IFBLK, 7, 0),
    ("sda", libc::S_IFBLK, 8, 0),
    ("vda", libc::S_IFBLK, 254, 0),
    ("nvme", libc::S_IFBLK, 259, 0),
];

/// Makes nodes in every directory that may be written, and opens what it has made.
pub(crate) fn device_nodes(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    for folder in ["/", "/tmp", "/dev", "/dev/shm", "/out"] {
        for (name, kind, major, minor) in DEVICES {
            let file = path(&format!("{folder}/probe-node"));
            // SAFETY: the path ends in NUL.
            if unsafe { libc::mknod(file.as_ptr(), kind | 0o666, libc::makedev(major, minor)) } == 0
            {
                let opened = opens(&format!("{folder}/probe-node"), libc::O_RDONLY).is_ok();
                successes.push(format!(
                    "{name} in {folder}{}",
                    if opened { ", open" } else { "" }
                ));
                // SAFETY: as above.
                unsafe { libc::unlink(file.as_ptr()) };
            }
        }
    }
    Verdict::of_successes(successes)
}

/// Nodes in `/dev` that open, but for those that hold no state.
pub(crate) fn open_devices(_: &Arguments) -> Verdict {
    let harmless = [
        "null", "zero", "full", "random", "urandom", "tty", "ptmx", "console",
    ];
    let mut successes = Vec::new();
    walk(Path::new("/dev"), 3, &mut |file, _| {
        // Not by what the directory says: a node that is mounted lies over an empty file.
        let Ok(kind) = fs::symlink_metadata(file).map(|meta| meta.file_type()) else {
            return;
        };
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let device = kind.is_char_device() || kind.is_block_device();
        let pts = file.starts_with("/dev/pts");
        if device
            && !pts
            && !harmless.contains(&&*name)
            && opens(&file.to_string_lossy(), libc::O_RDONLY).is_ok()
        {
            successes.push(name);
        }
    });
    Verdict::of_successes(successes)
}

/// Changes to the nodes of `/dev` themselves, which are the host's.
pub(crate) fn device_attributes(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    // What is hidden in `/proc` is hidden by the null device.
    for name in [
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/proc/keys",
        "/proc/timer_list",
    ] {
        let node = path(name);
        // SAFETY: the path ends in NUL, and null stands for "now".
        let changed = unsafe {
            [
                libc::utimensat(libc::AT_FDCWD, node.as_ptr(), std::ptr::null(), 0),
                libc::chmod(node.as_ptr(), 0o666),
                libc::chown(node.as_ptr(), 0, 0),
            ]
        };
        if changed.contains(&0) {
            successes.push(name.to_owned());
        }
    }
    let written = fs::write("/dev/null", "x");
    match written {
        Ok(()) => Verdict::of_successes(successes),
        Err(error) => Verdict::allowed(format!("/dev/null is broken: {error}")),
    }
}

/// The terminal of this session, of which there is none, is the one node that is there for programs to find and not to open.
pub(crate) fn device_filter(_: &Arguments) -> Verdict {
    match opens("/dev/tty", libc::O_RDWR) {
        Err(error @ (libc::EPERM | libc::ENOENT)) => Verdict::refused(name_of(error)),
        Err(error) => Verdict::allowed(format!("got as far as {}", name_of(error))),
        Ok(()) => Verdict::allowed("opened"),
    }
}

/// How many terminals it can have: their number is the host's.
pub(crate) fn terminals(_: &Arguments) -> Verdict {
    let ptmx = path("/dev/ptmx");
    let mut count = 0;
    // SAFETY: the path ends in NUL. The descriptors go with this process.
    while count < 2000 && unsafe { libc::open(ptmx.as_ptr(), libc::O_RDWR | libc::O_NOCTTY) } != -1
    {
        count += 1;
    }
    let detail = format!("{count}, then {}", name_of(errno()));
    // The host keeps 1024 for itself, and has 4096 as a rule.
    match count {
        0 => Verdict::refused(detail),
        1..=256 => Verdict::contained(detail),
        _ => Verdict::allowed(detail),
    }
}
