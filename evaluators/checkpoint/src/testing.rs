//! Writes small checkpoints, right and wrong, for the tests of this crate.

use std::path::Path;

use serde_json::{Map, Value, json};

/// Names and shapes of tensors.
pub(crate) type Shapes = Vec<(String, Vec<usize>)>;

/// Bytes of a safetensors file with the given header text and data.
pub(crate) fn file_bytes(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A well-formed file of bf16 tensors: element i of each is i / 8.
pub(crate) fn safetensors(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let mut header = Map::new();
    let mut data = Vec::new();
    for (name, shape) in tensors {
        let begin = data.len();
        for i in 0..shape.iter().product::<usize>() {
            data.extend(half::bf16::from_f32(i as f32 / 8.0).to_le_bytes());
        }
        let entry = json!({"dtype": "BF16", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert((*name).to_owned(), entry);
    }
    file_bytes(&Value::Object(header).to_string(), &data)
}

/// A Llama of two layers of width 4.
pub(crate) fn llama_config() -> Value {
    json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 11, "hidden_size": 4,
        "intermediate_size": 6, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        "max_position_embeddings": 32
    })
}

/// Names and shapes of its tensors.
pub(crate) fn llama_tensors() -> Shapes {
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![11, 4])];
    for i in 0..2 {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.push((format!("model.layers.{i}.{name}.weight"), shape.to_vec()));
        };
        add("self_attn.q_proj", &[4, 4]);
        add("self_attn.k_proj", &[2, 4]);
        add("self_attn.v_proj", &[2, 4]);
        add("self_attn.o_proj", &[4, 4]);
        add("mlp.gate_proj", &[6, 4]);
        add("mlp.up_proj", &[6, 4]);
        add("mlp.down_proj", &[4, 6]);
        add("input_layernorm", &[4]);
        add("post_attention_layernorm", &[4]);
    }
    tensors.push(("model.norm.weight".to_owned(), vec![4]));
    tensors.push(("lm_head.weight".to_owned(), vec![11, 4]));
    tensors
}

/// [`safetensors`] of owned names.
pub(crate) fn safetensors_of(tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let tensors: Vec<(&str, &[usize])> = tensors
        .iter()
        .map(|(n, s)| (n.as_str(), s.as_slice()))
        .collect();
    safetensors(&tensors)
}

/// Writes files into a directory.
pub(crate) fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).expect("the test's own directory is writable");
    }
}

/// A directory with the small Llama.
pub(crate) fn llama_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = llama_config().to_string();
    write(
        dir.path(),
        &[
            ("config.json", config.as_bytes()),
            ("model.safetensors", &safetensors_of(&llama_tensors())),
        ],
    );
    dir
}

/// A whole error chain in one line per level.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        text = format!("{text}: {e}");
        source = e.source();
    }
    text
}
