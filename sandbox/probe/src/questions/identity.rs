//! Who the program is, and what it has inherited.

use std::ffi::CString;
use std::fs;

use crate::arguments::Arguments;
use crate::call::{call, errno, judge, name_of};
use crate::verdict::Verdict;

/// Descriptors beyond the standard ones, with what they are.
pub(crate) fn descriptors_at_start() -> Vec<String> {
    (3..1024)
        // SAFETY: a question about a number; no memory is passed.
        .filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } != -1)
        .map(|fd| match fs::read_link(format!("/proc/self/fd/{fd}")) {
            Ok(target) => format!("{fd} is {}", target.display()),
            Err(_) => fd.to_string(),
        })
        .collect()
}

fn status(field: &str) -> String {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or("?").trim().to_owned()
}

pub(crate) fn capabilities(_: &Arguments) -> Verdict {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let held = sets
        .iter()
        .map(|set| (set, status(set)))
        .filter(|(_, value)| value.bytes().any(|byte| byte != b'0'));
    Verdict::of_successes(
        held.map(|(set, value)| format!("{set} {}", value.trim_start_matches('0')))
            .collect(),
    )
}

pub(crate) fn no_new_privileges(_: &Arguments) -> Verdict {
    match &*status("NoNewPrivs") {
        "1" => Verdict::refused("set"),
        other => Verdict::allowed(other),
    }
}

pub(crate) fn seccomp(_: &Arguments) -> Verdict {
    match &*status("Seccomp") {
        "2" => Verdict::refused(format!("{} filters", status("Seccomp_filters"))),
        other => Verdict::allowed(format!("mode {other}")),
    }
}

/// Whether user 0 inside is one outside, and how many users there are.
pub(crate) fn host_root(_: &Arguments) -> Verdict {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mut fields = map
        .split_whitespace()
        .map(|it| it.parse::<u64>().unwrap_or(0));
    let (inside, outside, count) = (fields.next(), fields.next(), fields.next());
    let (Some(inside), Some(outside), Some(count)) = (inside, outside, count) else {
        return Verdict::allowed(format!("uid_map is {map:?}"));
    };
    let detail = format!("{inside} is {outside}, {count} ids");
    if inside <= outside && outside > 0 && count <= 65_536 {
        Verdict::refused(detail)
    } else {
        Verdict::allowed(detail)
    }
}

/// What `/bin/setuid`, a copy of this program with the bit set, would gain.
pub(crate) fn setuid_program(arguments: &Arguments) -> Verdict {
    let program = arguments.get("setuid").unwrap_or("/bin/setuid");
    let before = format!("{} {}", status("Uid"), status("CapEff"));
    let output = std::process::Command::new(program).arg("who-am-i").output();
    match output {
        Err(error) => Verdict::refused(format!("cannot be run: {error}")),
        Ok(output) => {
            let after = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match after == before {
                true => Verdict::refused(format!("stays {after}")),
                false => Verdict::allowed(format!("{before} becomes {after}")),
            }
        }
    }
}

/// What [`setuid_program`] runs.
pub(crate) fn who_am_i(_: &Arguments) -> std::process::ExitCode {
    println!("{} {}", status("Uid"), status("CapEff"));
    std::process::ExitCode::SUCCESS
}

pub(crate) fn other_user(_: &Arguments) -> Verdict {
    match call(libc::SYS_setresuid, [4321, 4321, 4321, 0, 0, 0]) {
        // There is none inside.
        Err(libc::EINVAL) => Verdict::refused(name_of(libc::EINVAL)),
        answer => judge(answer),
    }
}

pub(crate) fn leaked_descriptors(arguments: &Arguments) -> Verdict {
    Verdict::of_successes(arguments.descriptors.clone())
}

/// Variables that nobody has given.
pub(crate) fn leaked_environment(_: &Arguments) -> Verdict {
    let usual = ["PATH", "HOME", "PWD", "TERM", "GIVEN", "LD_PRELOAD"];
    let names = std::env::vars().map(|(name, _)| name);
    Verdict::of_successes(names.filter(|name| !usual.contains(&&**name)).collect())
}

pub(crate) fn host_name(arguments: &Arguments) -> Verdict {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    let changed = call(
        libc::SYS_sethostname,
        [c"x".as_ptr() as usize, 1, 0, 0, 0, 0],
    );
    match arguments.get("host-name") {
        Some(host) if host == name => Verdict::allowed(format!("is the host's, {name}")),
        _ => match changed {
            Ok(_) => Verdict::contained(format!("{name} can be changed")),
            Err(error) => Verdict::refused(format!("{name}, {}", name_of(error))),
        },
    }
}

