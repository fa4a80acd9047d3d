//! What an adapter may not ask for.

use serde_json::{Map, Value};

use super::ParseAdapterConfigError;
use crate::config::fields::{Fields, brief};

/// Fields that say nothing about the computation.
const NEUTRAL: [&str; 14] = [
    "auto_mapping",
    "corda_config",
    "eva_config",
    "fan_in_fan_out",
    "inference_mode",
    "lora_dropout",
    "lora_ga_config",
    "loftq_config",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "runtime_config",
    "task_type",
    "init_lora_weights",
];

/// Fields that are read.
const READ: [&str; 18] = [
    "peft_type",
    "base_model_name_or_path",
    "revision",
    "r",
    "lora_alpha",
    "use_rslora",
    "use_dora",
    "lora_bias",
    "bias",
    "target_modules",
    "exclude_modules",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "layers_to_transform",
    "layers_pattern",
    "ensure_weight_tying",
    "trainable_token_indices",
];

pub(super) fn unsupported(
    field: &str,
    found: &Value,
    why: &'static str,
) -> ParseAdapterConfigError {
    ParseAdapterConfigError::Unsupported {
        field: field.chars().take(60).collect(),
        found: brief(found),
        why,
    }
}

/// Whether Python would call the value true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(a) => !a.is_empty(),
        Value::Object(o) => !o.is_empty(),
    }
}

/// Refuses every switch that is on and not done here, and every field that is not known.
pub(super) fn refuse_unsupported(
    raw: &Map<String, Value>,
    f: Fields<'_>,
) -> Result<(), ParseAdapterConfigError> {
    if let Some(Value::String(init)) = f.get("init_lora_weights") {
        let lower = init.to_ascii_lowercase();
        let changes_base = ["pissa", "olora", "corda", "loftq"]
            .iter()
            .any(|i| lower.starts_with(i));
        if changes_base {
            let why = "peft takes this start out of the base weights again on loading, which needs a decomposition of each\nhelp: convert the adapter on saving: save_pretrained(path_initial_model_for_weight_conversion=...)";
            return Err(unsupported(
                "init_lora_weights",
                &Value::String(init.clone()),
                why,
            ));
        }
        if ![
            "gaussian",
            "eva",
            "orthogonal",
            "mica",
            "lora_ga",
            "true",
            "false",
        ]
        .contains(&lower.as_str())
        {
            return Err(unsupported(
                "init_lora_weights",
                &Value::String(init.clone()),
                "this start is not known here",
            ));
        }
    }
    for (key, value) in raw {
        let known = NEUTRAL.contains(&key.as_str()) || READ.contains(&key.as_str());
        let why = match key.as_str() {
            "ensure_weight_tying" => "an adapter shared by embedding and head",
            "trainable_token_indices" => "rows of the embedding trained one by one",
            _ if known => continue,
            "use_qalora" | "use_bdlora" | "kasa_config" | "velora_config" | "monteclora_config"
            | "arrow_config" => "a variant of LoRA that is not plain LoRA or DoRA",
            "alora_invocation_tokens" => "an adapter that acts only behind certain tokens",
            "target_parameters" => "LoRA on parameters that are no linear module's weight",
            "layer_replication" => "an adapter that rebuilds the model with layers repeated",
            "megatron_config" => "an adapter for Megatron's parallel layers",
            _ => {
                "this field is not known here, so whether it changes the computation is not known either"
            }
        };
        if is_truthy(value) {
            return Err(unsupported(key, value, why));
        }
    }
    Ok(())
}
