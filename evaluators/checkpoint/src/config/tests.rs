use serde_json::{Value, json};

use super::*;
use crate::testing::chain;

fn parse(config: &Value) -> Result<ModelConfig, ParseConfigError> {
    ModelConfig::parse(config.to_string().as_bytes())
}

fn with(over: Value) -> Value {
    let mut config = crate::testing::llama_config();
    let map = config.as_object_mut().expect("an object");
    map.extend(over.as_object().expect("an object").clone());
    config
}

fn close(found: f64, expected: &Value) -> bool {
    expected
        .as_f64()
        .is_some_and(|e| (found - e).abs() <= 1e-12 * e.abs().max(1.0))
}

fn rope_matches(found: &RopeConfig, expected: &Value) -> bool {
    let factor = match &found.kind {
        RopeKind::Yarn {
            attention_factor, ..
        }
        | RopeKind::LongRope {
            attention_factor, ..
        } => *attention_factor,
        _ => 1.0,
    };
    let original = match &found.kind {
        RopeKind::Yarn { original_max, .. }
        | RopeKind::LongRope { original_max, .. }
        | RopeKind::Llama3 { original_max, .. } => json!(original_max),
        _ => Value::Null,
    };
    close(found.theta, &expected["theta"])
        && expected["type"] == found.kind.name()
        && expected["rotary_dim"] == found.rotary_dim
        && close(factor, &expected["attention_factor"])
        && expected["original_max"] == original
}

/// `tests/golden/make_config_golden.py` makes the file; it says with what.
#[test]
fn every_case_resolves_to_what_transformers_computes_with() {
    let golden: Value =
        serde_json::from_str(include_str!("../../tests/golden/config_golden.json")).expect("JSON");
    let cases = golden["cases"].as_array().expect("a list");
    assert!(cases.len() > 80);
    for case in cases {
        let (config, want) = (&case["config"], &case["resolved"]);
        let found = parse(config);
        if want.is_null() {
            // The subnet's evaluator patches this one thing before transformers sees it, and so it is accepted.
            let patched = config.get("head_dim") == Some(&Value::Null);
            assert_eq!(found.is_ok(), patched, "{config}");
            continue;
        }
        let c = found.unwrap_or_else(|e| panic!("{config}: {}", chain(&e)));
        let mut wrong = Vec::new();
        let mut check = |what: &'static str, ok: bool| wrong.extend((!ok).then_some(what));
        for (key, value) in [
            ("vocab_size", c.vocab_size),
            ("hidden_size", c.hidden_size),
            ("intermediate_size", c.intermediate_size),
            ("num_layers", c.num_layers),
            ("num_heads", c.num_heads),
            ("num_kv_heads", c.num_kv_heads),
            ("head_dim", c.head_dim),
            ("max_position_embeddings", c.max_position_embeddings),
        ] {
            check(key, want[key] == value);
        }
        let act = match c.hidden_act {
            HiddenAct::Silu => "silu",
            HiddenAct::Gelu => "gelu",
            HiddenAct::GeluTanh => "gelu_pytorch_tanh",
        };
        check("hidden_act", want["hidden_act"] == act);
        check("rms_norm_eps", close(c.rms_norm_eps, &want["rms_norm_eps"]));
        check(
            "tie_word_embeddings",
            want["tie_word_embeddings"] == c.tie_word_embeddings,
        );
        check("qkv_bias", want["qkv_bias"] == c.qkv_bias);
        check("o_bias", want["o_bias"] == c.o_bias);
        check("mlp_bias", want["mlp_bias"] == c.mlp_bias);
        let windows: Vec<Option<usize>> = c.layers.iter().map(|l| l.window).collect();
        check("windows", want["windows"] == json!(windows));
        let ropes: Vec<u8> = c
            .layers
            .iter()
            .map(|l| u8::from(l.rope != LayerRope::None))
            .collect();
        check("ropes", want["ropes"] == json!(ropes));
        check("rope", rope_matches(&c.rope, &want["rope"]));
        check(
            "local_rope",
            match &c.local_rope {
                Some(rope) => rope_matches(rope, &want["local_rope"]),
                None => want["local_rope"].is_null(),
            },
        );
        let locals = c
            .layers
            .iter()
            .filter(|l| l.rope == LayerRope::Local)
            .count();
        let sliding = if c.family == Family::Gemma3 {
            windows.iter().flatten().count()
        } else {
            0
        };
        check("layers with local rope", locals == sliding);
        for (i, value) in [
            c.embedding_multiplier,
            c.logits_scaling,
            c.residual_multiplier,
        ]
        .into_iter()
        .enumerate()
        {
            check("multipliers", close(value, &want["multipliers"][i]));
        }
        let optional =
            |found: Option<f64>, want: &Value| found.map_or(want.is_null(), |x| close(x, want));
        check(
            "attention_scale",
            optional(c.attention_scale, &want["attention_scale"]),
        );
        check(
            "attn softcap",
            optional(c.attn_logit_softcap, &want["softcaps"][0]),
        );
        check(
            "final softcap",
            optional(c.final_logit_softcap, &want["softcaps"][1]),
        );
        check(
            "position scale",
            match c.query_position_scale {
                Some(s) => {
                    close(s.beta, &want["query_position_scale"][0])
                        && want["query_position_scale"][1] == s.original_max
                }
                None => want["query_position_scale"].is_null(),
            },
        );
        assert!(
            wrong.is_empty(),
            "{config}\n{wrong:?} differ\n{want}\n{c:?}\nhelp: tests/golden/make_config_golden.py makes the file again"
        );
    }
}

