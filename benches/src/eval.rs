//! Whole models: losses of token ids, timed.

mod model;
mod synthetic;

pub use model::{Adapters, EvalShape, ModelShape, ShapeFileError};
pub use synthetic::{is_written, write_adapters, write_checkpoint, write_ids};

use crate::clock::{Percentiles, time};
use crate::gpu::{Session, least_s};
use crate::measure::{Work, peaks};
use crate::result::{Bound, EvalNumbers, Limit, Measured, Peaks, Row, Run};
use gradus_evaluators::{Compute, EvaluateError, Phase, TokenRequest, token_losses};
use gradus_kernels::Cpu;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use thiserror::Error;

/// Why a model could not be timed.
#[derive(Debug, Error)]
pub enum EvalBenchError {
    /// The ids beside a checkpoint.
    #[error("{}: {reason}\nhelp: benches/peers/make_model.py writes ids.u32 (little-endian) and ids.json ({{\"n\": rows, \"seq\": tokens a row}})", path.display())]
    Ids {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Synthetic weights.
    #[error("synthetic weights cannot be written to {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A directory with a model that is not to be lost.
    #[error("{} holds another model\nhelp: name a directory that is empty, or that holds synthetic weights of the same shape", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// The evaluation.
    #[error("the model could not be evaluated")]
    Evaluate(#[from] EvaluateError),
}

/// Rows of token ids in `directory`: `ids.u32`, cut as `ids.json` says; the first `most` of them.
///
/// # Errors
/// If either file is missing or not what it should be.
pub fn read_ids(directory: &Path, most: usize) -> Result<Vec<Vec<u32>>, EvalBenchError> {
    let read = |name: &str| {
        let path = directory.join(name);
        std::fs::read(&path).map_err(|error| EvalBenchError::Ids {
            path,
            reason: error.to_string(),
        })
    };
    let wrong = |reason: &str| EvalBenchError::Ids {
        path: directory.join("ids.json"),
        reason: reason.to_owned(),
    };
    let meta: serde_json::Value =
        serde_json::from_slice(&read("ids.json")?).map_err(|error| wrong(&error.to_string()))?;
    let length = meta["seq"]
        .as_u64()
        .filter(|length| (2..=1 << 24).contains(length));
    let length = length.ok_or_else(|| wrong("seq is no number from 2 to 2^24"))? as usize;
    let ids: Vec<u32> = read("ids.u32")?
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let rows: Vec<Vec<u32>> = ids
        .chunks_exact(length)
        .take(most)
        .map(<[u32]>::to_vec)
        .collect();
    if rows.is_empty() {
        return Err(wrong("ids.u32 is shorter than one row"));
    }
    Ok(rows)
}

/// A model and how often it is run.
pub struct Job<'a> {
    /// Directory of the checkpoint.
    pub checkpoint: &'a Path,
    /// Directories of its adapters, evaluated together; the model itself if there is none.
    pub adapters: &'a [PathBuf],
    /// Token ids.
    pub rows: &'a [Vec<u32>],
    /// What the result calls it.
    pub shape: String,
    /// What a run does at least, if the model's shape is known.
    pub work: Option<Work>,
    /// Memory limit of the host.
    pub memory_bytes: u64,
    /// Runs. Every run reads and packs the weights anew.
    pub repeat: usize,
}

/// Times `job` on the CPU.
///
/// # Errors
/// If the model cannot be evaluated.
pub fn on_cpu(cpu: &Cpu, job: &Job<'_>) -> Result<Run, EvalBenchError> {
    let limits = peaks(cpu);
    let runs = Runs::of(Compute::Cpu(cpu), job)?;
    let mut row = runs.row(job, &runs.cpu_us, Some(&limits));
    if let Some(eval) = &mut row.eval {
        let done = (eval.tokens * eval.candidates) as f64;
        eval.tokens_per_cpu_s = Some(done * 1e6 / least(&runs.cpu_us));
    }
    let mut run = Run::new("eval", crate::cpu::machine(cpu), Some(limits));
    run.rows.push(row);
    Ok(run)
}

/// Times `job` on the session's GPU, by the clock on the wall.
///
/// # Errors
/// If the model cannot be evaluated.
pub fn on_gpu(session: &Session, job: &Job<'_>) -> Result<Run, EvalBenchError> {
    let mut run = session.run();
    run.kind = "eval".to_owned();
    run.machine.clock = "wall".to_owned();
    let runs = Runs::of(Compute::Gpu(session.gpu()), job)?;
    run.rows.push(runs.row(job, &runs.wall_us, session.peaks()));
    Ok(run)
}

/// A job's runs.
#[derive(Default)]
struct Runs {
    cpu_us: Vec<f64>,
    wall_us: Vec<f64>,
    /// Wall seconds by phase, of the fastest run.
    phases_s: BTreeMap<String, f64>,
    /// Of the last run.
    nll: f64,
    passes: usize,
    read_bytes: u64,
}

impl Runs {
    fn of(compute: Compute<'_>, job: &Job<'_>) -> Result<Self, EvalBenchError> {
        let request = TokenRequest {
            checkpoint: job.checkpoint,
            adapters: job.adapters,
            rows: job.rows,
            memory_bytes: job.memory_bytes,
        };
        let mut runs = Self::default();
        for _ in 0..job.repeat.max(1) {
            let mut phases = Phases::begin();
            let mut found = None;
            let (cpu_s, wall_s) = time(|| {
                found = Some(token_losses(compute, &request, &mut |phase| {
                    phases.enter(phase);
                }));
            });
            let phases_s = phases.end();
            let found = found.expect("the closure was run")?;
            if wall_s * 1e6 < least(&runs.wall_us) {
                runs.phases_s = phases_s;
            }
            runs.cpu_us.push(cpu_s * 1e6);
            runs.wall_us.push(wall_s * 1e6);
            let first = &found.losses[0];
            let scored: usize = first.iter().map(Vec::len).sum();
            runs.nll = first.iter().flatten().sum::<f64>() / scored.max(1) as f64;
            (runs.passes, runs.read_bytes) = (found.passes, found.read_bytes);
        }
        Ok(runs)
    }

