//! `config.json`: transformers 4 and 5 spellings in, one resolved [`ModelConfig`] out.
//!
//! A missing key takes the default that transformers 5.17 has for that family. A key that would change the computation in a
//! way we do not do is refused by name; keys that only matter in training or generation are ignored.

mod family;
pub(crate) mod fields;
mod layers;
mod rope;

use serde_json::Value;

pub use family::Family;
pub use layers::{LayerConfig, LayerRope};
pub use rope::{RopeConfig, RopeKind};

use crate::Owner;
use fields::Fields;
use rope::RopeContext;

/// Longest config.json that is read.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Most layers.
pub const LAYERS_MAX: usize = 1024;
/// Largest width of any kind, and of the vocabulary.
pub const WIDTH_MAX: usize = 1 << 24;

/// Why a config.json is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ParseConfigError {
    #[error("not a JSON object: {reason}")]
    Json { reason: String },
    #[error("{field} is {found}, expected {expected}")]
    Field {
        field: String,
        expected: &'static str,
        found: String,
    },
    #[error("{what}, expected {expected}")]
    Disagree {
        what: String,
        expected: &'static str,
    },
    #[error("model_type {found:?} is not supported\nhelp: known are {}", Family::known().collect::<Vec<_>>().join(", "))]
    ModelType { found: String },
    #[error(
        "rope_type {found:?} is not supported\nhelp: known are default, linear, dynamic, llama3, yarn, longrope"
    )]
    RopeType { found: String },
    #[error("hidden_act {found:?} is not supported\nhelp: known are silu, gelu, gelu_pytorch_tanh")]
    HiddenAct { found: String },
    #[error("{what} is not supported\nhelp: {help}")]
    Unsupported {
        what: &'static str,
        help: &'static str,
    },
}

impl ParseConfigError {
    pub(crate) fn json(error: serde_json::Error) -> ParseConfigError {
        ParseConfigError::Json {
            reason: crate::header::json_reason(&error),
        }
    }

    /// Always the submission.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

/// Activation of the gated MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HiddenAct {
    /// x * sigmoid(x)
    Silu,
    /// The exact one, with erf.
    Gelu,
    /// The tanh approximation.
    GeluTanh,
}

/// Query scaling of ministral3: queries at position p are multiplied by `1 + beta * ln(1 + floor(p / original_max))`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the formula above names them
pub struct PositionScale {
    pub beta: f64,
    pub original_max: usize,
}

/// A model's configuration with every default resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Family that `model_type` selects.
    pub family: Family,
    /// As in the file (for a multimodal wrapper: the wrapper's).
    pub model_type: String,
    /// Class names; empty where the file has none.
    pub architectures: Vec<String>,
    /// Rows of the embedding that the configuration promises.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the gated MLP.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; divides `num_heads`.
    pub num_kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Longest sequence the model claims.
    pub max_position_embeddings: usize,
    /// Epsilon of every RMS norm.
    pub rms_norm_eps: f64,
    /// Activation of the gated MLP.
    pub hidden_act: HiddenAct,
    /// Whether the head is the embedding, where the file has no head of its own.
    pub tie_word_embeddings: bool,
    /// Bias on q, k, v.
    pub qkv_bias: bool,
    /// Bias on the attention's output.
    pub o_bias: bool,
    /// Bias on the MLP.
    pub mlp_bias: bool,
    /// Rotary embedding of the layers with [`LayerRope::Global`].
    pub rope: RopeConfig,
    /// Rotary embedding of the layers with [`LayerRope::Local`] (gemma3).
    pub local_rope: Option<RopeConfig>,
    /// Per layer: window and rotary embedding; `num_layers` of them.
    pub layers: Vec<LayerConfig>,
    /// Multiplies the embeddings (granite).
    pub embedding_multiplier: f64,
    /// Divides the logits (granite).
    pub logits_scaling: f64,
    /// Multiplies each block's output before it is added to the residual stream (granite).
    pub residual_multiplier: f64,
    /// Scale of the attention scores where it is not `head_dim^-0.5` (granite, gemma2, gemma3).
    pub attention_scale: Option<f64>,
    /// `cap * tanh(x / cap)` on attention scores (gemma2).
    pub attn_logit_softcap: Option<f64>,
    /// `cap * tanh(x / cap)` on logits (gemma2).
    pub final_logit_softcap: Option<f64>,
    /// Position-dependent query scaling (ministral3).
    pub query_position_scale: Option<PositionScale>,
    /// Whether the file describes a multimodal wrapper whose text part this is.
    pub is_multimodal: bool,
}

