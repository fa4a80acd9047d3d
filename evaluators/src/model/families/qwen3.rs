//! Qwen3: Llama with a norm on every query and key head.

use super::llama::LLAMA;
use crate::model::{Description, QkNorm};

pub(crate) const QWEN3: Description = Description {
    qk_norm: QkNorm::Head,
    ..LLAMA
};
