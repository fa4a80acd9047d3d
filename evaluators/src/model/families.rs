//! One file per family: what its decoder layer looks like.

mod gemma;
mod llama;
mod olmo2;
mod phi3;
mod qwen3;

use super::Description;
use gradus_checkpoint::Family;

/// The description of `family`.
pub(super) fn description(family: Family) -> Description {
    match family {
        Family::Llama
        | Family::Mistral
        | Family::Ministral3
        | Family::Qwen2
        | Family::Granite
        | Family::SmolLm3 => llama::LLAMA,
        Family::Qwen3 => qwen3::QWEN3,
        Family::Gemma => gemma::GEMMA,
        Family::Gemma2 => gemma::GEMMA2,
        Family::Gemma3 => gemma::GEMMA3,
        Family::Phi3 => phi3::PHI3,
        Family::Olmo2 => olmo2::OLMO2,
    }
}
