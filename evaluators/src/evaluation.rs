//! What an evaluation says: one outcome per candidate, with every per-row loss and where the numbers came from.
//!
//! These types are a schema: they are written to disk and read by people we cannot see.

use gradus_tasks::Owner;
use serde::{Deserialize, Serialize};

/// Name of the schema that [`Evaluation`] serialises to.
pub const SCHEMA: &str = "gradus.evaluation.v1";

/// The outcome of one task for all its candidates.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// [`SCHEMA`].
    pub schema: String,
    /// The task's id.
    pub task_id: String,
    /// SHA-256 of the task specification, hexadecimal.
    pub task_hash: String,
    /// The subnet's name of the task type, e.g. `InstructTextTask`.
    pub task_type: String,
    /// Name of the rule set whose constants were used.
    pub rule_set: String,
    /// Parameters of the base model, from its file headers.
    pub model_params_count: u64,
    /// One outcome per candidate, in the order they were given.
    pub candidates: Vec<CandidateOutcome>,
    /// What computed the numbers.
    pub provenance: Provenance,
}

/// One candidate's score, or why it has none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CandidateOutcome {
    /// The name given to it.
    pub name: String,
    /// Where its files were.
    pub source: String,
    /// What its files are, if that could be told.
    pub kind: Option<CandidateKind>,
    /// Score or failure.
    pub result: CandidateResult,
}

/// What a candidate's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// A PEFT adapter on the task's base model.
    Adapter,
    /// A whole checkpoint.
    Full,
}

/// Score or failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CandidateResult {
    /// The candidate was evaluated.
    Scored(Score),
    /// It was not; the other candidates are unaffected.
    Failed(Failure),
}

/// A candidate's loss on the task's evaluation set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Score {
    /// Passed the fine-tune check (adapters always do).
    pub is_finetune: bool,
    /// Why not, if it did not.
    pub finetune_note: Option<String>,
    /// The number that ranks; lower is better. Nats: mean of the rows' token means, or mean DPO loss;
    /// for KL tasks `eval_loss_raw + kl_coef * kl_divergence`.
    pub eval_loss: f64,
    /// Cross-entropy without the KL term; only for KL tasks.
    pub eval_loss_raw: Option<f64>,
    /// KL(candidate || base), nats a position; only for KL tasks.
    pub kl_divergence: Option<f64>,
    /// One loss per row, in evaluation order; `null` is NaN (a DPO pair whose completion was cut away).
    pub per_example_losses: Vec<Option<f64>>,
    /// The rows that `per_example_losses` belongs to.
    pub rows: Vec<RowInfo>,
    /// Identity of the evaluated set. Vectors with different fingerprints cannot be compared.
    pub eval_set_fingerprint: String,
    /// Longest row that was admitted, in tokens.
    pub sequence_len: u64,
    /// What the reader should know: ignored files, resized vocabularies.
    pub notes: Vec<String>,
}

/// One evaluated row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowInfo {
    /// Index of the row in the data file.
    pub source_row: usize,
    /// Tokens in the row (chosen and rejected together for DPO).
    pub num_tokens: usize,
    /// Tokens that carry a label.
    pub num_labels: usize,
}

/// Why a candidate has no score.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault it is.
    pub owner: Owner,
    /// The error and its causes, outermost first, joined by `: `.
    pub reason: String,
}

/// What computed the numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of gradus.
    pub gradus_version: String,
    /// `cpu` or the device's name.
    pub device: String,
    /// Instruction set of the kernels, e.g. `avx512`. Does not change any bit.
    pub isa: String,
    /// Threads. Does not change any bit.
    pub threads: usize,
    /// Dtype of hidden states and sums, e.g. `f32`.
    pub compute_dtype: String,
    /// Memory limit, bytes. Does not change any bit.
    pub memory_bytes: u64,
    /// Version of the numeric contract: equal numbers are promised only within one.
    pub numerics: String,
}

/// What an evaluation tells while it runs.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Data and candidates have been read; work starts.
    Started {
        /// Rows per candidate (pairs for DPO).
        rows: usize,
        /// Distinct tokens per candidate after shared prefixes were merged.
        tokens: usize,
        /// Candidates that will be computed.
        candidates: usize,
        /// Tokens times candidates, the base's own pass included.
        tokens_total: f64,
        /// Arithmetic in all, operations.
        flops: f64,
        /// Seconds that the plan's floors predict; only on GPUs.
        #[serde(skip_serializing_if = "Option::is_none")]
        floor_s: Option<f64>,
    },
    /// Work done so far.
    Progress {
        /// Of all the arithmetic, from 0 to 1.
        fraction: f64,
        /// Rows finished, times candidates.
        rows_done: usize,
        /// Rows in all, times candidates.
        rows_total: usize,
        /// Tokens through the whole model so far, times candidates (fractional layers included).
        tokens_done: f64,
        /// Tokens in all, times candidates.
        tokens_total: f64,
    },
    /// A candidate is out; the others go on.
    CandidateFailed {
        /// Its name.
        name: String,
        /// Whose fault, and why.
        failure: FailureEvent,
    },
    /// Something the user should know.
    Note {
        /// One sentence.
        text: String,
    },
}

/// [`Failure`], flattened into an event.
pub type FailureEvent = Failure;

/// Receives events, and can stop the evaluation.
pub trait Observer: Sync {
    /// Called from the evaluating thread.
    fn on_event(&self, event: Event);
    /// Asked before each row is tokenised, from any thread, and between layers; `true` ends the evaluation with `Cancelled`.
    fn cancelled(&self) -> bool {
        false
    }
}
