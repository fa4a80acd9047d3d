//! The model families that are known, and what transformers assumes when a key is missing.

use super::HiddenAct;

/// A model family: what `model_type` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is named for its model_type
pub enum Family {
    Llama,
    Mistral,
    Ministral3,
    Qwen2,
    Qwen3,
    Gemma,
    Gemma2,
    Gemma3,
    Phi3,
    Granite,
    SmolLm3,
    Olmo2,
}

/// Values of `model_type`, with the family each selects. `gemma3` is the multimodal wrapper: its text part is taken.
const MODEL_TYPES: [(&str, Family); 13] = [
    ("llama", Family::Llama),
    ("mistral", Family::Mistral),
    ("ministral3", Family::Ministral3),
    ("qwen2", Family::Qwen2),
    ("qwen3", Family::Qwen3),
    ("gemma", Family::Gemma),
    ("gemma2", Family::Gemma2),
    ("gemma3_text", Family::Gemma3),
    ("gemma3", Family::Gemma3),
    ("phi3", Family::Phi3),
    ("granite", Family::Granite),
    ("smollm3", Family::SmolLm3),
    ("olmo2", Family::Olmo2),
];

impl Family {
    /// The family of a `model_type`.
    pub fn from_model_type(model_type: &str) -> Option<Family> {
        MODEL_TYPES
            .iter()
            .find(|(name, _)| *name == model_type)
            .map(|(_, family)| *family)
    }

    /// Every known `model_type`.
    pub fn known() -> impl Iterator<Item = &'static str> {
        MODEL_TYPES.iter().map(|(name, _)| *name)
    }

    pub(crate) fn is_gemma(self) -> bool {
        matches!(self, Family::Gemma | Family::Gemma2 | Family::Gemma3)
    }

    pub(crate) fn defaults(self) -> Defaults {
        let llama = Defaults {
            vocab_size: 32000,
            hidden_size: 4096,
            intermediate_size: 11008,
            num_layers: 32,
            num_heads: 32,
            num_kv_heads: None,
            head_dim: None,
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-6,
            hidden_act: HiddenAct::Silu,
            tie_word_embeddings: false,
            rope_theta: 10_000.0,
            sliding_window: None,
        };
        let gemma = Defaults {
            vocab_size: 256_000,
            head_dim: Some(256),
            max_position_embeddings: 8192,
            hidden_act: HiddenAct::GeluTanh,
            tie_word_embeddings: true,
            ..llama
        };
        match self {
            Family::Llama | Family::Granite => llama,
            Family::Mistral => Defaults {
                intermediate_size: 14336,
                num_kv_heads: Some(8),
                max_position_embeddings: 4096 * 32,
                sliding_window: Some(4096),
                ..llama
            },
            Family::Ministral3 => Defaults {
                vocab_size: 131_072,
                intermediate_size: 14336,
                num_layers: 34,
                num_kv_heads: Some(8),
                head_dim: Some(128),
                max_position_embeddings: 262_144,
                rms_norm_eps: 1e-5,
                ..llama
            },
            Family::Qwen2 | Family::Qwen3 => Defaults {
                vocab_size: 151_936,
                intermediate_size: 22016,
                num_kv_heads: Some(32),
                head_dim: (self == Family::Qwen3).then_some(128),
                max_position_embeddings: 32768,
                sliding_window: Some(4096),
                ..llama
            },
            Family::Gemma => Defaults {
                hidden_size: 3072,
                intermediate_size: 24576,
                num_layers: 28,
                num_heads: 16,
                num_kv_heads: Some(16),
                ..gemma
            },
            Family::Gemma2 | Family::Gemma3 => Defaults {
                vocab_size: if self == Family::Gemma3 {
                    262_208
                } else {
                    256_000
                },
                hidden_size: 2304,
                intermediate_size: 9216,
                num_layers: 26,
                num_heads: 8,
                num_kv_heads: Some(4),
                max_position_embeddings: if self == Family::Gemma3 {
                    131_072
                } else {
                    8192
                },
                rope_theta: if self == Family::Gemma3 {
                    1_000_000.0
                } else {
                    10_000.0
                },
                sliding_window: Some(4096),
                ..gemma
            },
            Family::Phi3 => Defaults {
                vocab_size: 32064,
                hidden_size: 3072,
                intermediate_size: 8192,
                max_position_embeddings: 4096,
                rms_norm_eps: 1e-5,
                ..llama
            },
            Family::SmolLm3 => Defaults {
                vocab_size: 128_256,
                hidden_size: 2048,
                num_layers: 36,
                num_heads: 16,
                num_kv_heads: Some(4),
                max_position_embeddings: 32768,
                tie_word_embeddings: true,
                rope_theta: 2_000_000.0,
                ..llama
            },
            Family::Olmo2 => Defaults {
                vocab_size: 50304,
                rms_norm_eps: 1e-5,
                ..llama
            },
        }
    }
}

/// What transformers 5.17 takes for a key that config.json lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_layers: usize,
    pub(crate) num_heads: usize,
    pub(crate) num_kv_heads: Option<usize>,
    pub(crate) head_dim: Option<usize>,
    pub(crate) max_position_embeddings: usize,
    pub(crate) rms_norm_eps: f64,
    pub(crate) hidden_act: HiddenAct,
    pub(crate) tie_word_embeddings: bool,
    pub(crate) rope_theta: f64,
    pub(crate) sliding_window: Option<usize>,
}
