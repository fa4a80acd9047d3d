//! What the sandbox asks about GPUs, answered through the management library.
//!
//! The library is loaded when it is first needed, and anew after it has failed: a driver that was unloaded and loaded again leaves the old
//! one without answers.

use super::inventory::{Inventory, UsageSource};
use super::nvml::{LIBRARY, Nvml, ReadError};
use gradus_sandbox::gpu::driver::Driver;
use gradus_sandbox::gpu::proc::same_place;
use gradus_sandbox::gpu::told::{self, NvmlError, OnGpu, Told, ToldInstance};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The management library of the driver below a root.
#[derive(Debug)]
pub struct Management {
    library: PathBuf,
    /// Asked which instance is which: the library's function for that is not wrapped.
    program: Option<PathBuf>,
    loaded: Mutex<Option<Nvml>>,
}

impl Management {
    /// Of the driver below `root`, or where the loader looks if there is none.
    pub fn of(root: &Path) -> Self {
        let driver = Driver::find(root).ok();
        let library = driver.as_ref().and_then(Driver::management_library);
        // The link, not the file: after an update it leads to the new one.
        let link = library.map(|library| library.with_file_name(LIBRARY));
        let programs = driver.iter().flat_map(|driver| &driver.programs);
        let mut programs = programs.filter(|(name, _)| name == "nvidia-smi");
        Self {
            program: programs.next().map(|(_, path)| path.clone()),
            library: link
                .filter(|link| link.exists())
                .unwrap_or_else(|| LIBRARY.into()),
            loaded: Mutex::new(None),
        }
    }

    /// Asks the library; one that fails is let go.
    fn ask<T>(&self, ask: impl FnOnce(&Nvml) -> Result<T, NvmlError>) -> Result<T, NvmlError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let nvml = match loaded.take() {
            Some(nvml) => nvml,
            None => Nvml::load_from(self.library.as_os_str())
                .map_err(|absent| NvmlError::Absent(format!("{absent}; {}", absent.help())))?,
        };
        let answer = ask(&nvml);
        if answer.is_ok() {
            *loaded = Some(nvml);
        }
        answer
    }

    /// Places of instances with their numbers, by the GPU's place on the bus.
    fn instances(&self) -> Vec<Numbers> {
        let Some(program) = &self.program else {
            return Vec::new();
        };
        let asked = Command::new(program)
            .args(["-q", "-x"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        asked.map_or_else(
            |_| Vec::new(),
            |answer| numbers(&String::from_utf8_lossy(&answer.stdout)),
        )
    }
}

impl told::Nvml for Management {
    fn gpus(&self) -> Result<Vec<Told>, NvmlError> {
        let inventory = self.ask(|nvml| {
            let inventory = Inventory::read(nvml, None);
            match inventory.unreadable.first() {
                Some(unread) => Err(NvmlError::Other(format!(
                    "{}: {}",
                    unread.what, unread.error
                ))),
                None => Ok(inventory),
            }
        })?;
        let numbers = match inventory.gpus.iter().any(super::Gpu::is_cut) {
            true => self.instances(),
            false => Vec::new(),
        };
        let told = |gpu: &super::Gpu| {
            let pci = gpu.pci_bus_id.clone()?;
            let instances = gpu.mig.iter().flat_map(|mig| &mig.instances);
            let instances = instances.filter_map(|instance| {
                let uuid = instance.uuid.clone()?;
                let place = |it: &&Numbers| it.place == instance.place && same_place(&it.pci, &pci);
                let by_program = || numbers.iter().find(place).map(|it| it.numbers);
                Some(ToldInstance {
                    numbers: numbers_of_name(&uuid).or_else(by_program),
                    uuid,
                })
            });
            Some(Told {
                uuid: gpu.uuid.clone()?,
                minor: gpu.minor_number,
                cut: gpu.is_cut(),
                instances: instances.collect(),
                pci,
            })
        };
        Ok(inventory.gpus.iter().filter_map(told).collect())
    }

    fn usage(&self, uuid: &str) -> Result<told::Usage, NvmlError> {
        self.ask(|nvml| {
            let usage = nvml.usage(uuid).map_err(|error| match error {
                ReadError::Lost => NvmlError::Lost,
                other => NvmlError::Other(other.to_string()),
            })?;
            let processes = usage.processes.iter().map(|process| OnGpu {
                pid: process.pid,
                bytes: process.memory,
            });
            Ok(told::Usage {
                used_bytes: usage.memory_used,
                processes: processes.collect(),
            })
        })
    }
}

/// Which instance is at a place of a GPU.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    pci: String,
    place: u32,
    /// of the GPU instance, and of the compute instance in it
    numbers: (u32, u32),
}

/// Old drivers have the numbers in the name: `MIG-GPU-…/1/0`.
fn numbers_of_name(uuid: &str) -> Option<(u32, u32)> {
    let (rest, compute) = uuid.strip_prefix("MIG-GPU-")?.rsplit_once('/')?;
    let (_, gpu) = rest.rsplit_once('/')?;
    Some((gpu.parse().ok()?, compute.parse().ok()?))
}

/// What `nvidia-smi -q -x` says of instances.
fn numbers(xml: &str) -> Vec<Numbers> {
    let mut found = Vec::new();
    for gpu in xml.split("<gpu id=\"").skip(1) {
        let Some((pci, gpu)) = gpu.split_once('"') else {
            continue;
        };
        let Some((_, devices)) = gpu.split_once("<mig_devices>") else {
            continue;
        };
        let devices = devices.split("</mig_devices>").next().unwrap_or_default();
        for device in devices.split("<mig_device>").skip(1) {
            let number = |tag: &str| -> Option<u32> {
                let (_, rest) = device.split_once(&format!("<{tag}>"))?;
                rest.split('<').next()?.trim().parse().ok()
            };
            found.extend(
                number("index")
                    .zip(number("gpu_instance_id").zip(number("compute_instance_id")))
                    .map(|(place, numbers)| Numbers {
                        pci: pci.to_owned(),
                        place,
                        numbers,
                    }),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_told_by_the_program_or_by_their_names() {
        let xml = "<?xml version=\"1.0\" ?>\n<nvidia_smi_log>\n<gpu id=\"00000000:10:00.0\">\n<mig_devices>\n<mig_device>\n\
                   \t<index>0</index>\n<gpu_instance_id>1</gpu_instance_id>\n<compute_instance_id>0</compute_instance_id>\n</mig_device>\n\
                   <mig_device><index>1</index><gpu_instance_id>5</gpu_instance_id><compute_instance_id>2</compute_instance_id>\n\
                   </mig_device></mig_devices></gpu><gpu id=\"00000000:15:00.0\"><mig_devices>None</mig_devices>\n\
                   <processes><process_info><gpu_instance_id>N/A</gpu_instance_id></process_info></processes></gpu></nvidia_smi_log>";
        let at = |place, numbers| Numbers {
            pci: "00000000:10:00.0".to_owned(),
            place,
            numbers,
        };
        assert_eq!(numbers(xml), [at(0, (1, 0)), at(1, (5, 2))]);
        assert_eq!(numbers("<gpu id=\""), []);
        assert_eq!(numbers_of_name("MIG-GPU-8932f937-d72c/7/0"), Some((7, 0)));
        assert_eq!(numbers_of_name("MIG-8932f937-d72c"), None);
    }
}