impl ModelConfig {
    /// Parses the bytes of a config.json.
    ///
    /// # Errors
    /// [`ParseConfigError`] names the field.
    pub fn parse(json: &[u8]) -> Result<ModelConfig, ParseConfigError> {
        let raw: serde_json::Map<String, Value> =
            serde_json::from_slice(json).map_err(ParseConfigError::json)?;
        ModelConfig::from_raw(&raw)
    }

    /// Resolves a configuration that is JSON already.
    ///
    /// # Errors
    /// As [`ModelConfig::parse`].
    pub fn from_raw(raw: &serde_json::Map<String, Value>) -> Result<ModelConfig, ParseConfigError> {
        let outer = Fields::new(raw, "");
        let model_type = outer
            .text("model_type")?
            .ok_or_else(|| outer.bad("model_type", "a string"))?;
        let Some(family) = Family::from_model_type(model_type) else {
            return Err(ParseConfigError::ModelType {
                found: model_type.chars().take(60).collect(),
            });
        };
        let is_multimodal = model_type == "gemma3";
        let empty = serde_json::Map::new();
        let f = match is_multimodal {
            true => Fields::new(
                outer.object("text_config")?.unwrap_or(&empty),
                "text_config.",
            ),
            false => outer,
        };
        for fields in [outer, f] {
            if fields.get("quantization_config").is_some() {
                return Err(ParseConfigError::Unsupported {
                    what: "quantization_config",
                    help: "save the model with plain F32, F16 or BF16 weights",
                });
            }
        }
        if family.is_gemma() && f.flag("use_bidirectional_attention")? == Some(true) {
            return Err(ParseConfigError::Unsupported {
                what: "use_bidirectional_attention",
                help: "a causal language model attends to the past only",
            });
        }
        let d = family.defaults();
        let width = |key: &str, default: usize| -> Result<usize, ParseConfigError> {
            match f.positive(key)?.unwrap_or(default) {
                n if n > WIDTH_MAX => Err(f.bad(key, "at most 2^24")),
                n => Ok(n),
            }
        };
        let hidden_size = width("hidden_size", d.hidden_size)?;
        let num_layers = width("num_hidden_layers", d.num_layers)?;
        if num_layers > LAYERS_MAX {
            return Err(f.bad("num_hidden_layers", "at most 1024"));
        }
        let num_heads = width("num_attention_heads", d.num_heads)?;
        let num_kv_heads = match f.has("num_key_value_heads") {
            true => width("num_key_value_heads", num_heads)?,
            false => d.num_kv_heads.unwrap_or(num_heads),
        };
        if !num_heads.is_multiple_of(num_kv_heads) {
            return Err(ParseConfigError::Disagree {
                what: format!(
                    "{num_heads} attention heads share {num_kv_heads} key and value heads"
                ),
                expected: "the second to divide the first",
            });
        }
        let head_dim = head_dim(f, d.head_dim, hidden_size, num_heads)?;
        let max_position_embeddings = f
            .positive("max_position_embeddings")?
            .unwrap_or(d.max_position_embeddings);
        let context = RopeContext {
            family,
            top: f,
            head_dim,
            max_position_embeddings,
        };
        let (rope, local_rope) = match family {
            Family::Gemma3 => {
                let (global, local) = context.pair(d.rope_theta, 10_000.0)?;
                (global, Some(local))
            }
            _ => (context.single(d.rope_theta)?, None),
        };
        let attention_bias = match family {
            Family::Qwen2 => true,
            Family::Mistral | Family::Ministral3 | Family::Phi3 => false,
            _ => f.flag("attention_bias")?.unwrap_or(false),
        };
        let has_mlp_bias = matches!(family, Family::Llama | Family::Granite | Family::SmolLm3);
        let is_granite = family == Family::Granite;
        let multiplier = |key: &str| match is_granite {
            true => Ok(f.number(key)?.unwrap_or(1.0)),
            false => Ok(1.0),
        };
        let logits_scaling = multiplier("logits_scaling")?;
        if logits_scaling == 0.0 {
            return Err(f.bad("logits_scaling", "a number other than 0"));
        }
        let attention_scale = match family {
            Family::Granite => Some(f.number("attention_multiplier")?.unwrap_or(1.0)),
            Family::Gemma2 | Family::Gemma3 => {
                let scalar = f.positive_number("query_pre_attn_scalar")?;
                Some(libm::pow(scalar.unwrap_or(256.0), -0.5))
            }
            _ => None,
        };
        let softcap = |key: &str, default: Option<f64>| match (family, f.has(key)) {
            (Family::Gemma2 | Family::Gemma3, true) => f.positive_number(key),
            (Family::Gemma2, false) => Ok(default),
            _ => Ok(None),
        };
        let tie = match (is_multimodal, outer.flag("tie_word_embeddings")?) {
            (true, Some(outer)) => Some(outer),
            _ => f.flag("tie_word_embeddings")?,
        };
        Ok(ModelConfig {
            family,
            model_type: model_type.to_owned(),
            architectures: outer.texts("architectures")?.unwrap_or_default(),
            vocab_size: width("vocab_size", d.vocab_size)?,
            hidden_size,
            intermediate_size: width("intermediate_size", d.intermediate_size)?,
            num_layers,
            num_heads,
            num_kv_heads,
            head_dim,
            max_position_embeddings,
            rms_norm_eps: match f.number("rms_norm_eps")?.unwrap_or(d.rms_norm_eps) {
                eps if (0.0..=1.0).contains(&eps) => eps,
                _ => return Err(f.bad("rms_norm_eps", "a number from 0 to 1")),
            },
            hidden_act: hidden_act(f, family, d.hidden_act)?,
            tie_word_embeddings: tie.unwrap_or(d.tie_word_embeddings),
            qkv_bias: attention_bias,
            o_bias: attention_bias && family != Family::Qwen2,
            mlp_bias: has_mlp_bias && f.flag("mlp_bias")?.unwrap_or(false),
            layers: layers::layers(f, family, num_layers, d.sliding_window)?,
            embedding_multiplier: multiplier("embedding_multiplier")?,
            logits_scaling,
            residual_multiplier: multiplier("residual_multiplier")?,
            attention_scale,
            attn_logit_softcap: softcap("attn_logit_softcapping", Some(50.0))?,
            final_logit_softcap: softcap("final_logit_softcapping", Some(30.0))?,
            query_position_scale: query_position_scale(f, family)?,
            rope,
            local_rope,
            is_multimodal,
        })
    }
}

