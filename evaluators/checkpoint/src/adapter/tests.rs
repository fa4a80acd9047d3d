use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::pattern::{PatternBudget, PatternError};
use super::*;
use crate::Checkpoint;
use crate::testing::{
    chain, file_bytes, llama_config, llama_dir, llama_tensors, safetensors_of, write,
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/peft")
        .join(name)
}

fn bind_golden(base: &str, adapter: &str) -> BoundAdapter {
    let base = Checkpoint::open(&golden(base)).expect("the base is valid");
    let adapter = Adapter::open(&golden(adapter)).expect("the adapter is valid");
    adapter
        .bind(&base)
        .unwrap_or_else(|e| panic!("{}: {e}", adapter.path().display()))
}

const Q0: &str = "model.layers.0.self_attn.q_proj";
const Q1: &str = "model.layers.1.self_attn.q_proj";

/// Adapters that peft 0.21.2 wrote; `tests/golden/make_adapter_golden.py`.
#[test]
fn every_kind_of_adapter_that_peft_writes_is_matched_to_its_base() {
    let plain = bind_golden("base", "plain");
    assert_eq!(plain.modules.len(), 4);
    let q = &plain.modules[Q1];
    assert_eq!(
        (q.rank, q.scale, &q.a.shape[..], &q.b.shape[..]),
        (2, 3.0, &[2, 8][..], &[8, 2][..])
    );
    assert!(plain.embedding.is_none() && plain.saved.is_empty() && plain.vocab_rows == 17);

    let all = bind_golden("base", "rslora-all");
    assert_eq!(all.modules.len(), 14);
    assert_eq!((all.modules[Q0].rank, all.modules[Q0].scale), (4, 3.0));
    let up = &all.modules["model.layers.1.mlp.up_proj"];
    assert_eq!((up.rank, up.scale), (1, 6.0));
    assert_eq!(
        all.modules["model.layers.0.self_attn.v_proj"].scale,
        32.0 / 2f64.sqrt()
    );

    let keys = |b: &BoundAdapter| b.modules.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&bind_golden("base", "regex")),
        ["model.layers.1.mlp.up_proj", Q1]
    );
    assert_eq!(
        keys(&bind_golden("base", "layers")),
        ["model.layers.1.mlp.up_proj", Q1]
    );
    assert!(
        bind_golden("base", "dora")
            .modules
            .values()
            .all(|m| m.magnitude.is_some())
    );
    assert!(
        bind_golden("base", "bias")
            .modules
            .values()
            .all(|m| m.bias.is_some())
    );

    let saved = bind_golden("base", "saved");
    assert_eq!(
        saved.saved.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "lm_head.weight",
            "model.embed_tokens.weight",
            "model.layers.0.input_layernorm.weight",
            "model.layers.1.input_layernorm.weight"
        ]
    );
    let embedding = bind_golden("base", "embedding");
    let lora = embedding.embedding.as_ref().expect("LoRA on the embedding");
    assert_eq!(
        (&lora.a.shape[..], &lora.b.shape[..]),
        (&[2, 17][..], &[8, 2][..])
    );
    assert!(embedding.modules.contains_key("lm_head"));
    assert_eq!(
        embedding.saved.len(),
        2,
        "peft stores the wrapped weights beside the factors"
    );

    let resized = bind_golden("base", "resized");
    assert_eq!((resized.vocab_rows, resized.saved.len()), (19, 2));
}

#[test]
fn on_a_tied_base_a_saved_embedding_leaves_the_head_alone_and_a_stored_weight_replaces_both() {
    let saved = bind_golden("base-tied", "tied-saved");
    assert_eq!(
        saved.saved.keys().collect::<Vec<_>>(),
        ["model.embed_tokens.weight"]
    );
    let head = bind_golden("base-tied", "tied-head");
    assert_eq!(
        head.saved.keys().collect::<Vec<_>>(),
        ["lm_head.weight", "model.embed_tokens.weight"]
    );
    assert!(
        head.saved
            .values()
            .all(|t| t.stored_name() == "base_model.model.lm_head.base_layer.weight")
    );
    assert!(head.modules.contains_key("lm_head"));
}

