//! OLMo 2: norms after the blocks instead of before them, and over all heads of queries and keys.

use super::llama::LLAMA;
use crate::model::{Description, QkNorm};

pub(crate) const OLMO2: Description = Description {
    norm_before_attention: None,
    norm_after_attention: Some("post_attention_layernorm"),
    norm_before_mlp: None,
    norm_after_mlp: Some("post_feedforward_layernorm"),
    qk_norm: QkNorm::Token,
    ..LLAMA
};
