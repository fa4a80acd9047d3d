//! One task of a boss round: whether the challenger takes it from the champion.
//!
//! | the rules and the results say | it is decided by |
//! |---|---|
//! | a side has no finite score | the side that has one; the boss if neither has |
//! | rows are compared, and both sides have them | the paired bootstrap, then the ranking scores |
//! | else | the margin between the scores |
//!
//! Nothing here is an error: whatever two sides bring, somebody has the task or it is drawn, and the reason says why.

use super::duel::{Bounds, Duel, IncomparableError, Tally, Verdict};
use crate::rules::{MarginRule, RuleSet, TaskKind};
use serde::{Deserialize, Serialize};

/// What one side has to show for a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Showing<'a> {
    /// The score that ranks it; `None`, not a number or infinite where training or evaluation failed.
    pub score: Option<f64>,
    /// Losses by row; `None` where the evaluation recorded none.
    pub rows: Option<Rows<'a>>,
}

/// Losses by row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    /// In evaluation order, nats; `None` for a loss that is not a number.
    pub losses: &'a [Option<f64>],
    /// Fingerprint of the evaluated set.
    pub fingerprint: &'a str,
}

impl Rows<'_> {
    /// These rows, as the challenger's, against a holder's.
    ///
    /// # Errors
    /// If they are not of the same set.
    pub fn duel(&self, holder: &Rows<'_>, dead_zone: f64) -> Result<Duel, IncomparableError> {
        Duel::new(
            self.losses,
            self.fingerprint,
            holder.losses,
            holder.fingerprint,
            dead_zone,
        )
    }
}

impl Showing<'_> {
    /// The score, if it is one.
    pub fn valid_score(&self) -> Option<f64> {
        self.score.filter(|score| score.is_finite())
    }
}

/// Who has a task, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDecision {
    /// Who has it.
    pub verdict: Verdict,
    /// Why.
    pub reason: TaskReason,
    /// What the rows said, where they were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowEvidence>,
}

/// Why somebody has a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum TaskReason {
    /// A side has no finite score.
    NoScore {
        /// Whether the challenger has one.
        challenger: bool,
        /// Whether the boss has one.
        boss: bool,
    },
    /// The two were not scored on the same rows, so the challenger has shown nothing.
    Incomparable {
        /// How the rows differ.
        message: String,
    },
    /// No row has a finite loss on both sides.
    NoRows,
    /// Every row lies inside the dead zone.
    AllDrawn,
    /// The lower bound of the win rate falls short.
    WinRate,
    /// The lower bound of the mean gap falls short.
    Gap,
    /// The rows would have been enough, but the ranking score, which on KL tasks has a term more, is worse.
    Score {
        /// The challenger's.
        challenger: f64,
        /// The boss's.
        boss: f64,
    },
    /// Both bounds are reached.
    Rows,
    /// The margin decided.
    Margin {
        /// The challenger's score.
        challenger: f64,
        /// The boss's score.
        boss: f64,
        /// What the challenger's score had to reach.
        needed: f64,
    },
}

/// What compared rows said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowEvidence {
    /// Rows won, lost and drawn by the challenger.
    pub tally: Tally,
    /// Mean gap over all compared rows, nats.
    pub mean_gap: Option<f64>,
    /// Lower bound of the win rate; `None` if every row was drawn.
    pub win_rate_lower: Option<f64>,
    /// What it had to reach.
    pub win_rate_needed: f64,
    /// Lower bound of the mean gap; `None` if no row was compared.
    pub gap_lower: Option<f64>,
    /// What it had to reach; `None` if no row was compared.
    pub gap_needed: Option<f64>,
}

impl RowEvidence {
    fn new(duel: &Duel, bounds: Option<&Bounds>, win_rate_needed: f64) -> Self {
        Self {
            tally: duel.tally,
            mean_gap: duel.mean_gap,
            win_rate_lower: bounds.and_then(|bounds| bounds.win_rate_lower),
            win_rate_needed,
            gap_lower: bounds.map(|bounds| bounds.gap_lower),
            gap_needed: bounds.map(|bounds| bounds.gap_needed),
        }
    }
}

