//! How a tournament ended.

use serde::{Deserialize, Serialize};

/// How a tournament ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Who has the title; the burn hotkey where the boss keeps it.
    pub winner: String,
    /// Why.
    pub why: OutcomeReason,
    /// Who played the boss round against the boss.
    #[serde(deserialize_with = "Option::deserialize")]
    pub challenger: Option<String>,
    /// Second.
    #[serde(deserialize_with = "Option::deserialize")]
    pub second: Option<String>,
    /// Third.
    #[serde(deserialize_with = "Option::deserialize")]
    pub third: Option<String>,
    /// By how much the challenger was better than the boss, as emissions read it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub difference: Option<f64>,
}

/// Why a tournament ended so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeReason {
    /// The challenger won the boss round.
    Challenger,
    /// The boss won the boss round.
    Defended,
    /// The challenger was disqualified.
    Disqualified,
    /// A round sent nobody on.
    NobodyAdvanced,
    /// Everybody who would have gone on has left, or copied.
    NobodyLeft,
    /// As many rounds as there may be were played.
    TooManyRounds,
}
