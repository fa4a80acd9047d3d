//! Which of a repository's files an evaluation reads.

use super::{HubError, ModelId};

/// Files to fetch, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// Small ones: what is wrong with them is known before the large ones are fetched.
    pub(super) first: Vec<String>,
    /// The index whose shards come on top.
    pub(super) index: Option<String>,
    /// The large ones.
    pub(super) rest: Vec<String>,
}

const SIDE_FILES: [&str; 7] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
];
const ADAPTER_CONFIG: &str = "adapter_config.json";
const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// An adapter's files if it is one, else a model's. Files in folders are never looked at.
pub(super) fn select(id: &ModelId, names: &[String]) -> Result<Selection, HubError> {
    let has = |name: &str| names.iter().any(|n| n == name);
    let mut first: Vec<String> = SIDE_FILES
        .iter()
        .filter(|name| has(name))
        .map(|name| (*name).to_owned())
        .collect();
    let is_adapter = has(ADAPTER_CONFIG);
    let (config, weights) = if is_adapter {
        (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
    } else {
        ("config.json", WEIGHTS)
    };
    if !has(config) {
        return Err(HubError::NoFile {
            id: id.clone(),
            name: config.to_owned(),
        });
    }
    first.insert(0, config.to_owned());
    if has(weights) {
        return Ok(Selection {
            first,
            index: None,
            rest: vec![weights.to_owned()],
        });
    }
    if !is_adapter && has(INDEX) {
        return Ok(Selection {
            first,
            index: Some(INDEX.to_owned()),
            rest: Vec::new(),
        });
    }
    let is_pickle = |name: &&String| {
        let name = name.to_ascii_lowercase();
        !name.contains('/')
            && [".bin", ".pt", ".pth", ".ckpt", ".pkl"]
                .iter()
                .any(|end| name.ends_with(end))
    };
    Err(HubError::NoWeights {
        id: id.clone(),
        pickle: names.iter().find(is_pickle).cloned(),
    })
}

/// What a snapshot in the cache lacks before it can be evaluated, if anything.
pub(super) fn missing_from(
    has: impl Fn(&str) -> bool,
    shards: impl Fn(&str) -> Option<Vec<String>>,
) -> Option<String> {
    let lacks = |name: &str| (!has(name)).then(|| format!("no {name}"));
    if has(ADAPTER_CONFIG) {
        return lacks(ADAPTER_WEIGHTS);
    }
    if let Some(config) = lacks("config.json") {
        return Some(config);
    }
    if has(WEIGHTS) {
        return None;
    }
    if !has(INDEX) {
        return lacks(WEIGHTS);
    }
    match shards(INDEX) {
        None => Some(format!("{INDEX} cannot be read")),
        Some(shards) => shards.iter().find_map(|shard| lacks(shard)),
    }
}
