//! The program: who it is, what it may do.

use gradus_jail::plan::{Capability, Resource, Rlimit, Scheduling};
use gradus_sandbox::bundle::Bundle;
use gradus_sandbox::job::Job;
use serde_json::Value;

use super::{inside, most, no_nul, none};
use crate::config::{Capabilities, Process, Rlimit as Asked, User};
use crate::error::OciError;

/// Ids of a job: so many users and groups exist inside.
const IDS: u32 = 65_536;
/// Open files of a process at most, as the kernel has it.
const OPEN_FILES_MAX: u64 = 1 << 20;
/// All capabilities of this kernel's headers; those that some job can have first.
const KNOWN: [(&str, Option<Capability>); 41] = [
    ("CHOWN", Some(Capability::Chown)),
    ("DAC_OVERRIDE", Some(Capability::DacOverride)),
    ("FOWNER", Some(Capability::Fowner)),
    ("FSETID", Some(Capability::Fsetid)),
    ("KILL", Some(Capability::Kill)),
    ("SETGID", Some(Capability::Setgid)),
    ("SETUID", Some(Capability::Setuid)),
    ("DAC_READ_SEARCH", None),
    ("SETPCAP", None),
    ("LINUX_IMMUTABLE", None),
    ("NET_BIND_SERVICE", None),
    ("NET_BROADCAST", None),
    ("NET_ADMIN", None),
    ("NET_RAW", None),
    ("IPC_LOCK", None),
    ("IPC_OWNER", None),
    ("SYS_MODULE", None),
    ("SYS_RAWIO", None),
    ("SYS_CHROOT", None),
    ("SYS_PTRACE", None),
    ("SYS_PACCT", None),
    ("SYS_ADMIN", None),
    ("SYS_BOOT", None),
    ("SYS_NICE", None),
    ("SYS_RESOURCE", None),
    ("SYS_TIME", None),
    ("SYS_TTY_CONFIG", None),
    ("MKNOD", None),
    ("LEASE", None),
    ("AUDIT_WRITE", None),
    ("AUDIT_CONTROL", None),
    ("SETFCAP", None),
    ("MAC_OVERRIDE", None),
    ("MAC_ADMIN", None),
    ("SYSLOG", None),
    ("WAKE_ALARM", None),
    ("BLOCK_SUSPEND", None),
    ("AUDIT_READ", None),
    ("PERFMON", None),
    ("BPF", None),
    ("CHECKPOINT_RESTORE", None),
];

/// Adds the program.
pub(super) fn add(
    process: &Process,
    job: &mut Job,
    bundle: &mut Bundle,
    withheld: &mut Vec<String>,
) -> Result<(), OciError> {
    if process.terminal {
        let why = "a job's streams are files and pipes; help: set it to false";
        return Err(OciError::refused("process.terminal", why));
    }
    if process.args.first().is_none_or(String::is_empty) {
        return Err(OciError::refused("process.args", "no program is named"));
    }
    for (property, texts) in [
        ("process.args", &process.args),
        ("process.env", &process.env),
    ] {
        most(property, texts.len())?;
        for text in texts {
            no_nul(property, text)?;
        }
    }
    if let Some(wrong) = process.env.iter().find(|variable| !variable.contains('=')) {
        return Err(OciError::refused(
            "process.env",
            format!("{wrong:?}, expected NAME=value"),
        ));
    }
    inside("process.cwd", &process.cwd)?;
    user(&process.user, bundle)?;
    if let Some(capabilities) = &process.capabilities {
        bundle.capabilities = rights(capabilities, withheld)?;
    }
    limits(&process.rlimits, job, bundle)?;
    let no_profile = |profile: &Option<String>| profile.clone().filter(|name| !name.is_empty());
    none(
        "process.apparmorProfile",
        &no_profile(&process.apparmor_profile),
        "jobs have no profile of AppArmor; landlock and filters hold instead",
    )?;
    none(
        "process.selinuxLabel",
        &no_profile(&process.selinux_label),
        "jobs have no label of SELinux",
    )?;
    none(
        "process.execCPUAffinity",
        &process.exec_cpu_affinity,
        "programs beside a job's own have its processors",
    )?;
    if let Some(score) = process.oom_score_adj {
        if !(0..=1000).contains(&score) {
            let why = format!("{score}, expected 0 to 1000: jobs are ended before what runs them");
            return Err(OciError::refused("process.oomScoreAdj", why));
        }
        bundle.bundled.oom_score_adj = Some(score);
    }
    if let Some(scheduler) = &process.scheduler {
        bundle.bundled.scheduling = Some(scheduling(scheduler)?);
    }
    if let Some(priority) = &process.io_priority {
        bundle.bundled.io_priority = Some(io_priority(priority)?);
    }
    Ok(())
}

