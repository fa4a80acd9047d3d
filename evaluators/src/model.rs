//! A checkpoint as the engine sees it: which tensors make each layer, checked against the configuration.
//!
//! What differs between families is data, a [`Description`] per family; the blocks are the same.

mod families;

use gradus_checkpoint::{
    Checkpoint, HiddenAct, LayerRope, ModelConfig, RopeConfig, RopeKind, ShapeError, TensorInfo,
};
use gradus_kernels::activation::Activation;
use gradus_kernels::attention::AttentionShape;
use gradus_kernels::rms_norm::Gain;
use gradus_kernels::rope::{Rope, RopeError, RopeScaling};
use std::collections::BTreeMap;
use thiserror::Error;

/// What a family's decoder layer looks like. Names are those in the checkpoint, under `model.layers.N.`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description {
    /// Norm of the residual stream before attention.
    pub(crate) norm_before_attention: Option<&'static str>,
    /// Norm of attention's output before it is added back.
    pub(crate) norm_after_attention: Option<&'static str>,
    /// Norm of the residual stream before the MLP.
    pub(crate) norm_before_mlp: Option<&'static str>,
    /// Norm of the MLP's output before it is added back.
    pub(crate) norm_after_mlp: Option<&'static str>,
    /// What norms multiply by.
    pub(crate) gain: Gain,
    /// Norm of queries and keys.
    pub(crate) qk_norm: QkNorm,
    /// Queries, keys and values in one `qkv_proj`; gate and up in one `gate_up_proj`.
    pub(crate) fused: bool,
    /// What embeddings are multiplied by.
    pub(crate) embedding_scale: EmbeddingScale,
}

/// Norm of queries and keys before rotation, by `q_norm` and `k_norm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QkNorm {
    /// None.
    None,
    /// Over each head, weights `[head_dim]`.
    Head,
    /// Over all heads of a token, weights `[heads * head_dim]`.
    Token,
}

/// What embeddings are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmbeddingScale {
    /// The configuration's `embedding_multiplier`, usually 1.
    Config,
    /// `sqrt(hidden_size)`.
    SqrtHidden,
}

/// A projection: its module path, which adapters name, and its tensors.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) module: String,
    pub(crate) weight: TensorInfo,
    pub(crate) bias: Option<TensorInfo>,
}

impl Projection {
    pub(crate) fn out_features(&self) -> usize {
        self.weight.num_rows()
    }
}

/// Tensors of one decoder layer.
#[derive(Clone, Debug)]
pub(crate) struct LayerTensors {
    /// One, or query, key, value.
    pub(crate) qkv: Vec<Projection>,
    pub(crate) o: Projection,
    /// One, or gate, up.
    pub(crate) gate_up: Vec<Projection>,
    pub(crate) down: Projection,
    pub(crate) norm_before_attention: Option<TensorInfo>,
    pub(crate) norm_after_attention: Option<TensorInfo>,
    pub(crate) norm_before_mlp: Option<TensorInfo>,
    pub(crate) norm_after_mlp: Option<TensorInfo>,
    pub(crate) q_norm: Option<TensorInfo>,
    pub(crate) k_norm: Option<TensorInfo>,
}

impl LayerTensors {
    /// The projections, in the order of the computation.
    pub(crate) fn projections(&self) -> impl Iterator<Item = &Projection> {
        self.qkv
            .iter()
            .chain([&self.o])
            .chain(&self.gate_up)
            .chain([&self.down])
    }

    /// Bytes as stored.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.projections().map(|p| p.weight.size_bytes()).sum()
    }
}

/// All tensors of a model, checked.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) config: ModelConfig,
    pub(crate) description: Description,
    pub(crate) embedding: TensorInfo,
    pub(crate) layers: Vec<LayerTensors>,
    pub(crate) final_norm: TensorInfo,
    pub(crate) head: TensorInfo,
    pub(crate) rope: Rope,
    pub(crate) local_rope: Option<Rope>,
    pub(crate) activation: Activation,
}

/// Why a checkpoint cannot be computed.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A tensor is missing or shaped otherwise.
    #[error(transparent)]
    Tensor(#[from] ShapeError),
    /// The rotary embedding's parameters describe none.
    #[error("config.json's rotary embedding cannot be computed")]
    Rope(#[from] RopeError),
}

/// Replacements of whole tensors by name.
pub(crate) type Saved = BTreeMap<String, TensorInfo>;

/// Looks tensors up, replacements first.
struct Lookup<'a> {
    checkpoint: &'a Checkpoint,
    saved: &'a Saved,
}

