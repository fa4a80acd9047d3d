//! Checkpoint and task to score.
//!
//! | module | is about |
//! |---|---|
//! | [`evaluation`] | the result: one outcome per candidate, a schema |
//! | `evaluate` | one task, all candidates: rows, models, sets, scores |
//! | [`token_losses()`] | losses of token ids, without a task |
//! | `score` | per-token numbers to the losses that rank |
//! | `plan` | tokens in flight, memory, predicted time |
//! | `engine` | layers streamed, chunks of rows through all candidates, the head |
//! | `layout` | rows to packed tokens: shared prefixes once, no padding |
//! | `model` | families as data; a checkpoint's tensors, checked |
//! | `weights` | bytes as stored to what the kernels take |
//! | [`error`] | why nothing could be scored |
//!
//! A score depends on the task, the base and the candidate's files, and on nothing else: not on other candidates, on
//! threads or on memory; a row's loss not on the other rows either.
#![forbid(unsafe_code)]

mod engine;
pub mod error;
mod evaluate;
pub mod evaluation;
mod layout;
mod model;
mod plan;
mod score;
#[cfg(test)]
mod testing;
mod token_losses;
mod weights;

pub use engine::{GpuWidthsError, Phase};
pub use error::EvaluateError;
pub use evaluate::{
    CandidateSource, Device, GpuSet, NUMERICS, NUMERICS_SM80, NUMERICS_SM90, Options, Request,
    evaluate, explain,
};
pub use evaluation::{
    CandidateKind, CandidateOutcome, CandidateResult, Evaluation, Event, Failure, Observer,
    Provenance, RowInfo, Score,
};
pub use plan::{Floors, HostMemory, MemoryError, Plan, PlannedSet};
pub use token_losses::{Compute, TokenLosses, TokenRequest, token_losses};
