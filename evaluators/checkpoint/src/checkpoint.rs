//! A model directory: configuration, shards, and every tensor's place, from headers alone.

mod error;
mod index;
mod names;
mod weights;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{CONFIG_BYTES_MAX, ModelConfig, ParseConfigError};
use crate::source::{ReadFileError, SourceDir};
use crate::tensor::{TensorInfo, read_header};
pub use error::{OpenCheckpointError, ShapeError};
pub use index::{INDEX_BYTES_MAX, ParseIndexError, SHARDS_MAX, parse_index};
pub(crate) use weights::is_pickle;

/// What a submitted directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// A PEFT adapter, to be applied to a base model.
    Adapter,
    /// A model of its own.
    Full,
}

impl CandidateKind {
    /// An adapter if and only if there is an `adapter_config.json`.
    ///
    /// # Errors
    /// If `dir` is not a directory, or has no configuration of either kind.
    pub fn detect(dir: &Path) -> Result<CandidateKind, ReadFileError> {
        let files = SourceDir::open(dir)?;
        match (files.has("adapter_config.json"), files.has("config.json")) {
            (true, _) => Ok(CandidateKind::Adapter),
            (false, true) => Ok(CandidateKind::Full),
            (false, false) => Err(ReadFileError::NoModel {
                path: dir.to_owned(),
            }),
        }
    }
}

/// A model directory whose headers have been read and checked.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    dir: SourceDir,
    config: ModelConfig,
    raw_config: Map<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
    notes: Vec<String>,
}

impl Checkpoint {
    /// Reads config.json, the index if there is one, and the header of every shard. No tensor data.
    ///
    /// # Errors
    /// [`OpenCheckpointError`] says which file and why.
    pub fn open(dir: &Path) -> Result<Checkpoint, OpenCheckpointError> {
        let dir = SourceDir::open(dir)?;
        if !dir.has("config.json") && dir.has("adapter_config.json") {
            return Err(OpenCheckpointError::IsAdapter {
                dir: dir.path().to_owned(),
            });
        }
        let config_bytes = dir.read("config.json", CONFIG_BYTES_MAX)?;
        let config_error = |source| OpenCheckpointError::Config {
            path: dir.path().join("config.json"),
            source,
        };
        let raw_config: Map<String, Value> = serde_json::from_slice(&config_bytes)
            .map_err(|e| config_error(ParseConfigError::json(e)))?;
        let config = ModelConfig::from_raw(&raw_config).map_err(config_error)?;
        let mut notes = Vec::new();
        let placed = weights::shards(&dir, &mut notes)?;
        if raw_config.contains_key("auto_map") {
            notes.push("config.json has auto_map: the code it names is ignored".to_owned());
        }
        let mut stored = Vec::new();
        for (shard, expected) in placed {
            let file = Arc::new(dir.file(&shard)?);
            let entries = read_header(&file)?;
            if let Some(mut expected) = expected {
                for entry in &entries {
                    if !expected.remove(&entry.name) {
                        return Err(OpenCheckpointError::NotInIndex {
                            tensor: entry.name.clone(),
                            shard,
                        });
                    }
                }
                if let Some(tensor) = expected.into_iter().next() {
                    return Err(OpenCheckpointError::NotInShard { tensor, shard });
                }
            }
            stored.extend(entries.into_iter().map(|entry| (entry, Arc::clone(&file))));
        }
        let scheme =
            names::Scheme::detect(&config, stored.iter().map(|(entry, _)| entry.name.as_str()));
        let mut tensors: BTreeMap<String, TensorInfo> = BTreeMap::new();
        for (entry, file) in stored {
            let name = scheme.canonical(&entry.name);
            let tensor = TensorInfo::new(entry, name.clone(), file);
            if let Some(other) = tensors.insert(name.clone(), tensor) {
                let second = tensors[&name].stored_name().to_owned();
                return Err(OpenCheckpointError::SameName {
                    name,
                    first: other.stored_name().to_owned(),
                    second,
                });
            }
        }
        Ok(Checkpoint {
            dir,
            config,
            raw_config,
            tensors,
            notes,
        })
    }

    /// The directory as the caller named it.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The resolved configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// config.json as it is written.
    pub fn raw_config(&self) -> &Map<String, Value> {
        &self.raw_config
    }

