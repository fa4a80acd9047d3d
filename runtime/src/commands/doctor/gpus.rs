//! What `gradus doctor` says of GPUs.

use super::State;
use crate::bytes::ByteSize;
use crate::device::events::{GpuEvent, Listener};
use crate::device::health::{Health, Verdict, assess};
use crate::device::inventory::MigInstance;
use crate::device::support::{DRIVER_NEEDED, Support};
use crate::device::{Gpu, Inventory, Nvml, NvmlAbsent, StateDir};
use crate::host;
use crate::printable::printable;
use serde::Serialize;
use std::time::Duration;

/// GPUs as the management library shows them.
#[derive(Serialize)]
pub(super) struct Gpus {
    /// Why there is no management library.
    nvml: Option<NvmlAbsent>,
    driver: Option<String>,
    cuda_driver: Option<u32>,
    devices: Vec<Seen>,
    /// What happened while doctor looked.
    events: Vec<GpuEvent>,
}

/// One GPU, and what it is good for.
#[derive(Serialize)]
struct Seen {
    #[serde(flatten)]
    gpu: Gpu,
    health: Health,
    support: Support,
}

impl Gpus {
    pub(super) fn read() -> Self {
        match Nvml::load() {
            Ok(nvml) => {
                let events = Listener::new(&nvml).map_or_else(
                    |_| Vec::new(),
                    |listener| {
                        listener.drain(Duration::from_millis(20), Duration::from_millis(200))
                    },
                );
                let state = StateDir::from_environment();
                Self::of(Inventory::read(&nvml, state.as_ref()), events)
            }
            Err(absent) => Self {
                nvml: Some(absent),
                driver: None,
                cuda_driver: None,
                devices: Vec::new(),
                events: Vec::new(),
            },
        }
    }

    fn of(inventory: Inventory, events: Vec<GpuEvent>) -> Self {
        let see = |gpu: &Gpu| Seen {
            health: assess(gpu, &events, &[]),
            support: inventory.support(gpu),
            gpu: gpu.clone(),
        };
        Self {
            nvml: None,
            devices: inventory.gpus.iter().map(see).collect(),
            driver: inventory.driver,
            cuda_driver: inventory.cuda_driver,
            events,
        }
    }
}

/// Whether evaluation can use a GPU of this machine, and which.
pub(super) fn check(gpus: &Gpus, files: &host::Gpu) -> (State, String) {
    if let Some(absent) = &gpus.nvml {
        return without_nvml(absent, files);
    }
    let driver = gpus.driver.as_deref().unwrap_or("of unknown version");
    if gpus.devices.is_empty() {
        return (
            State::Absent,
            format!(
                "driver {driver} is here, but shows no GPU to this process; evaluation runs on the CPU"
            ),
        );
    }
    let supported = |seen: &&Seen| seen.support == Support::Supported;
    let good = |verdict| {
        let seen = gpus.devices.iter().filter(supported);
        let list: Vec<String> = seen
            .filter(|seen| seen.health.verdict == verdict)
            .map(|seen| match seen.gpu.is_cut() {
                true => format!("{} (by MIG instance)", seen.gpu.index),
                false => seen.gpu.index.to_string(),
            })
            .collect();
        (!list.is_empty()).then(|| match list.len() {
            1 => format!("GPU {}", list[0]),
            _ => format!("GPUs {}", list.join(", ")),
        })
    };
    let cuda = gpus.cuda_driver.map_or_else(String::new, |version| {
        format!(", CUDA {}.{}", version / 1000, version % 1000 / 10)
    });
    match (good(Verdict::Ready), good(Verdict::Degraded)) {
        (Some(ready), None) => (
            State::Ready,
            format!("{ready} can evaluate (driver {driver}{cuda})"),
        ),
        (Some(ready), Some(degraded)) => (
            State::Ready,
            format!(
                "{ready} can evaluate, {degraded} with the limits above (driver {driver}{cuda})"
            ),
        ),
        (None, Some(degraded)) => (
            State::Limited,
            format!("{degraded} can evaluate, with the limits above (driver {driver}{cuda})"),
        ),
        (None, None) => {
            // A GPU that nothing can be done about is worth less than one that a driver brings back.
            let supports = || gpus.devices.iter().map(|seen| &seen.support);
            let old_driver =
                supports().find(|support| matches!(support, Support::OldDriver { .. }));
            let other = supports().find(|support| **support != Support::Supported);
            let detail = match (
                old_driver,
                supports().any(|support| *support == Support::Supported),
            ) {
                (Some(support), _) => support.to_string(),
                (None, true) => {
                    "every GPU that could evaluate is unusable now, as above".to_owned()
                }
                (None, false) => other.map_or_else(String::new, ToString::to_string),
            };
            (
                State::Absent,
                format!("{detail}; evaluation runs on the CPU"),
            )
        }
    }
}

