//! Candidates that were damaged, each in one way, and what must be said about it.

use super::tensors::{edit, edit_json, join, split};
use super::world::*;
use serde_json::json;
use std::path::Path;

/// A damaged candidate: name, what is copied, what is done to it, and what the reason must say.
pub(super) struct Bad {
    pub(super) name: &'static str,
    pub(super) from: &'static str,
    pub(super) damage: fn(&Path),
    pub(super) reason: &'static [&'static str],
}

pub(super) const WEIGHTS: &str = "model.safetensors";
const ADAPTER: &str = "adapter_model.safetensors";

pub(super) fn nan_at(dir: &Path, file: &str, tensor: &str, index: usize) {
    edit(&dir.join(file), |tensors| {
        tensors.get(tensor).set(index, f32::NAN)
    });
}

/// Place in an embedding of a token that rows have.
pub(super) fn used() -> usize {
    ids(11, 61)[0] as usize * 84
}

fn truncate(path: &Path, missing: u64) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - missing).unwrap();
}

/// Full models that cannot be used.
pub(super) const FULL: &[Bad] = &[
    Bad {
        name: "truncated",
        from: "model",
        damage: |dir| truncate(&dir.join(WEIGHTS), 10),
        reason: &["model.safetensors", "bytes"],
    },
    Bad {
        name: "shorter than a header",
        from: "model",
        damage: |dir| std::fs::write(dir.join(WEIGHTS), [1, 2, 3]).unwrap(),
        reason: &["model.safetensors"],
    },
    Bad {
        name: "header of 2^60 bytes",
        from: "model",
        damage: |dir| std::fs::write(dir.join(WEIGHTS), (1u64 << 60).to_le_bytes()).unwrap(),
        reason: &["model.safetensors", "header"],
    },
    Bad {
        name: "overlapping tensors",
        from: "model",
        damage: |dir| {
            let (mut header, data) = split(&dir.join(WEIGHTS));
            let name = "model.layers.1.self_attn.v_proj.weight";
            header[name]["data_offsets"] =
                header["model.layers.1.self_attn.k_proj.weight"]["data_offsets"].clone();
            join(&dir.join(WEIGHTS), &header, &data);
        },
        reason: &["model.safetensors", "v_proj"],
    },
    Bad {
        name: "lying shape",
        from: "model",
        damage: |dir| {
            let (mut header, data) = split(&dir.join(WEIGHTS));
            header["model.norm.weight"]["shape"] = json!([85]);
            join(&dir.join(WEIGHTS), &header, &data);
        },
        reason: &["model.norm.weight"],
    },
    Bad {
        name: "config of another width",
        from: "model",
        damage: |dir| {
            edit_json(&dir.join("config.json"), |c| {
                c["intermediate_size"] = json!(46)
            })
        },
        reason: &["mlp.gate_proj.weight", "46", "45"],
    },
    Bad {
        name: "config of more layers",
        from: "model",
        damage: |dir| {
            edit_json(&dir.join("config.json"), |c| {
                c["num_hidden_layers"] = json!(3)
            })
        },
        reason: &["model.layers.2."],
    },
    Bad {
        name: "no config",
        from: "model",
        damage: |dir| std::fs::remove_file(dir.join("config.json")).unwrap(),
        reason: &["config.json"],
    },
    Bad {
        name: "no tensor of the head",
        from: "model",
        damage: |dir| edit(&dir.join(WEIGHTS), |t| drop(t.0.remove("lm_head.weight"))),
        reason: &["lm_head.weight"],
    },
    Bad {
        name: "unknown family",
        from: "model",
        damage: |dir| {
            edit_json(&dir.join("config.json"), |c| {
                c["model_type"] = json!("mamba")
            })
        },
        reason: &["model_type", "mamba", "known are", "llama"],
    },
    Bad {
        name: "pickle",
        from: "model",
        damage: |dir| std::fs::rename(dir.join(WEIGHTS), dir.join("pytorch_model.bin")).unwrap(),
        reason: &["pytorch_model.bin", "safetensors"],
    },
    Bad {
        name: "integers",
        from: "model",
        damage: |dir| {
            edit(&dir.join(WEIGHTS), |t| {
                t.get("model.norm.weight").dtype = "I16".to_owned()
            })
        },
        reason: &["model.norm.weight", "I16"],
    },
    Bad {
        name: "NaN in an embedding that is used",
        from: "model",
        damage: |dir| nan_at(dir, WEIGHTS, "embed_tokens.weight", used() + 5),
        reason: &["model.embed_tokens.weight", "NaN"],
    },
    Bad {
        name: "NaN in attention",
        from: "model",
        damage: |dir| nan_at(dir, WEIGHTS, "layers.1.self_attn.q_proj.weight", 84 + 7),
        reason: &["model.layers.1.self_attn.q_proj.weight", "NaN"],
    },
    Bad {
        name: "NaN in a layer's norm",
        from: "model",
        damage: |dir| nan_at(dir, WEIGHTS, "layers.0.post_attention_layernorm.weight", 3),
        reason: &["model.layers.0.post_attention_layernorm.weight", "NaN"],
    },
    Bad {
        name: "NaN in the last norm",
        from: "model",
        damage: |dir| nan_at(dir, WEIGHTS, "model.norm.weight", 0),
        reason: &["model.norm.weight", "NaN"],
    },
    Bad {
        name: "NaN in the head",
        from: "model",
        damage: |dir| nan_at(dir, WEIGHTS, "lm_head.weight", 210 * 84),
        reason: &["lm_head.weight", "NaN"],
    },
    Bad {
        name: "infinity in the MLP",
        from: "model",
        damage: |dir| {
            edit(&dir.join(WEIGHTS), |t| {
                t.get("layers.0.mlp.down_proj.weight").set(9, f32::INFINITY)
            })
        },
        reason: &["model.layers.0.mlp.down_proj.weight", "inf"],
    },
    Bad {
        name: "overflow",
        from: "model",
        damage: |dir| {
            edit(&dir.join(WEIGHTS), |t| {
                t.get("layers.0.self_attn.o_proj.weight").fill(3e38)
            })
        },
        reason: &["not a number"],
    },
    Bad {
        name: "vocabulary below the tokenizer's",
        from: "model",
        damage: |dir| {
            edit_json(&dir.join("config.json"), |c| c["vocab_size"] = json!(100));
            edit(&dir.join(WEIGHTS), |t| {
                t.get("embed_tokens.weight").resize_rows(100);
                t.get("lm_head.weight").resize_rows(100);
            });
        },
        reason: &["embedding", "100 rows"],
    },
    Bad {
        name: "context in which no row fits",
        from: "model",
        damage: |dir| {
            edit_json(&dir.join("config.json"), |c| {
                c["max_position_embeddings"] = json!(1)
            })
        },
        reason: &["max_position_embeddings"],
    },
    Bad {
        name: "more than the memory limit",
        from: "model",
        damage: |dir| {
            // A head of 4 GiB, none of which is on the disk.
            let wide = 1u64 << 23;
            edit_json(&dir.join("config.json"), |c| {
                c["intermediate_size"] = json!(wide)
            });
            let (mut header, mut data) = split(&dir.join(WEIGHTS));
            let mut end = data.len() as u64;
            for layer in 0..2 {
                for (name, shape) in [
                    ("gate", [wide, 84]),
                    ("up", [wide, 84]),
                    ("down", [84, wide]),
                ] {
                    let next = end + wide * 84 * 2;
                    header[&format!("model.layers.{layer}.mlp.{name}_proj.weight")] =
                        json!({"dtype": "BF16", "shape": shape, "data_offsets": [end, next]});
                    end = next;
                }
            }
            // What the old MLPs occupied has no owner now: give it to tensors that nobody reads.
            let (old, _) = split(&dir.join(WEIGHTS));
            for (name, entry) in old.iter().filter(|(name, _)| name.contains(".mlp.")) {
                header.insert(format!("unused.{name}"), entry.clone());
            }
            data.truncate(data.len());
            join(&dir.join(WEIGHTS), &header, &data);
            let file = std::fs::File::options()
                .write(true)
                .open(dir.join(WEIGHTS))
                .unwrap();
            let before = file.metadata().unwrap().len() - data.len() as u64;
            file.set_len(before + end).unwrap();
        },
        reason: &["memory"],
    },
];

