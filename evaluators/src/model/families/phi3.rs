//! Phi-3: Llama with fused projections.

use super::llama::LLAMA;
use crate::model::Description;

pub(crate) const PHI3: Description = Description {
    fused: true,
    ..LLAMA
};
