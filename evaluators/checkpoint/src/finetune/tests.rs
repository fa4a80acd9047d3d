use serde_json::{Map, Value, json};

use super::*;
use crate::testing::llama_config;

fn verdict(base: Value, candidate: Value) -> Verdict {
    let read = |v: Value| -> (ModelConfig, Map<String, Value>) {
        let raw = v.as_object().expect("an object").clone();
        (ModelConfig::from_raw(&raw).expect("valid"), raw)
    };
    let (base, candidate) = (read(base), read(candidate));
    is_finetune((&base.0, &base.1), (&candidate.0, &candidate.1))
}

fn with(over: Value) -> Value {
    let mut config = llama_config();
    config
        .as_object_mut()
        .expect("an object")
        .extend(over.as_object().expect("an object").clone());
    config
}

#[test]
fn each_field_of_the_rule_tells_a_stranger() {
    for (over, field) in [
        (
            json!({"architectures": ["MistralForCausalLM"]}),
            "architectures",
        ),
        (json!({"architectures": []}), "architectures"),
        (json!({"model_type": "mistral"}), "model_type"),
        (json!({"hidden_size": 8}), "hidden_size"),
        (json!({"intermediate_size": 8}), "intermediate_size"),
        (json!({"head_dim": 4}), "head_dim"),
        (json!({"hidden_act": "gelu"}), "hidden_act"),
        (json!({"num_hidden_layers": 3}), "num_hidden_layers"),
        (
            json!({"num_attention_heads": 4, "head_dim": 2}),
            "num_attention_heads",
        ),
        (json!({"num_key_value_heads": 2}), "num_key_value_heads"),
    ] {
        match verdict(llama_config(), with(over.clone())) {
            Verdict::Differs { field: found, .. } => assert_eq!(found, field),
            other => panic!("{over}: {other}"),
        }
    }
}

#[test]
fn what_training_may_change_does_not_matter() {
    for over in [
        json!({}),
        json!({"vocab_size": 12, "rope_theta": 5e5, "tie_word_embeddings": true, "dtype": "float32"}),
        json!({"head_dim": 2, "hidden_act": "silu"}),
        json!({"max_position_embeddings": 64}),
    ] {
        assert!(
            verdict(llama_config(), with(over.clone())).is_finetune(),
            "{over}"
        );
    }
}

#[test]
fn a_shorter_context_is_no_finetune() {
    let found = verdict(llama_config(), with(json!({"max_position_embeddings": 31})));
    assert_eq!(
        found,
        Verdict::ShorterContext {
            base: 32,
            candidate: 31
        }
    );
    assert!(found.to_string().contains("31"));
}

#[test]
fn head_dim_counts_in_families_without_one_only_if_the_base_names_it() {
    let granite = |over: Value| {
        let mut config = with(over);
        config["model_type"] = json!("granite");
        config
    };
    assert!(verdict(granite(json!({})), granite(json!({"head_dim": 4}))).is_finetune());
    assert!(
        !verdict(
            granite(json!({"head_dim": 2})),
            granite(json!({"head_dim": 4}))
        )
        .is_finetune()
    );
}
