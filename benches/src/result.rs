//! The result file: one schema for kernels, models and peers, so that any two can be compared. `docs/benchmarks.md` says what
//! each field means.

use crate::clock::Percentiles;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What a result file calls itself.
pub const SCHEMA: &str = "gradus-bench";
/// The version of its form.
pub const VERSION: u32 = 2;

/// A result file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// What was measured: `kernels` or `eval`.
    pub kind: String,
    /// Whose kernels: `gradus 0.1.0`, `torch 2.11.0`.
    pub program: String,
    /// Where.
    pub machine: Machine,
    /// What that can do.
    pub peaks: Option<Peaks>,
    /// One for each shape that has a time.
    pub rows: Vec<Row>,
    /// One for each that has none.
    #[serde(default)]
    pub failures: Vec<Failure>,
}

/// Where something was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// The processor's or the GPU's name.
    pub name: String,
    /// What `us` counts: `cpu` (CPU time of all threads), `device` (events on the GPU) or `wall`.
    pub clock: String,
    /// Instruction set, or compute capability.
    pub isa: String,
    /// Threads that compute; 0 on a GPU.
    #[serde(default)]
    pub threads: usize,
    /// Multiprocessors of a GPU.
    #[serde(default)]
    pub sm_count: Option<u32>,
    /// Bytes of device memory.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Version of the driver.
    #[serde(default)]
    pub driver: Option<String>,
}

/// What a machine can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    /// 1e9 operations a second.
    pub gflop_s: f64,
    /// 1e9 bytes a second.
    pub gb_s: f64,
    /// How they were found.
    pub how: String,
    /// What the vendor says, for a GPU that is known by name.
    #[serde(default)]
    pub datasheet: Option<Datasheet>,
}

/// What a vendor says of a GPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Datasheet {
    /// 1e9 bf16 operations a second, dense.
    pub gflop_s: f64,
    /// 1e9 bytes a second of device memory.
    pub gb_s: f64,
}

/// Which limit is the lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Arithmetic.
    Compute,
    /// Memory.
    Memory,
}

impl Bound {
    /// Of the least seconds that arithmetic and memory need.
    #[must_use]
    pub fn of(compute_s: f64, memory_s: f64) -> Self {
        if compute_s >= memory_s {
            Bound::Compute
        } else {
            Bound::Memory
        }
    }
}

/// One shape's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Kernel family; `eval` for a whole model.
    pub family: String,
    /// Its shape, without the family.
    pub shape: String,
    /// Which of several ways to compute it; `gradus` for ours.
    #[serde(default = "ours")]
    pub variant: String,
    /// The numbers.
    #[serde(flatten)]
    pub measured: Measured,
    /// Of another library: gradus' median time over this one, both measured in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours_over_this: Option<f64>,
    /// A whole model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval: Option<EvalNumbers>,
}

impl Row {
    /// A kernel's, at `shape`.
    pub(crate) fn of(shape: &Shape, variant: &str, measured: Measured) -> Self {
        Self {
            family: shape.family().to_owned(),
            shape: shape.sizes(),
            variant: variant.to_owned(),
            measured,
            ours_over_this: None,
            eval: None,
        }
    }

    /// Whether gradus computed it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.variant == OURS
    }
}

/// The variant that is ours.
pub const OURS: &str = "gradus";

fn ours() -> String {
    OURS.to_owned()
}

/// What a row is held against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The lower limit.
    pub bound: Bound,
    /// 1e9 operations a second, measured as this row's limit.
    pub roof_gflop_s: f64,
    /// 1e9 bytes a second, likewise.
    pub roof_gb_s: f64,
    /// Percent of the lower limit.
    pub percent: Percentiles,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Microseconds of a run, by the machine's clock.
    pub us: Percentiles,
    /// Microseconds of a run on the wall.
    #[serde(default)]
    pub wall_us: Option<Percentiles>,
    /// Microseconds of a run among many, caches as the last one left them; GPUs only.
    #[serde(default)]
    pub warm_us: Option<f64>,
    /// Operations of a run.
    pub flop: f64,
    /// Bytes that a run must move.
    pub bytes: f64,
    /// What it is held against; `None` if that was not measured.
    #[serde(flatten)]
    pub limit: Option<Limit>,
    /// Samples.
    pub samples: usize,
    /// Runs in one sample.
    pub runs: usize,
    /// The largest difference from the reference, as a fraction of what is allowed.
    #[serde(default)]
    pub worst_error: Option<f64>,
    /// Microseconds of preparing, where there is something to prepare.
    #[serde(default)]
    pub prepare_us: Option<f64>,
    /// Percent of the datasheet's limit.
    #[serde(default)]
    pub datasheet_percent: Option<f64>,
}

