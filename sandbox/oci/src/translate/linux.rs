//! What only Linux has: namespaces, limits, filters, what is hidden.

use gradus_jail::plan::{Clocks, MemoryPolicy};
use gradus_sandbox::bundle::Bundle;
use gradus_sandbox::job::Job;
use serde_json::Value;

use super::{inside, most, none, seccomp};
use crate::config::{Cpu, DeviceRule, Linux, Memory, Resources};
use crate::error::OciError;

/// What every job has of its own.
const OWN: [&str; 5] = ["pid", "network", "ipc", "uts", "mount"];
/// What a bundle may name besides: every job has the first two, and a third that asks for it.
const MORE: [&str; 3] = ["user", "cgroup", "time"];

/// Modes of `set_mempolicy`.
const MODES: [(&str, i32); 7] = [
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];
/// Their flags.
const FLAGS: [(&str, i32); 3] = [
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_STATIC_NODES", 1 << 15),
];

/// Adds it.
pub(super) fn add(
    linux: &Linux,
    job: &mut Job,
    bundle: &mut Bundle,
    withheld: &mut Vec<String>,
) -> Result<(), OciError> {
    namespaces(linux, bundle)?;
    let ids = (!linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty()).then_some(());
    none(
        "linux.uidMappings, linux.gidMappings",
        &ids,
        "a job has a range of ids that no other has, which is not for a bundle to choose",
    )?;
    if !linux.devices.is_empty() {
        let paths = linux.devices.iter().map(|device| device.path.as_str());
        if let Some(other) = paths.clone().find(|path| !is_given(path)) {
            return Err(OciError::refused(
                "linux.devices",
                format!(
                    "{other}: a job has no device nodes but null, zero, full, random, urandom and tty"
                ),
            ));
        }
    }
    let devices = linux
        .net_devices
        .as_ref()
        .filter(|devices| !is_empty(devices));
    none(
        "linux.netDevices",
        &devices,
        "no job has an interface of the host",
    )?;
    if let Some(path) = linux.cgroups_path.as_ref().filter(|path| !path.is_empty()) {
        withheld.push(format!(
            "linux.cgroupsPath: {path}, a job's groups are below gradus' own"
        ));
    }
    resources(&linux.resources, job)?;
    none(
        "linux.intelRdt",
        &linux.intel_rdt,
        "jobs are given no shares of caches",
    )?;
    if let Some(asked) = linux
        .memory_policy
        .as_ref()
        .filter(|asked| !asked.is_null())
    {
        bundle.bundled.memory_policy = Some(memory_policy(asked)?);
    }
    most("linux.sysctl", linux.sysctl.len())?;
    for (name, value) in &linux.sysctl {
        bundle.bundled.sysctls.push((setting(name)?, value.clone()));
    }
    if let Some(filter) = &linux.seccomp {
        bundle.calls = seccomp::calls(filter)?;
    }
    match linux.rootfs_propagation.as_deref() {
        None | Some("" | "private" | "rprivate" | "slave" | "rslave") => {}
        Some(other) => {
            return Err(OciError::refused(
                "linux.rootfsPropagation",
                format!("{other:?}: mounts of a job are its own"),
            ));
        }
    }
    for (property, paths, ours) in [
        ("linux.maskedPaths", &linux.masked_paths, &mut bundle.masked),
        (
            "linux.readonlyPaths",
            &linux.readonly_paths,
            &mut bundle.read_only,
        ),
    ] {
        most(property, paths.len())?;
        for path in paths {
            inside(property, path)?;
            ours.push(path.clone());
        }
    }
    none(
        "linux.mountLabel",
        &linux.mount_label.as_ref().filter(|label| !label.is_empty()),
        "jobs have no label of SELinux",
    )?;
    let domain = |asked: &Value| {
        asked
            .get("domain")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    match linux.personality.as_ref().map(domain) {
        None => {}
        Some(Some(domain)) if domain == "LINUX" => {}
        Some(Some(domain)) if domain == "LINUX32" => bundle.bundled.linux32 = true,
        Some(other) => {
            let why = format!("{other:?}, expected LINUX or LINUX32");
            return Err(OciError::refused("linux.personality", why));
        }
    }
    Ok(())
}

fn is_given(path: &str) -> bool {
    let known = ["null", "zero", "full", "random", "urandom", "tty"];
    path.strip_prefix("/dev/")
        .is_some_and(|name| known.contains(&name))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn namespaces(linux: &Linux, bundle: &mut Bundle) -> Result<(), OciError> {
    let refused = |why: String| Err(OciError::refused("linux.namespaces", why));
    let mut found = Vec::new();
    for namespace in &linux.namespaces {
        let kind = namespace.kind.as_str();
        if !OWN.contains(&kind) && !MORE.contains(&kind) {
            return refused(format!("Linux has no namespace of {kind:?}"));
        }
        if found.contains(&kind) {
            return refused(format!("{kind:?} is there twice"));
        }
        if let Some(path) = namespace.path.as_ref().filter(|path| !path.is_empty()) {
            return refused(format!("{path}: a job's {kind:?} is its own"));
        }
        found.push(kind);
    }
    if let Some(missing) = OWN.iter().find(|kind| !found.contains(*kind)) {
        return refused(format!(
            "without {missing:?}, which a job has of its own and never the host's"
        ));
    }
    let offsets = linux.time_offsets.as_ref();
    if found.contains(&"time") {
        bundle.bundled.clocks = Some(clocks(offsets.unwrap_or(&Value::Null))?);
    } else {
        none(
            "linux.timeOffsets",
            &offsets.filter(|offsets| !is_empty(offsets)),
            "they need the namespace \"time\"",
        )?;
    }
    Ok(())
}

fn clocks(asked: &Value) -> Result<Clocks, OciError> {
    let one = |clock: &str| -> Result<(i64, u32), OciError> {
        let Some(offset) = asked.get(clock) else {
            return Ok((0, 0));
        };
        let wrong = || {
            OciError::refused(
                "linux.timeOffsets",
                format!("{clock}: seconds and nanoseconds are expected"),
            )
        };
        let number = |name: &str| match offset.get(name) {
            None => Ok(0),
            Some(value) => value.as_i64().ok_or_else(wrong),
        };
        let nanos = u32::try_from(number("nanosecs")?)
            .ok()
            .filter(|nanos| *nanos < 1_000_000_000);
        Ok((number("secs")?, nanos.ok_or_else(wrong)?))
    };
    Ok(Clocks {
        monotonic: one("monotonic")?,
        boottime: one("boottime")?,
    })
}

/// Where the setting `name` is below `/proc/sys`: of its own network, and of nothing that others have too.
fn setting(name: &str) -> Result<String, OciError> {
    let refused = |why: &str| Err(OciError::refused(format!("linux.sysctl.{name}"), why));
    let path = name.replace('.', "/");
    if !path.starts_with("net/") {
        return refused("only those of its own network (net.…) are a job's to set");
    }
    let well_formed = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
    if !path.chars().all(well_formed) || path.split('/').any(str::is_empty) {
        return refused("it is no name of a setting");
    }
    Ok(path)
}

/// Where memory is, of what a job could have anyhow.
fn memory_policy(asked: &Value) -> Result<MemoryPolicy, OciError> {
    let refused = |why: String| Err(OciError::refused("linux.memoryPolicy", why));
    let find = |known: &[(&str, i32)], name: &str| {
        let found = known.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    };
    let name = asked.get("mode").and_then(Value::as_str).unwrap_or("");
    let Some(mut mode) = find(&MODES, name) else {
        return refused(format!("Linux has no mode {name:?}"));
    };
    let flags = asked.get("flags").and_then(Value::as_array);
    for flag in flags.into_iter().flatten() {
        let name = flag.as_str().unwrap_or("");
        match find(&FLAGS, name) {
            Some(flag) => mode |= flag,
            None => return refused(format!("Linux has no flag {name:?}")),
        }
    }
    let text = asked.get("nodes").and_then(Value::as_str).unwrap_or("");
    match nodes(text) {
        Some(nodes) => Ok(MemoryPolicy { mode, nodes }),
        None => refused(format!(
            "nodes {text:?}: numbers below 64 are expected, such as 0-3,5"
        )),
    }
}

fn nodes(text: &str) -> Option<u64> {
    let mut bits = 0;
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last > 63 {
            return None;
        }
        for node in first..=last {
            bits |= 1 << node;
        }
    }
    Some(bits)
}

fn resources(asked: &Resources, job: &mut Job) -> Result<(), OciError> {
    for (index, rule) in asked.devices.iter().enumerate() {
        device_rule(index, rule)?;
    }
    memory(&asked.memory, job)?;
    cpu(&asked.cpu, job)?;
    if let Some(limit) = asked.pids.as_ref().and_then(|pids| pids.limit)
        && limit > 0
    {
        job.limits.pids = limit as u64;
    }
    let some = |value: &Option<Value>| value.clone().filter(|value| !is_empty(value));
    none(
        "linux.resources.blockIO",
        &some(&asked.block_io),
        "rates of disks are options of `gradus sandbox run`",
    )?;
    none(
        "linux.resources.network",
        &some(&asked.network),
        "no packet of a job leaves it",
    )?;
    none(
        "linux.resources.rdma",
        &some(&asked.rdma),
        "no job has remote memory",
    )?;
    none(
        "linux.resources.hugepageLimits",
        &asked.hugepage_limits.first(),
        "no job is given large pages of its own",
    )?;
    none(
        "linux.resources.unified",
        &asked.unified.first_key_value(),
        "a job's groups are written by gradus alone",
    )
}

/// A rule that allows nothing which a job has not.
fn device_rule(index: usize, rule: &DeviceRule) -> Result<(), OciError> {
    if !rule.allow {
        return Ok(());
    }
    let given = matches!(
        (rule.kind.as_deref(), rule.major, rule.minor),
        (Some("c"), Some(1), Some(3 | 5 | 7 | 8 | 9))
            | (Some("c"), Some(5), Some(0 | 2))
            | (Some("c"), Some(136), _)
    );
    let makes = rule
        .access
        .as_ref()
        .is_none_or(|access| access.contains('m'));
    if given && !makes {
        return Ok(());
    }
    Err(OciError::refused(
        format!("linux.resources.devices[{index}]"),
        "a job opens no device nodes but null, zero, full, random, urandom and terminals of its own, and makes none",
    ))
}

fn memory(asked: &Memory, job: &mut Job) -> Result<(), OciError> {
    let property = |name: &str| format!("linux.resources.memory.{name}");
    if let Some(limit) = asked.limit.filter(|limit| *limit > 0) {
        job.limits.memory_bytes = limit as u64;
        job.limits.shm_bytes = job.limits.shm_bytes.min(limit as u64);
    }
    // A job never swaps: what is asked for with swap is more than it has.
    if let (Some(swap), Some(limit)) = (asked.swap, asked.limit)
        && swap > 0
        && swap < limit
    {
        return Err(OciError::refused(
            property("swap"),
            "less than the limit without it",
        ));
    }
    none(
        &property("reservation"),
        &asked.reservation,
        "no memory is kept for a bundle",
    )?;
    none(
        &property("kernel"),
        &asked.kernel,
        "memory of the kernel counts with the job's",
    )?;
    none(
        &property("kernelTCP"),
        &asked.kernel_tcp,
        "memory of the kernel counts with the job's",
    )?;
    none(
        &property("disableOOMKiller"),
        &asked.disable_oom_killer.filter(|on| *on),
        "a job that has no memory ends",
    )
}

fn cpu(asked: &Cpu, job: &mut Job) -> Result<(), OciError> {
    let property = |name: &str| format!("linux.resources.cpu.{name}");
    if let Some(quota) = asked.quota.filter(|quota| *quota > 0) {
        let period = asked.period.filter(|period| *period > 0).unwrap_or(100_000);
        let millis = (quota as u64).saturating_mul(1000) / period;
        if millis < 10 {
            return Err(OciError::refused(
                property("quota"),
                "less than a hundredth of a processor",
            ));
        }
        job.limits.cpu_millis = Some(millis);
    }
    if let Some(cpus) = asked.cpus.as_ref().filter(|cpus| !cpus.is_empty()) {
        job.limits.cpuset = Some(cpus.clone());
    }
    none(
        &property("shares"),
        &asked.shares.filter(|shares| !matches!(shares, 0 | 1024)),
        "jobs have equal weights",
    )?;
    none(
        &property("burst"),
        &asked.burst.filter(|burst| *burst > 0),
        "no time is saved up",
    )?;
    none(
        &property("realtimeRuntime"),
        &asked.realtime_runtime.filter(|time| *time > 0),
        "no job is before others",
    )?;
    none(
        &property("realtimePeriod"),
        &asked.realtime_period.filter(|time| *time > 0),
        "no job is before others",
    )?;
    none(
        &property("mems"),
        &asked.mems.as_ref().filter(|mems| !mems.is_empty()),
        "a job's memory is where the kernel puts it",
    )?;
    none(
        &property("idle"),
        &asked.idle.filter(|idle| *idle != 0),
        "jobs have equal weights",
    )
}