/// `head_dim` where it is given, the family's own where the key is absent, else hidden_size / num_heads.
fn head_dim(
    f: Fields<'_>,
    default: Option<usize>,
    hidden_size: usize,
    num_heads: usize,
) -> Result<usize, ParseConfigError> {
    let given = match f.has("head_dim") {
        true => f.positive("head_dim")?,
        false => default,
    };
    match given {
        Some(dim) if dim > WIDTH_MAX || dim.saturating_mul(num_heads) > WIDTH_MAX => {
            Err(f.bad("head_dim", "times num_attention_heads at most 2^24"))
        }
        Some(dim) => Ok(dim),
        None if hidden_size.is_multiple_of(num_heads) => Ok(hidden_size / num_heads),
        None => Err(ParseConfigError::Disagree {
            what: format!("hidden_size {hidden_size} is shared by {num_heads} attention heads"),
            expected: "the second to divide the first, or a head_dim",
        }),
    }
}

fn hidden_act(
    f: Fields<'_>,
    family: Family,
    default: HiddenAct,
) -> Result<HiddenAct, ParseConfigError> {
    let name = match family {
        Family::Gemma2 | Family::Gemma3 => f.text("hidden_activation")?,
        _ => f.text("hidden_act")?,
    };
    match name {
        None => Ok(default),
        Some("silu" | "swish") => Ok(HiddenAct::Silu),
        Some("gelu") => Ok(HiddenAct::Gelu),
        Some("gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" | "gelu_accurate") => {
            Ok(HiddenAct::GeluTanh)
        }
        Some(other) => Err(ParseConfigError::HiddenAct {
            found: other.chars().take(60).collect(),
        }),
    }
}

fn query_position_scale(
    f: Fields<'_>,
    family: Family,
) -> Result<Option<PositionScale>, ParseConfigError> {
    if family != Family::Ministral3 {
        return Ok(None);
    }
    let given = match f.object("rope_scaling")?.filter(|m| !m.is_empty()) {
        Some(map) => Some(map),
        None => f.object("rope_parameters")?.filter(|m| !m.is_empty()),
    };
    let Some(map) = given else {
        return Ok(Some(PositionScale {
            beta: 0.1,
            original_max: 16384,
        }));
    };
    let rope = Fields::new(map, "rope_parameters.");
    let key = "original_max_position_embeddings";
    let (Some(beta), Some(original_max)) =
        (rope.number("llama_4_scaling_beta")?, rope.positive(key)?)
    else {
        return Err(rope.bad(
            "llama_4_scaling_beta",
            "a number, with original_max_position_embeddings beside it",
        ));
    };
    Ok(Some(PositionScale { beta, original_max }))
}

#[cfg(test)]
mod tests;