fn limit(resource: libc::__rlimit_resource_t) -> libc::rlimit {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` lives across the call.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    limit
}

pub(crate) fn raised_limits(_: &Arguments) -> Verdict {
    let resources = [
        ("open files", libc::RLIMIT_NOFILE),
        ("message queues", libc::RLIMIT_MSGQUEUE),
        ("signals", libc::RLIMIT_SIGPENDING),
        ("realtime priority", libc::RLIMIT_RTPRIO),
        ("niceness", libc::RLIMIT_NICE),
    ];
    let mut raised = Vec::new();
    for (name, resource) in resources {
        let mut more = limit(resource);
        if more.rlim_max == libc::RLIM_INFINITY {
            raised.push(format!("{name} is unlimited"));
            continue;
        }
        more.rlim_max += 1;
        // SAFETY: `more` lives across the call.
        if unsafe { libc::setrlimit(resource, &raw const more) } == 0 {
            raised.push(format!("{name} to {}", more.rlim_max));
        }
    }
    Verdict::of_successes(raised)
}

/// A limit of 1 byte is the kernel's word for "not even to the host's program for core dumps".
pub(crate) fn core_dumps(_: &Arguments) -> Verdict {
    match limit(libc::RLIMIT_CORE).rlim_max {
        1 => Verdict::refused("limit 1"),
        0 => Verdict::contained("limit 0: a host's program for core dumps would still be run"),
        more => Verdict::allowed(format!("limit {more}")),
    }
}

pub(crate) fn realtime(_: &Arguments) -> Verdict {
    let mut got = Vec::new();
    for (name, policy) in [("fifo", libc::SCHED_FIFO), ("round robin", libc::SCHED_RR)] {
        let priority = libc::sched_param { sched_priority: 1 };
        // SAFETY: `priority` lives across the call.
        if unsafe { libc::sched_setscheduler(0, policy, &raw const priority) } == 0 {
            got.push(name.to_owned());
        }
    }
    // SAFETY: no memory is passed.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -5) } == 0 {
        got.push("nice -5".to_owned());
    }
    const IOPRIO_CLASS_RT_0: usize = 1 << 13;
    if call(libc::SYS_ioprio_set, [1, 0, IOPRIO_CLASS_RT_0, 0, 0, 0]).is_ok() {
        got.push("realtime disk".to_owned());
    }
    Verdict::of_successes(got)
}

/// Whether the program is the first to be killed for lack of memory, and stays so.
pub(crate) fn spared(_: &Arguments) -> Verdict {
    let path = "/proc/self/oom_score_adj";
    let before = fs::read_to_string(path).unwrap_or_default();
    let before = before.trim();
    if before != "1000" {
        return Verdict::allowed(format!("is {before}"));
    }
    let lowered = [-1000, -1, 0, 500]
        .into_iter()
        .find(|score| fs::write(path, score.to_string()).is_ok());
    match lowered {
        None => Verdict::refused("stays 1000"),
        Some(score) if score < 0 => Verdict::allowed(format!("becomes {score}")),
        // Without CAP_SYS_RESOURCE nobody can keep it from going back to what everybody has.
        Some(score) => Verdict::contained(format!("becomes {score}")),
    }
}

/// How many rulesets of landlock it can add to those that are in force: there are 16 at most.
pub(crate) fn landlock(_: &Arguments) -> Verdict {
    // One that handles the making of devices, and has no rules.
    let ruleset = [1_u64 << 6];
    let mut added = 0;
    while added < 20 {
        let fd = call(
            libc::SYS_landlock_create_ruleset,
            [ruleset.as_ptr() as usize, 8, 0, 0, 0, 0],
        );
        let restricted = fd.and_then(|fd| {
            call(
                libc::SYS_landlock_restrict_self,
                [fd as usize, 0, 0, 0, 0, 0],
            )
        });
        match restricted {
            Ok(_) => added += 1,
            Err(libc::E2BIG) => break,
            Err(error) => return Verdict::contained(format!("not told: {}", name_of(error))),
        }
    }
    match 16 - added {
        0 => Verdict::allowed("none is in force"),
        number => Verdict::refused(format!("{number} in force")),
    }
}

/// A path with the NUL that calls want.
pub(crate) fn path(text: &str) -> CString {
    CString::new(text).expect("no NUL in it")
}

/// Opens a path and closes it again; its error, if it cannot be opened.
pub(crate) fn opens(text: &str, flags: i32) -> Result<(), i32> {
    let path = path(text);
    // SAFETY: the path ends in NUL and lives across the call.
    let fd = unsafe {
        libc::open(
            path.as_ptr(),
            flags | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY,
        )
    };
    if fd == -1 {
        return Err(errno());
    }
    // SAFETY: it was opened just now.
    unsafe { libc::close(fd) };
    Ok(())
}
