//! Reading the driver's files, finding, planning, holding; with a driver of files, and a management library that is told what to say.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;

use gradus_jail::plan::{Content, Entry, Plan, Source};
use gradus_nvml_stub::driver::{DriverRoot, Gpu, LIBRARIES, VERSION};

use super::driver::Driver;
use super::holds::{Grant, Holds};
use super::told::{Nvml, NvmlError, OnGpu, Told, ToldInstance, Usage};
use super::{GpuError, Granted, Request, proc};

mod driver;
mod giving;
mod holding;
mod reading;

pub(super) const A: &str = "GPU-aaaaaaaa-0000-0000-0000-000000000001";
pub(super) const B: &str = "GPU-bbbbbbbb-0000-0000-0000-000000000002";
pub(super) const PART: &str = "MIG-cccccccc-0000-0000-0000-000000000003";
pub(super) const GPUS: [Gpu; 2] = [
    Gpu {
        uuid: A,
        pci: "0000:1a:00.0",
        minor: 3,
    },
    Gpu {
        uuid: B,
        pci: "0000:2a:00.0",
        minor: 11,
    },
];

/// A library that says what it is told to.
#[derive(Default)]
pub(super) struct Says {
    pub(super) gpus: Vec<Told>,
    pub(super) usage: Mutex<BTreeMap<String, Result<Usage, NvmlError>>>,
}

impl Says {
    /// Two idle GPUs, in the order that the driver does not have.
    pub(super) fn idle() -> Says {
        let told = |gpu: &Gpu| Told {
            uuid: gpu.uuid.to_owned(),
            pci: format!("0000{}", gpu.pci.to_uppercase()),
            minor: Some(gpu.minor),
            ..Told::default()
        };
        Says {
            gpus: GPUS.iter().rev().map(told).collect(),
            usage: Mutex::default(),
        }
    }

    /// The second GPU is cut, and has one instance.
    pub(super) fn cut() -> Says {
        let mut says = Says::idle();
        says.gpus[0].cut = true;
        says.gpus[0].instances = vec![ToldInstance {
            uuid: PART.to_owned(),
            numbers: Some((1, 0)),
        }];
        says
    }

    pub(super) fn says(&self, uuid: &str, usage: Result<Usage, NvmlError>) {
        self.usage.lock().unwrap().insert(uuid.to_owned(), usage);
    }
}

impl Nvml for Says {
    fn gpus(&self) -> Result<Vec<Told>, NvmlError> {
        Ok(self.gpus.clone())
    }

    fn usage(&self, uuid: &str) -> Result<Usage, NvmlError> {
        let usage = self.usage.lock().unwrap();
        usage.get(uuid).cloned().unwrap_or(Ok(Usage::default()))
    }
}

pub(super) fn ask(uuid: &str) -> Request {
    Request {
        uuid: uuid.to_owned(),
        memory_bytes: None,
    }
}

/// None, said aloud, where this user cannot make device nodes.
pub(super) fn root() -> Option<DriverRoot> {
    let root = DriverRoot::new(&GPUS);
    if root.is_none() {
        eprintln!("SKIPPED: only root makes the device nodes of a driver that is files");
    }
    root
}

pub(super) fn find(root: &DriverRoot, says: &Says, uuids: &[&str]) -> Result<Granted, GpuError> {
    let requests: Vec<Request> = uuids.iter().map(|uuid| ask(uuid)).collect();
    Granted::find(Driver::find(root.path())?, says, &requests)
}
