//! `model.safetensors.index.json`: which shard holds which tensor.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::Owner;
use crate::header::{NAME_BYTES_MAX, TENSORS_MAX, json_reason};
use crate::source::is_plain_name;

/// Longest index that is read.
pub const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Most shards.
pub const SHARDS_MAX: usize = 1024;

/// Why an index is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ParseIndexError {
    #[error("not a JSON object with a weight_map: {reason}")]
    Json { reason: String },
    #[error(
        "weight_map names {name:?}: a shard must be a file name that ends in .safetensors, without a path"
    )]
    ShardName { name: String },
    #[error("weight_map names more than {SHARDS_MAX} shards")]
    TooManyShards,
    #[error("weight_map is empty")]
    Empty,
}

impl ParseIndexError {
    /// Always the submission.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

/// Tensors by shard.
///
/// # Errors
/// For a tensor named twice, a shard that is not a plain file name, or sizes past the limits.
pub fn parse_index(json: &[u8]) -> Result<BTreeMap<String, BTreeSet<String>>, ParseIndexError> {
    let index: Index = serde_json::from_slice(json).map_err(|e| ParseIndexError::Json {
        reason: json_reason(&e),
    })?;
    let mut shards: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (tensor, shard) in index.weight_map.0 {
        if !is_plain_name(&shard) || !shard.ends_with(".safetensors") {
            return Err(ParseIndexError::ShardName {
                name: shard.chars().take(128).collect(),
            });
        }
        shards.entry(shard).or_default().insert(tensor);
        if shards.len() > SHARDS_MAX {
            return Err(ParseIndexError::TooManyShards);
        }
    }
    if shards.is_empty() {
        return Err(ParseIndexError::Empty);
    }
    Ok(shards)
}

#[derive(Deserialize)]
struct Index {
    weight_map: WeightMap,
    #[serde(default, rename = "metadata")]
    _metadata: Option<IgnoredAny>,
}

struct WeightMap(Vec<(String, String)>);

impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = WeightMap;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of file names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WeightMap, A::Error> {
                use serde::de::Error;
                let mut seen = HashSet::new();
                let mut out = Vec::new();
                while let Some((tensor, shard)) = map.next_entry::<String, String>()? {
                    if tensor.len() > NAME_BYTES_MAX || out.len() == TENSORS_MAX {
                        return Err(A::Error::custom("too many tensors, or too long a name"));
                    }
                    if !seen.insert(tensor.clone()) {
                        return Err(A::Error::custom(format_args!(
                            "the tensor {tensor:?} appears twice"
                        )));
                    }
                    out.push((tensor, shard));
                }
                Ok(WeightMap(out))
            }
        }
        d.deserialize_map(V)
    }
}
