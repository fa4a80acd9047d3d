//! How version 2 spells limits, and how it is tried.

use std::collections::BTreeSet;

use super::error::CgroupError;
use super::files::Dir;
use super::host::{Controller, Host, Missing, Swap};
use super::limits::{IoLimit, Limits};
use super::plan::Write;

/// What has to be handed out by a parent, and its name there.
pub(super) const CONTROLLERS: [(Controller, &str); 5] = [
    (Controller::Memory, "memory"),
    (Controller::Pids, "pids"),
    (Controller::Cpu, "cpu"),
    (Controller::Cpuset, "cpuset"),
    (Controller::Io, "io"),
];

/// What is written for a controller. `kept` are those whose limits this host can keep.
pub(super) fn writes(
    controller: Controller,
    limits: &Limits,
    host: &Host,
    kept: &BTreeSet<Controller>,
) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut write = |file: &str, value: String| writes.push(Write::new(file, value));
    match controller {
        Controller::Memory => {
            // swap first: pages that memory.max pushes out must have nowhere to go
            if host.swap == Swap::V2 {
                write("memory.swap.max", "0".to_owned());
            }
            for (file, bytes) in [
                ("memory.max", limits.memory_bytes),
                ("memory.min", limits.memory_min_bytes),
                ("memory.low", limits.memory_low_bytes),
            ] {
                bytes
                    .into_iter()
                    .for_each(|bytes| write(file, bytes.to_string()));
            }
            write("memory.oom.group", "1".to_owned());
        }
        Controller::Pids => limits
            .pids
            .into_iter()
            .for_each(|pids| write("pids.max", pids.to_string())),
        Controller::Cpu => {
            if let Some(millis) = limits.cpu_millis {
                let (quota_us, period_us) = quota(millis);
                write("cpu.max", format!("{quota_us} {period_us}"));
            }
        }
        Controller::Cpuset if kept.contains(&Controller::Cpuset) => {
            limits
                .cpuset
                .iter()
                .for_each(|cpus| write("cpuset.cpus", cpus.clone()));
        }
        Controller::Io => limits.io.iter().for_each(|io| write("io.max", io_max(io))),
        Controller::Cpuset
        | Controller::Accounting
        | Controller::Devices
        | Controller::Freezer
        | Controller::Kill => {}
    }
    writes
}

/// Quota and period in microseconds. The kernel takes a quota of at least 1 ms and a period of at most 1 s.
pub(super) fn quota(cpu_millis: u32) -> (u64, u64) {
    let period_us = if cpu_millis < 10 { 1_000_000 } else { 100_000 };
    (u64::from(cpu_millis) * period_us / 1000, period_us)
}

fn io_max(io: &IoLimit) -> String {
    let mut line = io.device();
    for (key, rate) in [
        ("rbps", io.read_bps),
        ("wbps", io.write_bps),
        ("riops", io.read_iops),
        ("wiops", io.write_iops),
    ] {
        if let Some(rate) = rate {
            line.push_str(&format!(" {key}={rate}"));
        }
    }
    line
}

/// Tries a controller in a group without processes.
pub(super) fn probe(
    controller: Controller,
    group: &Dir,
    parent: &Dir,
    disk: Option<&str>,
) -> Result<(), Missing> {
    let kind = group
        .read_if_there("cgroup.type")
        .unwrap_or_default()
        .unwrap_or_default();
    if !matches!(kind.trim(), "domain" | "") {
        let what = format!(
            "groups in {} can have no processes: cgroup.type is {:?}",
            parent.path().display(),
            kind.trim()
        );
        return Err(Missing::new(
            what,
            "configure a delegated group that has no processes and is not threaded",
        ));
    }
    if let Some((_, name)) = CONTROLLERS.iter().find(|(one, _)| *one == controller) {
        let has = group
            .read("cgroup.controllers")
            .map_err(|error| Missing::from(&error))?;
        if !has.split_whitespace().any(|word| word == *name) {
            let has = parent.read("cgroup.controllers").unwrap_or_default();
            let what = format!(
                "{} has no controller {name}, only: {:?}",
                parent.path().display(),
                has.trim()
            );
            return Err(Missing::new(
                what,
                "boot without version 1 (systemd.unified_cgroup_hierarchy=1), or hand it out in the group above",
            ));
        }
    }
    let tried: Result<(), CgroupError> = match controller {
        Controller::Memory => group
            .write("memory.max", "67108864")
            .and_then(|()| group.write("memory.oom.group", "1")),
        Controller::Pids => group.write("pids.max", "64"),
        Controller::Cpu => group.write("cpu.max", "100000 100000"),
        Controller::Accounting => match group.read("cpu.stat") {
            Ok(text) if text.contains("usage_usec") => Ok(()),
            Ok(text) => {
                let what = format!(
                    "cpu.stat of {} has no usage_usec: {text:?}",
                    group.path().display()
                );
                return Err(Missing::new(what, "use a newer kernel"));
            }
            Err(error) => Err(error),
        },
        Controller::Cpuset => group.write("cpuset.cpus", &inherited(parent, "cpuset.cpus")),
        Controller::Io => match disk {
            Some(disk) => group.write("io.max", &format!("{disk} wbps=1073741824")),
            None => group.read("io.max").map(|_| ()),
        },
        // the group itself is what a filter is attached to
        Controller::Devices => Ok(()),
        Controller::Freezer => group
            .write("cgroup.freeze", "1")
            .and_then(|()| group.write("cgroup.freeze", "0")),
        Controller::Kill => group
            .write("cgroup.kill", "1")
            .and_then(|()| group.read("cgroup.events").map(|_| ())),
    };
    tried.map_err(|error| Missing::from(&error))
}

/// What children of a group get of a set.
pub(super) fn inherited(parent: &Dir, file: &str) -> String {
    parent
        .read(&format!("{file}.effective"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The number of a disk in the text of `/proc/partitions`.
pub(super) fn disk(partitions: &str) -> Option<String> {
    partitions.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[major, minor, _, name] = words.as_slice() else {
            return None;
        };
        let real = major.parse::<u32>().is_ok()
            && !["loop", "ram", "zram", "sr", "fd"]
                .iter()
                .any(|kind| name.starts_with(kind));
        real.then(|| format!("{major}:{minor}"))
    })
}
