//! Rows to samples and what is added to their loss: the sections `[text]`, `[kl]` and `[dpo]` of a rule set.

use serde::{Deserialize, Serialize};

/// How text rows become samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRules {
    /// L, the longest kept sample, tokens.
    pub sequence_len: u64,
    /// If the candidate's max_position P is below this many L, L becomes ceil(P / 2).
    pub halve_below_multiple: u64,
    /// Samples with fewer tokens are dropped.
    pub sample_len_min: usize,
    /// Whether L doubles, up to the cap, when no sample is left.
    pub double_when_empty: bool,
    /// P in the cap when the candidate's config names none.
    pub max_position_default: u64,
    /// A tokenizer's model_max_length counts for the cap only below this.
    pub tokenizer_max_length_ceiling: u64,
    /// Completion text is cut at this many L.
    pub completion_chunks_max: u64,
    /// `YYYY-MM-DD`: the day that `strftime_now` reports inside a chat template.
    pub template_date: String,
}

/// Which positions the KL term covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlMask {
    /// Logits at the index of the label: one position after those that the cross-entropy scores.
    Unshifted,
    /// Logits that predict the label.
    Shifted,
}

/// The KL term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KlRules {
    /// Which positions count.
    pub mask: KlMask,
}

/// Preference pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoRules {
    /// Weight inside the sigmoid.
    pub beta: f64,
    /// Whether max_length is the candidate's max_position_embeddings.
    pub max_length_from_candidate: bool,
    /// max_length otherwise, tokens.
    pub max_length_default: u64,
    /// Whether completions get the EOS text if they lack it.
    pub append_eos: bool,
}
