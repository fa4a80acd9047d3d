//! By how much a challenger was better: the margins that decide what a champion earns.
//!
//! | task | margin |
//! |---|---|
//! | less is better | (boss − challenger) / challenger |
//! | more is better | (challenger − boss) / boss |
//! | environment | from the challenger's share p of its games against the boss: base + (p − least) · slope |
//!
//! A margin is a fraction, and negative where the boss was better. It says nothing about who won the task.

use crate::Owner;
use crate::rules::{Divisor, PerformanceRules, TaskKind, WinShareRules};

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
pub fn tournament_margin(tasks: &[Option<f64>], rules: &PerformanceRules) -> f64 {
    let mut margins: Vec<f64> = tasks.iter().copied().flatten().collect();
    margins.sort_by(f64::total_cmp);
    let half = margins.len() / 2;
    match margins.len() {
        0 => rules.missing,
        count if count % 2 == 1 => margins[half],
        _ => (margins[half - 1] + margins[half]) / 2.0,
    }
}

#[cfg(test)]
mod tests;