impl Measured {
    /// 1e9 operations a second, from the median.
    #[must_use]
    pub fn gflop_s(&self) -> f64 {
        self.flop / self.us.p50.max(1e-9) / 1e3
    }

    /// 1e9 bytes a second, from the median.
    #[must_use]
    pub fn gb_s(&self) -> f64 {
        self.bytes / self.us.p50.max(1e-9) / 1e3
    }
}

/// What is said of a whole model besides its time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvalNumbers {
    /// Tokens that went through every candidate.
    pub tokens: u64,
    /// Candidates, the base alone being one.
    pub candidates: u64,
    /// Tokens times candidates, per second on the wall.
    pub tokens_per_s: f64,
    /// Tokens times candidates, per CPU second.
    #[serde(default)]
    pub tokens_per_cpu_s: Option<f64>,
    /// Mean loss of the first candidate, nats.
    pub nll: f64,
    /// Wall seconds by phase, of the fastest run.
    #[serde(default)]
    pub phases_s: std::collections::BTreeMap<String, f64>,
    /// Passes over the weights.
    #[serde(default)]
    pub passes: u64,
    /// Bytes of layers and head that these passes read, as stored.
    #[serde(default)]
    pub read_bytes: u64,
}

/// A shape without a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Kernel family.
    pub family: String,
    /// Its shape.
    pub shape: String,
    /// Why.
    pub reason: String,
    /// Whether it was left out because this device has no such kernel, rather than wrong.
    #[serde(default)]
    pub skipped: bool,
}

impl Failure {
    /// Of `shape`.
    pub(crate) fn of(shape: &Shape, reason: String, skipped: bool) -> Self {
        Self {
            family: shape.family().to_owned(),
            shape: shape.sizes(),
            reason,
            skipped,
        }
    }
}

/// Why a result file cannot be used.
#[derive(Debug, Error)]
pub enum ReadRunError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{} is no result of gradus bench: {reason}\nhelp: gradus bench kernels --json FILE makes one", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// It is of another version.
    #[error("{} has schema {found}, expected {SCHEMA} {VERSION}\nhelp: measure again with this version", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
}

impl Run {
    /// A result without rows.
    #[must_use]
    pub fn new(kind: &str, machine: Machine, peaks: Option<Peaks>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            kind: kind.to_owned(),
            program: format!("gradus {}", env!("CARGO_PKG_VERSION")),
            machine,
            peaks,
            rows: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Reads a result file.
    ///
    /// # Errors
    /// As [`ReadRunError`] says.
    pub fn read(path: &Path) -> Result<Self, ReadRunError> {
        let text = std::fs::read_to_string(path).map_err(|source| ReadRunError::Read {
            path: path.to_owned(),
            source,
        })?;
        let form = |error: serde_json::Error| ReadRunError::Form {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(form)?;
        if (&value["schema"], &value["version"]) != (&SCHEMA.into(), &VERSION.into()) {
            let found = match (&value["schema"], &value["version"]) {
                (serde_json::Value::Null, _) => "none".to_owned(),
                (schema, serde_json::Value::Null) => schema.to_string(),
                (schema, version) => format!("{schema} {version}"),
            };
            return Err(ReadRunError::Version {
                path: path.to_owned(),
                found,
            });
        }
        serde_json::from_value(value).map_err(form)
    }

    /// As a file's text.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and text") + "\n"
    }
}