/// A program beside another: user 0 of the job, without capabilities.
pub(super) fn beside(asked: &Process) -> Result<gradus_jail::plan::Process, OciError> {
    let refused =
        |property: &str, why: &str| Err(OciError::refused(format!("process.{property}"), why));
    if asked.terminal {
        return refused("terminal", "its streams are pipes; help: set it to false");
    }
    if (asked.user.uid, asked.user.gid) != (0, 0) || !asked.user.additional_gids.is_empty() {
        return refused("user", "a program beside a container's own is its user 0");
    }
    if asked.args.first().is_none_or(String::is_empty) {
        return refused("args", "no program is named");
    }
    let rights = asked.capabilities.as_ref();
    if rights.is_some_and(|rights| !rights.ambient.is_empty()) {
        return refused(
            "capabilities",
            "a program beside a container's own has none",
        );
    }
    for text in asked.args.iter().chain(&asked.env) {
        no_nul("process", text)?;
    }
    let cwd = if asked.cwd.is_empty() {
        "/"
    } else {
        &asked.cwd
    };
    inside("process.cwd", cwd)?;
    Ok(gradus_jail::plan::Process {
        argv: asked.args.clone(),
        env: asked.env.clone(),
        cwd: cwd.to_owned(),
        uid: 0,
        gid: 0,
        umask: asked.user.umask.unwrap_or(0o022) & 0o777,
    })
}

fn user(user: &User, bundle: &mut Bundle) -> Result<(), OciError> {
    most("process.user.additionalGids", user.additional_gids.len())?;
    let ids = [
        ("process.user.uid", user.uid),
        ("process.user.gid", user.gid),
    ];
    let groups = user.additional_gids.iter();
    let groups = groups.map(|id| ("process.user.additionalGids", *id));
    for (property, id) in ids.into_iter().chain(groups) {
        if id >= IDS {
            return Err(OciError::refused(
                property,
                format!("{id}, a job's ids end at {}", IDS - 1),
            ));
        }
    }
    bundle.bundled.groups.clone_from(&user.additional_gids);
    if user.umask.is_some_and(|umask| umask > 0o777) {
        return Err(OciError::refused("process.user.umask", "more than 0777"));
    }
    bundle.umask = user.umask;
    Ok(())
}

/// Rights that are in effect, of those that some job can have.
fn rights(
    capabilities: &Capabilities,
    withheld: &mut Vec<String>,
) -> Result<Vec<Capability>, OciError> {
    let mut kept = Vec::new();
    for (set, names) in capabilities.sets() {
        let property = || format!("process.capabilities.{set}");
        most(&property(), names.len())?;
        for name in names {
            let short = name.strip_prefix("CAP_").unwrap_or(name);
            let Some((_, right)) = KNOWN.iter().find(|(known, _)| *known == short) else {
                let why = format!("Linux has no variant for {name}");
                return Err(OciError::refused(property(), why));
            };
            // What is not in the bounding set the kernel lets nobody have.
            if !capabilities.bounding.contains(name) && set != "bounding" {
                let why = format!("{name} is not in the bounding set: operation not permitted");
                return Err(OciError::refused(property(), why));
            }
            match right {
                Some(right) if set == "effective" && !kept.contains(right) => kept.push(*right),
                None if set == "effective" => withheld.push(format!("{}: {name}", property())),
                _ => {}
            }
        }
    }
    Ok(kept)
}

