//! Plans for GPUs: what device memory holds, and what bounds the time.

use super::{Bytes, Footprint, Load, PROCESS_BYTES};
use crate::error::EvaluateError;
use crate::model::Model;
use gradus_checkpoint::ModelConfig;
use gradus_kernels::cross_entropy::device::VOCAB_SLAB;
use gradus_kernels::device::{GpuInfo, aligned_stride};
use serde::Serialize;
use std::fmt;

/// Tokens that go through projections and MLP at a time, at most and at least: enough that a GPU's last round of tiles, which is seldom
/// full, is one of many, and few enough that what is wide stays small.
pub(crate) const TILE_TOKENS: usize = 32_768;
const TILE_TOKENS_MIN: usize = 4096;
/// Part of a GPU's memory that what is wide may take, and the most.
const TILE_SHARE: u64 = 32;
const TILE_BYTES: u64 = 2 << 30;
/// Tokens in flight at most, per candidate and over all candidates of a pass. More would hide no more of the weights' way.
const TOKENS_MAX: usize = 1 << 18;
const TOKENS_ALL_MAX: usize = 1 << 22;
/// What is counted nowhere else: kernels, tables, the pool's rounding.
const DEVICE_BYTES: u64 = 256 << 20;
/// Part of the free memory that a plan takes; another process may take some meanwhile.
const SHARE: f64 = 0.9;
/// Part of the tensor cores' rate at the highest clock that whole products reach.
const REACHED: f64 = 0.8;
/// What crosses PCIe 5 x16 in a second.
const TRANSFER: f64 = 50e9;

/// Bytes of a token on its way through a layer's projections and MLP: normalised states, gate and up, their product, and an output that is
/// normalised before it is added.
fn tile_token_bytes(config: &ModelConfig) -> usize {
    6 * config.hidden_size + 6 * config.intermediate_size
}

/// Tokens of a model of this shape that go through projections and MLP at a time, on a GPU with `memory` bytes.
pub(crate) fn tile_tokens(config: &ModelConfig, memory: u64) -> usize {
    let bytes = (memory / TILE_SHARE).min(TILE_BYTES) as usize;
    let fit = bytes / tile_token_bytes(config).max(1);
    (fit - fit % TILE_TOKENS_MIN).clamp(TILE_TOKENS_MIN, TILE_TOKENS)
}

/// Device memory of a run.
pub(crate) struct DeviceFootprint(Footprint);

impl DeviceFootprint {
    /// Of the most demanding of `loads`, on GPUs of which the largest has `memory` bytes.
    pub(crate) fn new(loads: &[Load<'_>], memory: u64) -> Self {
        let mut footprint = Footprint { fixed: 0, token: 0 };
        for load in loads {
            let c = &load.model.config;
            let hidden = aligned_stride(c.hidden_size) as u64;
            let (q, kv) = (
                (c.num_heads * c.head_dim) as u64,
                (c.num_kv_heads * c.head_dim) as u64,
            );
            let layer = layer_bytes(load);
            let adapters = &load.adapters;
            let slab = VOCAB_SLAB as u64 * hidden * 2;
            let slabs = 2 * (1 + adapters.own_heads);
            let rings = (2 + u64::from(load.replaces)) * layer
                + 2 * adapters.layer_bytes
                + 2 * embedding_block(load.model)
                + slabs * slab
                + 2 * adapters.head_bytes;
            let tile = tile_tokens(c, memory) as u64
                * (tile_token_bytes(c) as u64 + 2 * 3 * adapters.rank);
            let members = load.members as u64;
            // Residual streams; the embedding's rows meanwhile; at the head also rows in bf16, and sums over the vocabulary.
            let token = members * (4 * hidden + 2 * hidden + 2 * adapters.head_ranks + 512)
                + 4 * hidden
                + 2 * (q + 2 * kv)
                + 2 * 2 * q
                + 2 * load.kept_token_bytes
                + 64;
            footprint.fixed = footprint.fixed.max(rings + tile);
            footprint.token = footprint.token.max(token);
        }
        footprint.fixed += DEVICE_BYTES;
        Self(footprint)
    }

    /// Tokens of each candidate in flight on a GPU with `free` bytes.
    pub(crate) fn tokens(
        &self,
        gpu: &GpuInfo,
        free: u64,
        members: usize,
        longest: usize,
    ) -> Result<usize, EvaluateError> {
        let limit = (free as f64 * SHARE) as u64;
        let least = self.0.fixed + self.0.token * longest as u64;
        if limit < least {
            return Err(EvaluateError::DeviceMemory {
                gpu: format!("GPU {} ({})", gpu.ordinal, gpu.name),
                free,
                least: (least as f64 / SHARE) as u64,
                longest,
            });
        }
        let most = (TOKENS_ALL_MAX / members.max(1))
            .min(TOKENS_MAX)
            .max(longest);
        Ok(((limit - self.0.fixed) / self.0.token.max(1)).min(most as u64) as usize)
    }
}

impl From<DeviceFootprint> for Footprint {
    fn from(footprint: DeviceFootprint) -> Self {
        footprint.0
    }
}

/// Bytes of the embedding's rows that go to a GPU at a time.
pub(crate) const EMBEDDING_BLOCK: usize = 16 << 20;

/// Host memory of a run on GPUs: buffers between the files and the devices, of all GPUs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HostMemory {
    /// Layers, also those that an adapter replaces.
    pub layers_bytes: u64,
    /// Slabs of the head.
    pub head_bytes: u64,
    /// Adapters' factors.
    pub adapters_bytes: u64,
    /// Rows of the embedding, as stored or, where an adapter trains them or their width is no multiple of 8, in f32.
    pub embedding_bytes: u64,
    /// The process itself.
    pub process_bytes: u64,
}

