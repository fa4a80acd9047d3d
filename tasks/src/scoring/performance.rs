//! By how much a challenger was better: the margins that decide what a champion earns.
//!
//! | task | margin |
//! |---|---|
//! | less is better | (boss − challenger) / challenger |
//! | more is better | (challenger − boss) / boss |
//! | environment | from a share p of games won, as the rules make one of both sides' results: base + (p − least) · slope |
//!
//! A margin is a fraction, and negative where the boss was better. It says nothing about who won the task.

use crate::Owner;
use crate::rules::{Divisor, PerformanceRules, ShareRule, TaskKind, WinShareRules};

/// A share of games that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a share of games won is {found}, expected at most 1")]
pub struct ShareError {
    /// What was given.
    pub found: f64,
}

impl ShareError {
    /// Whose fault: shares are counted by the operator's program.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Why a tournament has no margin.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MarginError {
    /// A task's margin that is no number.
    #[error(
        "the margin of task {task} is {found}, expected a finite number\nhelp: a task without a margin has none; leave it out"
    )]
    NotFinite {
        /// Which of the tasks, from 0.
        task: usize,
        /// What was given.
        found: f64,
    },
    /// The middle two add up to more than there is.
    #[error(
        "the mean of the margins {low} and {high} is no finite number\nhelp: look at the scores, one is next to nothing"
    )]
    Overflow {
        /// The lower.
        low: f64,
        /// The higher.
        high: f64,
    },
}

impl MarginError {
    /// Whose fault: margins come from the operator's own scores.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// The margin of one task of a boss round; `None` where a side has no finite score, so that there is nothing to compare.
pub fn task_margin(
    kind: TaskKind,
    challenger: Option<f64>,
    boss: Option<f64>,
    rules: &PerformanceRules,
) -> Option<f64> {
    let challenger = challenger.filter(|score| score.is_finite())?;
    let boss = boss.filter(|score| score.is_finite())?;
    let (better, base) = if kind.higher_is_better() {
        (challenger - boss, boss)
    } else {
        (boss - challenger, challenger)
    };
    let divisor = match rules.divisor {
        Divisor::Positive => base,
        Divisor::Magnitude => base.abs(),
    };
    if divisor > 0.0 {
        // Over the smallest numbers this can overflow, and an infinite margin would earn without end.
        Some(better / divisor).filter(|margin| margin.is_finite())
    } else {
        Some(rules.missing)
    }
}

/// The challenger's share of games won in one environment task, from both sides' results and the number of environments,
/// which is one or more. Below 0 where results are small.
pub fn win_share(challenger: f64, boss: f64, environments: usize, rule: &ShareRule) -> f64 {
    let ShareRule::Points {
        challenger: ours,
        boss: theirs,
        environment,
    } = rule;
    let all = environment * environments as f64;
    (ours * challenger + theirs * boss - all) / all
}

/// The margin of one environment task, from the challenger's share of its games. A share below 0, as point totals can give
/// one, counts as 0.
///
/// # Errors
/// If it is not a number, or above 1.
pub fn win_share_margin(share: f64, rules: &WinShareRules) -> Result<f64, ShareError> {
    if share.is_nan() || share > 1.0 {
        return Err(ShareError { found: share });
    }
    let share = share.max(0.0);
    Ok(if share < rules.share_min {
        0.0
    } else {
        rules.base + (share - rules.share_min) * rules.slope
    })
}

/// The margin of a tournament: the median over the tasks that have one, the mean of the middle two where they are even in
/// number; the rules' `missing` where none has.
///
/// # Errors
/// `NotFinite` for a margin that is no number, `Overflow` where the middle two add up to none: what is infinite would earn
/// without end.
pub fn tournament_margin(
    tasks: &[Option<f64>],
    rules: &PerformanceRules,
) -> Result<f64, MarginError> {
    let mut margins = Vec::with_capacity(tasks.len());
    for (task, margin) in tasks.iter().enumerate() {
        match margin {
            Some(found) if !found.is_finite() => {
                let found = *found;
                return Err(MarginError::NotFinite { task, found });
            }
            Some(margin) => margins.push(*margin),
            None => {}
        }
    }
    margins.sort_by(f64::total_cmp);
    let half = margins.len() / 2;
    if margins.is_empty() {
        return Ok(rules.missing);
    }
    if margins.len() % 2 == 1 {
        return Ok(margins[half]);
    }
    let (low, high) = (margins[half - 1], margins[half]);
    let mean = (low + high) / 2.0;
    match mean.is_finite() {
        true => Ok(mean),
        false => Err(MarginError::Overflow { low, high }),
    }
}

#[cfg(test)]
mod tests;
