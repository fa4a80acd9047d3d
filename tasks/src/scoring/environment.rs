//! Environment tournaments: games to shares, shares to a group's standing, who goes on, who has the title.
//!
//! Environments measure on scales that cannot be compared, so a standing knows ranks only: in each environment the entrants
//! get quantiles from 0 for the worst to 1 for the best, those that tie share theirs, and the standing is their weighted
//! mean. More is better. A standing means nothing outside its group.

use super::duel::Verdict;
use crate::Owner;
use crate::rules::{EnvironmentRules, FinalRule};
use serde::{Deserialize, Serialize};

mod advance;
mod finals;

pub use advance::{Advance, AdvanceReason, advancing};
pub use finals::{FinalDecision, FinalReason, FinalStart, FinalTask, decide_final};

/// What two entrants' games in one environment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Games {
    /// Index of the first entrant.
    pub first: usize,
    /// Index of the second.
    pub second: usize,
    /// Games that the first won.
    pub first_wins: u32,
    /// Games that the second won.
    pub second_wins: u32,
    /// Games that nobody won.
    pub draws: u32,
}

/// One environment's scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentScores {
    /// Which environment.
    pub environment: String,
    /// By entrant; more is better. `None` for one that has none.
    pub scores: Vec<Option<f64>>,
}

/// Why there is no standing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StandingError {
    /// No environment.
    #[error("a group has no environment to stand in\nhelp: give each environment's scores")]
    NoEnvironment,
    /// An environment twice.
    #[error("{environment} is there twice\nhelp: give each environment's scores once")]
    Twice {
        /// Which.
        environment: String,
    },
    /// Scores of another group.
    #[error("{environment} has scores of {found} entrants, but the group has {expected}")]
    Entrants {
        /// Which environment.
        environment: String,
        /// How many it has.
        found: usize,
        /// How many there are.
        expected: usize,
    },
    /// A score that cannot be ranked.
    #[error(
        "entrant {entrant} has {found} in {environment}, which cannot be ranked\nhelp: an entrant without a score has none"
    )]
    NotFinite {
        /// Which environment.
        environment: String,
        /// Whose.
        entrant: usize,
        /// The score.
        found: f64,
    },
    /// Games of somebody outside the group, or of one entrant with itself.
    #[error("there are games of entrants {first} and {second} in a group of {expected}")]
    Pair {
        /// The first.
        first: usize,
        /// The second.
        second: usize,
        /// How many there are.
        expected: usize,
    },
}

impl StandingError {
    /// Whose fault: results are put together by the operator's program.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Each entrant's share of its games in one environment, over all opponents: a draw is half a win. One that played none
/// has none.
///
/// # Errors
/// `Pair` for games of somebody outside the group, or of one entrant with itself.
pub fn win_shares(entrants: usize, games: &[Games]) -> Result<Vec<Option<f64>>, StandingError> {
    let mut halves = vec![0_u64; entrants];
    let mut played = vec![0_u64; entrants];
    for game in games {
        let Games { first, second, .. } = *game;
        if first == second || first.max(second) >= entrants {
            let expected = entrants;
            return Err(StandingError::Pair {
                first,
                second,
                expected,
            });
        }
        let [ours, theirs, draws] = [game.first_wins, game.second_wins, game.draws].map(u64::from);
        halves[first] += 2 * ours + draws;
        halves[second] += 2 * theirs + draws;
        for entrant in [first, second] {
            played[entrant] += ours + theirs + draws;
        }
    }
    let share = |(halves, played): (&u64, &u64)| {
        (*played > 0).then(|| (*halves as f64 / 2.0) / *played as f64)
    };
    Ok(halves.iter().zip(&played).map(share).collect())
}

/// Average-rank quantiles: 0 for the lowest score, 1 for the highest, the mean of their ranks for those that tie; `alone`
/// for a single one. Scores have to be numbers: one that is none has the rank of the lowest.
pub fn quantiles(scores: &[f64], alone: f64) -> Vec<f64> {
    if scores.len() < 2 {
        return vec![alone; scores.len()];
    }
    let last = (scores.len() - 1) as f64;
    scores
        .iter()
        .map(|score| {
            let below = scores.iter().filter(|other| *other < score).count();
            let tied = scores.iter().filter(|other| *other == score).count();
            (below + below + tied.max(1) - 1) as f64 / 2.0 / last
        })
        .collect()
}

/// The standing of each entrant of a group, more is better: the weighted mean of its quantiles.
///
/// An entrant without a score in an environment counts there with the rules' `missing_score`. An environment that nobody
/// played at all does not belong into the list: all would tie in it. Sums run in the order of the environments.
///
/// # Errors
/// `NoEnvironment`, `Twice`, `Entrants` or `NotFinite` for scores that are no group's.
pub fn standings(
    environments: &[EnvironmentScores],
    entrants: usize,
    rules: &EnvironmentRules,
) -> Result<Vec<f64>, StandingError> {
    if environments.is_empty() {
        return Err(StandingError::NoEnvironment);
    }
    let mut points = vec![0.0; entrants];
    let mut total = 0.0;
    for (index, scored) in environments.iter().enumerate() {
        let environment = || scored.environment.clone();
        if environments[..index]
            .iter()
            .any(|before| before.environment == scored.environment)
        {
            let environment = environment();
            return Err(StandingError::Twice { environment });
        }
        if scored.scores.len() != entrants {
            return Err(StandingError::Entrants {
                environment: environment(),
                found: scored.scores.len(),
                expected: entrants,
            });
        }
        let scores: Vec<f64> = scored
            .scores
            .iter()
            .map(|score| score.unwrap_or(rules.missing_score))
            .collect();
        if let Some(entrant) = scores.iter().position(|score| !score.is_finite()) {
            return Err(StandingError::NotFinite {
                environment: environment(),
                entrant,
                found: scores[entrant],
            });
        }
        for (points, quantile) in points.iter_mut().zip(quantiles(&scores, rules.alone)) {
            *points += rules.weight * quantile;
        }
        total += rules.weight;
    }
    Ok(points.into_iter().map(|points| points / total).collect())
}

#[cfg(test)]
mod tests;
