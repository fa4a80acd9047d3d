//! Checkpoints, adapters and ids of a shape, drawn: the same in every run, and written as peers read them.

use super::{Adapters, EvalBenchError, EvalShape, ModelShape};
use crate::data::random_bf16;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const MODEL: &str = "model.safetensors";

/// Whether `directory` holds the weights that [`write_checkpoint`] writes for `shape`.
#[must_use]
pub fn is_written(shape: &ModelShape, directory: &Path) -> bool {
    Tensors::of_model(shape).are_in(&directory.join(MODEL))
}

/// Writes a Llama checkpoint of `shape` to `directory`, weights drawn, bf16. Weights that are there already stay.
///
/// # Errors
/// If the directory holds another model, or the disk does not take this one.
pub fn write_checkpoint(
    shape: &ModelShape,
    positions: usize,
    directory: &Path,
) -> Result<(), EvalBenchError> {
    let config = directory.join("config.json");
    let weights = directory.join(MODEL);
    let tensors = Tensors::of_model(shape);
    let written = tensors.are_in(&weights);
    if !written && (config.exists() || weights.exists()) {
        return Err(EvalBenchError::Taken {
            path: directory.to_owned(),
        });
    }
    let write = || {
        fs::create_dir_all(directory)?;
        if !written {
            tensors.write(&weights, 0)?;
        }
        fs::write(&config, self::config(shape, positions)?.to_string())
    };
    write().map_err(failed(directory))
}

/// Writes `ids.u32` and `ids.json`, as `benches/peers/make_model.py` does.
///
/// # Errors
/// If the disk does not take them.
pub fn write_ids(shape: &EvalShape, directory: &Path) -> Result<(), EvalBenchError> {
    let ids = shape.ids().concat();
    let ids: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    let cut = json!({"shape": shape.name, "n": shape.rows, "seq": shape.tokens});
    fs::write(directory.join("ids.u32"), ids)
        .and_then(|()| fs::write(directory.join("ids.json"), cut.to_string()))
        .map_err(failed(directory))
}

/// Writes LoRA adapters on every projection of `shape` to folders of `directory`, as peft does: factors drawn, bf16, alpha
/// twice the rank. Those that are there already stay.
///
/// # Errors
/// If the disk does not take them.
pub fn write_adapters(
    shape: &ModelShape,
    adapters: Adapters,
    directory: &Path,
) -> Result<Vec<PathBuf>, EvalBenchError> {
    let rank = adapters.rank;
    let targets = shape.projections().map(|(name, ..)| {
        let (_, module) = name.split_once('.').expect("a part and a module");
        module
    });
    let config = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": null, "inference_mode": true,
        "r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false,
        "target_modules": targets,
    });
    let tensors = Tensors::of_adapter(shape, rank);
    let write = |index: usize| {
        let adapter = directory.join(format!("rank{rank}-{index}"));
        let weights = adapter.join("adapter_model.safetensors");
        fs::create_dir_all(&adapter)?;
        fs::write(adapter.join("adapter_config.json"), config.to_string())?;
        if !tensors.are_in(&weights) {
            tensors.write(&weights, 1000 * (index as u64 + 1))?;
        }
        Ok(adapter)
    };
    (0..adapters.count)
        .map(|index| write(index).map_err(failed(directory)))
        .collect()
}

fn failed(directory: &Path) -> impl Fn(std::io::Error) -> EvalBenchError {
    move |source| EvalBenchError::Write {
        path: directory.to_owned(),
        source,
    }
}

fn config(shape: &ModelShape, positions: usize) -> std::io::Result<Value> {
    let mut config = serde_json::to_value(shape)?;
    let more = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-6,
        "rope_theta": 1e6, "max_position_embeddings": positions.max(4096), "torch_dtype": "bfloat16",
        "bos_token_id": 1, "eos_token_id": 2, "attention_bias": false, "mlp_bias": false,
    });
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    Ok(config)
}

/// Tensors of one file: names and shapes, `[rows, cols]` or `[cols]`.
struct Tensors {
    shapes: Vec<Vec<usize>>,
    /// Length and header, as the file begins.
    head: Vec<u8>,
    size_bytes: u64,
}

