//! Which files of a directory hold the weights.

use std::collections::{BTreeMap, BTreeSet};

use super::OpenCheckpointError;
use super::index::{INDEX_BYTES_MAX, parse_index};
use crate::source::SourceDir;

/// Weight files, each with the tensors that an index puts there.
pub(super) type Shards = BTreeMap<String, Option<BTreeSet<String>>>;

/// Finds them, and notes what is left aside.
pub(super) fn shards(
    dir: &SourceDir,
    notes: &mut Vec<String>,
) -> Result<Shards, OpenCheckpointError> {
    const SINGLE: &str = "model.safetensors";
    const INDEX: &str = "model.safetensors.index.json";
    let names = dir.names(10_000)?;
    let pickle = names.iter().find(|n| is_pickle(n));
    if let Some(code) = names.iter().find(|n| n.ends_with(".py")) {
        notes.push(format!(
            "{code} and any other code in the directory is ignored"
        ));
    }
    let found = if dir.has(SINGLE) {
        if dir.has(INDEX) {
            notes.push(format!("{INDEX} is ignored, since {SINGLE} is there"));
        }
        BTreeMap::from([(SINGLE.to_owned(), None)])
    } else if dir.has(INDEX) {
        let bytes = dir.read(INDEX, INDEX_BYTES_MAX)?;
        let path = dir.path().join(INDEX);
        let map =
            parse_index(&bytes).map_err(|source| OpenCheckpointError::Index { path, source })?;
        map.into_iter()
            .map(|(shard, tensors)| (shard, Some(tensors)))
            .collect()
    } else {
        let dir = dir.path().to_owned();
        return Err(match pickle {
            Some(name) => OpenCheckpointError::Pickle {
                dir,
                name: name.clone(),
            },
            None => OpenCheckpointError::NoWeights { dir },
        });
    };
    if let Some(name) = pickle {
        notes.push(format!("{name} is a pickle and was not opened"));
    }
    Ok(found)
}

/// File names under which pickled weights go about.
pub(crate) fn is_pickle(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let weights = lower.starts_with("pytorch_model")
        || lower.starts_with("adapter_model")
        || lower.starts_with("model");
    [".pt", ".pth", ".ckpt", ".pkl", ".pickle"]
        .iter()
        .any(|end| lower.ends_with(end))
        || (weights && (lower.ends_with(".bin") || lower.ends_with(".bin.index.json")))
}
