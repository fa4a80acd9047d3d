//! How many tokens go through the model at once, and what the run will take.

mod device;

pub(crate) use device::{DeviceFootprint, EMBEDDING_BLOCK, TILE_TOKENS, tile_tokens};
pub use device::{Floors, HostMemory};

use crate::layout::Chunk;
use crate::model::Model;
use gradus_checkpoint::BoundAdapter;
use gradus_kernels::cross_entropy::VOCAB_BLOCK;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// Tokens in flight at most, over all candidates of a pass, and per candidate: more would only take memory.
const TOKENS_ALL_MAX: usize = 1 << 16;
const TOKENS_MAX: usize = 1 << 14;
/// The process without weights, tokens and tokenizer: code, tables, allocator.
const PROCESS_BYTES: u64 = 48 << 20;

/// A model and how many candidates compute with its weights at once.
pub(crate) struct Load<'a> {
    pub(crate) model: &'a Model,
    pub(crate) members: usize,
    /// Some candidate replaces whole layers, which are then packed beside the shared ones.
    pub(crate) replaces: bool,
    /// What its adapters take.
    pub(crate) adapters: AdapterLoad,
    /// Bytes for each token that another model keeps meanwhile.
    pub(crate) kept_token_bytes: u64,
}

/// What adapters take besides the weights that they change. Layers come and go one adapter at a time; at the head all
/// adapters are there at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdapterLoad {
    /// Bytes of the largest layer of any adapter, as stored and packed.
    pub(crate) layer_bytes: u64,
    /// The largest rank.
    pub(crate) rank: u64,
    /// Ranks at the head, of all adapters.
    pub(crate) head_ranks: u64,
    /// Bytes of their factors at the head, as stored.
    pub(crate) head_bytes: u64,
    /// Adapters with a head of their own.
    pub(crate) own_heads: u64,
    /// Adapters whose head is merged block by block (DoRA).
    pub(crate) merged_heads: u64,
}

impl AdapterLoad {
    /// Of `adapter`; a layer's bytes are those of the largest layer, head or embedding, as stored and packed.
    pub(crate) fn of(adapter: &BoundAdapter) -> Self {
        let mut layers: BTreeMap<&str, u64> = BTreeMap::new();
        for (module, lora) in &adapter.modules {
            let layer = module.split('.').take(3).map(str::len).sum::<usize>() + 2;
            let name = &module[..layer.min(module.len())];
            let stored = lora.a.size_bytes() + lora.b.size_bytes();
            // Ranks are padded to a panel of 32 when packed.
            let rank = lora.rank.next_multiple_of(32) as u64;
            let packed = 4 * rank * (lora.a.row_elements() as u64 + lora.b.num_rows() as u64);
            *layers.entry(name).or_default() += stored + packed;
        }
        let embedding = adapter
            .embedding
            .as_ref()
            .map_or(0, |lora| 2 * (lora.a.size_bytes() + lora.b.size_bytes()));
        let head = adapter.modules.get("lm_head");
        let dora = head.is_some_and(|lora| lora.magnitude.is_some());
        Self {
            layer_bytes: layers.into_values().max().unwrap_or(0).max(embedding),
            rank: adapter
                .modules
                .values()
                .map(|m| m.rank as u64)
                .max()
                .unwrap_or(0),
            head_ranks: head.map_or(0, |lora| lora.rank as u64),
            head_bytes: head.map_or(0, |lora| lora.a.size_bytes() + lora.b.size_bytes()),
            own_heads: u64::from(adapter.saved.contains_key("lm_head.weight")),
            merged_heads: u64::from(dora),
        }
    }

    /// Of these and another adapter.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            layer_bytes: self.layer_bytes.max(other.layer_bytes),
            rank: self.rank.max(other.rank),
            head_ranks: self.head_ranks + other.head_ranks,
            head_bytes: self.head_bytes + other.head_bytes,
            own_heads: self.own_heads + other.own_heads,
            merged_heads: self.merged_heads + other.merged_heads,
        }
    }
}

impl Load<'_> {
    /// Floating point operations of `chunk` for all members.
    pub(crate) fn flops(&self, chunk: &Chunk) -> f64 {
        let model = self.model;
        let layer = model.layer_flops(chunk.tokens()) + model.attention_flops(chunk.attended());
        let head = 2.0 * (model.head.num_elements() * chunk.head_tokens.len()) as f64;
        self.members as f64 * (layer * model.config.num_layers as f64 + head)
    }
}