fn limits(asked: &[Asked], job: &mut Job, bundle: &mut Bundle) -> Result<(), OciError> {
    most("process.rlimits", asked.len())?;
    for (index, limit) in asked.iter().enumerate() {
        let refused =
            |why: String| Err(OciError::refused(format!("process.rlimits[{index}]"), why));
        let resource = match limit.kind.as_str() {
            "RLIMIT_AS" => Resource::As,
            "RLIMIT_CORE" => Resource::Core,
            "RLIMIT_CPU" => Resource::Cpu,
            "RLIMIT_DATA" => Resource::Data,
            "RLIMIT_FSIZE" => Resource::Fsize,
            "RLIMIT_LOCKS" => Resource::Locks,
            "RLIMIT_MEMLOCK" => Resource::Memlock,
            "RLIMIT_MSGQUEUE" => Resource::Msgqueue,
            "RLIMIT_NICE" => Resource::Nice,
            "RLIMIT_NOFILE" => Resource::Nofile,
            "RLIMIT_NPROC" => Resource::Nproc,
            "RLIMIT_RSS" => Resource::Rss,
            "RLIMIT_RTPRIO" => Resource::Rtprio,
            "RLIMIT_RTTIME" => Resource::Rttime,
            "RLIMIT_SIGPENDING" => Resource::Sigpending,
            "RLIMIT_STACK" => Resource::Stack,
            other => return refused(format!("Linux has no limit {other:?}")),
        };
        if asked[..index]
            .iter()
            .any(|before| before.kind == limit.kind)
        {
            return refused(format!("{} is there twice", limit.kind));
        }
        if limit.soft > limit.hard {
            return refused(format!(
                "{} of {} is less than its soft one",
                limit.kind, limit.hard
            ));
        }
        match resource {
            Resource::Nofile if limit.hard > OPEN_FILES_MAX => {
                return refused(format!("{}, at most {OPEN_FILES_MAX} files", limit.hard));
            }
            Resource::Nofile => job.limits.open_files = limit.hard,
            // The host's program for core dumps would be given the job's.
            Resource::Core if limit.hard > 1 => {
                return refused("a job leaves no core dumps, which are the host's".to_owned());
            }
            Resource::Nice | Resource::Rtprio if limit.hard > 0 => {
                return refused(format!("{}: no job is before others", limit.kind));
            }
            _ => {}
        }
        bundle.rlimits.push(Rlimit {
            resource,
            value: limit.hard,
            soft: Some(limit.soft),
        });
    }
    Ok(())
}

fn scheduling(asked: &Value) -> Result<Scheduling, OciError> {
    let refused = |why: &str| Err(OciError::refused("process.scheduler", why));
    let policy = match asked.get("policy").and_then(Value::as_str) {
        Some("SCHED_OTHER") => 0,
        Some("SCHED_BATCH") => 3,
        Some("SCHED_IDLE") => 5,
        _ => {
            return refused(
                "SCHED_OTHER, SCHED_BATCH or SCHED_IDLE is expected: no job is before others",
            );
        }
    };
    let nice = asked.get("nice").and_then(Value::as_i64).unwrap_or(0);
    if !(0..=19).contains(&nice) {
        return refused("a nice value from 0 to 19 is expected: no job is before others");
    }
    let empty =
        |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.as_i64() == Some(0);
    for other in ["priority", "flags", "runtime", "deadline", "period"] {
        if asked
            .get(other)
            .is_some_and(|value| !value.is_null() && !empty(value))
        {
            return refused("only policy and nice can be set");
        }
    }
    Ok(Scheduling {
        policy,
        nice: nice as i32,
    })
}

fn io_priority(asked: &Value) -> Result<(u16, u16), OciError> {
    let refused = |why: &str| Err(OciError::refused("process.ioPriority", why));
    let class = match asked.get("class").and_then(Value::as_str) {
        Some("IOPRIO_CLASS_BE") => 2,
        Some("IOPRIO_CLASS_IDLE") => 3,
        _ => {
            return refused(
                "IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE is expected: no job is before others",
            );
        }
    };
    match asked.get("priority").and_then(Value::as_u64).unwrap_or(4) {
        level @ 0..=7 => Ok((class, level as u16)),
        _ => refused("a priority from 0 to 7 is expected"),
    }
}
