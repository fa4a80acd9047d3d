//! The inventory through NVML. No answer ends the look: what is missing is left out, and noted where it should be there.

use super::{
    Clocks, ComputeMode, Ecc, ErrorCounts, Gpu, Inventory, Memory, Mig, MigInstance, NvLinkPeer,
    Process, ProcessKind, RemappedRows, Throttle, Unreadable, Usage, UsageSource,
};
use crate::device::nvml::{Nvml, ReadError};
use crate::device::state::StateDir;
use crate::device::support::Capability;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device as wrapped;
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id;
use std::collections::BTreeMap;

type Device<'a> = nvml_wrapper::Device<'a>;

/// Links that a GPU can have, of all generations so far.
const MOST_LINKS: u32 = 18;

/// Longest name of a process that is asked for, bytes.
const LONGEST_PROCESS_NAME: usize = 256;

/// Collects the questions that have no answer.
#[derive(Default)]
struct Asked {
    unreadable: Vec<Unreadable>,
    lost: bool,
    reset_required: bool,
}

impl Asked {
    /// The answer. That a GPU does not have something is an ordinary one.
    fn take<T>(&mut self, what: &'static str, answer: Result<T, NvmlError>) -> Option<T> {
        match answer.map_err(ReadError::from) {
            Ok(value) => return Some(value),
            Err(ReadError::NotSupported) => {}
            Err(ReadError::Lost) => self.lost = true,
            Err(ReadError::ResetRequired) => self.reset_required = true,
            Err(error) => self.unreadable.push(Unreadable { what, error }),
        }
        None
    }
}

impl Inventory {
    /// Looks at all GPUs; with the state directory, also at what is in quarantine.
    pub fn read(nvml: &Nvml, state: Option<&StateDir>) -> Self {
        let raw = nvml.get();
        let mut asked = Asked::default();
        let driver = asked.take("driver version", raw.sys_driver_version());
        let cuda = asked.take("CUDA version", raw.sys_cuda_driver_version());
        let count = asked
            .take("number of GPUs", raw.device_count())
            .unwrap_or(0);
        let mut gpus: Vec<Gpu> = (0..count).map(|index| read_gpu(raw, index)).collect();
        name_peers(&mut gpus);
        if let Some(state) = state {
            for gpu in &mut gpus {
                gpu.quarantine = gpu.uuid.as_deref().and_then(|uuid| state.quarantined(uuid));
                for instance in gpu.mig.iter_mut().flat_map(|mig| &mut mig.instances) {
                    let uuid = instance.uuid.as_deref();
                    instance.quarantine = uuid.and_then(|uuid| state.quarantined(uuid));
                }
            }
        }
        Self {
            driver,
            cuda_driver: cuda.and_then(|version| u32::try_from(version).ok()),
            gpus,
            unreadable: asked.unreadable,
        }
    }
}

impl UsageSource for Nvml {
    fn usage(&self, uuid: &str) -> Result<Usage, ReadError> {
        let device = self.get().device_by_uuid(uuid)?;
        let mut asked = Asked::default();
        let usage = Usage {
            memory_used: device.memory_info()?.used,
            processes: processes(self.get(), &device, &mut asked),
        };
        // Between the two answers the GPU may have gone. A list that could not be read is not an empty one; old drivers lack some lists.
        let mut unread = asked.unreadable.into_iter().map(|one| one.error);
        let unread = unread.find(|error| !matches!(error, ReadError::MissingFunction(_)));
        match (asked.lost, unread) {
            (true, _) => Err(ReadError::Lost),
            (false, Some(error)) => Err(error),
            (false, None) => Ok(usage),
        }
    }
}

fn read_gpu(nvml: &nvml_wrapper::Nvml, index: u32) -> Gpu {
    let mut asked = Asked::default();
    let mut gpu = match asked.take("the GPU itself", nvml.device_by_index(index)) {
        Some(device) => read_device(nvml, &device, &mut asked),
        None => Gpu::default(),
    };
    gpu.index = index;
    gpu.lost = asked.lost;
    gpu.reset_required = asked.reset_required;
    gpu.unreadable = asked.unreadable;
    gpu
}