/// `tests/golden/make_adapter_golden.py` asks peft.
#[test]
fn patterns_and_targets_match_as_in_peft() {
    let golden: Value =
        serde_json::from_str(include_str!("../../tests/golden/peft/pattern_golden.json"))
            .expect("JSON");
    let paths: Vec<&str> = golden["paths"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| p.as_str().expect("text"))
        .collect();
    let parse = |over: &Value| {
        let mut config = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 2});
        config
            .as_object_mut()
            .expect("an object")
            .extend(over.as_object().expect("an object").clone());
        AdapterConfig::parse(config.to_string().as_bytes()).map(|(config, _)| config)
    };
    for case in golden["ranks"].as_array().expect("a list") {
        let config = parse(
            &json!({"rank_pattern": case["rank_pattern"], "alpha_pattern": case["rank_pattern"]}),
        );
        let Ok(config) = config else {
            assert!(case["rank"][0].is_null(), "{}", case["rank_pattern"]);
            continue;
        };
        for (path, rank) in paths.iter().zip(case["rank"].as_array().expect("a list")) {
            assert_eq!(
                json!(config.rank(path)),
                *rank,
                "{path} with {}",
                case["rank_pattern"]
            );
            assert_eq!(
                config.scale(path),
                1.0,
                "{path} with {}",
                case["rank_pattern"]
            );
        }
    }
    for case in golden["targets"].as_array().expect("a list") {
        let config = parse(&case["config"]).expect("valid");
        for (path, target) in paths.iter().zip(case["target"].as_array().expect("a list")) {
            let found = config.is_target(path, *path == "lm_head", *path != "model.embed_tokens");
            assert_eq!(
                found.map(Value::Bool),
                Some(target.clone()),
                "{path} with {}",
                case["config"]
            );
        }
    }
}

#[test]
fn many_names_are_fine_and_many_expressions_are_not() {
    let table = |key: fn(usize) -> String| {
        let entries: serde_json::Map<String, Value> =
            (0..2000).map(|i| (key(i), json!(1))).collect();
        json!({"peft_type": "LORA", "rank_pattern": entries}).to_string()
    };
    let (names, _) =
        AdapterConfig::parse(table(|i| format!(r"^model\.layers\.{i}\.x$")).as_bytes())
            .expect("names");
    assert_eq!(
        (
            names.rank("model.layers.7.x"),
            names.rank("a.model.layers.7.x")
        ),
        (1, 8)
    );
    let error =
        AdapterConfig::parse(table(|i| format!("(x|y){i}")).as_bytes()).expect_err("expressions");
    assert!(matches!(
        error,
        ParseAdapterConfigError::TooManyPatterns {
            field: "rank_pattern"
        }
    ));
}

/// The last pattern is none: only who compiles all of them first sees it.
#[test]
fn patterns_are_counted_while_they_are_compiled() {
    let parse = |fields: Value| {
        let mut config = json!({"peft_type": "LORA"});
        let config_map = config.as_object_mut().expect("an object");
        config_map.extend(fields.as_object().expect("an object").clone());
        AdapterConfig::parse(config.to_string().as_bytes()).map(|_| ())
    };
    let list = |n: usize| (0..n).map(|i| format!("(x|y){i:03}")).collect::<Vec<_>>();
    let table = |n: usize| {
        let entries = list(n).into_iter().chain(["(z".to_owned()]);
        Value::Object(entries.map(|key| (key, json!(1))).collect())
    };
    let too_many = |fields: Value, expected: &str| {
        let error = parse(fields).expect_err("too many");
        assert!(
            matches!(error, ParseAdapterConfigError::TooManyPatterns { field } if field == expected),
            "{expected}: {error}"
        );
    };
    too_many(json!({"rank_pattern": table(257)}), "rank_pattern");
    too_many(json!({"alpha_pattern": table(257)}), "alpha_pattern");
    let saved = [list(257), vec!["(z".to_owned()]].concat();
    too_many(json!({"modules_to_save": saved}), "modules_to_save");
    too_many(json!({"layers_pattern": saved}), "layers_pattern");
    too_many(
        json!({"modules_to_save": list(200), "rank_pattern": table(200)}),
        "rank_pattern",
    );
    parse(json!({"modules_to_save": list(100), "layers_pattern": list(156)})).expect("256");
    // Each takes about 130 KB.
    let large: Vec<String> = (0..200).map(|i| format!(r"(\w{{2}}){i}")).collect();
    too_many(json!({"layers_pattern": large}), "layers_pattern");
    parse(json!({"layers_pattern": large[..30]})).expect("not too much");
}

