//! Why a task could not be evaluated at all; one candidate's failure is part of the result instead.

use crate::engine::{GpuWidthsError, MemberError, PassError};
use crate::model::ModelError;
use crate::plan::{HostMemory, MemoryError};
use gradus_checkpoint::source::ReadFileError;
use gradus_checkpoint::{OpenCheckpointError, ReadTensorError};
use gradus_kernels::cpu::StartCpuError;
use gradus_kernels::device::DeviceError;
use gradus_tasks::{Owner, PrepareError, TokenizerError};
use thiserror::Error;

/// Why nothing was scored.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// There is nothing to do.
    #[error("no candidate was given")]
    NoCandidates,
    /// Results are named after candidates.
    #[error(
        "two candidates are named {name}\nhelp: give each its own name, as in --candidate NAME=PATH"
    )]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The threads could not be started.
    #[error(transparent)]
    Cpu(#[from] StartCpuError),
    /// The base cannot be read.
    #[error("the base model {path} cannot be used")]
    Base {
        /// Its directory.
        path: String,
        /// Why.
        #[source]
        source: OpenCheckpointError,
    },
    /// The base is no model that can be computed.
    #[error("the base model {path} cannot be computed")]
    BaseModel {
        /// Its directory.
        path: String,
        /// Why.
        #[source]
        source: ModelError,
    },
    /// The base is a model that no GPU computes.
    #[error("the base model {path} cannot be computed on a GPU")]
    BaseWidths {
        /// Its directory.
        path: String,
        /// Why.
        #[source]
        source: GpuWidthsError,
    },
    /// The base's weights cannot be read.
    #[error("the base model's weights cannot be used")]
    BaseWeights(#[source] ReadTensorError),
    /// The base cannot take the data's tokens.
    #[error("the base model cannot be evaluated on this task: {reason}")]
    BaseFailed {
        /// Why.
        reason: String,
    },
    /// An adapter whose losses were asked for without a task.
    #[error("the adapter {path} cannot be evaluated: {reason}")]
    Adapter {
        /// Its directory.
        path: String,
        /// Why.
        reason: String,
    },
    /// Tokenizer files cannot be read.
    #[error("the tokenizer of {path} cannot be read")]
    TokenizerFiles {
        /// Their directory.
        path: String,
        /// Why.
        #[source]
        source: ReadFileError,
    },
    /// There is no tokenizer.
    #[error(
        "{path} has no tokenizer.json\nhelp: the task's tokenizer lies beside the base model; name another directory with --tokenizer"
    )]
    NoTokenizer {
        /// The directory.
        path: String,
    },
    /// The tokenizer cannot be used.
    #[error("the tokenizer of {path} cannot be used")]
    Tokenizer {
        /// Its directory.
        path: String,
        /// Why.
        #[source]
        source: TokenizerError,
    },
    /// The rows cannot be used.
    #[error("the task's data cannot be evaluated")]
    Prepare(#[source] PrepareError),
    /// The memory limit is too small.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The memory limit is too small for the buffers that weights go through to GPUs.
    #[error(
        "a memory limit of {} MiB is too small: buffers between the files and {gpus} GPU(s) need {} MiB ({parts})\nhelp: --memory {}MiB, or fewer GPUs", .limit >> 20, .parts.total().div_ceil(1 << 20), .parts.total().div_ceil(1 << 20)
    )]
    HostMemory {
        /// The limit, bytes.
        limit: u64,
        /// GPUs.
        gpus: usize,
        /// What is needed, and for what.
        parts: HostMemory,
    },
    /// A GPU has too little memory.
    #[error(
        "{gpu} has {} MiB free: the longest row, {longest} tokens, needs {} MiB\nhelp: another GPU, fewer candidates at a time, or --device cpu", .free >> 20, .least >> 20
    )]
    DeviceMemory {
        /// Which.
        gpu: String,
        /// Bytes free.
        free: u64,
        /// The least that works, bytes.
        least: u64,
        /// Tokens of the longest row.
        longest: usize,
    },
    /// GPUs whose products are summed differently.
    #[error(
        "{first} and {other} sum products in different orders: their rows cannot be in one result\nhelp: name GPUs of one kind, as in --device cuda:0"
    )]
    MixedGpus {
        /// The first GPU's name.
        first: String,
        /// The name of one of the other kind.
        other: String,
    },
    /// No device can go on.
    #[error("the GPU cannot be used")]
    Device(#[source] DeviceError),
    /// The observer asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<PrepareError> for EvaluateError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Cancelled => EvaluateError::Cancelled,
            error => EvaluateError::Prepare(error),
        }
    }
}

impl From<PassError> for EvaluateError {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Cancelled => EvaluateError::Cancelled,
            PassError::Device(error) => EvaluateError::Device(error),
            PassError::Weights(MemberError::Read(error))
            | PassError::Base(MemberError::Read(error)) => EvaluateError::BaseWeights(error),
            PassError::Weights(error) | PassError::Base(error) => EvaluateError::BaseFailed {
                reason: chain(&error),
            },
        }
    }
}

impl EvaluateError {
    /// Whose fault: the task and its base are the host's.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// An error and its causes, outermost first.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
