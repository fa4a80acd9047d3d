//! Mounts, and files that are not the job's.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::arguments::Arguments;
use crate::call::call;
use crate::questions::identity::{opens, path};
use crate::verdict::Verdict;

/// Every file below `folder`, without following links.
pub(super) fn walk(folder: &Path, depth: usize, each: &mut dyn FnMut(&Path, fs::FileType)) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth > 0 {
            walk(&entry.path(), depth - 1, each);
        } else if !kind.is_dir() {
            each(&entry.path(), kind);
        }
    }
}

/// Ways to name a path of the host from inside.
fn ways(target: &str) -> Vec<String> {
    let mut ways = vec![
        target.to_owned(),
        format!("/proc/self/cwd/../../../../../..{target}"),
        format!("/proc/self/root/..{target}"),
        format!("/proc/1/root{target}"),
        format!("/proc/1/cwd{target}"),
        format!("/proc/thread-self/root/../..{target}"),
        format!("/../../../../../..{target}"),
        format!("/sys/fs/cgroup/../../../..{target}"),
        format!("/dev/fd/0/..{target}"),
    ];
    for fd in 0..32 {
        ways.push(format!(
            "/proc/self/fd/{fd}/../../../../../../../../..{target}"
        ));
    }
    ways
}

/// Paths of the host that were given as `host-file=`.
pub(crate) fn host_files(arguments: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    for target in arguments.all("host-file") {
        for way in ways(target) {
            if fs::metadata(&way).is_ok() || fs::read(&way).is_ok() {
                successes.push(way);
            }
        }
    }
    Verdict::of_successes(successes)
}

/// Looks for the text `canary=` in all that can be read.
pub(crate) fn canaries(arguments: &Arguments) -> Verdict {
    let texts: Vec<&str> = arguments.all("canary").collect();
    let mut successes = Vec::new();
    let mut looked: u32 = 0;
    for top in fs::read_dir("/").into_iter().flatten().flatten() {
        if ["/proc", "/sys", "/dev"]
            .iter()
            .any(|not| top.path() == Path::new(not))
        {
            continue;
        }
        let mut look = |file: &Path, kind: fs::FileType| {
            looked += 1;
            if !kind.is_file() || looked > 20_000 {
                return;
            }
            let mut bytes = Vec::new();
            let read = fs::File::open(file).map(|opened| opened.take(4096).read_to_end(&mut bytes));
            let text = String::from_utf8_lossy(&bytes);
            if read.is_ok() && texts.iter().any(|canary| text.contains(canary)) {
                successes.push(file.display().to_string());
            }
        };
        match top.file_type() {
            Ok(kind) if kind.is_dir() => walk(&top.path(), 16, &mut look),
            Ok(kind) => look(&top.path(), kind),
            Err(_) => {}
        }
    }
    Verdict::of_successes(successes)
}

/// Everything that changes what is in `/in`.
pub(crate) fn read_only_inputs(_: &Arguments) -> Verdict {
    let Some(file) = first_file(Path::new("/in")) else {
        return Verdict::refused("no input");
    };
    let (name, new) = (path(&file.to_string_lossy()), path("/in/probe-new"));
    let (name, new) = (name.as_ptr(), new.as_ptr());
    let flags = [
        ("write", libc::O_WRONLY),
        ("append", libc::O_WRONLY | libc::O_APPEND),
        ("truncate on open", libc::O_RDONLY | libc::O_TRUNC),
    ];
    let mut successes: Vec<String> = flags
        .into_iter()
        .filter(|(_, flags)| opens(&file.to_string_lossy(), *flags).is_ok())
        .map(|(what, _)| what.to_owned())
        .collect();
    let (user, times) = (c"user.probe".as_ptr(), std::ptr::null());
    // SAFETY: all paths end in NUL, and null stands for "now".
    let changes = unsafe {
        [
            ("truncate", libc::truncate(name, 0)),
            ("chmod", libc::chmod(name, 0o666)),
            ("chown", libc::chown(name, 0, 0)),
            ("times", libc::utimensat(libc::AT_FDCWD, name, times, 0)),
            ("xattr", libc::setxattr(name, user, user.cast(), 1, 0)),
            (
                "hard link outside",
                libc::link(name, c"/tmp/probe-link".as_ptr()),
            ),
            ("hard link", libc::link(name, new)),
            ("symlink", libc::symlink(name, new)),
            ("directory", libc::mkdir(new, 0o777)),
            ("fifo", libc::mkfifo(new, 0o666)),
            ("rename", libc::rename(name, new)),
            ("unlink", libc::unlink(name)),
        ]
    };
    successes.extend(
        changes
            .iter()
            .filter(|(_, result)| *result == 0)
            .map(|(what, _)| (*what).to_owned()),
    );
    Verdict::of_successes(successes)
}

fn first_file(folder: &Path) -> Option<PathBuf> {
    let mut found = None;
    walk(folder, 4, &mut |file, kind| {
        if kind.is_file() && found.is_none() {
            found = Some(file.to_owned());
        }
    });
    found
}

