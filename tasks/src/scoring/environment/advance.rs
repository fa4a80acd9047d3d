//! Who goes on from a group.

use super::EnvironmentRules;
use serde::{Deserialize, Serialize};

/// Who goes on from a group, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// Their indices, best first; those that tie in the order of entry. Never the boss's.
    pub indices: Vec<usize>,
    /// Why.
    pub reason: AdvanceReason,
}

/// Why so many go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvanceReason {
    /// The best go on.
    Best,
    /// The last place that goes on is shared.
    Tied,
    /// The boss played in this group and nobody beat it: nobody goes on.
    BossUnbeaten,
    /// Nobody but the boss has a score.
    NobodyScored,
}

/// Decides a group that is not the final.
///
/// * `scores`: standings by entrant; `None` or not finite for one without, as after failed training
/// * `boss`: the boss's index, if it plays in this group
pub fn advancing(scores: &[Option<f64>], boss: Option<usize>, rules: &EnvironmentRules) -> Advance {
    let score = |index: usize| {
        let score = scores.get(index).copied().flatten();
        score.filter(|score| score.is_finite())
    };
    let mut ranked: Vec<(usize, f64)> = (0..scores.len())
        .filter(|index| Some(*index) != boss)
        .filter_map(|index| Some((index, score(index)?)))
        .collect();
    ranked.sort_by(|a, b| b.1.partial_cmp(&a.1).expect("finite scores compare"));
    let (indices, reason) = match ranked.first() {
        None => (Vec::new(), AdvanceReason::NobodyScored),
        Some((_, best)) if boss.and_then(score).is_some_and(|boss| boss >= *best) => {
            (Vec::new(), AdvanceReason::BossUnbeaten)
        }
        Some(_) => {
            // Somebody has to drop out wherever there are two, or rounds would not end.
            let places = (rules.advance as usize).min(ranked.len() - 1).max(1);
            let last = ranked[places - 1].1;
            let going: Vec<usize> = ranked
                .iter()
                .filter(|(_, score)| *score >= last)
                .map(|(index, _)| *index)
                .collect();
            let reason = if going.len() > places {
                AdvanceReason::Tied
            } else {
                AdvanceReason::Best
            };
            (going, reason)
        }
    };
    Advance { indices, reason }
}