/// The values are what `libm` gives; a host's library rounds the last bit another way.
#[test]
fn derived_factors_have_the_same_bits_on_every_host() {
    let rope = |parameters: Value| {
        let config = json!({"rope_parameters": parameters, "max_position_embeddings": 72});
        match parse(&with(config)).expect("valid").rope.kind {
            RopeKind::Yarn {
                attention_factor, ..
            }
            | RopeKind::LongRope {
                attention_factor, ..
            } => attention_factor,
            other => panic!("{other:?}"),
        }
    };
    let yarn = json!({"rope_type": "yarn", "factor": 44.75});
    assert_eq!(rope(yarn), 1.380_109_144_472_086_3);
    let long = json!({"rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0],
        "original_max_position_embeddings": 24});
    assert_eq!(rope(long), 1.160_037_552_859_132_7);
    let gemma = with(json!({"model_type": "gemma2", "query_pre_attn_scalar": 7, "head_dim": 2}));
    let scale = parse(&gemma).expect("valid").attention_scale;
    assert_eq!(scale, Some(0.377_964_473_009_227_2));
}

/// `tests/golden/rope` in the workspace.
#[test]
fn attention_factors_equal_transformers_in_double_precision() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../../tests/golden/rope/rope.json"))
            .expect("JSON");
    let mut names = std::collections::BTreeSet::new();
    for case in golden["cases"].as_array().expect("a list") {
        let parameters = &case["rope_parameters"];
        if case["partial_rotary_factor"] != 1.0 {
            continue;
        }
        let config = with(json!({
            "head_dim": case["head_dim"], "rope_parameters": parameters,
            "max_position_embeddings": case["max_position_embeddings"]
        }));
        let (RopeKind::Yarn {
            attention_factor, ..
        }
        | RopeKind::LongRope {
            attention_factor, ..
        }) = parse(&config).expect("valid").rope.kind
        else {
            continue;
        };
        let want = case["attention_factor"].as_f64().expect("a number");
        assert!(
            (attention_factor / want - 1.0).abs() < 1e-14,
            "{}: {attention_factor}, expected {want}",
            case["name"]
        );
        names.insert(case["name"].to_string());
    }
    assert_eq!(names.len(), 7, "{names:?}");
}

