//! Processes that are not its own.

use std::fs;

use crate::arguments::Arguments;
use crate::call::{call, errno, name_of};
use crate::questions::identity::{opens, path};
use crate::verdict::Verdict;

fn process_ids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// A process of the host, given as `host-pid=` with `host-command=`, or more processes than this program has made.
pub(crate) fn host_processes(arguments: &Arguments) -> Verdict {
    let command = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if let (Some(pid), Some(expected)) = (arguments.get("host-pid"), arguments.get("host-command"))
        && command(pid).trim() == expected
    {
        return Verdict::allowed(format!("{pid} is {expected}"));
    }
    let ids = process_ids();
    match ids.len() {
        0..=8 => Verdict::refused(format!("sees {ids:?}")),
        number => Verdict::allowed(format!("sees {number} processes")),
    }
}

/// To everybody, and to those of the host that were given. The signal is number 0: nobody notices.
pub(crate) fn signals_outside(arguments: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    let given = arguments
        .all("host-pid")
        .chain(arguments.all("watcher-pid"));
    let own = process_ids();
    for pid in given.filter_map(|pid| pid.parse::<i32>().ok()) {
        // SAFETY: no memory is passed.
        if !own.contains(&pid) && unsafe { libc::kill(pid, 0) } == 0 {
            successes.push(format!("{pid} can be signalled"));
        }
    }
    // SAFETY: as above.
    let all = unsafe { libc::kill(-1, 0) };
    if all == 0 && own.len() > 8 {
        successes.push("kill(-1) reaches others".to_owned());
    }
    match successes.is_empty() {
        true if all == 0 => Verdict::contained(format!("kill(-1) reaches own of {own:?}")),
        true => Verdict::refused(name_of(errno())),
        false => Verdict::of_successes(successes),
    }
}

/// Memory, descriptors, root and program of the first process.
pub(crate) fn first_process(_: &Arguments) -> Verdict {
    let mut successes = Vec::new();
    let tries = [
        ("mem", libc::O_RDWR),
        ("mem", libc::O_RDONLY),
        ("exe", libc::O_WRONLY),
        ("exe", libc::O_RDONLY),
        ("environ", libc::O_RDONLY),
        ("maps", libc::O_RDONLY),
        ("pagemap", libc::O_RDONLY),
        ("syscall", libc::O_RDONLY),
        ("stack", libc::O_RDONLY),
        ("clear_refs", libc::O_WRONLY),
        ("oom_score_adj", libc::O_WRONLY),
        ("root/etc", libc::O_RDONLY),
        ("cwd/etc", libc::O_RDONLY),
        ("fd/0", libc::O_RDONLY),
        ("fd/3", libc::O_RDWR),
        ("ns/mnt", libc::O_RDONLY),
    ];
    for (file, flags) in tries {
        if opens(&format!("/proc/1/{file}"), flags).is_ok() {
            successes.push(format!(
                "{file}{}",
                if flags == libc::O_RDONLY {
                    ""
                } else {
                    " for writing"
                }
            ));
        }
    }
    if fs::read_dir("/proc/1/fd").is_ok_and(|entries| entries.count() > 0) {
        successes.push("list of descriptors".to_owned());
    }
    Verdict::of_successes(successes)
}

/// The program that it was started from, and the text of the running one.
pub(crate) fn own_program(_: &Arguments) -> Verdict {
    let outcome = |flags| match opens("/proc/self/exe", flags) {
        Ok(()) => "opened".to_owned(),
        Err(error) => name_of(error),
    };
    let detail = format!(
        "write {}, truncate {}",
        outcome(libc::O_WRONLY),
        outcome(libc::O_WRONLY | libc::O_TRUNC)
    );
    // A sealed file in memory, as launchers are, would say EPERM for both.
    let sealed = path("/proc/self/exe");
    let removed = call(
        libc::SYS_fchmodat,
        [
            libc::AT_FDCWD as usize,
            sealed.as_ptr() as usize,
            0o755,
            0,
            0,
            0,
        ],
    )
    .is_ok();
    match detail.contains("opened") {
        true => Verdict::allowed(detail),
        false if removed => Verdict::refused(format!("{detail}, its mode can be changed")),
        false => Verdict::refused(detail),
    }
}