/// Only files tell what is here.
fn without_nvml(absent: &NvmlAbsent, files: &host::Gpu) -> (State, String) {
    match &files.driver {
        None => (
            State::Absent,
            format!(
                "no NVIDIA driver here; evaluation runs on the CPU. A GPU (Ampere or newer) needs driver \
                 {DRIVER_NEEDED} or newer"
            ),
        ),
        Some(driver) => {
            let support = Support::of(None, Some(driver), None);
            let plural = if files.devices == 1 { "" } else { "s" };
            let driver = match support {
                Support::OldDriver { .. } => {
                    format!("driver {driver} is too old (install {DRIVER_NEEDED} or newer)")
                }
                _ => format!("driver {driver} is loaded"),
            };
            let detail = format!(
                "{driver} and shows {} GPU{plural}, but their health is unknown: {}; {}",
                files.devices,
                printable(&absent.to_string()),
                absent.help()
            );
            let old = matches!(support, Support::OldDriver { .. });
            (if old { State::Absent } else { State::Limited }, detail)
        }
    }
}

/// A line for each GPU, and one below it for each thing that is not as it should be.
pub(super) fn lines(gpus: &Gpus) -> Vec<String> {
    gpus.devices.iter().flat_map(of_one).collect()
}

fn of_one(seen: &Seen) -> Vec<String> {
    let gpu = &seen.gpu;
    let mut facts = vec![gpu.name.clone().unwrap_or_else(|| "unknown GPU".to_owned())];
    facts.extend(
        gpu.capability
            .map(|capability| format!("compute {capability}")),
    );
    facts.extend(gpu.memory.map(|memory| {
        format!(
            "{} of {} free",
            ByteSize(memory.free),
            ByteSize(memory.total)
        )
    }));
    facts.extend(gpu.temperature_c.map(|celsius| format!("{celsius} °C")));
    facts.extend(gpu.power_mw.map(|mw| format!("{} W", (mw + 500) / 1000)));
    let instances: Vec<&MigInstance> = gpu.mig.iter().flat_map(|mig| &mig.instances).collect();
    if gpu.is_cut() {
        facts.push(match instances.len() {
            1 => "1 MIG instance".to_owned(),
            count => format!("{count} MIG instances"),
        });
    }
    let verdict = match &seen.support {
        Support::Supported | Support::Unknown => seen.health.verdict.to_string(),
        Support::OldGpu { .. } | Support::OldDriver { .. } => "not for evaluation".to_owned(),
    };
    let first = format!(
        "  GPU {:<7} {}: {verdict}",
        gpu.index,
        printable(&facts.join(", "))
    );
    let support = (seen.support != Support::Supported).then(|| seen.support.to_string());
    let reasons = seen.health.reasons.iter().map(ToString::to_string);
    let instances = instances.into_iter().map(of_instance);
    let below = support.into_iter().chain(reasons).chain(instances);
    std::iter::once(first)
        .chain(below.map(|text| format!("              {}", printable(&text))))
        .collect()
}

/// A MIG instance, and how a program gets it.
fn of_instance(instance: &MigInstance) -> String {
    let mut text = format!("MIG {}", instance.profile.as_deref().unwrap_or("instance"));
    if let Some(memory) = instance.memory {
        let (free, total) = (ByteSize(memory.free), ByteSize(memory.total));
        text.push_str(&format!(", {free} of {total} free"));
    }
    if let Some(uuid) = &instance.uuid {
        text.push_str(&format!(": CUDA_VISIBLE_DEVICES={uuid}"));
    }
    text
}

#[cfg(test)]
mod tests;