    /// With times `us` by the machine's clock.
    fn row(&self, job: &Job<'_>, us: &[f64], peaks: Option<&Peaks>) -> Row {
        let tokens: usize = job.rows.iter().map(Vec::len).sum();
        let candidates = job.adapters.len().max(1);
        let work = job.work.unwrap_or(Work {
            flop: 0.0,
            bytes: 0.0,
        });
        let percent_of = |limit_s: f64| {
            let percent: Vec<f64> = us.iter().map(|us| limit_s * 1e8 / us).collect();
            Percentiles::of(&percent)
        };
        let limit = peaks.map(|peaks| {
            let (compute_s, memory_s) = least_s(work, peaks.gflop_s, peaks.gb_s);
            Limit {
                bound: Bound::of(compute_s, memory_s),
                roof_gflop_s: peaks.gflop_s,
                roof_gb_s: peaks.gb_s,
                percent: percent_of(compute_s.max(memory_s)),
            }
        });
        let sheet = peaks.and_then(|peaks| peaks.datasheet.as_ref());
        let datasheet = sheet.filter(|_| job.work.is_some());
        let datasheet_percent = datasheet.map(|sheet| {
            let (compute_s, memory_s) = least_s(work, sheet.gflop_s, sheet.gb_s);
            percent_of(compute_s.max(memory_s)).p50
        });
        Row {
            family: "eval".to_owned(),
            shape: job.shape.clone(),
            variant: "gradus".to_owned(),
            measured: Measured {
                us: Percentiles::of(us),
                wall_us: Some(Percentiles::of(&self.wall_us)),
                warm_us: None,
                flop: work.flop,
                bytes: work.bytes,
                limit,
                samples: us.len(),
                runs: 1,
                worst_error: None,
                prepare_us: None,
                datasheet_percent,
            },
            ours_over_this: None,
            eval: Some(EvalNumbers {
                tokens: tokens as u64,
                candidates: candidates as u64,
                tokens_per_s: (tokens * candidates) as f64 * 1e6 / least(&self.wall_us),
                tokens_per_cpu_s: None,
                nll: self.nll,
                phases_s: self.phases_s.clone(),
                passes: self.passes as u64,
                read_bytes: self.read_bytes,
            }),
        }
    }
}

fn least(us: &[f64]) -> f64 {
    us.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Seconds of one run by phase; a phase may come again with the next chunk.
struct Phases {
    seconds: BTreeMap<String, f64>,
    current: &'static str,
    since: Instant,
}

impl Phases {
    fn begin() -> Self {
        Self {
            seconds: BTreeMap::new(),
            current: "open",
            since: Instant::now(),
        }
    }

    fn enter(&mut self, phase: Phase) {
        let now = Instant::now();
        let spent = self.seconds.entry(self.current.to_owned()).or_default();
        *spent += (now - self.since).as_secs_f64();
        self.since = now;
        self.current = match phase {
            Phase::Layers => "layers",
            Phase::Read => "read",
            Phase::Head => "head",
            Phase::Close => "close",
        };
    }

    fn end(mut self) -> BTreeMap<String, f64> {
        self.enter(Phase::Close);
        self.seconds
    }
}

#[cfg(test)]
mod tests;
