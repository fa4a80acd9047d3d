//! Why a model directory cannot be used.

use std::path::PathBuf;

use super::index::ParseIndexError;
use crate::config::ParseConfigError;
use crate::source::ReadFileError;
use crate::tensor::ReadHeaderError;
use crate::{Dtype, Owner};

/// Why a model directory is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum OpenCheckpointError {
    #[error(transparent)]
    File(#[from] ReadFileError),
    #[error("{} is refused", .path.display())]
    Config {
        path: PathBuf,
        #[source]
        source: ParseConfigError,
    },
    #[error("{} is refused", .path.display())]
    Index {
        path: PathBuf,
        #[source]
        source: ParseIndexError,
    },
    #[error(transparent)]
    Header(#[from] ReadHeaderError),
    #[error("{} has no model.safetensors\nhelp: save the model with safetensors", .dir.display())]
    NoWeights { dir: PathBuf },
    #[error("{} holds its weights as a pickle ({name}), which can run code when it is read and is never opened\nhelp: save the model with safetensors", .dir.display())]
    Pickle { dir: PathBuf, name: String },
    #[error("{} is an adapter, not a model", .dir.display())]
    IsAdapter { dir: PathBuf },
    #[error("the index puts tensor {tensor:?} into {shard}, which does not have it")]
    NotInShard { tensor: String, shard: String },
    #[error("{shard} holds tensor {tensor:?}, which the index does not put there")]
    NotInIndex { tensor: String, shard: String },
    #[error("tensors {first:?} and {second:?} are both {name:?}")]
    SameName {
        name: String,
        first: String,
        second: String,
    },
}

impl OpenCheckpointError {
    /// Whose fault it is, if the directory was submitted. For a base model that the task names, the host's.
    pub fn owner(&self) -> Owner {
        match self {
            OpenCheckpointError::File(e) => e.owner(),
            OpenCheckpointError::Header(e) => e.owner(),
            _ => Owner::Submission,
        }
    }
}

/// Why a tensor is not what the model's definition needs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ShapeError {
    #[error("the checkpoint has no tensor {name}")]
    Missing { name: String },
    #[error("{name} is {found:?}, but config.json makes it {expected:?}")]
    Shape {
        name: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    #[error(
        "{name} is stored as {dtype}; F32, F16 and BF16 can be evaluated\nhelp: save the model in one of these"
    )]
    Dtype { name: String, dtype: Dtype },
}
