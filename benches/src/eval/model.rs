//! Shapes of models, and checkpoints of those shapes with weights that were drawn.

use super::EvalBenchError;
use crate::data::random_bf16;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What of a `config.json` decides how long an evaluation takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelShape {
    /// Tokens.
    pub vocab_size: usize,
    /// Width.
    pub hidden_size: usize,
    /// Width of the gate.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key heads.
    pub num_key_value_heads: usize,
    /// Whether head and embedding are one.
    #[serde(default)]
    pub tie_word_embeddings: bool,
}

/// A model, rows and their length.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalShape {
    /// What it is called.
    pub name: String,
    /// The model.
    pub model: ModelShape,
    /// Rows.
    pub rows: usize,
    /// Tokens of each.
    pub tokens: usize,
}

/// Why a model's shape is not known.
#[derive(Debug, Error)]
pub enum ShapeFileError {
    /// Neither a name nor a file.
    #[error(
        "{name} is no model shape: {reason}\nhelp: 100m, 0.5b, 1.5b, 8b, or a config.json with sizes as transformers writes them"
    )]
    Unknown {
        /// As written.
        name: String,
        /// Why.
        reason: String,
    },
}

/// Name, vocabulary, width, gate, layers, heads, key heads, tied.
type Known = (&'static str, usize, usize, usize, usize, usize, usize, bool);

/// A 100M Llama, Qwen2.5-0.5B, Qwen2.5-1.5B, Llama-3.1-8B.
const KNOWN: [Known; 4] = [
    ("100m", 32_000, 768, 2048, 12, 12, 4, true),
    ("0.5b", 151_936, 896, 4864, 24, 14, 2, true),
    ("1.5b", 151_936, 1536, 8960, 28, 12, 2, true),
    ("8b", 128_256, 4096, 14_336, 32, 32, 8, false),
];

impl ModelShape {
    /// The shape called `name`, or that of the `config.json` there.
    ///
    /// # Errors
    /// If it is neither, or its sizes do not go together.
    pub fn named(name: &str) -> Result<Self, ShapeFileError> {
        if let Some(&(
            _,
            vocab_size,
            hidden_size,
            intermediate_size,
            layers,
            heads,
            kv_heads,
            tied,
        )) = KNOWN.iter().find(|known| known.0 == name)
        {
            return Ok(Self {
                vocab_size,
                hidden_size,
                intermediate_size,
                num_hidden_layers: layers,
                num_attention_heads: heads,
                num_key_value_heads: kv_heads,
                tie_word_embeddings: tied,
            });
        }
        let unknown = |reason: String| ShapeFileError::Unknown {
            name: name.to_owned(),
            reason,
        };
        let bytes = std::fs::read(name).map_err(|error| unknown(error.to_string()))?;
        let shape: Self =
            serde_json::from_slice(&bytes).map_err(|error| unknown(error.to_string()))?;
        let sizes = [
            shape.vocab_size,
            shape.hidden_size,
            shape.intermediate_size,
            shape.num_hidden_layers,
            shape.num_attention_heads,
            shape.num_key_value_heads,
        ];
        if sizes.iter().any(|size| !(1..=1 << 24).contains(size)) {
            return Err(unknown("a size is not from 1 to 2^24".to_owned()));
        }
        let (heads, kv_heads) = (shape.num_attention_heads, shape.num_key_value_heads);
        if !shape.hidden_size.is_multiple_of(heads)
            || !heads.is_multiple_of(kv_heads)
            || !(shape.hidden_size / heads).is_multiple_of(2)
        {
            return Err(unknown(
                "hidden_size, num_attention_heads and num_key_value_heads do not divide".to_owned(),
            ));
        }
        Ok(shape)
    }

    fn kv(&self) -> usize {
        self.hidden_size / self.num_attention_heads * self.num_key_value_heads
    }

    /// Parameters of the products: those that every token meets.
    fn product_params(&self) -> f64 {
        let (h, i) = (self.hidden_size as f64, self.intermediate_size as f64);
        let layer = 2.0 * h * h + 2.0 * h * self.kv() as f64 + 3.0 * h * i;
        self.num_hidden_layers as f64 * layer + h * self.vocab_size as f64
    }

    /// Operations of `rows` rows of `tokens` tokens, head included.
    #[must_use]
    pub fn flop(&self, rows: usize, tokens: usize) -> f64 {
        let (rows, tokens) = (rows as f64, tokens as f64);
        let attention =
            2.0 * (tokens + 1.0) * self.hidden_size as f64 * self.num_hidden_layers as f64;
        rows * tokens * (2.0 * self.product_params() + attention)
    }

    /// Bytes of the weights, bf16.
    #[must_use]
    pub fn weight_bytes(&self) -> f64 {
        let untied = if self.tie_word_embeddings {
            0.0
        } else {
            self.vocab_size as f64 * self.hidden_size as f64
        };
        2.0 * (self.product_params() + untied)
    }

    /// Names and shapes of the tensors of a Llama.
    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (h, i, kv, v) = (
            self.hidden_size,
            self.intermediate_size,
            self.kv(),
            self.vocab_size,
        );
        let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![v, h])];
        for layer in 0..self.num_hidden_layers {
            for (name, shape) in [
                ("input_layernorm", vec![h]),
                ("self_attn.q_proj", vec![h, h]),
                ("self_attn.k_proj", vec![kv, h]),
                ("self_attn.v_proj", vec![kv, h]),
                ("self_attn.o_proj", vec![h, h]),
                ("post_attention_layernorm", vec![h]),
                ("mlp.gate_proj", vec![i, h]),
                ("mlp.up_proj", vec![i, h]),
                ("mlp.down_proj", vec![h, i]),
            ] {
                all.push((format!("model.layers.{layer}.{name}.weight"), shape));
            }
        }
        all.push(("model.norm.weight".to_owned(), vec![h]));
        if !self.tie_word_embeddings {
            all.push(("lm_head.weight".to_owned(), vec![v, h]));
        }
        all
    }
}