impl HostMemory {
    /// Of the most demanding of `loads`.
    pub(crate) fn new(loads: &[Load<'_>], gpus: usize) -> Self {
        let of = |load: &Load<'_>| Self::of(load, gpus.max(1) as u64);
        loads
            .iter()
            .map(of)
            .max_by_key(Self::total)
            .unwrap_or_default()
    }

    fn of(load: &Load<'_>, gpus: u64) -> Self {
        // The slots of a ring and one more.
        const BUFFERS: u64 = 3;
        let (model, adapters) = (load.model, &load.adapters);
        let layers = BUFFERS + 2 * u64::from(load.replaces);
        let slab = VOCAB_SLAB as u64 * model.config.hidden_size as u64 * 2;
        let block = embedding_block(model);
        // Rows to be widened are also there as read, alone and in the block.
        let widened = 2 * block + block.min(model.embedding.size_bytes());
        Self {
            layers_bytes: gpus * layers * layer_bytes(load),
            head_bytes: gpus * BUFFERS * (slab * (1 + adapters.own_heads) + adapters.head_bytes),
            adapters_bytes: gpus * BUFFERS * adapters.layer_bytes,
            embedding_bytes: gpus * (BUFFERS * block + widened),
            process_bytes: PROCESS_BYTES,
        }
    }

    /// Of all parts.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.layers_bytes
            + self.head_bytes
            + self.adapters_bytes
            + self.embedding_bytes
            + self.process_bytes
    }
}

impl fmt::Display for HostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for (what, bytes) in [
            ("layers", self.layers_bytes),
            ("head", self.head_bytes),
            ("adapters", self.adapters_bytes),
            ("embedding", self.embedding_bytes),
            ("the process", self.process_bytes),
        ] {
            if bytes > 0 {
                write!(f, "{before}{what} {}", Bytes(bytes))?;
                before = ", ";
            }
        }
        Ok(())
    }
}

/// Of a block of the embedding's rows, at most.
fn embedding_block(model: &Model) -> u64 {
    let row = 4 * aligned_stride(model.config.hidden_size) as u64;
    let all = row * model.embedding.num_rows() as u64;
    (EMBEDDING_BLOCK as u64).max(row).min(all)
}

/// Of one layer in bf16.
fn layer_bytes(load: &Load<'_>) -> u64 {
    // Two operations a parameter and token, two bytes a parameter.
    load.model.layer_flops(1) as u64
}

/// What a run on GPUs cannot be faster than.
#[derive(Clone, Debug, Serialize)]
pub struct Floors {
    /// Seconds of products at four fifths of the tensor cores' rate.
    pub arithmetic_s: f64,
    /// Seconds of device memory traffic of the residual streams and what is between the products.
    pub memory_s: f64,
    /// Seconds in which the weights cross PCIe 5 x16.
    pub transfer_s: f64,
    /// The longest of them: `arithmetic`, `memory` or `transfer`.
    pub binds: &'static str,
}

impl Floors {
    /// Of `flops` operations, `traffic` bytes of device memory and `read` bytes of weights, spread over `gpus`.
    pub(crate) fn new(gpus: &[&GpuInfo], flops: f64, traffic: f64, read: f64) -> Self {
        let sum =
            |of: &dyn Fn(&GpuInfo) -> f64| gpus.iter().map(|gpu| of(gpu)).sum::<f64>().max(1.0);
        let arithmetic_s = flops / (REACHED * sum(&GpuInfo::peak_flops));
        let memory_s = traffic / sum(&|gpu| gpu.memory_bandwidth);
        let transfer_s = read / TRANSFER;
        let floors = [
            ("arithmetic", arithmetic_s),
            ("memory", memory_s),
            ("transfer", transfer_s),
        ];
        let (binds, _) = floors
            .into_iter()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .expect("three floors");
        Self {
            arithmetic_s,
            memory_s,
            transfer_s,
            binds,
        }
    }

    /// Seconds: kernels run one after the other, weights travel meanwhile.
    pub(crate) fn seconds(&self) -> f64 {
        (self.arithmetic_s + self.memory_s).max(self.transfer_s)
    }

    /// What one GPU's products reach, FLOP/s.
    pub(crate) fn rate(gpu: &GpuInfo) -> f64 {
        REACHED * gpu.peak_flops()
    }
}

impl fmt::Display for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "floors            arithmetic {:.2} s, device memory {:.2} s, weights over PCIe {:.2} s\npredicted         {:.2} s, bound by {}",
            self.arithmetic_s,
            self.memory_s,
            self.transfer_s,
            self.seconds(),
            self.binds
        )
    }
}
