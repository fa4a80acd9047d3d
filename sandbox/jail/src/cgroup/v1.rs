//! How version 1 spells limits, and how it is tried.

use super::error::CgroupError;
use super::files::Dir;
use super::host::{Controller, Host, Missing, Swap};
use super::limits::Limits;
use super::plan::Write;
use super::v2::quota;

/// The limit that is written to see whether one is taken.
pub(super) const PROBE_MEMORY: &str = "67108864";

/// What the controllers of a hierarchy are for.
pub(super) fn controllers(names: &[String]) -> Vec<Controller> {
    let known = |name: &String| {
        Some(match name.as_str() {
            "memory" => Controller::Memory,
            "pids" => Controller::Pids,
            "cpu" => Controller::Cpu,
            "cpuacct" => Controller::Accounting,
            "cpuset" => Controller::Cpuset,
            "blkio" => Controller::Io,
            "devices" => Controller::Devices,
            "freezer" => Controller::Freezer,
            _ => return None,
        })
    };
    names.iter().filter_map(known).collect()
}

/// What is written for a controller.
pub(super) fn writes(controller: Controller, limits: &Limits, host: &Host) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut write = |file: &str, value: String| writes.push(Write::new(file, value));
    match controller {
        Controller::Memory => {
            if let Some(bytes) = limits.memory_bytes {
                // in this order: memory with swap may never be limited to less than memory alone
                write("memory.limit_in_bytes", bytes.to_string());
                match host.swap {
                    Swap::V1 => write("memory.memsw.limit_in_bytes", bytes.to_string()),
                    Swap::Unlimited => write("memory.swappiness", "0".to_owned()),
                    Swap::V2 | Swap::Absent => {}
                }
            }
        }
        Controller::Pids => limits
            .pids
            .into_iter()
            .for_each(|pids| write("pids.max", pids.to_string())),
        Controller::Cpu => {
            if let Some(millis) = limits.cpu_millis {
                let (quota_us, period_us) = quota(millis);
                write("cpu.cfs_period_us", period_us.to_string());
                write("cpu.cfs_quota_us", quota_us.to_string());
            }
        }
        Controller::Cpuset => {
            // no process can enter before both are set
            if let Some(cpus) = &limits.cpuset {
                write("cpuset.mems", host.mems.clone());
                write("cpuset.cpus", cpus.clone());
            }
        }
        Controller::Io => {
            for io in &limits.io {
                for (file, rate) in [
                    ("blkio.throttle.read_bps_device", io.read_bps),
                    ("blkio.throttle.write_bps_device", io.write_bps),
                    ("blkio.throttle.read_iops_device", io.read_iops),
                    ("blkio.throttle.write_iops_device", io.write_iops),
                ] {
                    rate.into_iter()
                        .for_each(|rate| write(file, format!("{} {rate}", io.device())));
                }
            }
        }
        Controller::Accounting | Controller::Devices | Controller::Freezer | Controller::Kill => {}
    }
    writes
}

/// Tries a controller in a group without processes.
pub(super) fn probe(
    controller: Controller,
    group: &Dir,
    parent: &Dir,
    disk: Option<&str>,
) -> Result<(), Missing> {
    let tried: Result<(), CgroupError> = match controller {
        Controller::Memory => group.write("memory.limit_in_bytes", PROBE_MEMORY),
        Controller::Pids => group.write("pids.max", "64"),
        Controller::Cpu => group.write("cpu.cfs_quota_us", "100000"),
        Controller::Accounting => group.read("cpuacct.usage").map(|_| ()),
        Controller::Cpuset => group
            .write("cpuset.mems", &inherited(parent, "mems"))
            .and_then(|()| group.write("cpuset.cpus", &inherited(parent, "cpus"))),
        Controller::Io => match disk {
            Some(disk) => group.write(
                "blkio.throttle.write_bps_device",
                &format!("{disk} 1073741824"),
            ),
            None => group.read("blkio.throttle.write_bps_device").map(|_| ()),
        },
        Controller::Devices => group.write("devices.deny", "a"),
        Controller::Freezer => group.write("freezer.state", "THAWED"),
        Controller::Kill => Ok(()),
    };
    tried.map_err(|error| Missing::from(&error))
}

/// What children of a group can have of a set, `cpus` or `mems`.
pub(super) fn inherited(parent: &Dir, set: &str) -> String {
    let text = parent
        .read(&format!("cpuset.effective_{set}"))
        .or_else(|_| parent.read(&format!("cpuset.{set}")));
    text.unwrap_or_default().trim().to_owned()
}