/// Decides one task of a boss round.
///
/// * `wins`: tournaments that the champion has won in a row; only progressive margins look at it
///
/// The reference takes a task by rows away from a challenger whose ranking score is worse than the boss's, whatever
/// the kind; outside KL tasks the bound of the gap is stricter than that. A task whose rows all lie inside the dead zone is
/// drawn; few decided rows are no reason by themselves, since the bounds widen with them.
pub fn decide_task(
    kind: TaskKind,
    challenger: &Showing<'_>,
    boss: &Showing<'_>,
    wins: u32,
    rules: &RuleSet,
) -> TaskDecision {
    let scores = (challenger.valid_score(), boss.valid_score());
    let (Some(challenger_score), Some(boss_score)) = scores else {
        let verdict = match scores {
            (Some(_), None) => Verdict::Challenger,
            _ => Verdict::Holder,
        };
        let reason = TaskReason::NoScore {
            challenger: scores.0.is_some(),
            boss: scores.1.is_some(),
        };
        return decision(verdict, reason);
    };
    match (challenger.rows, boss.rows) {
        (Some(ours), Some(theirs)) if rules.boss.paired.contains(&kind) => {
            by_rows(&ours, &theirs, challenger_score, boss_score, rules)
        }
        _ => by_margin(kind, challenger_score, boss_score, wins, rules),
    }
}

fn decision(verdict: Verdict, reason: TaskReason) -> TaskDecision {
    TaskDecision {
        verdict,
        reason,
        rows: None,
    }
}

fn by_rows(
    challenger: &Rows<'_>,
    boss: &Rows<'_>,
    challenger_score: f64,
    boss_score: f64,
    rules: &RuleSet,
) -> TaskDecision {
    let paired = &rules.paired;
    let duel = match challenger.duel(boss, paired.dead_zone) {
        Ok(duel) => duel,
        Err(error) => {
            let message = error.to_string();
            return decision(Verdict::Holder, TaskReason::Incomparable { message });
        }
    };
    let bounds = duel.bounds(paired);
    let (verdict, reason) = match &bounds {
        None => (Verdict::Holder, TaskReason::NoRows),
        Some(bounds) => match bounds.verdict() {
            Verdict::Draw => (Verdict::Draw, TaskReason::AllDrawn),
            Verdict::Holder if bounds.often_enough() => (Verdict::Holder, TaskReason::Gap),
            Verdict::Holder => (Verdict::Holder, TaskReason::WinRate),
            Verdict::Challenger if challenger_score > boss_score => {
                let (challenger, boss) = (challenger_score, boss_score);
                (Verdict::Holder, TaskReason::Score { challenger, boss })
            }
            Verdict::Challenger => (Verdict::Challenger, TaskReason::Rows),
        },
    };
    TaskDecision {
        verdict,
        reason,
        rows: Some(RowEvidence::new(
            &duel,
            bounds.as_ref(),
            paired.win_rate_min,
        )),
    }
}

fn by_margin(
    kind: TaskKind,
    challenger: f64,
    boss: f64,
    wins: u32,
    rules: &RuleSet,
) -> TaskDecision {
    let margin = rules.boss_margin(wins);
    let higher = kind.higher_is_better();
    let needed = match (rules.boss.margin, higher) {
        (MarginRule::Additive { .. }, true) => boss + boss.abs() * margin,
        (MarginRule::Additive { .. }, false) => boss - boss.abs() * margin,
        (MarginRule::Progressive { .. }, true) => boss * (1.0 + margin),
        (MarginRule::Progressive { .. }, false) => boss * (1.0 - margin),
    };
    let taken = if higher {
        challenger >= needed
    } else {
        challenger <= needed
    };
    let verdict = if taken {
        Verdict::Challenger
    } else {
        Verdict::Holder
    };
    let reason = TaskReason::Margin {
        challenger,
        boss,
        needed,
    };
    decision(verdict, reason)
}

#[cfg(test)]
mod tests;
