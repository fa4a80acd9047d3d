//! One task, all its candidates: data to rows once, models opened, sets run, numbers to scores.

mod candidates;
mod outcome;
mod run;
mod sets;

use crate::engine::order;
use crate::error::{EvaluateError, chain};
use crate::evaluation::{Evaluation, Event, Failure, Observer, Provenance, SCHEMA};
use crate::model::Model;
use crate::plan::{
    AdapterLoad, DeviceFootprint, Floors, Footprint, HostMemory, Load, Plan, PlannedSet,
};
pub(crate) use candidates::Base;
use candidates::Entrant;
use gradus_kernels::device::{DeviceError, Gpu};
use gradus_kernels::{Cpu, Isa};
use gradus_tasks::{Cancelled, DataSet, Owner, Prepared, RuleSet, TaskSpec, TaskType};
pub(crate) use run::Queue;
use sets::{Set, refuse_oversized, sets};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Version of the numeric contract: the order of sums and the functions that results are made of.
pub const NUMERICS: &str = "f32-1";

/// As [`NUMERICS`], of the kernels for `sm_80` and those after it but Hopper.
pub const NUMERICS_SM80: &str = "bf16-sm80-1";
/// As [`NUMERICS`], of the kernels for Hopper.
pub const NUMERICS_SM90: &str = "bf16-sm90-1";

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
    fn open(self) -> Result<Vec<Arc<Gpu>>, DeviceError> {
        match self {
            Device::Cpu => Ok(Vec::new()),
            Device::Auto => Ok((0..Gpu::count().unwrap_or(0))
                .filter_map(|i| Gpu::open(i).ok())
                .collect()),
            Device::Gpus(set) => set.iter().map(Gpu::open).collect(),
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

/// Memory limit where none is given.
const MEMORY_BYTES: u64 = 4 << 30;

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

/// Everything that a run needs, before it starts.
struct Setup {
    cpu: Cpu,
    /// What computes in place of the processors.
    gpus: Vec<Arc<Gpu>>,
    memory_bytes: u64,
    base: Base,
    entrants: Vec<Entrant>,
    sets: Vec<Set>,
    needs_base: bool,
    needs_kl: bool,
}

/// Scores every candidate.
///
/// # Errors
/// [`EvaluateError`] if nothing can be scored. A candidate that fails is part of the result.
pub fn evaluate(
    request: &Request<'_>,
    observer: &dyn Observer,
) -> Result<Evaluation, EvaluateError> {
    // Rows ask from many threads; after a yes nobody is asked again.
    let stopped = Mutex::new(false);
    let cancelled = || {
        let mut stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        *stopped = *stopped || observer.cancelled();
        *stopped
    };
    let setup = Setup::new(request, &cancelled)?;
    let plan = setup.plan(0.0)?;
    for entrant in &setup.entrants {
        if let Some(failure) = entrant.failure() {
            observer.on_event(Event::CandidateFailed {
                name: entrant.name.clone(),
                failure: failure.clone(),
            });
        }
    }
    observer.on_event(Event::Started {
        rows: plan.sets.iter().map(|set| set.rows).sum(),
        tokens: plan.sets.iter().map(|set| set.tokens_computed).sum(),
        candidates: setup
            .entrants
            .iter()
            .filter(|e| e.failure().is_none())
            .count(),
        tokens_total: plan.tokens_total(),
        flops: plan.flops,
        floor_s: plan.floors.as_ref().map(Floors::seconds),
    });
    let provenance = setup.provenance();
    let parameters = setup.base.checkpoint.parameter_count();
    let candidates = setup.run(request, &plan, observer)?;
    Ok(Evaluation {
        schema: SCHEMA.to_owned(),
        task_id: request.task.id.clone(),
        task_hash: request.task.content_hash(),
        task_type: subnet_task_type(request.task.task_type).to_owned(),
        rule_set: request.rules.id.clone(),
        model_params_count: parameters,
        candidates,
        provenance,
    })
}

/// What [`evaluate`] would do, without doing it.
///
/// # Errors
/// As [`evaluate`], as far as it can be told.
pub fn explain(request: &Request<'_>) -> Result<Plan, EvaluateError> {
    let setup = Setup::new(request, &|| false)?;
    let rate = run::product_rate(&setup.cpu);
    setup.plan(rate)
}

/// The subnet's name of a task type.
fn subnet_task_type(kind: TaskType) -> &'static str {
    match kind {
        TaskType::Instruct => "InstructTextTask",
        TaskType::Chat => "ChatTask",
        TaskType::Dpo => "DpoTask",
        TaskType::Grpo => "GrpoTask",
        TaskType::Env => "EnvTask",
    }
}

impl Setup {
    fn new(request: &Request<'_>, cancelled: Cancelled<'_>) -> Result<Self, EvaluateError> {
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
    fn provenance(&self) -> Provenance {
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

    fn device(&self) -> String {
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

    fn isa(&self) -> String {
        match self.gpus.first() {
            Some(gpu) => format!("sm_{}{}", gpu.info().capability.0, gpu.info().capability.1),
            None => self.cpu.isa().name().to_owned(),
        }
    }

    /// The models that a set runs: the base with its adapters, then full candidates.
    fn loads(&self, set: &Set) -> Vec<Load<'_>> {
        let of = |adapter: bool| {
            set.entrants
                .iter()
                .map(|&i| &self.entrants[i])
                .filter(move |e| e.is_adapter() == Some(adapter))
        };
        let members = of(true).count() + usize::from(self.needs_base);
        let mut loads = Vec::new();
        if members > 0 {
            let replaces = of(true).any(Entrant::replaces_tensors);
            loads.push(Load {
                model: &self.base.model,
                members,
                replaces,
                adapters: of(true)
                    .map(Entrant::adapter_load)
                    .fold(AdapterLoad::default(), AdapterLoad::and),
                kept_token_bytes: 0,
            });
        }
        // With KL the base's rows at the head wait for the full candidates.
        let kept = u64::from(self.needs_kl) * 4 * self.base.model.config.hidden_size as u64;
        loads.extend(of(false).filter_map(Entrant::full_model).map(|model| Load {
            model,
            members: 1,
            replaces: false,
            adapters: AdapterLoad::default(),
            kept_token_bytes: kept,
        }));
        loads
    }

    fn models(&self, set: &Set) -> Vec<&Model> {
        self.loads(set).into_iter().map(|load| load.model).collect()
    }

    /// Bytes free on each GPU.
    fn free_device_memory(&self) -> Result<Vec<u64>, EvaluateError> {
        self.gpus
            .iter()
            .map(|gpu| Ok(gpu.memory().map_err(EvaluateError::Device)?.0))
            .collect()
    }

    /// Bytes of the GPU with most memory.
    fn largest_gpu(&self) -> u64 {
        let bytes = self.gpus.iter().map(|gpu| gpu.info().memory_bytes);
        bytes.max().unwrap_or(0)
    }

    /// Tokens of each candidate in flight: what the GPU with the least memory admits, and so few that all have work.
    fn device_tokens(
        &self,
        loads: &[Load<'_>],
        free: &[u64],
        members: usize,
        longest: usize,
        computed: usize,
    ) -> Result<usize, EvaluateError> {
        let footprint = DeviceFootprint::new(loads, self.largest_gpu());
        let mut least = computed.div_ceil(self.gpus.len()).max(longest);
        for (gpu, &free) in self.gpus.iter().zip(free) {
            least = least.min(footprint.tokens(gpu.info(), free, members, longest)?);
        }
        Ok(least)
    }

    fn plan(&self, rate: f64) -> Result<Plan, EvaluateError> {
        let threads = self.cpu.threads();
        let free = self.free_device_memory()?;
        let mut traffic = 0.0;
        let mut plan = Plan {
            device: self.device(),
            isa: self.isa(),
            threads,
            memory_bytes: free.iter().copied().min().unwrap_or(self.memory_bytes),
            planned_bytes: 0,
            host_bytes: 0,
            host: None,
            fixed_bytes: 0,
            token_bytes: 0,
            tokens_in_flight: usize::MAX,
            sets: Vec::new(),
            flops: 0.0,
            read_bytes: 0.0,
            rate,
            seconds: 0.0,
            floors: None,
        };
        for set in &self.sets {
            let loads = self.loads(set);
            let mut order = order(&self.models(set), &set.rows);
            let longest = order.longest();
            let members: usize = loads.iter().map(|l| l.members).max().unwrap_or(1);
            let computed = order.total_tokens();
            let footprint = if self.gpus.is_empty() {
                Footprint::new(&loads, threads, longest)
            } else {
                DeviceFootprint::new(&loads, self.largest_gpu()).into()
            };
            let tokens = if self.gpus.is_empty() {
                footprint.tokens(self.memory_bytes, members, longest)?
            } else {
                let host = fitting(&loads, self.gpus.len(), self.memory_bytes)?;
                if host.total() > plan.host_bytes {
                    plan.host_bytes = host.total();
                    plan.host = Some(host);
                }
                self.device_tokens(&loads, &free, members, longest, computed)?
            };
            plan.fixed_bytes = plan.fixed_bytes.max(footprint.fixed);
            plan.token_bytes = plan.token_bytes.max(footprint.token);
            plan.tokens_in_flight = plan.tokens_in_flight.min(tokens);
            plan.planned_bytes = plan
                .planned_bytes
                .max(footprint.fixed + footprint.token * tokens.min(computed) as u64);
            let mut passes = 0;
            while let Some(chunk) = order.next_chunk(tokens) {
                passes += 1;
                plan.flops += loads.iter().map(|load| load.flops(&chunk)).sum::<f64>();
                traffic += loads.iter().map(|load| load.traffic(&chunk)).sum::<f64>();
            }
            for load in &loads {
                let m = load.model;
                let stored: u64 =
                    m.layers.iter().map(|l| l.size_bytes()).sum::<u64>() + m.head.size_bytes();
                plan.read_bytes += (stored * passes as u64) as f64;
            }
            plan.sets.push(PlannedSet {
                sequence_len: match &set.prepared {
                    Prepared::Sft(s) => s.sequence_len,
                    Prepared::Dpo(s) => s.max_length,
                },
                rows: match &set.prepared {
                    Prepared::Sft(s) => s.rows.len(),
                    Prepared::Dpo(s) => s.pairs.len(),
                },
                tokens: set.rows.iter().map(|row| row.ids.len()).sum(),
                tokens_computed: computed,
                tokens_in_flight: tokens,
                passes,
                shared_candidates: loads[0].members
                    * usize::from(std::ptr::eq(loads[0].model, &self.base.model)),
                full_candidates: loads
                    .iter()
                    .filter(|l| !std::ptr::eq(l.model, &self.base.model))
                    .count(),
            });
        }
        if plan.tokens_in_flight == usize::MAX {
            plan.tokens_in_flight = 0;
        }
        if let Some(first) = self.gpus.first() {
            let gpus: Vec<_> = self.gpus.iter().map(|gpu| gpu.info()).collect();
            let floors = Floors::new(&gpus, plan.flops, traffic, plan.read_bytes);
            (plan.rate, plan.seconds) = (Floors::rate(first.info()), floors.seconds());
            plan.floors = Some(floors);
        } else if rate > 0.0 {
            plan.seconds = plan.flops / (rate * threads as f64);
        }
        Ok(plan)
    }
}

/// Host memory for `gpus`, which `limit` admits.
pub(crate) fn fitting(
    loads: &[Load<'_>],
    gpus: usize,
    limit: u64,
) -> Result<HostMemory, EvaluateError> {
    let parts = HostMemory::new(loads, gpus);
    if parts.total() > limit {
        return Err(EvaluateError::HostMemory { limit, gpus, parts });
    }
    Ok(parts)
}

/// A failure out of an error and its causes.
fn failure(owner: Owner, error: &dyn std::error::Error) -> Failure {
    Failure {
        owner,
        reason: chain(error),
    }
}

#[cfg(test)]
mod tests;
