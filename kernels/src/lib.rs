//! Operations that evaluate a model, with checked arguments: a kernel knows shapes, not models.
//!
//! | module | is about |
//! |---|---|
//! | [`embedding`] | rows of a table, widened, times a multiplier |
//! | [`rms_norm`](mod@rms_norm) | RMS norm, per row or per head |
//! | [`rope`] | rotary embedding: tables of all scalings, rotation in place |
//! | [`linear`](mod@linear) | `y = x wᵀ`, weights as stored, packed once for all rows |
//! | [`lora`] | unmerged low-rank adapters beside a product; DoRA's factor |
//! | [`attention`](mod@attention) | causal, packed rows, grouped heads, windows, soft caps, shared prefixes |
//! | [`activation`] | gated activations, soft cap |
//! | [`cross_entropy`] | head, log-sum-exp and target logits in one pass; KL of two models |
//! | [`cpu`] | an instruction set and a pool of threads |
//! | [`device`] | GPUs: memory, streams, launches |
//! | [`params`], [`rows`], [`buffer`] | parameters as stored; rows of f32; aligned memory |
//!
//! A family is its public file and a folder with `reference.rs` (the definition, f64), `cpu.rs` and `tests.rs`. All of
//! them give the same bits on every instruction set, thread count and number of rows: `docs/numerics.md`.

pub mod activation;
pub mod attention;
pub mod buffer;
pub mod cpu;
pub mod cross_entropy;
pub mod device;
pub mod embedding;
pub mod linear;
pub mod lora;
pub mod params;
pub mod rms_norm;
pub mod rope;
pub mod rows;
mod simd;
#[cfg(test)]
mod testing;

pub use cpu::Cpu;
pub use params::{ParamDtype, Params};
pub use rows::{Rows, RowsMut};
pub use simd::{InstructionSet, Isa};