fn read_device(nvml: &nvml_wrapper::Nvml, device: &Device<'_>, asked: &mut Asked) -> Gpu {
    use wrapped::{Clock, TemperatureSensor, TemperatureThreshold};
    let capability = asked.take("compute capability", device.cuda_compute_capability());
    let throttle = asked.take("throttling", device.current_throttle_reasons());
    Gpu {
        index: 0,
        uuid: asked.take("UUID", device.uuid()),
        minor_number: asked.take("minor number", device.minor_number()),
        name: asked.take("name", device.name()),
        pci_bus_id: asked
            .take("PCI address", device.pci_info())
            .map(|pci| pci.bus_id),
        capability: capability.and_then(|raw| {
            Some(Capability {
                major: raw.major.try_into().ok()?,
                minor: raw.minor.try_into().ok()?,
            })
        }),
        mig: read_mig(device, asked),
        memory: asked.take("memory", device.memory_info()).map(memory),
        clocks: Clocks {
            sm_mhz: asked.take("clocks", device.clock_info(Clock::SM)),
            memory_mhz: asked.take("clocks", device.clock_info(Clock::Memory)),
            sm_mhz_max: asked.take("highest clocks", device.max_clock_info(Clock::SM)),
            memory_mhz_max: asked.take("highest clocks", device.max_clock_info(Clock::Memory)),
        },
        power_mw: asked.take("power", device.power_usage()),
        power_limit_mw: asked.take("power limit", device.enforced_power_limit()),
        temperature_c: asked.take("temperature", device.temperature(TemperatureSensor::Gpu)),
        slowdown_c: asked.take(
            "temperature of slowdown",
            device.temperature_threshold(TemperatureThreshold::Slowdown),
        ),
        ecc: read_ecc(device, asked),
        remapped_rows: read_remapped(device, asked),
        retired_pages_pending: asked.take("retired pages", device.are_pages_pending_retired()),
        compute_mode: asked
            .take("compute mode", device.compute_mode())
            .map(compute_mode),
        persistence: asked.take("persistence", device.is_in_persistent_mode()),
        nvlink: read_nvlink(device, asked),
        throttle: throttle.map(throttles).unwrap_or_default(),
        processes: processes(nvml, device, asked),
        ..Gpu::default()
    }
}

fn memory(raw: nvml_wrapper::struct_wrappers::device::MemoryInfo) -> Memory {
    Memory {
        total: raw.total,
        used: raw.used,
        free: raw.free,
    }
}

fn compute_mode(raw: wrapped::ComputeMode) -> ComputeMode {
    match raw {
        wrapped::ComputeMode::Default => ComputeMode::Default,
        wrapped::ComputeMode::Prohibited => ComputeMode::Prohibited,
        // Per thread is what the driver has long treated as per process.
        wrapped::ComputeMode::ExclusiveProcess | wrapped::ComputeMode::ExclusiveThread => {
            ComputeMode::ExclusiveProcess
        }
    }
}

fn throttles(raw: ThrottleReasons) -> Vec<Throttle> {
    [
        (ThrottleReasons::SW_POWER_CAP, Throttle::PowerCap),
        (
            ThrottleReasons::SW_THERMAL_SLOWDOWN,
            Throttle::SoftwareThermal,
        ),
        (
            ThrottleReasons::HW_THERMAL_SLOWDOWN,
            Throttle::HardwareThermal,
        ),
        (
            ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN,
            Throttle::PowerBrake,
        ),
        (ThrottleReasons::HW_SLOWDOWN, Throttle::HardwareSlowdown),
        (ThrottleReasons::SYNC_BOOST, Throttle::SyncBoost),
        (
            ThrottleReasons::APPLICATIONS_CLOCKS_SETTING,
            Throttle::SetClocks,
        ),
    ]
    .into_iter()
    .filter(|(bit, _)| raw.contains(*bit))
    .map(|(_, reason)| reason)
    .collect()
}

fn read_mig(device: &Device<'_>, asked: &mut Asked) -> Option<Mig> {
    let mode = asked.take("MIG mode", device.mig_mode())?;
    let mut mig = Mig {
        enabled: mode.current == 1,
        pending: mode.pending == 1,
        instances: Vec::new(),
    };
    if mig.enabled {
        let most = asked.take("number of MIG instances", device.mig_device_count());
        for place in 0..most.unwrap_or(0) {
            // Places without an instance are ordinary.
            let instance = match device.mig_device_by_index(place) {
                Err(NvmlError::NotFound) => continue,
                answer => asked.take("MIG instance", answer),
            };
            let Some(instance) = instance else { continue };
            let name = asked.take("name of a MIG instance", instance.name());
            mig.instances.push(MigInstance {
                place,
                uuid: asked.take("UUID of a MIG instance", instance.uuid()),
                // NVML has the profile in the name alone: "NVIDIA H100 80GB HBM3 MIG 1g.10gb".
                profile: name.and_then(|name| Some(name.rsplit_once("MIG ")?.1.to_owned())),
                memory: asked
                    .take("memory of a MIG instance", instance.memory_info())
                    .map(memory),
                quarantine: None,
            });
        }
    }
    Some(mig)
}