#[test]
fn a_pattern_that_would_take_forever_or_too_much_memory_does_neither() {
    let new = |source: &str| NamePattern::new(source, true, &mut PatternBudget::new());
    let evil = new("(a+)+b").expect("linear here");
    assert!(!evil.matches(&"a".repeat(100_000)));
    for refused in [
        "(",
        "(?=x)",
        r"(.)\1",
        "((a{900}){900}){900}",
        &"a".repeat(5000),
    ] {
        assert_eq!(
            new(refused).expect_err("refused"),
            PatternError::Refused,
            "{refused:.30}"
        );
    }
}

/// An adapter directory on the small Llama; `LoRA` on q_proj of both layers unless told otherwise.
struct Case {
    config: Value,
    tensors: Vec<(String, Vec<usize>)>,
}

impl Case {
    fn new() -> Case {
        let mut tensors = Vec::new();
        for module in [Q0, Q1] {
            tensors.push((
                format!("base_model.model.{module}.lora_A.weight"),
                vec![2, 4],
            ));
            tensors.push((
                format!("base_model.model.{module}.lora_B.weight"),
                vec![4, 2],
            ));
        }
        Case {
            config: json!({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}),
            tensors,
        }
    }

    fn set(mut self, key: &str, value: Value) -> Case {
        self.config[key] = value;
        self
    }

    fn add(mut self, name: &str, shape: &[usize]) -> Case {
        self.tensors.push((name.to_owned(), shape.to_vec()));
        self
    }

    fn without(mut self, end: &str) -> Case {
        self.tensors.retain(|(n, _)| !n.ends_with(end));
        self
    }

    fn open(&self) -> (tempfile::TempDir, Result<Adapter, OpenAdapterError>) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = self.config.to_string();
        write(
            dir.path(),
            &[
                ("adapter_config.json", config.as_bytes()),
                ("adapter_model.safetensors", &safetensors_of(&self.tensors)),
            ],
        );
        let adapter = Adapter::open(dir.path());
        (dir, adapter)
    }

    fn bind(&self) -> Result<BoundAdapter, String> {
        let base = llama_dir();
        let base = Checkpoint::open(base.path()).expect("valid");
        let (_dir, adapter) = self.open();
        adapter
            .map_err(|e| chain(&e))?
            .bind(&base)
            .map_err(|e| e.to_string())
    }

    fn refused(&self, reason: &str) {
        let message = self.bind().expect_err(reason);
        assert!(
            message.contains(reason),
            "expected {reason:?} in: {message}"
        );
    }
}

#[test]
fn the_small_case_itself_is_valid_with_and_without_the_adapters_own_name() {
    assert_eq!(Case::new().bind().expect("valid").modules.len(), 2);
    let mut named = Case::new();
    for (name, _) in &mut named.tensors {
        *name = name.replace(".weight", ".default.weight");
    }
    assert_eq!(named.bind().expect("valid").modules.len(), 2);
}

#[test]
fn a_missing_half_is_refused_with_the_module() {
    Case::new()
        .without("1.self_attn.q_proj.lora_B.weight")
        .refused("module model.layers.1.self_attn.q_proj has lora_A but no lora_B");
    Case::new()
        .without("1.self_attn.q_proj.lora_A.weight")
        .refused("module model.layers.1.self_attn.q_proj has lora_B but no lora_A");
}

#[test]
fn a_rank_that_differs_from_the_config_is_refused_with_both() {
    let message = "lora_A for model.layers.0.self_attn.q_proj is [2, 4], but adapter_config.json says lora_rank = 3";
    Case::new().set("r", json!(3)).refused(message);
    Case::new()
        .set("rank_pattern", json!({"layers.0.self_attn.q_proj": 3}))
        .refused(message);
}