impl Tensors {
    fn new(tensors: Vec<(String, Vec<usize>)>) -> Self {
        // Who made it decides whether it may be used again; peers look for the format.
        let made = json!({"format": "pt", "made_by": "gradus bench eval 1"});
        let mut header = Map::from_iter([("__metadata__".to_owned(), made)]);
        let mut end = 0;
        for (name, dims) in &tensors {
            let start = end;
            end += 2 * dims.iter().product::<usize>();
            let entry = json!({"dtype": "BF16", "shape": dims, "data_offsets": [start, end]});
            header.insert(name.clone(), entry);
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let head = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
        Self {
            shapes: tensors.into_iter().map(|(_, dims)| dims).collect(),
            size_bytes: (head.len() + end) as u64,
            head,
        }
    }

    /// Of a Llama.
    fn of_model(shape: &ModelShape) -> Self {
        let (h, v) = (shape.hidden_size, shape.vocab_size);
        let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![v, h])];
        for layer in 0..shape.num_hidden_layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                all.push((name(norm), vec![h]));
            }
            for (part, rows, cols) in shape.projections() {
                all.push((name(part), vec![rows, cols]));
            }
        }
        all.push(("model.norm.weight".to_owned(), vec![h]));
        if !shape.tie_word_embeddings {
            all.push(("lm_head.weight".to_owned(), vec![v, h]));
        }
        Self::new(all)
    }

    /// Of an adapter on every projection.
    fn of_adapter(shape: &ModelShape, rank: usize) -> Self {
        let mut all = Vec::new();
        for layer in 0..shape.num_hidden_layers {
            for (part, rows, cols) in shape.projections() {
                let name = |factor: &str| {
                    format!("base_model.model.model.layers.{layer}.{part}.{factor}.weight")
                };
                all.push((name("lora_A"), vec![rank, cols]));
                all.push((name("lora_B"), vec![rows, rank]));
            }
        }
        Self::new(all)
    }

    /// Whether `path` is a file of these, written to its end.
    fn are_in(&self, path: &Path) -> bool {
        let mut found = vec![0; self.head.len()];
        let read = |mut file: File| {
            file.read_exact(&mut found)?;
            file.metadata()
        };
        let size = File::open(path).and_then(read).map(|data| data.len());
        size.is_ok_and(|size| size == self.size_bytes) && found == self.head
    }

    /// Drawn from `seed` on. The file gets its name when it is whole; it may be made again, so nothing waits for the disk.
    fn write(&self, path: &Path, seed: u64) -> std::io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&self.head)?;
        for (index, dims) in self.shapes.iter().enumerate() {
            match dims[..] {
                // Norms: ones.
                [cols] => file.write_all(&[0x80, 0x3f].repeat(cols))?,
                _ => write_matrix(&mut file, dims[0], dims[1], seed + index as u64)?,
            }
        }
        fs::rename(unfinished, path)
    }
}

/// A few rows are drawn and repeated in turn: drawing billions of values would take longer than evaluating them.
fn write_matrix(file: &mut impl Write, rows: usize, cols: usize, seed: u64) -> std::io::Result<()> {
    const DRAWN: usize = 61;
    let drawn = random_bf16(DRAWN.min(rows) * cols, cols, seed);
    // Few large writes, of whole turns.
    let turns = (4 << 20) / drawn.len().max(1) + 1;
    let drawn = drawn.repeat(turns.min(rows.div_ceil(DRAWN)));
    let mut left = rows * cols * 2;
    while left > 0 {
        let part = left.min(drawn.len());
        file.write_all(&drawn[..part])?;
        left -= part;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_evaluators::{Compute, TokenRequest, token_losses};

    fn shape() -> EvalShape {
        EvalShape {
            name: "tiny".to_owned(),
            model: ModelShape::named("tiny").unwrap(),
            rows: 3,
            tokens: 17,
        }
    }

    #[test]
    fn a_written_checkpoint_and_its_adapters_are_ones_that_can_be_evaluated() {
        let shape = shape();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        write_checkpoint(&shape.model, 64, path).unwrap();
        write_ids(&shape, path).unwrap();
        let size = fs::metadata(path.join(MODEL)).unwrap().len() as f64;
        let weights = shape.model.weight_bytes();
        assert!(size > weights && size < weights + 8192.0);
        let rows = super::super::read_ids(path, usize::MAX).unwrap();
        assert_eq!(rows, shape.ids());
        let two = Adapters { count: 2, rank: 3 };
        let adapters = write_adapters(&shape.model, two, &path.join("adapters")).unwrap();
        let cpu = gradus_kernels::Cpu::new(1).unwrap();
        let losses = |adapters: &[PathBuf]| {
            let request = TokenRequest {
                checkpoint: path,
                adapters,
                rows: &rows,
                memory_bytes: 1 << 30,
            };
            token_losses(Compute::Cpu(&cpu), &request, &mut |_| {})
                .unwrap()
                .losses
        };
        let (base, adapted) = (losses(&[]), losses(&adapters));
        assert_eq!((base.len(), adapted.len()), (1, 2));
        for candidate in base.iter().chain(&adapted) {
            assert_eq!(candidate.iter().map(Vec::len).collect::<Vec<_>>(), [16; 3]);
            // Weights of unit gain and targets that were drawn: near the logarithm of the vocabulary, and finite.
            let mut all = candidate.iter().flatten();
            assert!(all.all(|nll| nll.is_finite() && *nll > 0.0));
        }
        assert!(base[0] != adapted[0] && adapted[0] != adapted[1]);
    }

    #[test]
    fn weights_that_are_whole_are_used_again_and_another_model_is_left_alone() {
        let model = shape().model;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let weights = path.join(MODEL);
        write_checkpoint(&model, 64, path).unwrap();
        let when = || fs::metadata(&weights).unwrap().modified().unwrap();
        let first = when();
        write_checkpoint(&model, 5000, path).unwrap();
        assert_eq!(when(), first, "written twice");
        let config = fs::read_to_string(path.join("config.json")).unwrap();
        assert!(config.contains("5000"), "{config}");

        let other = ModelShape {
            vocab_size: 302,
            ..model.clone()
        };
        let error = write_checkpoint(&other, 64, path).unwrap_err().to_string();
        assert!(error.contains("holds another model"), "{error}");
        let whole = fs::read(&weights).unwrap();
        fs::write(&weights, &whole[..whole.len() - 1]).unwrap();
        assert!(!is_written(&model, path), "cut short");
        assert!(write_checkpoint(&model, 64, path).is_err());
    }
}
