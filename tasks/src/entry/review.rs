//! Reviews that hold a tournament until somebody has decided.
//!
//! | review | is about | holds while | then |
//! |---|---|---|---|
//! | [`PairwiseState`] | entrants of a round that may be copies in other words | pending | approved ones fall, but the boss |
//! | [`ChallengerState`] | the code of the boss's challenger | not reviewed, pending, error | an accepted finding disqualifies |

use crate::rules::{ChallengerReview, ReviewRules};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a review means for the tournament.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Holds {
    /// It goes on, without some.
    Proceeds {
        /// Who falls, in the order of hotkeys.
        dropped: Vec<String>,
    },
    /// The review has to be made.
    Review {},
    /// It waits for a decision, or for a review that failed to be made again.
    Waits {},
}

/// The review of a round's entrants in pairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum PairwiseState {
    /// Nobody was flagged.
    Clean {},
    /// Some were; a person decides.
    Pending {
        /// Who.
        flagged: Vec<String>,
    },
    /// The finding was accepted.
    Accepted {
        /// Who falls.
        eliminated: Vec<String>,
    },
    /// The finding was rejected.
    Rejected {},
    /// It could not be made.
    Error {},
}

/// The review of the boss's challenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengerState {
    /// Nothing was found.
    Clean,
    /// Something was; a person decides.
    Pending,
    /// The finding was accepted: the challenger is disqualified.
    Accepted,
    /// The finding was rejected.
    Rejected,
    /// It could not be made.
    Error,
}

impl PairwiseState {
    /// What a review of the entrants of round `round` means; `state` is none before it was made.
    pub fn holds(state: Option<&Self>, rules: &ReviewRules, round: u32, boss: &str) -> Holds {
        let proceeds = || Holds::Proceeds {
            dropped: Vec::new(),
        };
        if rules.pairwise_before_round == 0 || rules.pairwise_before_round != round {
            return proceeds();
        }
        match state {
            None => Holds::Review {},
            Some(Self::Clean {} | Self::Rejected {}) => proceeds(),
            Some(Self::Pending { .. } | Self::Error {}) => Holds::Waits {},
            Some(Self::Accepted { eliminated }) => {
                let mut dropped = eliminated.clone();
                dropped.retain(|hotkey| hotkey != boss);
                dropped.sort();
                dropped.dedup();
                Holds::Proceeds { dropped }
            }
        }
    }
}

impl ChallengerState {
    /// What a review of `challenger` means for a result becoming final; `state` is none before it was made.
    pub fn holds(state: Option<Self>, rules: &ReviewRules, challenger: &str) -> Holds {
        match (rules.challenger, state) {
            (ChallengerReview::None, _) | (_, Some(Self::Clean | Self::Rejected)) => {
                Holds::Proceeds {
                    dropped: Vec::new(),
                }
            }
            (_, Some(Self::Accepted)) => Holds::Proceeds {
                dropped: vec![challenger.to_owned()],
            },
            (_, Some(Self::Pending | Self::Error)) => Holds::Waits {},
            (_, None) => Holds::Review {},
        }
    }
}

/// Who takes the second place of a disqualified challenger: the best of those who played the round before and are not in
/// the final. `ranks`: places in each task of that round that they have a result in, from 1. Those without a result come
/// last, ties are by hotkey.
pub fn promoted<'a>(
    ranks: &'a BTreeMap<String, Vec<u32>>,
    boss: &str,
    challenger: &str,
) -> Option<&'a str> {
    let mean = |ranks: &[u32]| {
        if ranks.is_empty() {
            return f64::INFINITY;
        }
        let sum: u64 = ranks.iter().map(|rank| u64::from(*rank)).sum();
        sum as f64 / ranks.len() as f64
    };
    ranks
        .iter()
        .filter(|(hotkey, _)| *hotkey != boss && *hotkey != challenger)
        .min_by(|a, b| mean(a.1).total_cmp(&mean(b.1)).then_with(|| a.0.cmp(b.0)))
        .map(|(hotkey, _)| hotkey.as_str())
}

#[cfg(test)]
mod tests;
