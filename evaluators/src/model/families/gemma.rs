//! Gemma: zero-centred norms and scaled embeddings; from the second on also norms after the blocks, in the third
//! on query and key heads.

use super::llama::LLAMA;
use crate::model::{Description, EmbeddingScale, QkNorm};
use gradus_kernels::rms_norm::Gain;

pub(crate) const GEMMA: Description = Description {
    gain: Gain::OnePlusWeight,
    embedding_scale: EmbeddingScale::SqrtHidden,
    ..LLAMA
};

pub(crate) const GEMMA2: Description = Description {
    norm_after_attention: Some("post_attention_layernorm"),
    norm_before_mlp: Some("pre_feedforward_layernorm"),
    norm_after_mlp: Some("post_feedforward_layernorm"),
    ..GEMMA
};

pub(crate) const GEMMA3: Description = Description {
    qk_norm: QkNorm::Head,
    ..GEMMA2
};