impl Lookup<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<TensorInfo, ShapeError> {
        match self.saved.get(name) {
            Some(tensor) if tensor.shape == shape => Ok(tensor.clone()),
            Some(tensor) => Err(ShapeError::Shape {
                name: name.to_owned(),
                found: tensor.shape.clone(),
                expected: shape.to_vec(),
            }),
            None => self.checkpoint.expect_shape(name, shape).cloned(),
        }
    }

    fn projection(
        &self,
        module: String,
        out: usize,
        inner: usize,
        bias: bool,
    ) -> Result<Projection, ShapeError> {
        let weight = self.tensor(&format!("{module}.weight"), &[out, inner])?;
        let bias = bias
            .then(|| self.tensor(&format!("{module}.bias"), &[out]))
            .transpose()?;
        Ok(Projection {
            module,
            weight,
            bias,
        })
    }
}

impl Model {
    /// Resolves every tensor of `checkpoint`, with `saved` (an adapter's whole tensors) in place of its own.
    ///
    /// # Errors
    /// If a tensor is missing, shaped otherwise than the configuration says, or of a dtype that is no parameter.
    pub(crate) fn resolve(checkpoint: &Checkpoint, saved: &Saved) -> Result<Self, ModelError> {
        let config = checkpoint.config().clone();
        let description = families::description(config.family);
        let lookup = Lookup { checkpoint, saved };
        let hidden = config.hidden_size;
        let (q, kv) = (
            config.num_heads * config.head_dim,
            config.num_kv_heads * config.head_dim,
        );
        let inner = config.intermediate_size;
        let mut layers = Vec::with_capacity(config.num_layers);
        for layer in 0..config.num_layers {
            let prefix = format!("model.layers.{layer}.");
            let module = |name: &str| format!("{prefix}{name}");
            let norm = |name: Option<&'static str>| {
                name.map(|name| lookup.tensor(&format!("{prefix}{name}.weight"), &[hidden]))
                    .transpose()
            };
            let qk = |name: &str, width: usize| {
                let shape = match description.qk_norm {
                    QkNorm::None => return Ok(None),
                    QkNorm::Head => config.head_dim,
                    QkNorm::Token => width,
                };
                lookup
                    .tensor(&module(&format!("self_attn.{name}.weight")), &[shape])
                    .map(Some)
            };
            let project =
                |name: &str, out, inner, bias| lookup.projection(module(name), out, inner, bias);
            let (qkv, gate_up) = if description.fused {
                (
                    vec![project(
                        "self_attn.qkv_proj",
                        q + 2 * kv,
                        hidden,
                        config.qkv_bias,
                    )?],
                    vec![project(
                        "mlp.gate_up_proj",
                        2 * inner,
                        hidden,
                        config.mlp_bias,
                    )?],
                )
            } else {
                (
                    vec![
                        project("self_attn.q_proj", q, hidden, config.qkv_bias)?,
                        project("self_attn.k_proj", kv, hidden, config.qkv_bias)?,
                        project("self_attn.v_proj", kv, hidden, config.qkv_bias)?,
                    ],
                    vec![
                        project("mlp.gate_proj", inner, hidden, config.mlp_bias)?,
                        project("mlp.up_proj", inner, hidden, config.mlp_bias)?,
                    ],
                )
            };
            layers.push(LayerTensors {
                qkv,
                o: project("self_attn.o_proj", hidden, q, config.o_bias)?,
                gate_up,
                down: project("mlp.down_proj", hidden, inner, config.mlp_bias)?,
                norm_before_attention: norm(description.norm_before_attention)?,
                norm_after_attention: norm(description.norm_after_attention)?,
                norm_before_mlp: norm(description.norm_before_mlp)?,
                norm_after_mlp: norm(description.norm_after_mlp)?,
                q_norm: qk("q_norm", q)?,
                k_norm: qk("k_norm", kv)?,
            });
        }
        let vocab = |name: &str, own: Result<&TensorInfo, ShapeError>| match saved.get(name) {
            Some(tensor) if tensor.shape.len() == 2 && tensor.shape[1] == hidden => {
                Ok(tensor.clone())
            }
            Some(tensor) => Err(ShapeError::Shape {
                name: name.to_owned(),
                found: tensor.shape.clone(),
                expected: vec![config.vocab_size, hidden],
            }),
            None => own.cloned(),
        };
        Ok(Self {
            embedding: vocab("model.embed_tokens.weight", checkpoint.expect_embedding())?,
            head: vocab("lm_head.weight", checkpoint.expect_head())?,
            final_norm: lookup.tensor("model.norm.weight", &[hidden])?,
            activation: match config.hidden_act {
                HiddenAct::Silu => Activation::Silu,
                HiddenAct::GeluTanh => Activation::GeluTanh,
                HiddenAct::Gelu => Activation::Gelu,
            },
            rope: rope(&config.rope)?,
            local_rope: config.local_rope.as_ref().map(rope).transpose()?,
            layers,
            description,
            config,
        })
    }

    /// Floating point operations of one layer's projections for `tokens` tokens.
    pub(crate) fn layer_flops(&self, tokens: usize) -> f64 {
        let params: usize = self.layers.first().map_or(0, |l| {
            l.projections().map(|p| p.weight.num_elements()).sum()
        });
        2.0 * params as f64 * tokens as f64
    }

    /// Floating point operations of one layer's attention for `attended` pairs of a query and a key.
    pub(crate) fn attention_flops(&self, attended: f64) -> f64 {
        4.0 * (self.config.num_heads * self.config.head_dim) as f64 * attended
    }

    /// What embeddings are multiplied by.
    pub(crate) fn embedding_scale(&self) -> f32 {
        match self.description.embedding_scale {
            EmbeddingScale::Config => self.config.embedding_multiplier as f32,
            EmbeddingScale::SqrtHidden => (self.config.hidden_size as f64).sqrt() as f32,
        }
    }

    /// Attention of layer `layer`.
    pub(crate) fn attention(&self, layer: usize) -> AttentionShape {
        let c = &self.config;
        AttentionShape {
            num_heads: c.num_heads,
            num_kv_heads: c.num_kv_heads,
            head_dim: c.head_dim,
            scale: c
                .attention_scale
                .unwrap_or_else(|| libm::pow(c.head_dim as f64, -0.5)) as f32,
            window: c.layers[layer].window,
            soft_cap: c.attn_logit_softcap.map(|cap| cap as f32),
        }
    }

    /// Rotary embedding of layer `layer`: its index in [`Model::ropes`].
    pub(crate) fn rope_of(&self, layer: usize) -> Option<usize> {
        match self.config.layers[layer].rope {
            LayerRope::Global => Some(0),
            LayerRope::Local => Some(1),
            LayerRope::None => None,
        }
    }

    /// The rotary embeddings: global, local.
    pub(crate) fn ropes(&self) -> impl Iterator<Item = &Rope> {
        [&self.rope].into_iter().chain(&self.local_rope)
    }
}