fn read_ecc(device: &Device<'_>, asked: &mut Asked) -> Option<Ecc> {
    use wrapped::{EccCounter, MemoryError};
    let mode = asked.take("error correction", device.is_ecc_enabled())?;
    let mut counts = |counter: EccCounter| {
        let count = |kind| device.total_ecc_errors(kind, counter);
        let (corrected, uncorrected) = (
            count(MemoryError::Corrected),
            count(MemoryError::Uncorrected),
        );
        Some(ErrorCounts {
            corrected: asked.take("memory errors", corrected)?,
            uncorrected: asked.take("memory errors", uncorrected)?,
        })
    };
    Some(Ecc {
        enabled: mode.currently_enabled,
        pending: mode.pending_enabled,
        volatile: counts(EccCounter::Volatile),
        aggregate: counts(EccCounter::Aggregate),
    })
}

fn read_remapped(device: &Device<'_>, asked: &mut Asked) -> Option<RemappedRows> {
    let fields = [
        field_id::NVML_FI_DEV_REMAPPED_COR,
        field_id::NVML_FI_DEV_REMAPPED_UNC,
        field_id::NVML_FI_DEV_REMAPPED_PENDING,
        field_id::NVML_FI_DEV_REMAPPED_FAILURE,
    ];
    let samples = asked.take(
        "remapped rows",
        device.field_values_for(&fields.map(FieldId)),
    )?;
    let mut numbers = [0; 4];
    for (number, sample) in numbers.iter_mut().zip(samples) {
        let value = sample.and_then(|sample| sample.value);
        *number = match asked.take("remapped rows", value)? {
            SampleValue::U32(value) => u64::from(value),
            SampleValue::U64(value) => value,
            SampleValue::I64(value) => u64::try_from(value).unwrap_or(0),
            SampleValue::F64(value) => value as u64,
        };
    }
    let [corrected, uncorrected, pending, failed] = numbers;
    Some(RemappedRows {
        corrected,
        uncorrected,
        pending: pending != 0,
        failed: failed != 0,
    })
}

fn read_nvlink(device: &Device<'_>, asked: &mut Asked) -> Vec<NvLinkPeer> {
    let mut links: BTreeMap<Option<String>, u32> = BTreeMap::new();
    for number in 0..MOST_LINKS {
        let link = device.link_wrapper_for(number);
        match link.is_active() {
            Ok(true) => {}
            Ok(false) => continue,
            // This GPU has no links, or not as many.
            Err(NvmlError::InvalidArg | NvmlError::NotSupported) => break,
            Err(error) => {
                asked.take::<()>("NVLink", Err(error));
                break;
            }
        }
        let pci = asked.take("NVLink's other end", link.remote_pci_info());
        *links.entry(pci.map(|pci| pci.bus_id)).or_default() += 1;
    }
    links
        .into_iter()
        .map(|(pci_bus_id, links)| NvLinkPeer {
            pci_bus_id,
            gpu: None,
            links,
        })
        .collect()
}

fn name_peers(gpus: &mut [Gpu]) {
    let places: Vec<_> = gpus
        .iter()
        .filter_map(|gpu| Some((gpu.pci_bus_id.clone()?, gpu.index)))
        .collect();
    for peer in gpus.iter_mut().flat_map(|gpu| &mut gpu.nvlink) {
        let found = places
            .iter()
            .find(|(bus, _)| Some(bus) == peer.pci_bus_id.as_ref());
        peer.gpu = found.map(|(_, index)| *index);
    }
}

fn processes(nvml: &nvml_wrapper::Nvml, device: &Device<'_>, asked: &mut Asked) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut add = |list: Vec<ProcessInfo>, kind| {
        for raw in list {
            // A program may compute and draw, or be listed by MPS too: it is one.
            if found.iter().any(|process| process.pid == raw.pid) {
                continue;
            }
            found.push(Process {
                pid: raw.pid,
                name: nvml
                    .sys_process_name(raw.pid, LONGEST_PROCESS_NAME)
                    .ok()
                    .filter(|name| !name.is_empty()),
                memory: match raw.used_gpu_memory {
                    UsedGpuMemory::Used(bytes) => Some(bytes),
                    UsedGpuMemory::Unavailable => None,
                },
                kind,
            });
        }
    };
    for (answer, kind) in [
        (device.running_compute_processes(), ProcessKind::Compute),
        (device.mps_running_compute_processes(), ProcessKind::Compute),
        (device.running_graphics_processes(), ProcessKind::Graphics),
    ] {
        if let Some(list) = asked.take("processes", answer) {
            add(list, kind);
        }
    }
    found
}
