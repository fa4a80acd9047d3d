//! What is scored: samples or pairs, in their order, with a fingerprint.

use crate::canonical::PartsHasher;
use crate::data::DataDrops;
use crate::prompt::IGNORE_LABEL;
use crate::prompt::preference::PairTokens;
use serde::Serialize;
use std::fmt;

/// What a task's rows became for one candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum Prepared {
    /// Samples with labels, for cross-entropy (and KL).
    Sft(EvalSet),
    /// Preference pairs.
    Dpo(DpoSet),
}

impl Prepared {
    /// Hash of what is scored. Vectors of per-row losses compare only under equal fingerprints.
    pub fn fingerprint(&self) -> &str {
        match self {
            Prepared::Sft(set) => &set.fingerprint,
            Prepared::Dpo(set) => &set.fingerprint,
        }
    }

    /// Where the other rows went.
    pub fn dropped(&self) -> &DropCounts {
        match self {
            Prepared::Sft(set) => &set.dropped,
            Prepared::Dpo(set) => &set.dropped,
        }
    }
}

/// One sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalRow {
    /// Token ids.
    pub ids: Vec<u32>,
    /// `ids` where the token is scored, [`IGNORE_LABEL`] elsewhere; not shifted.
    pub labels: Vec<i32>,
    /// Row of the file, counted from 0.
    pub source_row: usize,
}

impl EvalRow {
    /// Positions with a label.
    pub fn num_labels(&self) -> usize {
        self.labels
            .iter()
            .filter(|label| **label != IGNORE_LABEL)
            .count()
    }

    /// Positions whose label is predicted by the one before: all labels but that of the first position.
    pub fn num_scored(&self) -> usize {
        self.labels
            .iter()
            .skip(1)
            .filter(|label| **label != IGNORE_LABEL)
            .count()
    }
}

/// Samples, shortest first; equal lengths keep the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalSet {
    /// The samples.
    pub rows: Vec<EvalRow>,
    /// The sequence length that was used.
    pub sequence_len: u64,
    /// Where the other rows went.
    pub dropped: DropCounts,
    /// Hash of ids and labels in order.
    pub fingerprint: String,
}

impl EvalSet {
    pub(super) fn new(rows: Vec<EvalRow>, sequence_len: u64, mut dropped: DropCounts) -> Self {
        dropped.samples = rows.len();
        let mut hasher = PartsHasher::new();
        let mut bytes = Vec::new();
        for row in &rows {
            bytes.clear();
            row.ids
                .iter()
                .for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
            row.labels
                .iter()
                .for_each(|label| bytes.extend_from_slice(&label.to_le_bytes()));
            hasher.part(&bytes);
        }
        Self {
            fingerprint: hasher.finish(),
            rows,
            sequence_len,
            dropped,
        }
    }
}

/// One preference pair. Both sides begin with the prompt's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpoPair {
    /// Length of the common prompt, tokens, after truncation.
    pub prompt_len: usize,
    /// Prompt and preferred completion.
    pub chosen: Vec<u32>,
    /// Prompt and the other completion.
    pub rejected: Vec<u32>,
    /// Nothing of the preferred completion is left: the pair's loss is NaN.
    pub chosen_cut: bool,
    /// Nothing of the other completion is left: the pair's loss is NaN.
    pub rejected_cut: bool,
    /// A token of the whole text reaches across the end of the prompt.
    pub merged: bool,
    /// Row of the file, counted from 0.
    pub source_row: usize,
}

/// Preference pairs in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct DpoSet {
    /// The pairs.
    pub pairs: Vec<DpoPair>,
    /// Tokens that prompt and completion may have together.
    pub max_length: u64,
    /// Weight inside the sigmoid.
    pub beta: f64,
    /// Where the other rows went.
    pub dropped: DropCounts,
    /// Hash of `max_length`, `beta` and the texts in order.
    pub fingerprint: String,
}

impl DpoSet {
    pub(super) fn new(
        tokens: &[(usize, [String; 3], PairTokens)],
        max_length: u64,
        beta: f64,
        mut dropped: DropCounts,
    ) -> Self {
        let limit = usize::try_from(max_length).unwrap_or(usize::MAX);
        let mut hasher = PartsHasher::new();
        hasher.part(format!("max_length={max_length};beta={beta}").as_bytes());
        let mut pairs = Vec::with_capacity(tokens.len());
        for (source_row, texts, pair) in tokens {
            hasher.part(texts.join("\0").as_bytes());
            let prompt_len = pair.prompt.len().min(limit);
            let side = |completion: &[u32]| {
                let mut ids = [&pair.prompt[..], completion].concat();
                ids.truncate(limit);
                ids
            };
            let (chosen, rejected) = (side(&pair.chosen), side(&pair.rejected));
            pairs.push(DpoPair {
                prompt_len,
                chosen_cut: chosen.len() <= prompt_len,
                rejected_cut: rejected.len() <= prompt_len,
                chosen,
                rejected,
                merged: pair.merged,
                source_row: *source_row,
            });
        }
        dropped.samples = pairs.len();
        Self {
            pairs,
            max_length,
            beta,
            dropped,
            fingerprint: hasher.finish(),
        }
    }
}

/// Where the rows of a file went. Reasons are tried in the order of the fields; a completion row that is split
/// counts once per piece from `too_long` on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DropCounts {
    /// Rows in the file.
    pub rows: usize,
    /// Samples or pairs that are scored.
    pub samples: usize,
    /// Preference rows with an empty prompt, chosen or rejected text.
    pub empty_field: usize,
    /// Rows whose conversation is not a list of objects.
    pub not_a_conversation: usize,
    /// Conversations with too few valid messages.
    pub too_few_messages: usize,
    /// Messages (not rows) removed from conversations that were kept.
    pub invalid_messages: usize,
    /// Samples longer than the sequence length.
    pub too_long: usize,
    /// Samples with fewer tokens than the rules allow.
    pub too_short: usize,
    /// Samples without a label.
    pub unlabelled: usize,
    /// Samples whose only label is on the first position, which nothing predicts. The reference would score them
    /// as NaN, and with them the whole set.
    pub label_on_first_only: usize,
}

impl DropCounts {
    pub(super) fn from_data(rows: usize, drops: DataDrops) -> Self {
        Self {
            rows,
            empty_field: drops.empty_field,
            not_a_conversation: drops.not_a_conversation,
            too_few_messages: drops.too_few_messages,
            invalid_messages: drops.invalid_messages,
            ..Self::default()
        }
    }
}

impl fmt::Display for DropCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows read, {} scored", self.rows, self.samples)?;
        for (count, reason) in [
            (self.empty_field, "with an empty field"),
            (self.not_a_conversation, "without a conversation"),
            (self.too_few_messages, "with too few messages"),
            (self.too_long, "too long"),
            (self.too_short, "too short"),
            (self.unlabelled, "without a label"),
            (
                self.label_on_first_only,
                "with a label on the first position only",
            ),
        ] {
            if count > 0 {
                write!(f, ", {count} {reason}")?;
            }
        }
        Ok(())
    }
}