impl Load<'_> {
    /// Bytes of device memory that are read or written between the products of `chunk`, for all members.
    pub(crate) fn traffic(&self, chunk: &Chunk) -> f64 {
        let c = &self.model.config;
        let (q, kv) = (c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim);
        // A layer: two norms and two additions of the residual stream; queries, keys and values written, rotated and read;
        // gate and up written and read, their product too.
        let hidden = 2 * (4 + 2 + 2) + 2 * (4 + 4);
        let token =
            c.hidden_size * hidden + 2 * 4 * (q + 2 * kv) + 2 * 2 * q + 2 * 6 * c.intermediate_size;
        (self.members * c.num_layers) as f64 * chunk.tokens() as f64 * token as f64
    }
}

/// What a run of one task will do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Device.
    pub device: String,
    /// Instruction set of the kernels.
    pub isa: String,
    /// Threads.
    pub threads: usize,
    /// Memory limit, bytes: the host's, or on GPUs the least that one of them has free.
    pub memory_bytes: u64,
    /// Memory that the plan will take, bytes.
    pub planned_bytes: u64,
    /// Host memory of a plan for GPUs, bytes.
    pub host_bytes: u64,
    /// What that is for.
    pub host: Option<HostMemory>,
    /// Memory whatever the tokens in flight: weights, head, buffers of threads.
    pub fixed_bytes: u64,
    /// Memory for each token in flight.
    pub token_bytes: u64,
    /// Tokens of each candidate in flight: the least of all sets.
    pub tokens_in_flight: usize,
    /// Evaluation sets, one for each sequence length among the candidates.
    pub sets: Vec<PlannedSet>,
    /// Arithmetic in all.
    pub flops: f64,
    /// Bytes of weights that are read in all.
    pub read_bytes: f64,
    /// Rate of the matrix product, FLOP/s: measured on one thread, or four fifths of what a GPU's tensor cores have at their
    /// highest clock.
    pub rate: f64,
    /// Predicted seconds: of arithmetic at that rate on all threads, or on GPUs the longest of the floors.
    pub seconds: f64,
    /// What a run on GPUs cannot be faster than.
    pub floors: Option<Floors>,
}

impl Plan {
    /// Tokens through whole models, over all candidates.
    pub(crate) fn tokens_total(&self) -> f64 {
        let of =
            |set: &PlannedSet| set.tokens_computed * (set.shared_candidates + set.full_candidates);
        self.sets.iter().map(|set| of(set) as f64).sum()
    }
}

/// One evaluation set of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedSet {
    /// Longest row admitted, tokens.
    pub sequence_len: u64,
    /// Rows.
    pub rows: usize,
    /// Tokens of all rows.
    pub tokens: usize,
    /// Tokens computed per candidate, after cutting and sharing.
    pub tokens_computed: usize,
    /// Tokens of each candidate in flight.
    pub tokens_in_flight: usize,
    /// Passes over the weights.
    pub passes: usize,
    /// Candidates on the base's weights, the base itself included if its own pass is needed.
    pub shared_candidates: usize,
    /// Candidates with weights of their own.
    pub full_candidates: usize,
}

/// The memory limit admits not even the longest row.
#[derive(Debug, Error)]
#[error("a memory limit of {} is too small: the longest row, {longest} tokens, needs {}\nhelp: --memory {}", Bytes(*.limit), Bytes(*.least), Bytes(round_up(*.least)))]
pub struct MemoryError {
    /// The limit, bytes.
    pub limit: u64,
    /// The least that works, bytes.
    pub least: u64,
    /// Tokens of the longest row.
    pub longest: usize,
}

/// What a token in flight and everything else take.
pub(crate) struct Footprint {
    pub(crate) fixed: u64,
    pub(crate) token: u64,
}