impl EvalShape {
    /// The same token ids in every run.
    #[must_use]
    pub fn ids(&self) -> Vec<Vec<u32>> {
        let vocab = self.model.vocab_size as u64;
        let id = |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % vocab;
        let row = |row: usize| {
            (0..self.tokens).map(move |t| id((row * self.tokens + t) as u64 + 1) as u32)
        };
        (0..self.rows).map(|r| row(r).collect()).collect()
    }
}

/// Writes a Llama checkpoint of `shape` to `directory`, weights drawn, bf16.
///
/// # Errors
/// If the disk does not take it.
pub fn write_checkpoint(
    shape: &ModelShape,
    positions: usize,
    directory: &Path,
) -> Result<(), EvalBenchError> {
    write(shape, positions, directory).map_err(|source| EvalBenchError::Write {
        path: PathBuf::from(directory),
        source,
    })
}

fn write(shape: &ModelShape, positions: usize, directory: &Path) -> std::io::Result<()> {
    let mut config = serde_json::to_value(shape)?;
    let more = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-6,
        "rope_theta": 1e6, "max_position_embeddings": positions.max(4096), "torch_dtype": "bfloat16",
        "bos_token_id": 1, "eos_token_id": 2, "attention_bias": false, "mlp_bias": false,
    });
    if let (Some(config), serde_json::Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    std::fs::write(directory.join("config.json"), config.to_string())?;
    let tensors = shape.tensors();
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, dims) in &tensors {
        let start = end;
        end += 2 * dims.iter().product::<usize>();
        let entry =
            serde_json::json!({"dtype": "BF16", "shape": dims, "data_offsets": [start, end]});
        header.insert(name.clone(), entry);
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::new(File::create(directory.join("model.safetensors"))?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    for (index, (_, dims)) in tensors.iter().enumerate() {
        match dims[..] {
            // Norms: ones.
            [cols] => (0..cols).try_for_each(|_| file.write_all(&[0x80, 0x3f]))?,
            _ => write_matrix(&mut file, dims[0], dims[1], index as u64)?,
        }
    }
    file.into_inner()
        .map_err(|error| error.into_error())?
        .sync_all()
}

/// A few rows are drawn and repeated in turn: drawing billions of values would take longer than evaluating them.
fn write_matrix(file: &mut impl Write, rows: usize, cols: usize, seed: u64) -> std::io::Result<()> {
    const DRAWN: usize = 61;
    let drawn = random_bf16(DRAWN.min(rows) * cols, cols, seed);
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

    #[test]
    fn a_written_checkpoint_is_one_that_can_be_evaluated() {
        let model = ModelShape {
            vocab_size: 301,
            hidden_size: 96,
            intermediate_size: 67,
            num_hidden_layers: 2,
            num_attention_heads: 6,
            num_key_value_heads: 2,
            tie_word_embeddings: false,
        };
        let directory = tempfile::tempdir().unwrap();
        write_checkpoint(&model, 64, directory.path()).unwrap();
        let size = std::fs::metadata(directory.path().join("model.safetensors"))
            .unwrap()
            .len();
        assert!(
            size as f64 > model.weight_bytes() && (size as f64) < model.weight_bytes() + 8192.0
        );
        let shape = EvalShape {
            name: "t".to_owned(),
            model,
            rows: 3,
            tokens: 17,
        };
        let cpu = gradus_kernels::Cpu::new(1).unwrap();
        let losses =
            gradus_evaluators::token_losses(&cpu, directory.path(), &shape.ids(), 1 << 30).unwrap();
        assert_eq!(losses.iter().map(Vec::len).collect::<Vec<_>>(), [16; 3]);
        // Weights of unit gain and targets that were drawn: near the logarithm of the vocabulary, and finite.
        assert!(
            losses
                .iter()
                .flatten()
                .all(|nll| nll.is_finite() && *nll > 0.0)
        );
    }

    #[test]
    fn a_shape_that_is_neither_known_nor_a_file_is_refused() {
        assert!(ModelShape::named("0.5b").is_ok());
        let error = ModelShape::named("9b").unwrap_err().to_string();
        assert!(
            error.contains("9b is no model shape") && error.contains("100m"),
            "{error}"
        );
    }
}
