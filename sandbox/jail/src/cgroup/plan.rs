//! Limits and a host become directories, files and values, before any is touched.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::CgroupError;
use super::host::{Backend, Controller, Host, Swap};
use super::limits::{Limits, check_name, number_set};
use super::{v1, v2};

/// A job's groups, and what is written into them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// the last part of every group's path
    pub name: String,
    /// the groups in the order in which they are made; version 2 first
    pub groups: Vec<PlannedGroup>,
}

/// One group, and what is written into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedGroup {
    /// of which version
    pub backend: Backend,
    /// what it is for
    pub controllers: Vec<Controller>,
    /// its directory
    pub path: PathBuf,
    /// what is written, in this order
    pub writes: Vec<Write>,
}

/// One value for one file of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// the file's name
    pub file: String,
    /// the value, written in one call
    pub value: String,
}

impl Write {
    pub(super) fn new(file: &str, value: impl ToString) -> Write {
        Write {
            file: file.to_owned(),
            value: value.to_string(),
        }
    }
}

/// A limit that this host cannot keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shortfall {
    /// which
    pub limit: LimitName,
    /// why, and what to do
    pub why: String,
}

/// Limits by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields of Limits, which say it")]
pub enum LimitName {
    MemoryBytes,
    /// that a job never swaps
    Swap,
    MemoryLowBytes,
    MemoryMinBytes,
    Pids,
    CpuMillis,
    Cpuset,
    Io,
    /// that a job's end is the end of all its processes
    Kill,
}

impl std::fmt::Display for LimitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LimitName::MemoryBytes => "the limit of memory",
            LimitName::Swap => "that it never swaps",
            LimitName::MemoryLowBytes => "memory that it keeps if there is enough",
            LimitName::MemoryMinBytes => "memory that it keeps",
            LimitName::Pids => "the limit of processes",
            LimitName::CpuMillis => "the share of processors",
            LimitName::Cpuset => "the choice of processors",
            LimitName::Io => "rates of disks",
            LimitName::Kill => "that its end is the end of all its processes",
        })
    }
}

/// Plans the groups of a job, and says what this host cannot keep. Whether that is a reason not to start it is the caller's choice.
///
/// # Errors
/// [`CgroupError::Invalid`] if no host could keep the limits, or no group can have the name.
pub fn plan(
    name: &str,
    limits: &Limits,
    host: &Host,
) -> Result<(Plan, Vec<Shortfall>), CgroupError> {
    check_name(name)?;
    limits.check()?;
    let mut shortfalls = Vec::new();
    let mut kept = BTreeSet::new();
    for (limit, controller, asked) in [
        (
            LimitName::MemoryBytes,
            Controller::Memory,
            limits.memory_bytes.is_some(),
        ),
        (
            LimitName::MemoryLowBytes,
            Controller::Memory,
            limits.memory_low_bytes.is_some(),
        ),
        (
            LimitName::MemoryMinBytes,
            Controller::Memory,
            limits.memory_min_bytes.is_some(),
        ),
        (LimitName::Pids, Controller::Pids, limits.pids.is_some()),
        (
            LimitName::CpuMillis,
            Controller::Cpu,
            limits.cpu_millis.is_some(),
        ),
        (
            LimitName::Cpuset,
            Controller::Cpuset,
            limits.cpuset.is_some(),
        ),
        (LimitName::Io, Controller::Io, !limits.io.is_empty()),
    ] {
        if !asked {
            continue;
        }
        match shortfall(limit, controller, limits, host) {
            Some(why) => shortfalls.push(Shortfall { limit, why }),
            None => _ = kept.insert(controller),
        }
    }
    if kept.contains(&Controller::Memory) && host.swap == Swap::Unlimited {
        let why = "this kernel cannot limit swap for a group: boot with swapaccount=1, or switch swap off".to_owned();
        shortfalls.push(Shortfall {
            limit: LimitName::Swap,
            why,
        });
    }
    if host.backend(Controller::Kill) == Backend::None {
        shortfalls.push(Shortfall {
            limit: LimitName::Kill,
            why: host.why(Controller::Kill),
        });
    }
    Ok((
        Plan {
            name: name.to_owned(),
            groups: groups(name, limits, host, &kept),
        },
        shortfalls,
    ))
}

fn shortfall(
    limit: LimitName,
    controller: Controller,
    limits: &Limits,
    host: &Host,
) -> Option<String> {
    let protection = matches!(limit, LimitName::MemoryLowBytes | LimitName::MemoryMinBytes);
    match host.backend(controller) {
        Backend::None => Some(host.why(controller)),
        Backend::V1 if protection => {
            Some("control groups of version 1 cannot protect memory: boot with systemd.unified_cgroup_hierarchy=1".to_owned())
        }
        _ if limit == LimitName::Cpuset => {
            let here = number_set(&host.cpus).unwrap_or_default();
            let asked = limits.cpuset.as_deref().and_then(number_set).unwrap_or_default();
            (!asked.is_subset(&here)).then(|| format!("jobs have the processors {} here: choose among them", host.cpus))
        }
        _ => None,
    }
}

fn groups(
    name: &str,
    limits: &Limits,
    host: &Host,
    kept: &BTreeSet<Controller>,
) -> Vec<PlannedGroup> {
    let mut groups = Vec::new();
    if let Some(v2) = &host.v2 {
        let used: Vec<Controller> = v2
            .controllers
            .iter()
            .copied()
            .filter(|one| host.backend(*one) == Backend::V2)
            .collect();
        let writes = used
            .iter()
            .flat_map(|one| v2::writes(*one, limits, host, kept))
            .collect();
        groups.push(PlannedGroup {
            backend: Backend::V2,
            controllers: used,
            path: v2.parent.join(name),
            writes,
        });
    }
    for hierarchy in &host.v1 {
        let needed = |one: &Controller| {
            // freezing and counting come with version 2 for nothing; only without it are they worth a group
            let service = matches!(one, Controller::Freezer | Controller::Accounting);
            host.backend(*one) == Backend::V1 && (service || kept.contains(one))
        };
        let used: Vec<Controller> = hierarchy
            .controllers
            .iter()
            .copied()
            .filter(needed)
            .collect();
        if used.is_empty() {
            continue;
        }
        let writes = used
            .iter()
            .flat_map(|one| v1::writes(*one, limits, host))
            .collect();
        groups.push(PlannedGroup {
            backend: Backend::V1,
            controllers: used,
            path: hierarchy.parent.join(name),
            writes,
        });
    }
    // without limits there still has to be a list of the processes to kill
    if let (true, Some(any)) = (groups.is_empty(), host.v1.first()) {
        groups.push(PlannedGroup {
            backend: Backend::V1,
            controllers: Vec::new(),
            path: any.parent.join(name),
            writes: Vec::new(),
        });
    }
    groups
}

/// As commands of a shell.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.groups {
            writeln!(f, "mkdir {}", group.path.display())?;
            for write in &group.writes {
                writeln!(
                    f,
                    "echo '{}' > {}",
                    write.value,
                    group.path.join(&write.file).display()
                )?;
            }
        }
        Ok(())
    }
}
