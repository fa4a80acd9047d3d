//! A GPU's health: ready, degraded or unusable, and why. Pure.
//!
//! A reason carries its own verdict; a GPU's is the worst of its reasons'. *Degraded* is right but slower, smaller or
//! not for long; *unusable* is what must not be used, or cannot. Some reasons are notes: they change nothing, but
//! belong beside a verdict.

use super::events::GpuEvent;
use super::inventory::{ComputeMode, Gpu, Process, ProcessKind, Throttle};
use super::nvml::ReadError;
use super::quarantine::Record;
use super::xid::{Consequence, meaning};
use crate::bytes::ByteSize;
use serde::Serialize;
use std::fmt::{self, Display};

/// What can be done with a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All.
    Ready,
    /// All, but not as well as it should be.
    Degraded,
    /// Nothing.
    Unusable,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Unusable => "unusable",
        })
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// It fell off the bus.
    Lost,
    /// It answers only after a reset.
    ResetRequired,
    /// A lease on it was not given back clean.
    Quarantined {
        /// Why.
        why: String,
    },
    /// A lease on one of its MIG instances was not; the others are as good as before.
    InstanceQuarantined {
        /// Why.
        why: String,
    },
    /// The driver reported an error.
    Xid {
        /// Its number.
        code: u64,
    },
    /// Memory errors that ECC could not repair, since the driver was loaded.
    UncorrectedEcc {
        /// How many.
        count: u64,
    },
    /// It could repair memory errors, but does not.
    EccOff,
    /// A memory row waits for a reset to be replaced.
    RowRemapPending,
    /// A memory row could not be replaced.
    RowRemapFailed,
    /// Memory pages wait for a reset to be retired.
    PageRetirementPending,
    /// Clocks are lowered.
    Throttled {
        /// Why.
        by: Throttle,
    },
    /// It is as hot as where the hardware slows down.
    Hot {
        /// °C.
        temperature_c: u32,
        /// °C.
        slowdown_c: u32,
    },
    /// Others compute on it, or hold much of its memory.
    InUse {
        /// Memory in use, bytes.
        memory_used: u64,
        /// Processes that compute, as far as they are told.
        pids: Vec<u32>,
    },
    /// Nobody may compute on it.
    ComputeProhibited,
    /// One process may compute on it, and another one does.
    HeldExclusively {
        /// Which.
        pid: u32,
    },
    /// A change of MIG mode waits for a reset.
    MigChangePending,
    /// It is to be used by MIG instance, and has none.
    NoMigInstance,
    /// It does not say something that it should.
    Unreadable {
        /// What.
        what: &'static str,
        /// Why.
        error: ReadError,
    },
}

