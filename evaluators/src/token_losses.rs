//! Losses of token ids, for whoever has ids already: no task, no tokenizer, no score.

use crate::engine::{
    Against, CpuExecutor, Executor, GpuExecutor, Group, Member, Monitor, PassError, Phase, order,
    run_chunk,
};
use crate::error::{EvaluateError, chain};
use crate::evaluate::{Base, Queue, fitting};
use crate::layout::Row;
use crate::model::Model;
use crate::plan::{AdapterLoad, DeviceFootprint, Footprint, Load, TILE_TOKENS};
use gradus_checkpoint::{Adapter, BoundAdapter, Checkpoint};
use gradus_kernels::Cpu;
use gradus_kernels::device::Gpu;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What computes.
#[derive(Clone, Copy)]
pub enum Compute<'a> {
    /// Processors.
    Cpu(&'a Cpu),
    /// A GPU, by the kernels and the plan of an evaluation there.
    Gpu(&'a Arc<Gpu>),
}

/// Whose losses, of what.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// Directory of the model.
    pub checkpoint: &'a Path,
    /// Directories of its adapters, all evaluated in the same passes; the model itself if there is none.
    pub adapters: &'a [PathBuf],
    /// Token ids.
    pub rows: &'a [Vec<u32>],
    /// Limit of the host's memory, bytes. On processors it decides how many tokens are in flight; it changes no bit.
    pub memory_bytes: u64,
}

/// What [`token_losses`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLosses {
    /// Negative log-likelihood, nats, of every token but the first: for each candidate, for each row.
    pub losses: Vec<Vec<Vec<f64>>>,
    /// Passes over the weights.
    pub passes: usize,
    /// Bytes of layers and head of the model that these passes read, as stored.
    pub read_bytes: u64,
}

/// Negative log-likelihood of every token but the first of each row, for every candidate; `phases` hears where the work is.
///
/// # Errors
/// If the model or an adapter cannot be read or computed, an id is outside the vocabulary, or memory is short.
pub fn token_losses(
    compute: Compute<'_>,
    request: &TokenRequest<'_>,
    phases: &mut dyn FnMut(Phase),
) -> Result<TokenLosses, EvaluateError> {
    let base = Base::open(request.checkpoint)?;
    if let Compute::Gpu(_) = compute {
        base.check_widths(request.checkpoint)?;
    }
    let adapters: Vec<BoundAdapter> = request
        .adapters
        .iter()
        .map(|path| bound(path, &base.checkpoint))
        .collect::<Result<_, _>>()?;
    let rows: Vec<Row> = request
        .rows
        .iter()
        .map(|ids| Row {
            ids: ids.clone(),
            scored: (1..ids.len() as u32).collect(),
            kl: Vec::new(),
        })
        .collect();
    let members = adapters.len().max(1);
    let load = Load {
        model: &base.model,
        members,
        replaces: adapters.iter().any(|adapter| !adapter.saved.is_empty()),
        adapters: adapters
            .iter()
            .map(AdapterLoad::of)
            .fold(AdapterLoad::default(), AdapterLoad::and),
        kept_token_bytes: 0,
    };
    let order = order(&[&base.model], &rows);
    let (longest, total) = (order.longest(), order.total_tokens());
    let tokens = tokens_in_flight(compute, load, request.memory_bytes, longest, total)?;
    let mut group = Group {
        model: base.model.clone(),
        members: if adapters.is_empty() {
            vec![Member::plain()]
        } else {
            let adapted = |adapter| Member::adapted(&base.checkpoint, adapter);
            adapters.into_iter().map(adapted).collect()
        },
        first_rope: 0,
    };
    let mut run = Run {
        request,
        queue: Queue::new(order, tokens, 1),
        found: TokenLosses {
            losses: vec![vec![Vec::new(); rows.len()]; members],
            passes: 0,
            read_bytes: 0,
        },
        told: Told(phases),
    };
    match compute {
        Compute::Cpu(cpu) => run.work(&mut CpuExecutor::new(cpu), &mut group),
        Compute::Gpu(gpu) => {
            let mut executor = GpuExecutor::new(gpu, TILE_TOKENS).map_err(EvaluateError::Device)?;
            run.work(&mut executor, &mut group);
        }
    }
    run.queue.finish()?;
    Ok(run.found)
}

