use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::testing::{
    Shapes, chain, llama_config, llama_dir, llama_tensors, safetensors_of, write,
};

fn sharded(index: &Value, shards: &[(&str, &Shapes)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = llama_config().to_string();
    write(
        dir.path(),
        &[
            ("config.json", config.as_bytes()),
            ("model.safetensors.index.json", index.to_string().as_bytes()),
        ],
    );
    for (name, tensors) in shards {
        write(dir.path(), &[(*name, &safetensors_of(tensors))]);
    }
    dir
}

fn halves() -> (Shapes, Shapes, BTreeMap<String, &'static str>) {
    let mut first = llama_tensors();
    let second = first.split_off(9);
    let mut map: BTreeMap<String, &'static str> = first
        .iter()
        .map(|(n, _)| (n.clone(), "a.safetensors"))
        .collect();
    map.extend(second.iter().map(|(n, _)| (n.clone(), "b.safetensors")));
    (first, second, map)
}

#[test]
fn shards_and_a_single_file_give_the_same_model() {
    let single = llama_dir();
    let single = Checkpoint::open(single.path()).expect("valid");
    let (first, second, map) = halves();
    let dir = sharded(
        &json!({"metadata": {"total_size": 1}, "weight_map": map}),
        &[("a.safetensors", &first), ("b.safetensors", &second)],
    );
    let model = Checkpoint::open(dir.path()).expect("valid");
    let shapes = |c: &Checkpoint| {
        c.tensors()
            .map(|t| (t.name.clone(), t.shape.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shapes(&model), shapes(&single));
    let expected: usize = llama_tensors()
        .iter()
        .map(|(_, s)| s.iter().product::<usize>())
        .sum();
    assert_eq!(model.parameter_count(), expected as u64);
}

#[test]
fn an_index_that_disagrees_with_its_shards_is_refused() {
    let (first, second, map) = halves();
    let open = |map: &BTreeMap<String, &str>, first: &Shapes| {
        let dir = sharded(
            &json!({"weight_map": map}),
            &[("a.safetensors", first), ("b.safetensors", &second)],
        );
        chain(&Checkpoint::open(dir.path()).expect_err("disagrees"))
    };
    let message = open(&map, &first[1..].to_vec());
    assert!(
        message.contains("model.embed_tokens.weight") && message.contains("does not have it"),
        "{message}"
    );
    let mut fewer = map.clone();
    fewer.remove("model.embed_tokens.weight");
    assert!(open(&fewer, &first).contains("which the index does not put there"));
    let mut elsewhere = map.clone();
    elsewhere.insert("model.embed_tokens.weight".to_owned(), "b.safetensors");
    assert!(open(&elsewhere, &first).contains("which the index does not put there"));
    for bad in [
        "../a.safetensors",
        "/a.safetensors",
        "x/a.safetensors",
        "a.bin",
        ".safetensors/..",
    ] {
        let mut map = map.clone();
        map.insert("model.norm.weight".to_owned(), bad);
        assert!(open(&map, &first).contains("without a path"), "{bad}");
    }
    let mut missing = map.clone();
    missing.insert("x".to_owned(), "c.safetensors");
    let message = open(&missing, &first);
    assert!(
        message.contains("c.safetensors does not exist"),
        "{message}"
    );
}

#[test]
fn an_index_that_names_a_tensor_twice_or_none_is_refused() {
    for index in [
        r#"{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}"#,
        r#"{"weight_map":{}}"#,
        r#"{"weight_map":{"a":1}}"#,
        "{}",
        "[]",
    ] {
        assert!(parse_index(index.as_bytes()).is_err(), "{index}");
    }
}

#[test]
fn pickles_are_refused_by_name_and_never_opened() {
    let dir = llama_dir();
    std::fs::rename(
        dir.path().join("model.safetensors"),
        dir.path().join("pytorch_model.bin"),
    )
    .expect("renamed");
    let message = chain(&Checkpoint::open(dir.path()).expect_err("a pickle"));
    assert!(message.contains("pickle (pytorch_model.bin)"), "{message}");
    std::fs::remove_file(dir.path().join("pytorch_model.bin")).expect("removed");
    assert!(matches!(
        Checkpoint::open(dir.path()),
        Err(OpenCheckpointError::NoWeights { .. })
    ));
    for name in [
        "x.pt",
        "consolidated.00.pth",
        "last.ckpt",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model.bin.index.json",
        "MODEL.BIN",
    ] {
        assert!(is_pickle(name), "{name}");
    }
    assert!(!is_pickle("model.safetensors") && !is_pickle("training_args.json"));
}

#[test]
fn remote_code_is_ignored_and_reported() {
    let dir = llama_dir();
    let mut config = llama_config();
    config["auto_map"] = json!({"AutoModelForCausalLM": "modeling_evil.Evil"});
    write(
        dir.path(),
        &[
            ("config.json", config.to_string().as_bytes()),
            ("modeling_evil.py", b"import os"),
        ],
    );
    let notes = Checkpoint::open(dir.path())
        .expect("valid")
        .notes()
        .join("\n");
    assert!(
        notes.contains("auto_map") && notes.contains("modeling_evil.py"),
        "{notes}"
    );
}

#[test]
fn a_tensor_that_disagrees_with_the_config_says_both_shapes() {
    let dir = llama_dir();
    let model = Checkpoint::open(dir.path()).expect("valid");
    let error = model
        .expect_shape("model.norm.weight", &[5])
        .expect_err("it has 4");
    assert_eq!(
        error.to_string(),
        "model.norm.weight is [4], but config.json makes it [5]"
    );
    let error = model
        .expect_shape("model.norm.bias", &[4])
        .expect_err("it is not there");
    assert_eq!(
        error.to_string(),
        "the checkpoint has no tensor model.norm.bias"
    );
}

#[test]
fn a_vocabulary_row_more_or_less_is_tolerated_and_two_are_not() {
    for (rows, ok) in [(9, false), (10, true), (11, true), (12, true), (13, false)] {
        let dir = llama_dir();
        let mut config = llama_config();
        config["vocab_size"] = json!(rows);
        write(
            dir.path(),
            &[("config.json", config.to_string().as_bytes())],
        );
        let model = Checkpoint::open(dir.path()).expect("headers are fine");
        assert_eq!(model.expect_embedding().is_ok(), ok, "{rows}");
        assert_eq!(model.expect_head().is_ok(), ok, "{rows}");
    }
}

#[test]
fn the_head_is_the_embedding_only_where_it_is_tied_and_not_stored() {
    let dir = llama_dir();
    let open = |tie: bool, without: &[&str]| {
        let mut config = llama_config();
        config["tie_word_embeddings"] = json!(tie);
        let tensors: Vec<_> = llama_tensors()
            .into_iter()
            .filter(|(n, _)| !without.contains(&n.as_str()))
            .collect();
        write(
            dir.path(),
            &[
                ("config.json", config.to_string().as_bytes()),
                ("model.safetensors", &safetensors_of(&tensors)),
            ],
        );
        let model = Checkpoint::open(dir.path()).expect("valid");
        let name =
            |t: Result<&TensorInfo, ShapeError>| t.map(|t| t.name.clone()).unwrap_or_default();
        (
            name(model.expect_embedding()),
            name(model.expect_head()),
            model.is_tied(),
        )
    };
    let own = |e: &str, h: &str, tied| (e.to_owned(), h.to_owned(), tied);
    assert_eq!(open(false, &[]), own(EMBEDDING, HEAD, false));
    assert_eq!(open(true, &[]), own(EMBEDDING, HEAD, false));
    assert_eq!(open(true, &[HEAD]), own(EMBEDDING, EMBEDDING, true));
    assert_eq!(open(true, &[EMBEDDING]), own(HEAD, HEAD, true));
    assert_eq!(open(false, &[HEAD]), own(EMBEDDING, "", false));
}

#[test]
fn names_of_wrappers_and_headless_models_become_the_definitions() {
    let dir = llama_dir();
    let headless: Vec<_> = llama_tensors()
        .into_iter()
        .map(|(n, s)| (n.strip_prefix("model.").unwrap_or(&n).to_owned(), s))
        .collect();
    write(
        dir.path(),
        &[("model.safetensors", &safetensors_of(&headless))],
    );
    let model = Checkpoint::open(dir.path()).expect("valid");
    let norm = model
        .expect_shape("model.norm.weight", &[4])
        .expect("renamed");
    assert_eq!(norm.stored_name(), "norm.weight");
    assert!(model.tensor(HEAD).is_some());

    let text = json!({"hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 2, "num_hidden_layers": 2, "vocab_size": 11});
    let config = json!({"model_type": "gemma3", "text_config": text}).to_string();
    for wrap in ["model.language_model.", "language_model.model."] {
        let wrapped: Vec<_> = llama_tensors()
            .into_iter()
            .map(|(n, s)| (n.replacen("model.", wrap, 1), s))
            .collect();
        write(
            dir.path(),
            &[
                ("config.json", config.as_bytes()),
                ("model.safetensors", &safetensors_of(&wrapped)),
            ],
        );
        let model = Checkpoint::open(dir.path()).expect("valid");
        assert!(
            model.tensor("model.layers.1.mlp.up_proj.weight").is_some(),
            "{wrap}"
        );
    }
    let twice = [
        ("model.language_model.norm.weight".to_owned(), vec![4]),
        ("language_model.model.norm.weight".to_owned(), vec![4]),
    ];
    write(
        dir.path(),
        &[("model.safetensors", &safetensors_of(&twice))],
    );
    assert!(matches!(
        Checkpoint::open(dir.path()),
        Err(OpenCheckpointError::SameName { .. })
    ));
}

#[test]
fn an_adapter_directory_is_told_from_a_model() {
    let dir = llama_dir();
    assert_eq!(
        CandidateKind::detect(dir.path()).expect("a directory"),
        CandidateKind::Full
    );
    write(dir.path(), &[("adapter_config.json", b"{}")]);
    assert_eq!(
        CandidateKind::detect(dir.path()).expect("a directory"),
        CandidateKind::Adapter
    );
    std::fs::remove_file(dir.path().join("config.json")).expect("removed");
    assert!(matches!(
        Checkpoint::open(dir.path()),
        Err(OpenCheckpointError::IsAdapter { .. })
    ));
}
