//! How much of a set is in flight, and how long all of it takes.

use super::candidates::Entrant;
use super::sets::Set;
use super::setup::Setup;
use crate::engine::order;
use crate::error::EvaluateError;
use crate::model::Model;
use crate::plan::{
    AdapterLoad, DeviceFootprint, Floors, Footprint, HostMemory, Load, Plan, PlannedSet,
};
use gradus_tasks::Prepared;

impl Setup {
    /// The models that a set runs: the base with its adapters, then full candidates.
    pub(super) fn loads(&self, set: &Set) -> Vec<Load<'_>> {
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

    pub(super) fn models(&self, set: &Set) -> Vec<&Model> {
        self.loads(set).into_iter().map(|load| load.model).collect()
    }

    /// Bytes free on each GPU.
    pub(super) fn free_device_memory(&self) -> Result<Vec<u64>, EvaluateError> {
        self.gpus
            .iter()
            .map(|gpu| Ok(gpu.memory().map_err(EvaluateError::Device)?.0))
            .collect()
    }

    /// Bytes of the GPU with most memory.
    pub(super) fn largest_gpu(&self) -> u64 {
        let bytes = self.gpus.iter().map(|gpu| gpu.info().memory_bytes);
        bytes.max().unwrap_or(0)
    }

    /// Tokens of each candidate in flight: what the GPU with the least memory admits, and so few that all have work.
    pub(super) fn device_tokens(
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

    pub(super) fn plan(&self, rate: f64) -> Result<Plan, EvaluateError> {
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