fn bound(path: &Path, base: &Checkpoint) -> Result<BoundAdapter, EvaluateError> {
    let failed = |error: &dyn std::error::Error| EvaluateError::Adapter {
        path: path.display().to_string(),
        reason: chain(error),
    };
    let adapter = Adapter::open(path).map_err(|error| failed(&error))?;
    adapter.bind(base).map_err(|error| failed(&error))
}

/// Tokens of each candidate in flight.
fn tokens_in_flight(
    compute: Compute<'_>,
    load: Load<'_>,
    memory_bytes: u64,
    longest: usize,
    total: usize,
) -> Result<usize, EvaluateError> {
    let (members, loads) = (load.members, [load]);
    match compute {
        Compute::Cpu(cpu) => Ok(Footprint::new(&loads, cpu.threads(), longest).tokens(
            memory_bytes,
            members,
            longest,
        )?),
        Compute::Gpu(gpu) => {
            fitting(&loads, 1, memory_bytes)?;
            let (free, _) = gpu.memory().map_err(EvaluateError::Device)?;
            let tokens = DeviceFootprint::new(&loads, gpu.info().memory_bytes).tokens(
                gpu.info(),
                free,
                members,
                longest,
            )?;
            Ok(tokens.min(total.max(longest)))
        }
    }
}

/// Never stops; passes on where the work is.
struct Told<'a>(&'a mut dyn FnMut(Phase));

impl Monitor for Told<'_> {
    fn step(&mut self, _: f64) -> Result<(), PassError> {
        Ok(())
    }

    fn phase(&mut self, phase: Phase) {
        (self.0)(phase);
    }
}

/// All chunks on their way through one executor.
struct Run<'a> {
    request: &'a TokenRequest<'a>,
    queue: Queue<'a>,
    found: TokenLosses,
    told: Told<'a>,
}

impl Run<'_> {
    fn work<E: Executor>(&mut self, executor: &mut E, group: &mut Group) {
        while let Some(chunk) = self.queue.take() {
            self.found.passes += 1;
            self.found.read_bytes += stored_bytes(&group.model);
            let nothing = Against::Nothing;
            let pass = match run_chunk(executor, group, &chunk, &nothing, &mut self.told) {
                Ok(pass) => pass,
                Err(PassError::Device(error)) if error.is_out_of_memory() => {
                    self.queue.too_large(chunk, error);
                    continue;
                }
                Err(error) => return self.queue.stop(error.into()),
            };
            if let Some(error) = self.failure(group) {
                return self.queue.stop(error);
            }
            for (losses, results) in self.found.losses.iter_mut().zip(pass.results) {
                for (&row, result) in chunk.rows.iter().zip(results.into_iter().flatten()) {
                    losses[row] = result.nll;
                }
            }
            self.queue.done(&chunk);
        }
        self.told.phase(Phase::Close);
    }

    /// Of the first candidate that is out.
    fn failure(&self, group: &Group) -> Option<EvaluateError> {
        let (place, error) = group
            .members
            .iter()
            .enumerate()
            .find_map(|(place, member)| Some((place, member.failure.as_ref()?)))?;
        let reason = chain(error);
        Some(match self.request.adapters.get(place) {
            Some(path) => EvaluateError::Adapter {
                path: path.display().to_string(),
                reason,
            },
            None => EvaluateError::BaseFailed { reason },
        })
    }
}

/// Bytes of what a pass reads whatever its tokens.
fn stored_bytes(model: &Model) -> u64 {
    model.layers.iter().map(|l| l.size_bytes()).sum::<u64>() + model.head.size_bytes()
}