impl Reason {
    /// What follows from this reason alone.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Lost
            | Self::ResetRequired
            | Self::Quarantined { .. }
            | Self::UncorrectedEcc { .. }
            | Self::RowRemapFailed
            | Self::ComputeProhibited
            | Self::NoMigInstance
            | Self::HeldExclusively { .. } => Verdict::Unusable,
            Self::Xid { code } => match meaning(*code).1 {
                Consequence::Program => Verdict::Ready,
                Consequence::ResetSoon | Consequence::Unknown => Verdict::Degraded,
                Consequence::ResetNow => Verdict::Unusable,
            },
            Self::RowRemapPending
            | Self::PageRetirementPending
            | Self::Hot { .. }
            | Self::InUse { .. }
            | Self::MigChangePending
            | Self::InstanceQuarantined { .. }
            | Self::Unreadable { .. } => Verdict::Degraded,
            // At its power limit is where a GPU with much to do belongs.
            Self::Throttled {
                by: Throttle::PowerCap | Throttle::SetClocks | Throttle::SyncBoost,
            }
            | Self::EccOff => Verdict::Ready,
            Self::Throttled { .. } => Verdict::Degraded,
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str(
                "it is lost: it fell off the bus; reboot, then look at its power and seating",
            ),
            Self::ResetRequired => {
                f.write_str("it needs a reset: `nvidia-smi --gpu-reset`, or reboot")
            }
            Self::Quarantined { why } | Self::InstanceQuarantined { why } => {
                write!(f, "in quarantine: {why}")
            }
            Self::Xid { code } => write!(f, "Xid {code}: {}", meaning(*code).0),
            Self::UncorrectedEcc { count } => write!(
                f,
                "{count} memory errors that ECC could not repair since the driver was loaded; reset it"
            ),
            Self::EccOff => f.write_str("ECC is off: memory errors go unseen"),
            Self::RowRemapPending => f.write_str("a bad memory row is replaced at the next reset"),
            Self::RowRemapFailed => f.write_str(
                "a bad memory row could not be replaced: no spare is left; replace the GPU",
            ),
            Self::PageRetirementPending => {
                f.write_str("bad memory pages are retired at the next reset")
            }
            Self::Throttled { by } => f.write_str(match by {
                Throttle::PowerCap => "at its power limit",
                Throttle::SoftwareThermal => "slowed down by temperature",
                Throttle::HardwareThermal => "slowed down hard by temperature; look at its cooling",
                Throttle::PowerBrake => "slowed down by the power supply",
                Throttle::HardwareSlowdown => "slowed down by the hardware",
                Throttle::SyncBoost => "as slow as another GPU of its group",
                Throttle::SetClocks => "its clocks are set by hand",
            }),
            Self::Hot {
                temperature_c,
                slowdown_c,
            } => write!(f, "{temperature_c} °C, it slows down at {slowdown_c}"),
            Self::InUse { memory_used, pids } => {
                write!(f, "in use by others: {}", ByteSize(*memory_used))?;
                match pids.as_slice() {
                    [] => f.write_str(", by processes that this one cannot see"),
                    pids => write!(f, ", {}", processes(pids)),
                }
            }
            Self::ComputeProhibited => f.write_str(
                "its compute mode is prohibited; `nvidia-smi --compute-mode=DEFAULT` allows it",
            ),
            Self::HeldExclusively { pid } => {
                write!(f, "its compute mode is exclusive, and process {pid} has it")
            }
            Self::MigChangePending => f.write_str("a change of its MIG mode waits for a reset"),
            Self::NoMigInstance => f.write_str(
                "MIG is on and this process sees no instance; `nvidia-smi mig -cgi` makes some, `nvidia-smi -mig 0` ends it",
            ),
            Self::Unreadable { what, error } => write!(f, "{what} is unknown: {error}"),
        }
    }
}

fn processes(pids: &[u32]) -> String {
    let list: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let noun = if pids.len() == 1 {
        "process"
    } else {
        "processes"
    };
    format!("{noun} {}", list.join(", "))
}

/// What can be done with a GPU, and everything that is not as it should be, worst first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The worst of the reasons' verdicts.
    pub verdict: Verdict,
    /// Worst first.
    pub reasons: Vec<Reason>,
}

/// Share of its memory that others may hold before a GPU counts as in use: a display, or what a driver keeps.
const IDLE_MEMORY_SHARE: f64 = 0.1;