    /// Things that were ignored and that a reader of the result should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// All tensors, ordered by name.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.values()
    }

    /// A tensor by the name that the model's definition gives it.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// A tensor that must be there with exactly this shape and a parameter type.
    ///
    /// # Errors
    /// `Missing`, `Shape`, `Dtype`.
    pub fn expect_shape(&self, name: &str, shape: &[usize]) -> Result<&TensorInfo, ShapeError> {
        let tensor = self.tensor(name).ok_or_else(|| ShapeError::Missing {
            name: name.to_owned(),
        })?;
        if tensor.shape != shape {
            return Err(ShapeError::Shape {
                name: name.to_owned(),
                found: tensor.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        param(tensor)
    }

    /// The embedding, `[rows, hidden_size]` with rows within one of vocab_size.
    ///
    /// A row more or less is tolerated, as the subnet's evaluator does; [`TensorInfo::num_rows`] says how many there are.
    /// Falls back to the head where only that is stored and the two are tied.
    ///
    /// # Errors
    /// As [`Checkpoint::expect_shape`].
    pub fn expect_embedding(&self) -> Result<&TensorInfo, ShapeError> {
        match self.tensor(EMBEDDING) {
            None if self.config.tie_word_embeddings && self.tensor(HEAD).is_some() => {
                self.expect_vocab(HEAD)
            }
            _ => self.expect_vocab(EMBEDDING),
        }
    }

    /// The head, `[rows, hidden_size]`: its own tensor where there is one (even if the configuration ties the two, as
    /// transformers 5 does), else the embedding if they are tied.
    ///
    /// # Errors
    /// As [`Checkpoint::expect_shape`].
    pub fn expect_head(&self) -> Result<&TensorInfo, ShapeError> {
        match self.is_tied() {
            true => self.expect_embedding(),
            false => self.expect_vocab(HEAD),
        }
    }

    /// Whether one tensor serves as embedding and head.
    pub fn is_tied(&self) -> bool {
        self.config.tie_word_embeddings
            && !(self.tensors.contains_key(HEAD) && self.tensors.contains_key(EMBEDDING))
    }

    fn expect_vocab(&self, name: &str) -> Result<&TensorInfo, ShapeError> {
        let tensor = self.tensor(name).ok_or_else(|| ShapeError::Missing {
            name: name.to_owned(),
        })?;
        let fits = match tensor.shape[..] {
            [rows, hidden] => {
                rows.abs_diff(self.config.vocab_size) <= 1
                    && rows > 0
                    && hidden == self.config.hidden_size
            }
            _ => false,
        };
        if !fits {
            return Err(ShapeError::Shape {
                name: name.to_owned(),
                found: tensor.shape.clone(),
                expected: vec![self.config.vocab_size, self.config.hidden_size],
            });
        }
        param(tensor)
    }

    /// Parameters of the model, from the headers: buffers are not counted, a tied head once.
    pub fn parameter_count(&self) -> u64 {
        let tied_twice = self.config.tie_word_embeddings && self.tensors.contains_key(EMBEDDING);
        let is_extra = |t: &TensorInfo| {
            t.name.ends_with("rotary_emb.inv_freq") || (tied_twice && t.name == HEAD)
        };
        let counts = |t: &&TensorInfo| !is_extra(t);
        self.tensors()
            .filter(counts)
            .fold(0u64, |n, t| n.saturating_add(t.num_elements() as u64))
    }

    /// The module name of a name that an adapter or a multimodal wrapper uses.
    pub(crate) fn canonical(&self, name: &str) -> String {
        match self.config.is_multimodal {
            true => names::without_wrapper(name),
            false => name.to_owned(),
        }
    }
}

/// Name of the embedding in every family.
pub const EMBEDDING: &str = "model.embed_tokens.weight";
/// Name of the head in every family.
pub const HEAD: &str = "lm_head.weight";

fn param(tensor: &TensorInfo) -> Result<&TensorInfo, ShapeError> {
    match tensor.dtype.param_bytes() {
        Some(_) => Ok(tensor),
        None => Err(ShapeError::Dtype {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
        }),
    }
}

#[cfg(test)]
mod tests;
