//! Whole models: losses of token ids, timed.

mod model;

pub use model::{EvalShape, ModelShape, ShapeFileError, write_checkpoint};

use crate::clock::{Percentiles, time};
use crate::measure::peaks;
use crate::result::{Bound, EvalNumbers, Measured, Row, Run};
use gradus_evaluators::{EvaluateError, token_losses};
use gradus_kernels::Cpu;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
    /// Token ids.
    pub rows: &'a [Vec<u32>],
    /// What the result calls it.
    pub shape: String,
    /// Operations and weight bytes of a run, if the model's shape is known.
    pub work: Option<(f64, f64)>,
    /// Memory limit.
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
    let (mut us, mut wall_us, mut nll) = (Vec::new(), Vec::new(), f64::NAN);
    for _ in 0..job.repeat.max(1) {
        let mut losses = Ok(Vec::new());
        let (cpu_s, wall_s) =
            time(|| losses = token_losses(cpu, job.checkpoint, job.rows, job.memory_bytes));
        let losses = losses?;
        let scored: usize = losses.iter().map(Vec::len).sum();
        nll = losses.iter().flatten().sum::<f64>() / scored.max(1) as f64;
        us.push(cpu_s * 1e6);
        wall_us.push(wall_s * 1e6);
    }
    let tokens: usize = job.rows.iter().map(Vec::len).sum();
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min) / 1e6;
    let (flop, bytes) = job.work.unwrap_or((0.0, 0.0));
    let limit_us = 1e6 * (flop / limits.gflop_s).max(bytes / limits.gb_s) / 1e9;
    let percent: Vec<f64> = us.iter().map(|us| limit_us / us * 100.0).collect();
    let eval = EvalNumbers {
        tokens: tokens as u64,
        candidates: 1,
        tokens_per_s: tokens as f64 / least(&wall_us),
        tokens_per_cpu_s: Some(tokens as f64 / least(&us)),
        nll,
        phases_s: BTreeMap::new(),
    };
    let measured = Measured {
        us: Percentiles::of(&us),
        wall_us: Some(Percentiles::of(&wall_us)),
        warm_us: None,
        flop,
        bytes,
        bound: Bound::of(flop / limits.gflop_s, bytes / limits.gb_s),
        roof_gflop_s: limits.gflop_s,
        roof_gb_s: limits.gb_s,
        percent: Percentiles::of(&percent),
        samples: us.len(),
        runs: 1,
        worst_error: None,
        prepare_us: None,
        datasheet_percent: None,
    };
    let mut run = Run::new("eval", crate::cpu::machine(cpu), Some(limits));
    run.rows.push(Row {
        family: "eval".to_owned(),
        shape: job.shape.clone(),
        variant: "gradus".to_owned(),
        measured,
        eval: Some(eval),
    });
    Ok(run)
}
