//! PEFT LoRA adapters: configuration and factors, matched to the modules of a base model.
//!
//! The reference is peft 0.21.2, which warns and goes on where a file and its configuration disagree; here that is an error,
//! since the reference's number would then be that of another adapter than its author meant.

mod bind;
mod config;
mod keys;
mod pattern;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use bind::{BindAdapterError, BoundAdapter, EmbeddingLora, LoraModule};
pub use config::{AdapterConfig, Bias, ParseAdapterConfigError, Targets};
pub use pattern::NamePattern;

use crate::Owner;
use crate::checkpoint::is_pickle;
use crate::source::{ReadFileError, SourceDir};
use crate::tensor::{ReadHeaderError, TensorInfo, read_header};
use keys::{Key, parse_key};

/// Longest adapter_config.json that is read.
pub const ADAPTER_CONFIG_BYTES_MAX: u64 = 4 << 20;

/// Why an adapter directory is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum OpenAdapterError {
    #[error(transparent)]
    File(#[from] ReadFileError),
    #[error("{} is refused", .path.display())]
    Config {
        path: PathBuf,
        #[source]
        source: ParseAdapterConfigError,
    },
    #[error(transparent)]
    Header(#[from] ReadHeaderError),
    #[error("{} has no adapter_model.safetensors\nhelp: save the adapter with safetensors", .dir.display())]
    NoWeights { dir: PathBuf },
    #[error("{} holds its weights as a pickle ({name}), which can run code when it is read and is never opened\nhelp: save the adapter with safetensors", .dir.display())]
    Pickle { dir: PathBuf, name: String },
    #[error("tensor {name:?} of the adapter has a name that peft does not write: {reason}")]
    Name { name: String, reason: &'static str },
}

impl OpenAdapterError {
    /// Whose fault it is.
    pub fn owner(&self) -> Owner {
        match self {
            OpenAdapterError::File(e) => e.owner(),
            OpenAdapterError::Header(e) => e.owner(),
            _ => Owner::Submission,
        }
    }
}

/// An adapter directory whose configuration and header have been read and checked, not yet matched to a base.
#[derive(Clone, Debug)]
pub struct Adapter {
    dir: SourceDir,
    config: AdapterConfig,
    tensors: Vec<(Key, TensorInfo)>,
    notes: Vec<String>,
}

impl Adapter {
    /// Reads adapter_config.json and the header of adapter_model.safetensors. No tensor data.
    ///
    /// # Errors
    /// [`OpenAdapterError`] says which file and why.
    pub fn open(dir: &Path) -> Result<Adapter, OpenAdapterError> {
        const WEIGHTS: &str = "adapter_model.safetensors";
        let dir = SourceDir::open(dir)?;
        let json = dir.read("adapter_config.json", ADAPTER_CONFIG_BYTES_MAX)?;
        let (config, mut notes) =
            AdapterConfig::parse(&json).map_err(|source| OpenAdapterError::Config {
                path: dir.path().join("adapter_config.json"),
                source,
            })?;
        let pickle = dir.names(10_000)?.into_iter().find(|n| is_pickle(n));
        if !dir.has(WEIGHTS) {
            let dir = dir.path().to_owned();
            return Err(match pickle {
                Some(name) => OpenAdapterError::Pickle { dir, name },
                None => OpenAdapterError::NoWeights { dir },
            });
        }
        if let Some(name) = pickle {
            notes.push(format!("{name} is a pickle and was not opened"));
        }
        let file = Arc::new(dir.file(WEIGHTS)?);
        let mut tensors = Vec::new();
        for entry in read_header(&file)? {
            let key = parse_key(&entry.name).map_err(|reason| OpenAdapterError::Name {
                name: entry.name.clone(),
                reason,
            })?;
            let name = entry.name.clone();
            tensors.push((key, TensorInfo::new(entry, name, Arc::clone(&file))));
        }
        Ok(Adapter {
            dir,
            config,
            tensors,
            notes,
        })
    }

    /// The directory as the caller named it.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The checked configuration.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// Things that were ignored and that a reader of the result should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

#[cfg(test)]
mod tests;