/// The kernel's parameters of a configuration's rotary embedding.
fn rope(config: &RopeConfig) -> Result<Rope, RopeError> {
    let scaling = match &config.kind {
        RopeKind::Default => RopeScaling::None,
        RopeKind::Linear { factor } => RopeScaling::Linear { factor: *factor },
        RopeKind::Dynamic {
            factor,
            original_max,
        } => RopeScaling::Dynamic {
            factor: *factor,
            max_positions: *original_max,
        },
        RopeKind::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max,
        } => RopeScaling::Llama3 {
            factor: *factor,
            low_freq_factor: *low_freq_factor,
            high_freq_factor: *high_freq_factor,
            original_max_positions: *original_max,
        },
        RopeKind::Yarn {
            factor,
            original_max,
            beta_fast,
            beta_slow,
            attention_factor,
            truncate,
        } => RopeScaling::Yarn {
            factor: *factor,
            original_max_positions: *original_max,
            beta_fast: *beta_fast,
            beta_slow: *beta_slow,
            truncate: *truncate,
            attention_factor: *attention_factor,
        },
        RopeKind::LongRope {
            short,
            long,
            original_max,
            attention_factor,
        } => RopeScaling::LongRope {
            short_factor: short.clone(),
            long_factor: long.clone(),
            original_max_positions: *original_max,
            attention_factor: *attention_factor,
        },
    };
    Rope::new(config.theta, config.rotary_dim, scaling)
}
