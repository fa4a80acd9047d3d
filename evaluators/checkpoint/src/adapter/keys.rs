//! Names that peft gives to an adapter's tensors.

/// What one tensor of an adapter file is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Module path inside the base, or for `Plain` the whole parameter name.
    pub(super) module: String,
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    LoraA,
    LoraB,
    LoraBias,
    Magnitude,
    EmbeddingA,
    EmbeddingB,
    /// Weight or bias of the module that an adapter wraps.
    BaseWeight,
    BaseBias,
    /// A whole parameter, of a saved or untouched module.
    Plain,
}

/// Endings, longest first where one ends another. The adapter's own name is taken out when peft saves; `default` is how it
/// looks where another program saved the module's own state.
const ENDINGS: [(&str, Role); 18] = [
    (".lora_A.weight", Role::LoraA),
    (".lora_A.default.weight", Role::LoraA),
    (".lora_B.weight", Role::LoraB),
    (".lora_B.default.weight", Role::LoraB),
    (".lora_B.bias", Role::LoraBias),
    (".lora_B.default.bias", Role::LoraBias),
    (".lora_magnitude_vector", Role::Magnitude),
    (".lora_magnitude_vector.weight", Role::Magnitude),
    (".lora_magnitude_vector.default", Role::Magnitude),
    (".lora_magnitude_vector.default.weight", Role::Magnitude),
    (".lora_embedding_A", Role::EmbeddingA),
    (".lora_embedding_A.default", Role::EmbeddingA),
    (".lora_embedding_B", Role::EmbeddingB),
    (".lora_embedding_B.default", Role::EmbeddingB),
    (".base_layer.weight", Role::BaseWeight),
    (".base_layer.bias", Role::BaseBias),
    (".weight", Role::Plain),
    (".bias", Role::Plain),
];

/// Takes a stored name apart.
pub(super) fn parse_key(name: &str) -> Result<Key, &'static str> {
    let Some(rest) = name.strip_prefix("base_model.model.") else {
        return Err("it does not start with base_model.model.");
    };
    for (ending, role) in ENDINGS {
        if let Some(module) = rest.strip_suffix(ending) {
            if module.is_empty() || module.contains("lora_") {
                break;
            }
            let module = if role == Role::Plain { rest } else { module };
            return Ok(Key {
                module: module.to_owned(),
                role,
            });
        }
    }
    Err(
        "known are lora_A, lora_B, lora_embedding_A, lora_embedding_B, lora_magnitude_vector and whole weights and biases",
    )
}
