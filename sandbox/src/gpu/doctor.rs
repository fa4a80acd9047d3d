//! What this host offers jobs that want GPUs, with what is missing and how to get it.

use std::path::Path;

use super::driver::{self, Driver};
use super::holds::Holds;
use super::told::{Nvml, Told};
use super::{GpuError, find};
use crate::doctor::{Finding, State};

fn finding(what: &str, state: State, detail: impl Into<String>) -> Finding {
    Finding {
        what: what.to_owned(),
        state,
        detail: detail.into(),
        // Jobs without a GPU are run as well without one.
        required: false,
    }
}

fn said(error: &GpuError) -> String {
    let text = error.to_string().replace('\n', "; ");
    match std::error::Error::source(error) {
        Some(cause) => format!("{text}: {cause}"),
        None => text,
    }
}

/// Looks at the driver below `root`, asks `nvml`, and says who has what in `holds`.
pub fn look(root: &Path, nvml: &dyn Nvml, holds: Option<&Holds>) -> Vec<Finding> {
    let version = match driver::loaded(root) {
        Ok((version, _)) => version,
        Err(error) => return vec![finding("GPU driver", State::Absent, said(&error))],
    };
    let loaded = format!("NVIDIA {version}");
    let mut findings = vec![finding("GPU driver", State::Ready, loaded)];
    let driver = match Driver::find(root) {
        Ok(driver) => driver,
        Err(error) => {
            findings.push(finding("GPU libraries", State::Absent, said(&error)));
            return findings;
        }
    };
    let names = driver.libraries.len();
    let detail = format!("{names} of version {version}, given to jobs read-only");
    findings.push(finding("GPU libraries", State::Ready, detail));
    findings.push(match find::shared_nodes(&driver) {
        Ok(nodes) => {
            let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
            finding("GPU nodes", State::Ready, names.join(", "))
        }
        Err(error) => finding("GPU nodes", State::Absent, said(&error)),
    });
    match nvml.gpus() {
        Err(error) => findings.push(finding("GPUs", State::Absent, error.to_string())),
        Ok(told) => {
            findings.push(gpus(&driver, nvml, &told, holds));
            findings.extend(instances(&driver, &told));
        }
    }
    findings
}

fn gpus(driver: &Driver, nvml: &dyn Nvml, told: &[Told], holds: Option<&Holds>) -> Finding {
    let mut troubles = Vec::new();
    let mut free = 0;
    for gpu in told.iter().filter(|gpu| !gpu.cut) {
        let request = super::Request {
            uuid: gpu.uuid.clone(),
            memory_bytes: None,
        };
        let quarantined = holds.and_then(|holds| holds.quarantined(&gpu.uuid));
        let holder = holds.and_then(|holds| holds.holder(&gpu.uuid, None).ok().flatten());
        match (find::find(driver, nvml, &[request]), quarantined, holder) {
            (Err(error), ..) => troubles.push(said(&error)),
            (_, Some(record), _) => {
                troubles.push(format!("{} is in quarantine: {record}", gpu.uuid));
            }
            (_, _, Some(hold)) => troubles.push(format!("{} has job {:?}", gpu.uuid, hold.job)),
            _ => free += 1,
        }
    }
    let count = told.len();
    let mut detail = format!("{count}, {free} of them free as a whole");
    for trouble in &troubles {
        detail.push_str("; ");
        detail.push_str(trouble);
    }
    let state = match (count, troubles.is_empty()) {
        (0, _) => State::Absent,
        (_, true) => State::Ready,
        _ => State::Limited,
    };
    finding("GPUs", state, detail)
}

fn instances(driver: &Driver, told: &[Told]) -> Option<Finding> {
    let cut: Vec<&Told> = told.iter().filter(|gpu| gpu.cut).collect();
    if cut.is_empty() {
        return None;
    }
    let all = || cut.iter().flat_map(|gpu| &gpu.instances);
    let untold = all().filter(|instance| instance.numbers.is_none()).count();
    let detail = format!("{} of {} GPUs", all().count(), cut.len());
    Some(match (driver.caps_major, untold) {
        (None, _) => finding(
            "GPU instances",
            State::Absent,
            format!("{detail}; the driver has no devices nvidia-caps, which came with 450"),
        ),
        (_, 0) => finding("GPU instances", State::Ready, detail),
        (_, untold) => finding(
            "GPU instances",
            State::Limited,
            format!("{detail}; which ones {untold} of them are is not told: install nvidia-smi"),
        ),
    })
}