#[test]
fn an_unknown_model_type_is_refused_with_the_list_of_known_ones() {
    let message = parse(&with(json!({"model_type": "mixtral"})))
        .expect_err("unknown")
        .to_string();
    assert!(
        message.contains("\"mixtral\"") && message.contains("llama, mistral, ministral3, qwen2"),
        "{message}"
    );
}

#[test]
fn hostile_values_are_refused_with_the_field_they_are_in() {
    for (over, names) in [
        (json!({"hidden_size": 0}), "hidden_size"),
        (json!({"hidden_size": -4}), "hidden_size"),
        (json!({"hidden_size": 4.0}), "hidden_size"),
        (json!({"hidden_size": "4"}), "hidden_size"),
        (json!({"vocab_size": 1u64 << 63}), "vocab_size"),
        (json!({"num_hidden_layers": 100_000}), "num_hidden_layers"),
        (json!({"num_attention_heads": 3}), "attention heads"),
        (json!({"num_key_value_heads": 0}), "num_key_value_heads"),
        (json!({"head_dim": 3}), "head_dim"),
        (json!({"head_dim": 1u64 << 24}), "head_dim"),
        (json!({"rms_norm_eps": -1e-6}), "rms_norm_eps"),
        (json!({"rms_norm_eps": 1e300}), "rms_norm_eps"),
        (json!({"hidden_act": "relu2"}), "relu2"),
        (json!({"tie_word_embeddings": 1}), "tie_word_embeddings"),
        (json!({"rope_theta": 0}), "rope_theta"),
        (json!({"rope_scaling": {"type": "linear"}}), "factor"),
        (
            json!({"rope_scaling": {"type": "linear", "factor": 0}}),
            "factor",
        ),
        (json!({"rope_scaling": {"type": "ntk"}}), "ntk"),
        (json!({"rope_scaling": []}), "rope_scaling"),
        (
            json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [0.0]}}),
            "long_factor",
        ),
        (
            json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.0], "long_factor": [1.0]}}),
            "short_factor",
        ),
        (
            json!({"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1}}),
            "high_freq_factor",
        ),
        (
            json!({"quantization_config": {"bits": 4}}),
            "quantization_config",
        ),
        (
            json!({"model_type": "qwen2", "layer_types": ["sliding_attention", "full_attention"]}),
            "sliding_window",
        ),
        (
            json!({"model_type": "qwen2", "layer_types": ["chunked_attention", "full_attention"]}),
            "layer_types",
        ),
        (
            json!({"model_type": "gemma3_text", "sliding_window_pattern": 0}),
            "sliding_window_pattern",
        ),
        (
            json!({"model_type": "gemma2", "final_logit_softcapping": 0}),
            "final_logit_softcapping",
        ),
        (
            json!({"model_type": "granite", "logits_scaling": 0}),
            "logits_scaling",
        ),
        (
            json!({"model_type": "smollm3", "no_rope_layers": [1]}),
            "no_rope_layers",
        ),
        (
            json!({"model_type": "gemma3_text", "use_bidirectional_attention": true}),
            "use_bidirectional_attention",
        ),
    ] {
        let config = with(over);
        let message = parse(&config).expect_err(&config.to_string()).to_string();
        assert!(message.contains(names), "{config}: {message}");
    }
}

#[test]
fn a_multimodal_wrapper_gives_its_text_part() {
    let text = json!({"model_type": "gemma3_text", "hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 6, "num_hidden_layers": 2, "vocab_size": 33, "sliding_window": 7});
    let config = json!({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "text_config": text});
    let found = parse(&config).expect("valid");
    assert_eq!(
        (
            found.family,
            found.hidden_size,
            found.vocab_size,
            found.is_multimodal
        ),
        (Family::Gemma3, 8, 33, true)
    );
    assert_eq!(found.architectures, ["Gemma3ForConditionalGeneration"]);
}
