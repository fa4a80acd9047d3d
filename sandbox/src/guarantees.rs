//! What keeps a job apart and within bounds, and what does not: from its plan, and from what its kernel said when it started.

use gradus_jail::cgroup::{Backend, Controller, LimitName};
use gradus_jail::plan::{Plan, Resource, Scratch};
use gradus_jail::protocol::Identity;
use serde::Serialize;

/// One thing that is promised of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guarantee {
    /// what
    pub what: &'static str,
    /// whether it holds for this job
    pub holds: bool,
    /// what keeps it, or why nothing does
    pub by: String,
}

fn guarantee(what: &'static str, holds: bool, by: impl Into<String>) -> Guarantee {
    Guarantee {
        what,
        holds,
        by: by.into(),
    }
}

/// Those of a job with this plan. `processes` are known once it has started, and with them what landlock holds.
pub fn guarantees(plan: &Plan, processes: Option<&Identity>) -> Vec<Guarantee> {
    let mut all = vec![
        ids(plan),
        guarantee(
            "nothing of the host in sight",
            true,
            "namespaces of files, processes, network, messages, names and control groups, without privileges in them",
        ),
        match &plan.seccomp {
            Some(policy) => guarantee("system calls by name", true, format!("seccomp: {policy}")),
            None => guarantee("system calls by name", false, "no policy is planned"),
        },
        landlock(plan, processes),
        if plan.device_rules.is_empty() {
            guarantee(
                "devices by number",
                false,
                "only root may attach a filter: a job has the nodes that are mounted, and can make none",
            )
        } else {
            guarantee("devices by number", true, "a filter of its control group")
        },
        guarantee(
            "its end is the end of all of it",
            true,
            match grouped(plan, Controller::Kill) {
                Some(_) => "its control group, and its namespace of processes",
                None => "its namespace of processes",
            },
        ),
        memory(plan),
        processes_limit(plan),
    ];
    all.extend(asked(plan));
    all.push(disk(plan));
    if let Some(deadline) = &plan.deadline {
        let by = format!("its watcher, after {} ms", deadline.wall_ms);
        all.push(guarantee("limit of time", true, by));
    }
    if plan.records_refused {
        let by =
            "its watcher, which says no in place of the filter; where that is gone, the kernel";
        all.push(guarantee("refused system calls are written down", true, by));
    }
    let by = format!("its watcher, {} bytes", plan.logs.bytes_max);
    all.push(guarantee("limit of output", true, by));
    all
}

/// Those that do not hold.
pub fn missing(guarantees: &[Guarantee]) -> impl Iterator<Item = &Guarantee> {
    guarantees.iter().filter(|one| !one.holds)
}

fn ids(plan: &Plan) -> Guarantee {
    let (what, uid) = ("user ids that nobody else has", plan.identity.uid);
    if plan.identity.is_range() {
        let by = format!("{} from {uid} on", plan.identity.count);
        return guarantee(what, true, by);
    }
    let by = format!("user 0 inside is user {uid} of the host, as in every job of that user");
    guarantee(what, false, by)
}

fn landlock(plan: &Plan, processes: Option<&Identity>) -> Guarantee {
    let what = "files, sockets and signals fenced once more";
    let held = processes.and_then(|processes| processes.landlock);
    match held {
        _ if !plan.landlock => guarantee(what, false, "landlock is not planned"),
        None => guarantee(what, true, "landlock, as far as the kernel has it"),
        Some(held) => {
            let mut by = format!("landlock ABI {}", held.abi);
            for (has, without) in [
                (held.device_nodes, "device nodes can be made"),
                (held.device_commands, "commands of devices are not bounded"),
                (held.scope, "sockets and signals are not"),
            ] {
                if !has {
                    by = format!("{by}; {without}");
                }
            }
            guarantee(what, held.device_nodes, by)
        }
    }
}

/// The version of the job's group that does this.
fn grouped(plan: &Plan, controller: Controller) -> Option<Backend> {
    let groups = plan.cgroup.as_ref()?.groups.iter();
    let mut with = groups.filter(|group| group.controllers.contains(&controller));
    with.next().map(|group| group.backend)
}

fn version(backend: Backend) -> &'static str {
    match backend {
        Backend::V2 => "control groups, version 2",
        Backend::V1 => "control groups, version 1",
        Backend::None => "nothing",
    }
}

fn why_not(plan: &Plan, limit: LimitName) -> Option<&str> {
    let mut shortfalls = plan.shortfalls.iter();
    let found = shortfalls.find(|one| one.limit == limit)?;
    Some(&found.why)
}

fn memory(plan: &Plan) -> Guarantee {
    let what = "limit of memory and none of swap";
    let why = why_not(plan, LimitName::MemoryBytes).or_else(|| why_not(plan, LimitName::Swap));
    match (why, grouped(plan, Controller::Memory)) {
        (None, Some(backend)) => guarantee(what, true, version(backend)),
        (why, _) => guarantee(what, false, why.unwrap_or("not asked for")),
    }
}

fn processes_limit(plan: &Plan) -> Guarantee {
    let what = "limit of processes";
    let own = |limit: &&gradus_jail::plan::Rlimit| limit.resource == Resource::Nproc;
    match (
        grouped(plan, Controller::Pids),
        plan.rlimits.iter().find(own),
    ) {
        (Some(backend), _) => guarantee(what, true, version(backend)),
        (None, Some(limit)) => {
            let by = format!("RLIMIT_NPROC in its user namespace, {}", limit.value);
            guarantee(what, true, by)
        }
        (None, None) => {
            let why = why_not(plan, LimitName::Pids).unwrap_or("not asked for");
            guarantee(what, false, why)
        }
    }
}

/// What some jobs ask for.
fn asked(plan: &Plan) -> Vec<Guarantee> {
    let kinds = [
        (
            LimitName::CpuMillis,
            Controller::Cpu,
            "share of processors",
            "cpu.",
        ),
        (
            LimitName::Cpuset,
            Controller::Cpuset,
            "choice of processors",
            "cpuset.cpus",
        ),
        (LimitName::Io, Controller::Io, "rates of disks", "io"),
    ];
    let groups = || plan.cgroup.iter().flat_map(|groups| &groups.groups);
    let mut found = Vec::new();
    for (limit, controller, what, file) in kinds {
        let written = |of: &gradus_jail::cgroup::PlannedGroup| {
            let mut writes = of.writes.iter();
            writes.any(|write| write.file.trim_start_matches("blk").starts_with(file))
        };
        if let Some(why) = why_not(plan, limit) {
            found.push(guarantee(what, false, why));
        } else if let Some(backend) = grouped(plan, controller)
            && groups().any(written)
        {
            // Version 1 does not know whose pages the kernel writes back.
            let by = if limit == LimitName::Io && backend == Backend::V1 {
                "control groups, version 1: reads, and writes that are waited for"
            } else {
                version(backend)
            };
            found.push(guarantee(what, true, by));
        }
    }
    found
}

fn disk(plan: &Plan) -> Guarantee {
    let what = "limit of disk";
    match &plan.scratch {
        Scratch::Loop { .. } => guarantee(what, true, "a file system of its own, in a file"),
        Scratch::Tmpfs { bytes, .. } => guarantee(
            what,
            true,
            format!("its writes are in memory, {bytes} bytes at most"),
        ),
        Scratch::Directory { .. } => {
            guarantee(what, true, "a quota of the state directory's file system")
        }
    }
}
