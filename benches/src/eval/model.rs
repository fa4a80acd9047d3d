//! Shapes of models, and the work of evaluating them.

use crate::measure::Work;
use serde::{Deserialize, Serialize};
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

/// Adapters of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adapters {
    /// How many; without any the model itself is evaluated.
    pub count: usize,
    /// Rank of each, on every projection.
    pub rank: usize,
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
        "{name} is no model shape: {reason}\nhelp: tiny, 100m, 0.5b, 1.5b, 8b, or a config.json with sizes as transformers writes them"
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

/// One that takes no time, a 100M Llama, Qwen2.5-0.5B, Qwen2.5-1.5B, Llama-3.1-8B.
const KNOWN: [Known; 5] = [
    ("tiny", 301, 96, 67, 2, 6, 2, false),
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
        let layer: usize = self.projections().iter().map(|p| p.1 * p.2).sum();
        let layers = self.num_hidden_layers as f64 * layer as f64;
        layers + self.hidden_size as f64 * self.vocab_size as f64
    }

    /// Parameters of an adapter of rank `rank` on every projection.
    fn adapter_params(&self, rank: usize) -> f64 {
        let layer: usize = self.projections().iter().map(|p| rank * (p.1 + p.2)).sum();
        self.num_hidden_layers as f64 * layer as f64
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

    /// What `rows` rows of `tokens` tokens take for the model alone, or for `adapters` on it: the model is read once.
    #[must_use]
    pub fn work(&self, rows: usize, tokens: usize, adapters: Adapters) -> Work {
        let params = self.adapter_params(adapters.rank);
        let flop = self.flop(rows, tokens);
        let count = adapters.count as f64;
        Work {
            flop: flop * count.max(1.0) + count * 2.0 * params * (rows * tokens) as f64,
            bytes: self.weight_bytes() + count * 2.0 * params,
        }
    }

    /// Name, outputs and inputs of a layer's projections.
    pub(super) fn projections(&self) -> [(&'static str, usize, usize); 7] {
        let (h, i, kv) = (self.hidden_size, self.intermediate_size, self.kv());
        [
            ("self_attn.q_proj", h, h),
            ("self_attn.k_proj", kv, h),
            ("self_attn.v_proj", kv, h),
            ("self_attn.o_proj", h, h),
            ("mlp.gate_proj", i, h),
            ("mlp.up_proj", i, h),
            ("mlp.down_proj", h, i),
        ]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_grows_with_adapters_and_the_model_is_read_once() {
        let model = ModelShape::named("tiny").unwrap();
        let work = |count| model.work(3, 17, Adapters { count, rank: 5 });
        let (alone, one, two) = (work(0), work(1), work(2));
        assert_eq!(alone.flop, model.flop(3, 17));
        assert_eq!(two.flop, 2.0 * one.flop);
        // Queries and outputs 96 x 96, keys and values 32 x 96, gate, up and down 67 x 96.
        let params = 2.0 * 5.0 * (2.0 * 192.0 + 2.0 * 128.0 + 3.0 * 163.0);
        assert_eq!(one.flop - alone.flop, 2.0 * params * 51.0);
        assert_eq!(two.bytes - one.bytes, 2.0 * params);
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