/// The health of a GPU.
///
/// * `events`: of all GPUs; those of others are passed over, those that name none count for each
/// * `own`: process ids that are ours, and no others
pub fn assess(gpu: &Gpu, events: &[GpuEvent], own: &[u32]) -> Health {
    let mut reasons = Vec::new();
    if gpu.lost {
        reasons.push(Reason::Lost);
    }
    if gpu.reset_required {
        reasons.push(Reason::ResetRequired);
    }
    reasons.extend(gpu.quarantine.iter().map(|record| Reason::Quarantined {
        why: quarantined(record),
    }));
    let instances = gpu.mig.iter().flat_map(|mig| &mig.instances);
    let records = instances.filter_map(|instance| instance.quarantine.as_ref());
    reasons.extend(records.map(|record| Reason::InstanceQuarantined {
        why: quarantined(record),
    }));
    let mut xids: Vec<u64> = events
        .iter()
        .filter(|event| event.uuid.is_none() || event.uuid == gpu.uuid)
        .map(|event| event.xid)
        .collect();
    xids.sort_unstable();
    xids.dedup();
    reasons.extend(xids.into_iter().map(|code| Reason::Xid { code }));
    memory_faults(gpu, &mut reasons);
    reasons.extend(gpu.throttle.iter().map(|&by| Reason::Throttled { by }));
    if let (Some(temperature_c), Some(slowdown_c)) = (gpu.temperature_c, gpu.slowdown_c)
        && temperature_c >= slowdown_c
    {
        reasons.push(Reason::Hot {
            temperature_c,
            slowdown_c,
        });
    }
    occupation(gpu, own, &mut reasons);
    if gpu
        .mig
        .as_ref()
        .is_some_and(|mig| mig.enabled != mig.pending)
    {
        reasons.push(Reason::MigChangePending);
    }
    if gpu.is_cut() && gpu.mig.iter().all(|mig| mig.instances.is_empty()) {
        reasons.push(Reason::NoMigInstance);
    }
    reasons.extend(gpu.unreadable.iter().map(|unreadable| Reason::Unreadable {
        what: unreadable.what,
        error: unreadable.error.clone(),
    }));
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict()));
    reasons.dedup();
    let worst = reasons.iter().map(Reason::verdict).max();
    Health {
        verdict: worst.unwrap_or(Verdict::Ready),
        reasons,
    }
}

/// Which device it is, why, and what ends it.
fn quarantined(record: &Record) -> String {
    let uuid = &record.uuid;
    format!("{record}; `gradus doctor --clear-quarantine {uuid}` ends it")
}

fn memory_faults(gpu: &Gpu, reasons: &mut Vec<Reason>) {
    if let Some(ecc) = &gpu.ecc {
        let count = ecc.volatile.map_or(0, |counts| counts.uncorrected);
        if count > 0 {
            reasons.push(Reason::UncorrectedEcc { count });
        }
        if !ecc.enabled {
            reasons.push(Reason::EccOff);
        }
    }
    if let Some(rows) = &gpu.remapped_rows {
        if rows.failed {
            reasons.push(Reason::RowRemapFailed);
        }
        if rows.pending {
            reasons.push(Reason::RowRemapPending);
        }
    }
    if gpu.retired_pages_pending == Some(true) {
        reasons.push(Reason::PageRetirementPending);
    }
}

fn occupation(gpu: &Gpu, own: &[u32], reasons: &mut Vec<Reason>) {
    let others: Vec<&Process> = gpu
        .processes
        .iter()
        .filter(|process| process.kind == ProcessKind::Compute && !own.contains(&process.pid))
        .collect();
    match (gpu.compute_mode, others.first()) {
        (Some(ComputeMode::Prohibited), _) => reasons.push(Reason::ComputeProhibited),
        (Some(ComputeMode::ExclusiveProcess), Some(process)) => {
            reasons.push(Reason::HeldExclusively { pid: process.pid });
        }
        _ => {}
    }
    let Some(memory) = gpu.memory else { return };
    let ours: u64 = gpu
        .processes
        .iter()
        .filter(|process| own.contains(&process.pid))
        .filter_map(|process| process.memory)
        .sum();
    // What our own processes hold on a system that does not tell is not held against others.
    let told = gpu
        .processes
        .iter()
        .all(|process| !own.contains(&process.pid) || process.memory.is_some());
    let memory_used = memory.used.saturating_sub(ours);
    let much = told && memory_used as f64 > memory.total as f64 * IDLE_MEMORY_SHARE;
    // Instances of a cut GPU have their own users; that they have is no news of the whole.
    if !gpu.is_cut() && (!others.is_empty() || much) {
        reasons.push(Reason::InUse {
            memory_used,
            pids: others.iter().map(|process| process.pid).collect(),
        });
    }
}
