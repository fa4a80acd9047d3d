//! A whole boss round: whether the challenger takes the title, the champion keeps it, or drawn tasks are replaced first.
//!
//! Drawn tasks are not counted, neither won nor lost; but a round that lost tasks to draws asks for as many wins as it
//! was built for, as long as that can be reached at all. A lineage of continuous SFT is asked by itself, on top of the
//! count: lost once, the title stays.

use super::duel::Verdict;
use crate::rules::{BossRules, DrawRule, LineageRule, TaskKind, TitleRule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A task of a boss round, decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundTask {
    /// What it measures.
    pub kind: TaskKind,
    /// The lineage of continuous SFT that it continues, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
    /// Who has it.
    pub verdict: Verdict,
}

/// What a boss round comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TitleDecision {
    /// Who has the title, or what has to be played first.
    pub outcome: TitleOutcome,
    /// Why.
    pub reason: TitleReason,
    /// Tasks that the challenger won.
    pub won: usize,
    /// Tasks that the boss won.
    pub lost: usize,
    /// Tasks that were drawn.
    pub drawn: usize,
    /// Tasks that the challenger had to win.
    pub needed: usize,
    /// Lineages that the challenger neither won nor drew, by name.
    #[serde(default)]
    pub lineages_lost: Vec<String>,
}

/// Who has the title, or what has to be played first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "title", rename_all = "snake_case", deny_unknown_fields)]
pub enum TitleOutcome {
    /// The challenger.
    Challenger,
    /// The champion.
    Boss,
    /// Open: one batch of replacements, a task for each drawn one.
    Replace {
        /// Their kinds, in the order of the drawn tasks.
        kinds: Vec<TaskKind>,
    },
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleReason {
    /// Enough wins, and every lineage won or drawn.
    EnoughWins,
    /// Too few wins.
    TooFewWins,
    /// Enough wins, but a lineage is lost.
    LineageLost,
    /// No task was decided.
    NothingDecided,
    /// Drawn tasks have to be replaced.
    Draws,
}

/// Decides a boss round whose tasks are all decided.
///
/// * `built`: tasks that the round was built with, without replacements
/// * `batches`: batches of replacements that it already got
pub fn decide_title(
    tasks: &[RoundTask],
    built: usize,
    batches: u32,
    rules: &BossRules,
) -> TitleDecision {
    let count = |verdict| tasks.iter().filter(|task| task.verdict == verdict).count();
    let (won, lost) = (count(Verdict::Challenger), count(Verdict::Holder));
    let drawn = count(Verdict::Draw);
    let decided = won + lost;
    let needed = match rules.title {
        TitleRule::Majority {} => decided / 2 + 1,
        TitleRule::AllBut { losses } => {
            let asked = if drawn > 0 {
                decided.max(built)
            } else {
                decided
            };
            // Winning all that was decided is always enough; winning nothing never is.
            asked
                .saturating_sub(losses as usize)
                .max(1)
                .min(decided.max(1))
        }
    };
    let lineages_lost = match rules.lineages {
        LineageRule::None => Vec::new(),
        LineageRule::WonOrDrawn => lost_lineages(tasks),
    };
    let (outcome, reason) = match replacements(tasks, batches, rules.draws) {
        kinds if !kinds.is_empty() => (TitleOutcome::Replace { kinds }, TitleReason::Draws),
        _ if decided == 0 => (TitleOutcome::Boss, TitleReason::NothingDecided),
        _ if won < needed => (TitleOutcome::Boss, TitleReason::TooFewWins),
        _ if !lineages_lost.is_empty() => (TitleOutcome::Boss, TitleReason::LineageLost),
        _ => (TitleOutcome::Challenger, TitleReason::EnoughWins),
    };
    TitleDecision {
        outcome,
        reason,
        won,
        lost,
        drawn,
        needed,
        lineages_lost,
    }
}

/// The kinds of the tasks that replace the drawn ones, if the round still gets any.
fn replacements(tasks: &[RoundTask], batches: u32, rule: DrawRule) -> Vec<TaskKind> {
    match rule {
        DrawRule::Replaced {
            batches: most,
            lineage_as,
        } if batches < most => tasks
            .iter()
            .filter(|task| task.verdict == Verdict::Draw)
            .map(|task| match task.lineage {
                // A second task of a lineage would train the same chunk of it again.
                Some(_) => lineage_as,
                None => task.kind,
            })
            .collect(),
        DrawRule::Replaced { .. } | DrawRule::None {} => Vec::new(),
    }
}

/// Lineages without a draw whose last decided task is the boss's.
fn lost_lineages(tasks: &[RoundTask]) -> Vec<String> {
    let mut satisfied: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for task in tasks {
        if let Some(lineage) = &task.lineage {
            let (drawn, won) = satisfied.entry(lineage).or_default();
            match task.verdict {
                Verdict::Draw => *drawn = true,
                verdict => *won = verdict == Verdict::Challenger,
            }
        }
    }
    satisfied
        .into_iter()
        .filter(|(_, (drawn, won))| !(*drawn || *won))
        .map(|(lineage, _)| lineage.to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