impl Footprint {
    /// Of the most demanding of `loads`, with rows of up to `longest` tokens.
    pub(crate) fn new(loads: &[Load<'_>], threads: usize, longest: usize) -> Self {
        let mut footprint = Self { fixed: 0, token: 0 };
        for load in loads {
            let c = &load.model.config;
            let (hidden, inner) = (c.hidden_size as u64, c.intermediate_size as u64);
            let (q, kv) = (
                (c.num_heads * c.head_dim) as u64,
                (c.num_kv_heads * c.head_dim) as u64,
            );
            let stored = load
                .model
                .layers
                .iter()
                .map(|l| l.size_bytes())
                .max()
                .unwrap_or(0);
            let packed = 4 * load.model.layer_flops(1) as u64 / 2;
            // A layer as stored, the next one on its way, and one packed.
            let layer =
                (2 + u64::from(load.replaces)) * stored + (1 + u64::from(load.replaces)) * packed;
            let blocks = 16.max(4 * threads) as u64;
            let slab = VOCAB_BLOCK as u64 * blocks;
            let members = load.members as u64;
            let adapters = &load.adapters;
            // A slab as stored and the next one, of every distinct head; merged ones, and one being merged.
            let slabs = 3 + 2 * adapters.own_heads + adapters.merged_heads;
            let head = slabs * slab * hidden * 4
                + adapters.head_bytes
                + threads as u64 * VOCAB_BLOCK as u64 * (2 * hidden + 400) * 4;
            let rows = 192;
            // Projections that read one input have their low ranks stacked, three at most.
            let thread = rows * (4 * hidden + q + 3 * inner + 2 * 3 * adapters.rank) * 4
                + 4 * (longest as u64) * c.head_dim as u64 * 4
                + (1 << 20);
            // The head runs after the layers: only the larger of the two is there at a time.
            let fixed = adapters.layer_bytes + layer.max(head) + threads as u64 * thread;
            // Hidden states and low ranks, twice at the head; three sums for each block of a slab, and the row's own;
            // queries, keys, values and attended values of one candidate.
            let token = 2 * (members * hidden + adapters.head_ranks) * 4
                + members * (12 * blocks + 32)
                + (2 * q + 2 * kv) * 4
                + hidden * 4
                + load.kept_token_bytes
                + 64;
            footprint.fixed = footprint.fixed.max(fixed);
            footprint.token = footprint.token.max(token);
        }
        footprint.fixed += PROCESS_BYTES;
        footprint
    }

    /// Tokens in flight under `limit`.
    pub(crate) fn tokens(
        &self,
        limit: u64,
        members: usize,
        longest: usize,
    ) -> Result<usize, MemoryError> {
        let least = self.fixed + self.token * longest as u64;
        if limit < least {
            return Err(MemoryError {
                limit,
                least,
                longest,
            });
        }
        let most = (TOKENS_ALL_MAX / members.max(1))
            .clamp(1024, TOKENS_MAX)
            .max(longest);
        Ok(((limit - self.fixed) / self.token.max(1)).min(most as u64) as usize)
    }
}

/// Up to the next eighth of a power of two, in MiB.
fn round_up(bytes: u64) -> u64 {
    let step = (bytes.next_power_of_two() / 16).max(1 << 20);
    bytes.div_ceil(step) * step
}

/// Bytes in binary units.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.0 as f64 / f64::from(1 << 20);
        if mib >= 10240.0 {
            write!(f, "{:.1}GiB", mib / 1024.0)
        } else {
            write!(f, "{}MiB", mib.ceil())
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "device            {} ({}, {} threads)",
            self.device, self.isa, self.threads
        )?;
        if let Some(host) = &self.host {
            writeln!(f, "host memory       {}: {host}", Bytes(self.host_bytes))?;
        }
        writeln!(
            f,
            "memory            {} of {} allowed",
            Bytes(self.planned_bytes),
            Bytes(self.memory_bytes)
        )?;
        writeln!(f, "  fixed           {}", Bytes(self.fixed_bytes))?;
        writeln!(f, "  per token       {} bytes", self.token_bytes)?;
        writeln!(
            f,
            "tokens in flight  {} per candidate",
            self.tokens_in_flight
        )?;
        for set in &self.sets {
            writeln!(
                f,
                "set               {} rows up to {} tokens",
                set.rows, set.sequence_len
            )?;
            writeln!(
                f,
                "  tokens          {}, of which {} computed per candidate",
                set.tokens, set.tokens_computed
            )?;
            writeln!(
                f,
                "  passes          {} over {} shared and {} full models",
                set.passes, set.shared_candidates, set.full_candidates
            )?;
        }
        writeln!(f, "weights read      {}", Bytes(self.read_bytes as u64))?;
        writeln!(
            f,
            "arithmetic        {:.1} GFLOP at {:.1} GFLOP/s a {}",
            self.flops / 1e9,
            self.rate / 1e9,
            if self.floors.is_some() {
                "GPU"
            } else {
                "thread"
            }
        )?;
        match &self.floors {
            None => write!(
                f,
                "predicted         {:.1} s of arithmetic; weights are read meanwhile",
                self.seconds
            ),
            Some(floors) => write!(f, "{floors}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_below_the_longest_row_says_the_least_that_works() {
        let footprint = Footprint {
            fixed: 100 << 20,
            token: 1 << 10,
        };
        let error = footprint.tokens(100 << 20, 3, 4096).unwrap_err();
        assert_eq!(error.least, 104 << 20);
        assert_eq!(
            error.to_string(),
            "a memory limit of 100MiB is too small: the longest row, 4096 tokens, needs 104MiB\nhelp: --memory 104MiB"
        );
        assert_eq!(footprint.tokens(104 << 20, 3, 4096).unwrap(), 4096);
    }

    #[test]
    fn tokens_in_flight_do_not_grow_with_memory_for_ever() {
        let footprint = Footprint { fixed: 0, token: 1 };
        assert_eq!(footprint.tokens(u64::MAX, 1, 10).unwrap(), TOKENS_MAX);
        assert_eq!(footprint.tokens(u64::MAX, 1000, 10).unwrap(), 1024);
    }
}
