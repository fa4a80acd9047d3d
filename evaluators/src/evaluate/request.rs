//! What is asked for: a task with everything that it needs, and what computes.

use gradus_kernels::Isa;
use gradus_kernels::device::{DeviceError, Gpu};
use gradus_tasks::{DataSet, RuleSet, TaskSpec};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A candidate's files.
#[derive(Clone, Debug)]
pub struct CandidateSource {
    /// Name in the results.
    pub name: String,
    /// Directory of an adapter or a model.
    pub path: PathBuf,
}

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// Processors.
    #[default]
    Cpu,
    /// All GPUs that can be used; processors if there is none.
    Auto,
    /// These GPUs.
    Gpus(GpuSet),
}

/// GPUs by the numbers that the driver gives them, up to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuSet(u64);

impl GpuSet {
    /// With GPU `ordinal` as well; `None` past 63.
    #[must_use]
    pub fn with(self, ordinal: usize) -> Option<Self> {
        (ordinal < 64).then(|| Self(self.0 | 1 << ordinal))
    }

    /// Whether GPU `ordinal` is one of them.
    #[must_use]
    pub fn contains(self, ordinal: usize) -> bool {
        ordinal < 64 && self.0 >> ordinal & 1 == 1
    }

    /// Their numbers, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |&i| self.contains(i))
    }
}

impl Device {
    /// The GPUs, opened.
    pub(super) fn open(self) -> Result<Vec<Arc<Gpu>>, DeviceError> {
        match self {
            Device::Cpu => Ok(Vec::new()),
            Device::Auto => Ok((0..Gpu::count().unwrap_or(0))
                .filter_map(|i| Gpu::open(i).ok())
                .collect()),
            Device::Gpus(set) => set.iter().map(Gpu::open).collect(),
        }
    }
}

/// How to compute. But for the device, none of these changes any bit of a result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What computes; processors and GPUs have numeric contracts of their own.
    pub device: Device,
    /// Compute threads; 0 is one per core.
    pub threads: usize,
    /// Memory limit, bytes; `None` is 4 GiB.
    pub memory_bytes: Option<u64>,
    /// Instruction set; `None` is the best here.
    pub isa: Option<Isa>,
}

/// A task with everything that it needs.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The task.
    pub task: &'a TaskSpec,
    /// The rule set that it names.
    pub rules: &'a RuleSet,
    /// Its held-out rows.
    pub data: &'a DataSet,
    /// Directory of its base model.
    pub base: &'a Path,
    /// Directory of the tokenizer, if it does not lie beside the base.
    pub tokenizer_dir: Option<&'a Path>,
    /// Who is evaluated.
    pub candidates: &'a [CandidateSource],
    /// How.
    pub options: Options,
}