#[test]
fn an_adapter_of_another_base_is_refused() {
    let case = Case::new();
    let mut other = case.tensors.clone();
    other[0].1 = vec![2, 5];
    Case {
        tensors: other,
        config: case.config.clone(),
    }
    .refused("but the base makes it [2, 4]");
    let mut other = case.tensors.clone();
    other[1].1 = vec![5, 2];
    Case {
        tensors: other,
        config: case.config.clone(),
    }
    .refused("lora_B for model.layers.0.self_attn.q_proj is [5, 2]");
    Case::new()
        .add(
            "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight",
            &[2, 4],
        )
        .add(
            "base_model.model.model.layers.2.self_attn.q_proj.lora_B.weight",
            &[4, 2],
        )
        .refused("module model.layers.2.self_attn.q_proj, which the base does not have");
    Case::new()
        .add(
            "base_model.model.model.layers.0.self_attn.q_norm.weight",
            &[4],
        )
        .refused("which the base does not have");
}

#[test]
fn targets_and_tensors_have_to_agree() {
    Case::new()
        .set("target_modules", json!(["q_proj", "v_proj"]))
        .refused("targets model.layers.0.self_attn.v_proj, but the file has no tensors");
    Case::new().set("target_modules", json!(["v_proj"])).refused("tensors for model.layers.0.self_attn.q_proj, which adapter_config.json does not target");
    Case::new()
        .set("layers_to_transform", json!([0]))
        .refused("tensors for model.layers.1.self_attn.q_proj");
    Case::new()
        .set("target_modules", json!("all-linear"))
        .refused("targets model.layers.0.mlp.down_proj");
    Case::new()
        .set("modules_to_save", json!(["lm_head"]))
        .refused("modules_to_save in adapter_config.json covers lm_head.weight");
    Case::new()
        .set("use_dora", json!(true))
        .refused("no lora_magnitude_vector, but adapter_config.json says use_dora = true");
    Case::new()
        .set("lora_bias", json!(true))
        .refused("no lora_B.bias");
    Case::new()
        .add(
            "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
            &[4],
        )
        .refused("says use_dora = false");
    for unsaid in [Value::Null, json!("")] {
        Case::new()
            .set("target_modules", unsaid)
            .refused("target_modules in adapter_config.json is empty");
    }
}

#[test]
fn whole_weights_have_to_be_named_as_peft_names_them() {
    let weight = "base_model.model.model.layers.0.self_attn.q_proj.weight";
    Case::new()
        .add(weight, &[4, 4])
        .refused("as if model.layers.0.self_attn.q_proj were not adapted, but it is adapted");
    let wrapped = "base_model.model.model.layers.0.self_attn.v_proj.base_layer.weight";
    Case::new()
        .add(wrapped, &[2, 4])
        .refused("as if model.layers.0.self_attn.v_proj were adapted, but it is not");
    let saved = Case::new()
        .add(
            "base_model.model.model.layers.0.self_attn.v_proj.weight",
            &[2, 4],
        )
        .bind()
        .expect("valid");
    assert!(
        saved
            .saved
            .contains_key("model.layers.0.self_attn.v_proj.weight")
    );
    Case::new()
        .add("base_model.model.model.embed_tokens.weight", &[12, 4])
        .refused("12 embedding rows and 11 head rows");
    Case::new()
        .add("base_model.model.model.embed_tokens.weight", &[11, 5])
        .refused("is [11, 5]");
}

#[test]
fn names_that_peft_does_not_write_are_refused() {
    for name in [
        "model.layers.0.self_attn.q_proj.lora_A.weight",
        "base_model.model.x.lora_E.weight",
        "base_model.model.x.lora_A.other.weight",
        "base_model.model.x.prompt",
        "base_model.model..weight",
        "base_model.model.x.lora_ga.weight",
    ] {
        let message = Case::new().add(name, &[1]).bind().expect_err(name);
        assert!(
            message.contains("a name that peft does not write")
                || message.contains("does not have"),
            "{name}: {message}"
        );
    }
    let twice = Case::new().add(
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight",
        &[2, 4],
    );
    twice.refused("two tensors of the adapter are LoraA of model.layers.0.self_attn.q_proj");
    Case {
        tensors: Vec::new(),
        ..Case::new()
    }
    .refused("no tensors");
}

