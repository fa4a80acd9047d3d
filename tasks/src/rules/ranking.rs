//! Losses to places: the sections `[degenerate]`, `[ranking]` and `[paired]` of a rule set.

use serde::{Deserialize, Serialize};

/// Bounds outside which a set's best loss says that the set decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DegenerateRules {
    /// Best loss below this, instruct and chat.
    pub best_loss_min: f64,
    /// Best loss below this, DPO.
    pub best_loss_min_dpo: f64,
    /// Best loss above this, instruct.
    pub best_loss_max_instruct: f64,
    /// Best DPO loss from here ...
    pub dpo_no_learning_min: f64,
    /// ... to here is ln 2: nobody learned anything.
    pub dpo_no_learning_max: f64,
}

/// Points inside a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingRules {
    /// Points of the best.
    pub points_first: f64,
    /// Points of the last ones.
    pub points_last: f64,
    /// Points of an invalid entry, if any is valid.
    pub points_invalid: f64,
    /// Fraction of entrants that count as last.
    pub last_fraction: f64,
    /// Nobody is last unless more valid entrants than this exist.
    pub last_applies_above: usize,
    /// What becomes of entries of a tournament's task that have the same score.
    pub equal_scores: EqualScores,
}

/// What becomes of entries that have the same score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualScores {
    /// They all count.
    Kept,
    /// They are copies: the one that was uploaded first counts, the others do not.
    EarliestUpload,
}

/// The paired comparison of two candidates over one set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedRules {
    /// Differences up to this many nats decide nothing.
    pub dead_zone: f64,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of the bootstrap's generator.
    pub seed: u64,
    /// One-sided confidence of the bounds.
    pub confidence: f64,
    /// Least lower bound of the win rate.
    pub win_rate_min: f64,
    /// Least lower bound of the mean gap, nats ...
    pub gap_min_abs: f64,
    /// ... and as a fraction of the boss's mean loss.
    pub gap_min_rel: f64,
    /// Elements drawn at a time: part of the bootstrap's definition, since it fixes the order of draws.
    pub chunk_elements: usize,
}
