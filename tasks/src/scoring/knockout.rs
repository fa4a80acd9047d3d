//! One task of a knockout pair: who goes on.
//!
//! Unlike in a boss round somebody has to go on, so a bare majority of the decided rows is enough; but whoever wins more
//! rows and yet ranks worse, as a KL task's further term can make it, does not go on by them.
//!
//! | the rules and the results say | it is decided by |
//! |---|---|
//! | a contender is not valid | the other one; nobody if neither is |
//! | rows count, and both have comparable ones | rows won; the ranking score if those are equal or contradict it |
//! | else | the ranking score |
//!
//! Equal scores go to the hotkey that sorts first, so that the order of results decides nothing.

use super::boss::Showing;
use super::duel::Tally;
use crate::rules::{RuleSet, TaskKind};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// One of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contender<'a> {
    /// Its hotkey.
    pub hotkey: &'a str,
    /// What it has to show.
    pub showing: Showing<'a>,
    /// Whether it passed the fine-tune check.
    pub is_finetune: bool,
}

impl Contender<'_> {
    fn valid_score(&self) -> Option<f64> {
        self.showing.valid_score().filter(|_| self.is_finetune)
    }
}

/// Who goes on, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnockoutDecision {
    /// Index of the one that goes on; `None` if neither is valid.
    pub winner: Option<usize>,
    /// Why.
    pub reason: KnockoutReason,
    /// Rows won, lost and drawn by the first, where they were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
}

/// Why one of a pair goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnockoutReason {
    /// Neither is valid.
    NobodyValid,
    /// Only one is valid.
    OnlyValid,
    /// It won more rows.
    Rows,
    /// Rows do not count for this kind or were not recorded, and it ranks better.
    Score,
    /// The two were not scored on the same rows, and it ranks better.
    IncomparableRows,
    /// Rows are even, and it ranks better.
    EvenRows,
    /// It ranks better than the one that won more rows.
    ScoreOverRows,
}

/// Decides one task of a knockout pair.
pub fn decide_knockout(
    kind: TaskKind,
    pair: [&Contender<'_>; 2],
    rules: &RuleSet,
) -> KnockoutDecision {
    let decided = |winner, reason, tally| KnockoutDecision {
        winner,
        reason,
        tally,
    };
    let scores = pair.map(Contender::valid_score);
    let (Some(first), Some(second)) = (scores[0], scores[1]) else {
        return match scores.iter().position(Option::is_some) {
            Some(index) => decided(Some(index), KnockoutReason::OnlyValid, None),
            None => decided(None, KnockoutReason::NobodyValid, None),
        };
    };
    // Losses are compared here, so that less is better in every kind.
    let losses = if kind.higher_is_better() {
        [-first, -second]
    } else {
        [first, second]
    };
    let order = losses[0]
        .partial_cmp(&losses[1])
        .unwrap_or(Ordering::Equal)
        .then_with(|| pair[0].hotkey.cmp(pair[1].hotkey));
    let better = usize::from(order == Ordering::Greater);
    let (Some(ours), Some(theirs)) = (pair[0].showing.rows, pair[1].showing.rows) else {
        return decided(Some(better), KnockoutReason::Score, None);
    };
    if !rules.boss.knockout_rows.contains(&kind) {
        return decided(Some(better), KnockoutReason::Score, None);
    }
    let Ok(duel) = ours.duel(&theirs, rules.paired.dead_zone) else {
        return decided(Some(better), KnockoutReason::IncomparableRows, None);
    };
    let tally = Some(duel.tally);
    let by_rows = match duel.tally.wins.cmp(&duel.tally.losses) {
        Ordering::Equal => return decided(Some(better), KnockoutReason::EvenRows, tally),
        Ordering::Greater => 0,
        Ordering::Less => 1,
    };
    if losses[by_rows] > losses[1 - by_rows] {
        decided(Some(better), KnockoutReason::ScoreOverRows, tally)
    } else {
        decided(Some(by_rows), KnockoutReason::Rows, tally)
    }
}

#[cfg(test)]
mod tests;