/// Writes to the pages of an input through a mapping and through `/proc/self/mem`, which ignores protections.
pub(crate) fn input_memory(_: &Arguments) -> Verdict {
    let Some(file) = first_file(Path::new("/in")) else {
        return Verdict::refused("no input");
    };
    let before = fs::read(&file).unwrap_or_default();
    let name = path(&file.to_string_lossy());
    let mut writes = Vec::new();
    for (how, sharing) in [("private", libc::MAP_PRIVATE), ("shared", libc::MAP_SHARED)] {
        // SAFETY: the path ends in NUL; a new mapping is asked for, and one byte of it is written to through a file.
        unsafe {
            let fd = libc::open(name.as_ptr(), libc::O_RDONLY);
            let page = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, sharing, fd, 0);
            if page == libc::MAP_FAILED {
                continue;
            }
            let memory = libc::open(c"/proc/self/mem".as_ptr(), libc::O_RDWR);
            if libc::pwrite(memory, b"X".as_ptr().cast(), 1, page as libc::off_t) == 1 {
                writes.push(format!("a {how} mapping took a byte"));
            }
            if libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE) == 0
                && sharing == libc::MAP_SHARED
            {
                writes.push("a shared mapping can be written".to_owned());
            }
        }
    }
    match fs::read(&file).unwrap_or_default() == before {
        true if writes.is_empty() => Verdict::refused("no mapping took a byte"),
        true => Verdict::contained(format!("{}, the file did not", writes.join(", "))),
        false => Verdict::allowed(writes.join(", ")),
    }
}

/// Mounts in which a file can be made, but for those that hold what the job writes.
pub(crate) fn writable_mounts(_: &Arguments) -> Verdict {
    let own = ["/", "/tmp", "/out", "/dev", "/dev/shm", "/dev/mqueue"];
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let (mut inside, mut others) = (Vec::new(), Vec::new());
    for target in text.lines().filter_map(|line| line.split(' ').nth(4)) {
        let file = format!("{target}/probe-file");
        if opens(&file, libc::O_CREAT | libc::O_WRONLY).is_ok() {
            let _ = fs::remove_file(&file);
            match own.contains(&target) {
                true => inside.push(target.to_owned()),
                false => others.push(target.to_owned()),
            }
        }
    }
    match others.is_empty() {
        true => Verdict::contained(inside.join(", ")),
        false => Verdict::allowed(others.join(", ")),
    }
}

/// Mounts whose files could give rights, or be devices, but for `/dev` itself.
pub(crate) fn mount_flags(_: &Arguments) -> Verdict {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut without = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [_, _, _, root, target, options, ..] = *fields else {
            continue;
        };
        let device = target.starts_with("/dev") || root == "/null";
        for option in ["nosuid", "nodev"] {
            let excused = option == "nodev" && device;
            if !excused && !options.split(',').any(|it| it == option) {
                without.push(format!("{target} without {option}"));
            }
        }
    }
    Verdict::of_successes(without)
}

/// Mounts in which mounts of the host would appear: those would be writable.
pub(crate) fn shared_mounts(_: &Arguments) -> Verdict {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let tied = text.lines().filter_map(|line| {
        let (fields, _) = line.split_once(" - ")?;
        let tied = fields.contains(" shared:") || fields.contains(" master:");
        tied.then(|| fields.split(' ').nth(4).unwrap_or("?").to_owned())
    });
    Verdict::of_successes(tied.collect())
}

/// Marks of overlay file systems, set from inside: a file that stands for another, a directory that hides what is below.
pub(crate) fn overlay_attributes(_: &Arguments) -> Verdict {
    let folder = path("/probe-overlay");
    // SAFETY: paths and names end in NUL, and lengths are those of the values.
    let made = unsafe { libc::mkdir(folder.as_ptr(), 0o755) };
    let file = "/probe-overlay/file";
    let _ = fs::write(file, "own");
    let marks: [(&std::ffi::CStr, &[u8]); 8] = [
        (c"user.overlay.redirect", b"/../../../etc"),
        (c"user.overlay.metacopy", b""),
        (c"user.overlay.opaque", b"y"),
        (c"user.overlay.origin", b"\0\xfb\x1d\0\x01"),
        (c"trusted.overlay.redirect", b"/etc"),
        (c"trusted.overlay.opaque", b"y"),
        (
            c"security.capability",
            b"\x01\0\0\x02\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\0\0\0\0",
        ),
        (c"user.overlay.overlay.opaque", b"y"),
    ];
    let mut set = Vec::new();
    for target in [folder, path(file)] {
        for (name, value) in marks {
            // SAFETY: as above.
            if unsafe {
                libc::setxattr(
                    target.as_ptr(),
                    name.as_ptr(),
                    value.as_ptr().cast(),
                    value.len(),
                    0,
                )
            } == 0
            {
                set.push(name.to_string_lossy().into_owned());
            }
        }
    }
    let intact = fs::read(file).is_ok_and(|bytes| bytes == b"own")
        && fs::read_dir("/probe-overlay").is_ok_and(|entries| entries.count() == 1);
    let _ = fs::remove_dir_all("/probe-overlay");
    match (
        made == 0,
        intact,
        set.iter().any(|name| !name.starts_with("user.")),
    ) {
        (false, ..) => Verdict::refused("the root cannot be written"),
        (true, true, false) => {
            Verdict::contained(format!("set without effect: {}", set.join(", ")))
        }
        _ => Verdict::allowed(set.join(", ")),
    }
}

/// Whether a file can be opened for writing, without doing so.
pub(super) fn can_write(file: &str) -> bool {
    const W_OK: usize = 2;
    call(
        libc::SYS_faccessat,
        [
            libc::AT_FDCWD as usize,
            path(file).as_ptr() as usize,
            W_OK,
            0,
            0,
            0,
        ],
    )
    .is_ok()
        && opens(file, libc::O_WRONLY).is_ok()
}
