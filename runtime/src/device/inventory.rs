//! One look at all GPUs: what each is, has, and does now.
//!
//! What a GPU does not have, or does not tell, is `None`; why it was not told, where that is out of the ordinary, is in
//! `unreadable`. A lost GPU stays in the list, as lost.

mod read;

use super::nvml::ReadError;
use super::quarantine;
use super::support::{Capability, Support};
use serde::Serialize;

/// All GPUs that the driver shows this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inventory {
    /// Version of the kernel driver.
    pub driver: Option<String>,
    /// CUDA version of the driver: 1000 × major + 10 × minor.
    pub cuda_driver: Option<u32>,
    /// GPUs in NVML's order, which is that of the PCI bus. CUDA's own order may be another.
    pub gpus: Vec<Gpu>,
    /// Questions about the system without an answer.
    pub unreadable: Vec<Unreadable>,
}

/// One GPU.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Gpu {
    /// Place in NVML's order, from 0.
    pub index: u32,
    /// Its name for all time, `GPU-…`.
    pub uuid: Option<String>,
    /// N of `/dev/nvidiaN`.
    pub minor_number: Option<u32>,
    /// Product.
    pub name: Option<String>,
    /// `domain:bus:device.function`.
    pub pci_bus_id: Option<String>,
    /// CUDA compute capability.
    pub capability: Option<Capability>,
    /// Whether it can be cut into instances, and is. `None`: it cannot.
    pub mig: Option<Mig>,
    /// Memory of the whole GPU.
    pub memory: Option<Memory>,
    /// Clocks.
    pub clocks: Clocks,
    /// Power it draws, mW.
    pub power_mw: Option<u32>,
    /// Power it may draw, mW.
    pub power_limit_mw: Option<u32>,
    /// Temperature of the chip, °C.
    pub temperature_c: Option<u32>,
    /// Temperature at which the hardware slows down, °C.
    pub slowdown_c: Option<u32>,
    /// Error correction. `None`: it has none.
    pub ecc: Option<Ecc>,
    /// Memory rows that were replaced by spare ones. `None`: it does not do that.
    pub remapped_rows: Option<RemappedRows>,
    /// Memory pages wait for a reset to be retired. `None`: it does not do that.
    pub retired_pages_pending: Option<bool>,
    /// Who may compute on it.
    pub compute_mode: Option<ComputeMode>,
    /// Whether the driver stays loaded for it without programs.
    pub persistence: Option<bool>,
    /// What it is linked to through NVLink.
    pub nvlink: Vec<NvLinkPeer>,
    /// Why clocks are lower than they could be.
    pub throttle: Vec<Throttle>,
    /// Programs on it.
    pub processes: Vec<Process>,
    /// It fell off the bus.
    pub lost: bool,
    /// It answers only after a reset.
    pub reset_required: bool,
    /// It was not given back clean, and nobody has cleared that yet.
    pub quarantine: Option<quarantine::Record>,
    /// Questions about it without an answer.
    pub unreadable: Vec<Unreadable>,
}

/// A question without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// What was asked.
    pub what: &'static str,
    /// Why there is no answer.
    pub error: ReadError,
}

/// Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// In use, by anybody.
    pub used: u64,
    /// What can be allocated.
    pub free: u64,
}

/// MHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Clocks {
    /// Multiprocessors, now.
    pub sm_mhz: Option<u32>,
    /// Memory, now.
    pub memory_mhz: Option<u32>,
    /// Multiprocessors, at most.
    pub sm_mhz_max: Option<u32>,
    /// Memory, at most.
    pub memory_mhz_max: Option<u32>,
}

/// Instances of a GPU that can be cut into some (MIG).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Mig {
    /// It is cut: only instances can be used.
    pub enabled: bool,
    /// It will be, after a reset.
    pub pending: bool,
    /// The instances that programs can use.
    pub instances: Vec<MigInstance>,
}

/// One MIG instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MigInstance {
    /// Its place among those of its GPU, from 0; places may be empty.
    pub place: u32,
    /// Its name, `MIG-…`.
    pub uuid: Option<String>,
    /// Its size, such as `1g.10gb`.
    pub profile: Option<String>,
    /// Its memory.
    pub memory: Option<Memory>,
    /// As [`Gpu::quarantine`].
    pub quarantine: Option<quarantine::Record>,
}

/// Error correction of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ecc {
    /// On now.
    pub enabled: bool,
    /// On after the next reset.
    pub pending: bool,
    /// Errors since the driver was loaded.
    pub volatile: Option<ErrorCounts>,
    /// Errors of its life.
    pub aggregate: Option<ErrorCounts>,
}

/// Memory errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ErrorCounts {
    /// Repaired.
    pub corrected: u64,
    /// Not.
    pub uncorrected: u64,
}

/// Memory rows that were replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RemappedRows {
    /// For errors that were corrected.
    pub corrected: u64,
    /// For those that were not.
    pub uncorrected: u64,
    /// A row waits for a reset.
    pub pending: bool,
    /// A row could not be replaced: no spare one is left.
    pub failed: bool,
}

/// Who may compute on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComputeMode {
    /// All.
    Default,
    /// One process at a time.
    ExclusiveProcess,
    /// None.
    Prohibited,
}

/// What NVLinks lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NvLinkPeer {
    /// Its PCI address; a switch has one too. `None`: not told.
    pub pci_bus_id: Option<String>,
    /// The GPU's index, if it is one of ours.
    pub gpu: Option<u32>,
    /// Active links to it.
    pub links: u32,
}

/// Why clocks are lower than they could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttle {
    /// Its power limit.
    PowerCap,
    /// Temperature, by the driver.
    SoftwareThermal,
    /// Temperature, by the hardware.
    HardwareThermal,
    /// The power supply asked for it.
    PowerBrake,
    /// The hardware, without saying why.
    HardwareSlowdown,
    /// Another GPU of its group is slower.
    SyncBoost,
    /// Somebody has set clocks.
    SetClocks,
}

/// A program on a GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Process id, as the driver counts: in a container it may be another than inside.
    pub pid: u32,
    /// What it is called, if that is told.
    pub name: Option<String>,
    /// GPU memory that it holds, bytes; not told on some systems.
    pub memory: Option<u64>,
    /// What it does there.
    pub kind: ProcessKind,
}

/// What a program does on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessKind {
    /// CUDA.
    Compute,
    /// A display.
    Graphics,
}

impl Inventory {
    /// The GPU with this UUID.
    pub fn by_uuid(&self, uuid: &str) -> Option<&Gpu> {
        self.gpus
            .iter()
            .find(|gpu| gpu.uuid.as_deref() == Some(uuid))
    }

    /// Whether evaluation can use `gpu`.
    pub fn support(&self, gpu: &Gpu) -> Support {
        Support::of(gpu.capability, self.driver.as_deref(), self.cuda_driver)
    }
}

impl Gpu {
    /// Whether it is cut into instances.
    pub fn is_cut(&self) -> bool {
        self.mig.as_ref().is_some_and(|mig| mig.enabled)
    }
}

/// What is in use of a GPU, or of a MIG instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Memory in use by anybody, bytes.
    pub memory_used: u64,
    /// Programs on it.
    pub processes: Vec<Process>,
}

/// Tells what is in use: NVML, or a test.
pub trait UsageSource: Send + Sync {
    /// Of the GPU or MIG instance with this UUID, now.
    ///
    /// # Errors
    /// Why it is not told; `Lost` if the GPU is gone.
    fn usage(&self, uuid: &str) -> Result<Usage, ReadError>;
}
