//! Llama, and the families that differ from it in numbers only: Mistral (windows), Qwen2 (biases), Granite
//! (multipliers), SmolLM3 (layers without rotation).

use crate::model::{Description, EmbeddingScale, QkNorm};
use gradus_kernels::rms_norm::Gain;

pub(crate) const LLAMA: Description = Description {
    norm_before_attention: Some("input_layernorm"),
    norm_after_attention: None,
    norm_before_mlp: Some("post_attention_layernorm"),
    norm_after_mlp: None,
    gain: Gain::Weight,
    qk_norm: QkNorm::None,
    fused: false,
    embedding_scale: EmbeddingScale::Config,
};