#[test]
fn what_changes_the_computation_and_is_not_done_is_refused_by_name() {
    for (key, value) in [
        ("peft_type", json!("ADALORA")),
        ("peft_type", Value::Null),
        ("use_qalora", json!(true)),
        ("use_bdlora", json!({"nblocks": 2})),
        ("kasa_config", json!({"beta": 1e-4})),
        ("arrow_config", json!({"top_k": 3})),
        ("velora_config", json!({"num_groups": 64})),
        ("alora_invocation_tokens", json!([5])),
        ("target_parameters", json!(["mlp.experts.gate_up_proj"])),
        ("trainable_token_indices", json!([1])),
        ("layer_replication", json!([[0, 1]])),
        ("megatron_config", json!({"a": 1})),
        ("ensure_weight_tying", json!(true)),
        ("init_lora_weights", json!("pissa_niter_16")),
        ("init_lora_weights", json!("olora")),
        ("init_lora_weights", json!("loftq")),
        ("invented_by_a_later_peft", json!(true)),
        ("bias", json!("some")),
        ("r", json!(0)),
        ("r", json!(1u64 << 40)),
        ("lora_alpha", json!("x")),
        ("rank_pattern", json!({"q_proj": 0})),
        ("rank_pattern", json!({"(?=q)": 1})),
    ] {
        let message = Case::new().set(key, value.clone()).bind().expect_err(key);
        assert!(
            message.contains(key) || key.contains("pattern"),
            "{key} = {value}: {message}"
        );
    }
}

#[test]
fn what_only_matters_in_training_is_ignored() {
    for (key, value) in [
        ("lora_dropout", json!(0.05)),
        ("init_lora_weights", json!("eva")),
        ("init_lora_weights", json!(false)),
        ("eva_config", json!({"rho": 2.0})),
        ("fan_in_fan_out", json!(true)),
        ("task_type", json!("CAUSAL_LM")),
        (
            "auto_mapping",
            json!({"base_model_class": "LlamaForCausalLM"}),
        ),
        ("invented_by_a_later_peft", json!(false)),
        ("invented_by_a_later_peft", json!({})),
        ("exclude_modules", json!(["v_proj"])),
    ] {
        assert!(
            Case::new().set(key, value.clone()).bind().is_ok(),
            "{key} = {value}"
        );
    }
}

#[test]
fn pickled_adapters_and_wrong_types_are_refused() {
    let case = Case::new();
    let (dir, _) = case.open();
    let weights = dir.path().join("adapter_model.safetensors");
    std::fs::rename(&weights, dir.path().join("adapter_model.bin")).expect("renamed");
    assert!(
        chain(&Adapter::open(dir.path()).expect_err("a pickle"))
            .contains("pickle (adapter_model.bin)")
    );
    let header = r#"{"base_model.model.lm_head.weight":{"dtype":"I8","shape":[11,4],"data_offsets":[0,44]}}"#;
    std::fs::write(&weights, file_bytes(header, &[0; 44])).expect("written");
    let base = llama_dir();
    let base = Checkpoint::open(base.path()).expect("valid");
    let error = Adapter::open(dir.path())
        .expect("headers are fine")
        .bind(&base)
        .expect_err("integers");
    assert!(matches!(error, BindAdapterError::Dtype { .. }), "{error}");
}

#[test]
fn an_adapter_of_a_multimodal_wrapper_fits_its_text_part() {
    let base = llama_dir();
    let text = json!({"hidden_size": 4, "intermediate_size": 6, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 2, "num_hidden_layers": 2, "vocab_size": 11});
    let config = json!({"model_type": "gemma3", "text_config": text}).to_string();
    let wrapped: Vec<_> = llama_tensors()
        .into_iter()
        .map(|(n, s)| (n.replacen("model.", "model.language_model.", 1), s))
        .collect();
    write(
        base.path(),
        &[
            ("config.json", config.as_bytes()),
            ("model.safetensors", &safetensors_of(&wrapped)),
        ],
    );
    let base = Checkpoint::open(base.path()).expect("valid");
    let mut case = Case::new().set(
        "target_modules",
        json!(r"model\.language_model\.layers\.\d\.self_attn\.q_proj"),
    );
    for (name, _) in &mut case.tensors {
        *name = name.replacen("model.layers", "model.language_model.layers", 1);
    }
    let (_dir, adapter) = case.open();
    let bound = adapter.expect("valid").bind(&base).expect("fits");
    assert_eq!(bound.modules.keys().collect::<Vec<_>>(), [Q0, Q1]);
    assert_eq!(llama_config()["hidden_size"], 4);
}
