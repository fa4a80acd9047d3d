//! Rewards of several candidates to scores, which say nothing outside their task: each reward is normalised over the
//! candidates before they are weighed.
//!
//! | of one reward, over the candidates that have it | normalised |
//! |---|---|
//! | one has it | `flat` |
//! | two have it, and one is negative | `pair_low` and `pair_high`; the first of equals is the lower |
//! | else, shifted to start at zero if one is negative | over the highest; `flat` if that is zero |
//!
//! More is better.

use crate::Owner;
use crate::rules::{FailedRule, GrpoRules};

/// A candidate's rewards.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewards {
    /// Mean by reward function, not weighted; `None` for one that was never called.
    pub means: Vec<Option<f64>>,
    /// Divergence from the base model, nats; 0 where rules measure none.
    pub kl: f64,
    /// What its own evaluation says, which stands where nothing is normalised: the weighted sum less the trainer's loss.
    pub own_score: f64,
}

/// Why rewards have no scores.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NormaliseError {
    /// Rewards of other functions than the task's.
    #[error("candidate {candidate} has {found} rewards, but the task has {expected} functions")]
    Functions {
        /// Whose.
        candidate: usize,
        /// How many it has.
        found: usize,
        /// How many there are.
        expected: usize,
    },
    /// A number that is none.
    #[error(
        "candidate {candidate} has {found} as its {what}, expected a number\nhelp: a candidate without a result counts as failed"
    )]
    NotFinite {
        /// Whose.
        candidate: usize,
        /// Which number.
        what: String,
        /// Its value.
        found: f64,
    },
    /// A weight that is none.
    #[error("reward function {function} has weight {found}, expected a number of at least 0")]
    Weight {
        /// Which.
        function: usize,
        /// Its weight.
        found: f64,
    },
}

impl NormaliseError {
    /// Whose fault: functions and weights come with the task, and what they return is checked when they are called.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Scores by candidate, more is better; `None` for one that failed.
///
/// * `candidates`: in the order of evaluation, `None` for one that failed
/// * `weights`: by reward function
///
/// # Errors
/// `Functions`, `NotFinite` or `Weight` for numbers that cannot be scored, or whose score would not be one.
pub fn normalise(
    candidates: &[Option<Rewards>],
    weights: &[f64],
    rules: &GrpoRules,
) -> Result<Vec<Option<f64>>, NormaliseError> {
    check(candidates, weights)?;
    let own = |rewards: &Option<Rewards>| rewards.as_ref().map(|rewards| rewards.own_score);
    if candidates.len() < rules.candidates_min {
        return Ok(candidates.iter().map(own).collect());
    }
    let mut sums = vec![0.0; candidates.len()];
    // Sums run in the order in which rewards are first met, which is theirs unless a candidate lacks one.
    let has = |rewards: &Option<Rewards>, function: usize| {
        rewards
            .as_ref()
            .is_some_and(|r| r.means[function].is_some())
    };
    let met = |function: usize| candidates.iter().position(|r| has(r, function));
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|function| met(*function).unwrap_or(usize::MAX));
    for function in order {
        let weight = weights[function];
        let values: Vec<(usize, f64)> = candidates
            .iter()
            .enumerate()
            .filter_map(|(index, rewards)| Some((index, rewards.as_ref()?.means[function]?)))
            .collect();
        for (index, value) in normalised(&values, rules) {
            sums[index] += value * weight;
        }
    }
    let scored: Vec<f64> = candidates
        .iter()
        .zip(&sums)
        .filter_map(|(rewards, sum)| rewards.as_ref().map(|_| *sum))
        .collect();
    candidates
        .iter()
        .enumerate()
        .map(|(candidate, rewards)| {
            let Some(rewards) = rewards else {
                return Ok(None);
            };
            let sum = match rules.failed {
                FailedRule::Skipped => Some(sums[candidate]),
                FailedRule::ShiftOthers => scored.get(candidate).copied(),
            };
            let score = sum.map_or(rewards.own_score, |sum| {
                sum - rules.kl_coefficient * rewards.kl
            });
            finite(candidate, || "score".to_owned(), score).map(Some)
        })
        .collect()
}

/// One reward, normalised over the candidates that have it.
fn normalised(values: &[(usize, f64)], rules: &GrpoRules) -> Vec<(usize, f64)> {
    let lowest = values.iter().fold(f64::INFINITY, |low, (_, v)| low.min(*v));
    let shift = if lowest < 0.0 { lowest } else { 0.0 };
    let shifted: Vec<(usize, f64)> = values.iter().map(|(i, v)| (*i, v - shift)).collect();
    let highest = shifted.iter().fold(0.0, |high: f64, (_, v)| high.max(*v));
    match shifted[..] {
        [(index, _)] => vec![(index, rules.flat)],
        [first, second] if lowest < 0.0 => {
            let (low, high) = if second.1 < first.1 {
                (second, first)
            } else {
                (first, second)
            };
            vec![(low.0, rules.pair_low), (high.0, rules.pair_high)]
        }
        _ if highest > 0.0 => shifted.iter().map(|(i, v)| (*i, v / highest)).collect(),
        _ => shifted.iter().map(|(i, _)| (*i, rules.flat)).collect(),
    }
}

fn check(candidates: &[Option<Rewards>], weights: &[f64]) -> Result<(), NormaliseError> {
    for (function, weight) in weights.iter().enumerate() {
        if !(weight.is_finite() && *weight >= 0.0) {
            let found = *weight;
            return Err(NormaliseError::Weight { function, found });
        }
    }
    for (candidate, rewards) in candidates.iter().enumerate() {
        let Some(rewards) = rewards else { continue };
        if rewards.means.len() != weights.len() {
            return Err(NormaliseError::Functions {
                candidate,
                found: rewards.means.len(),
                expected: weights.len(),
            });
        }
        finite(candidate, || "divergence".to_owned(), rewards.kl)?;
        finite(candidate, || "own score".to_owned(), rewards.own_score)?;
        for (function, mean) in rewards.means.iter().enumerate() {
            let what = || format!("mean of reward function {function}");
            finite(candidate, what, mean.unwrap_or(0.0))?;
        }
    }
    Ok(())
}

fn finite(candidate: usize, what: impl Fn() -> String, found: f64) -> Result<f64, NormaliseError> {
    if found.is_finite() {
        return Ok(found);
    }
    Err(NormaliseError::NotFinite {
        candidate,
        what: what(),
        found,
    })
}

#[cfg(test)]
mod tests;
