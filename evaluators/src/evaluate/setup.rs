//! Everything opened and read before anything is computed, and what the result says of it.

use super::candidates::{Base, Entrant};
use super::sets::{Set, refuse_oversized, sets};
use super::{NUMERICS, NUMERICS_SM80, NUMERICS_SM90, Request};
use crate::error::EvaluateError;
use crate::evaluation::Provenance;
use gradus_kernels::Cpu;
use gradus_kernels::device::Gpu;
use gradus_tasks::{Cancelled, Prepared};
use std::sync::Arc;

/// Memory limit where none is given.
const MEMORY_BYTES: u64 = 4 << 30;

/// Everything that a run needs, before it starts.
pub(super) struct Setup {
    pub(super) cpu: Cpu,
    /// What computes in place of the processors.
    pub(super) gpus: Vec<Arc<Gpu>>,
    pub(super) memory_bytes: u64,
    pub(super) base: Base,
    pub(super) entrants: Vec<Entrant>,
    pub(super) sets: Vec<Set>,
    pub(super) needs_base: bool,
    pub(super) needs_kl: bool,
}

impl Setup {
    pub(super) fn new(
        request: &Request<'_>,
        cancelled: Cancelled<'_>,
    ) -> Result<Self, EvaluateError> {
        if request.candidates.is_empty() {
            return Err(EvaluateError::NoCandidates);
        }
        for (i, candidate) in request.candidates.iter().enumerate() {
            if request.candidates[..i]
                .iter()
                .any(|c| c.name == candidate.name)
            {
                return Err(EvaluateError::DuplicateName {
                    name: candidate.name.clone(),
                });
            }
        }
        let threads = request.options.threads;
        let cpu = match request.options.isa {
            Some(isa) => Cpu::with_isa(threads, isa),
            None => Cpu::new(threads),
        }?;
        let gpus = request
            .options
            .device
            .open()
            .map_err(EvaluateError::Device)?;
        one_contract(&gpus)?;
        let base = Base::open(request.base)?;
        let mut entrants: Vec<Entrant> = request
            .candidates
            .iter()
            .map(|c| Entrant::open(c, &base))
            .collect();
        if !gpus.is_empty() {
            base.check_widths(request.base)?;
            entrants.iter_mut().for_each(Entrant::check_widths);
        }
        let kl = request.task.use_kl.then_some(request.rules.kl.mask);
        let mut sets = cpu.run(|| sets(request, &base, &mut entrants, kl, cancelled))?;
        let needs_kl = kl.is_some();
        let needs_base = needs_kl
            || sets
                .iter()
                .any(|set| matches!(set.prepared, Prepared::Dpo(_)));
        let memory_bytes = request.options.memory_bytes.unwrap_or(MEMORY_BYTES);
        for set in &mut sets {
            refuse_oversized(set, &base, &mut entrants, memory_bytes, cpu.threads());
        }
        sets.retain(|set| !set.entrants.is_empty());
        Ok(Self {
            cpu,
            gpus,
            memory_bytes,
            base,
            entrants,
            sets,
            needs_base,
            needs_kl,
        })
    }

    /// What computes the numbers.
    pub(super) fn provenance(&self) -> Provenance {
        let gpus = !self.gpus.is_empty();
        Provenance {
            gradus_version: env!("CARGO_PKG_VERSION").to_owned(),
            device: self.device(),
            isa: self.isa(),
            threads: self.cpu.threads(),
            compute_dtype: if gpus { "bf16" } else { "f32" }.to_owned(),
            memory_bytes: self.memory_bytes,
            numerics: match self.gpus.first() {
                Some(gpu) if gpu.is_hopper() => NUMERICS_SM90,
                Some(_) => NUMERICS_SM80,
                None => NUMERICS,
            }
            .to_owned(),
        }
    }

    pub(super) fn device(&self) -> String {
        let names: Vec<String> = self
            .gpus
            .iter()
            .map(|gpu| format!("cuda:{} {}", gpu.info().ordinal, gpu.info().name))
            .collect();
        if names.is_empty() {
            "cpu".to_owned()
        } else {
            names.join(", ")
        }
    }

    pub(super) fn isa(&self) -> String {
        match self.gpus.first() {
            Some(gpu) => format!("sm_{}{}", gpu.info().capability.0, gpu.info().capability.1),
            None => self.cpu.isa().name().to_owned(),
        }
    }
}

/// Rows of one result have one contract.
fn one_contract(gpus: &[Arc<Gpu>]) -> Result<(), EvaluateError> {
    let Some(first) = gpus.first() else {
        return Ok(());
    };
    match gpus.iter().find(|gpu| gpu.is_hopper() != first.is_hopper()) {
        None => Ok(()),
        Some(other) => Err(EvaluateError::MixedGpus {
            first: first.info().name.clone(),
            other: other.info().name.clone(),
        }),
    }
}
