//! Hostile checkpoint bytes in, checked views out.
//!
//! A checkpoint directory was written by someone we do not trust. This crate reads its headers and configurations under
//! size limits, checks that they agree with each other, and hands out views that a caller can compute with. It never maps
//! files, never runs code that a checkpoint brings, never reads a pickle, and holds no tensor data.
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`source`] | a directory | files that lie inside it, with size caps, and that are still the same later |
//! | [`header`] | the first bytes of a safetensors file | names, dtypes, shapes, byte ranges without gap or overlap |
//! | [`tensor`] | one entry of a header | rows of bytes, read by position |
//! | [`config`] | `config.json`, transformers 4 or 5 spelling | [`ModelConfig`], defaults resolved per family |
//! | [`checkpoint`] | a model directory | [`Checkpoint`] |
//! | [`adapter`] | a PEFT LoRA directory | [`Adapter`], and after [`Adapter::bind`] per-module factors |
//! | [`finetune`] | two configurations | whether one is a fine-tune of the other |
//! | [`tokenizer`] | a model directory | the bytes of its tokenizer files |
//! | [`finite`] | tensor bytes | the first NaN or infinity |
#![forbid(unsafe_code)]

pub mod adapter;
pub mod checkpoint;
pub mod config;
mod dtype;
pub mod finetune;
pub mod finite;
pub mod header;
pub mod source;
pub mod tensor;
#[cfg(test)]
mod testing;
pub mod tokenizer;

pub use adapter::{Adapter, BoundAdapter, EmbeddingLora, LoraModule};
pub use checkpoint::{CandidateKind, Checkpoint, OpenCheckpointError, ShapeError};
pub use config::{Family, HiddenAct, LayerConfig, LayerRope, ModelConfig, RopeConfig, RopeKind};
pub use dtype::Dtype;
pub use gradus_owner::Owner;
pub use tensor::{ReadTensorError, TensorInfo, TensorReader};