/// Adapters that cannot be used.
pub(super) const ADAPTERS: &[Bad] = &[
    Bad {
        name: "half a pair",
        from: "lora",
        damage: |dir| {
            edit(&dir.join(ADAPTER), |t| {
                t.0.retain(|name, _| !name.ends_with("layers.1.self_attn.v_proj.lora_B.weight"));
            });
        },
        reason: &["layers.1.self_attn.v_proj", "lora_B"],
    },
    Bad {
        name: "another rank",
        from: "lora",
        damage: |dir| edit_json(&dir.join("adapter_config.json"), |c| c["r"] = json!(4)),
        reason: &["lora_A", "[3, ", "4"],
    },
    Bad {
        name: "no config of an adapter",
        from: "lora",
        damage: |dir| std::fs::write(dir.join("adapter_config.json"), b"{").unwrap(),
        reason: &["adapter_config.json"],
    },
    Bad {
        name: "another kind of adapter",
        from: "lora",
        damage: |dir| {
            edit_json(&dir.join("adapter_config.json"), |c| {
                c["peft_type"] = json!("IA3")
            })
        },
        reason: &["IA3"],
    },
    Bad {
        name: "truncated adapter",
        from: "lora",
        damage: |dir| truncate(&dir.join(ADAPTER), 4),
        reason: &["adapter_model.safetensors"],
    },
    Bad {
        name: "pickled adapter",
        from: "lora",
        damage: |dir| std::fs::rename(dir.join(ADAPTER), dir.join("adapter_model.bin")).unwrap(),
        reason: &["adapter_model.bin", "safetensors"],
    },
    Bad {
        name: "NaN in A",
        from: "lora",
        damage: |dir| nan_at(dir, ADAPTER, "layers.0.mlp.up_proj.lora_A.weight", 2),
        reason: &["layers.0.mlp.up_proj.lora_A.weight", "NaN"],
    },
    Bad {
        name: "NaN in B",
        from: "lora",
        damage: |dir| nan_at(dir, ADAPTER, "layers.1.self_attn.k_proj.lora_B.weight", 1),
        reason: &["layers.1.self_attn.k_proj.lora_B.weight", "NaN"],
    },
    Bad {
        name: "NaN in a magnitude",
        from: "lora-dora",
        damage: |dir| {
            nan_at(
                dir,
                ADAPTER,
                "layers.1.self_attn.q_proj.lora_magnitude_vector",
                1,
            )
        },
        reason: &["layers.1.self_attn.q_proj.lora_magnitude_vector", "NaN"],
    },
    Bad {
        name: "NaN in a saved head",
        from: "lora-saved-head",
        damage: |dir| nan_at(dir, ADAPTER, "lm_head.weight", 84),
        reason: &["lm_head.weight", "NaN"],
    },
    Bad {
        name: "NaN in a saved embedding",
        from: "lora-saved-head",
        damage: |dir| nan_at(dir, ADAPTER, "embed_tokens.weight", used()),
        reason: &["embed_tokens.weight", "NaN"],
    },
    Bad {
        name: "NaN in an embedding's A",
        from: "lora-embedding",
        damage: |dir| nan_at(dir, ADAPTER, "lora_embedding_A", 5),
        reason: &["lora_embedding_A", "NaN"],
    },
    Bad {
        name: "overflowing adapter",
        from: "lora",
        damage: |dir| {
            edit(&dir.join(ADAPTER), |t| {
                t.get("layers.0.self_attn.o_proj.lora_A.weight").fill(1e30);
                t.get("layers.0.self_attn.o_proj.lora_B.weight").fill(1e30);
            });
        },
        reason: &["not a number"],
    },
];
