//! Who of a group or a pair goes on.

use super::event::Score;
use super::settle::showing;
use super::state::{Decision, Evaluation, Task};
use crate::rules::{RuleSet, TaskKind};
use crate::scoring::environment::{EnvironmentScores, advancing, standings};
use crate::scoring::{Contender, decide_knockout};
use std::cmp::Ordering;

/// Entries of a task that count, the best first, by index of contestant, and whether two of them tie. Ties keep the
/// order of the draw.
pub(super) fn ranked(task: &Task) -> (Vec<usize>, bool) {
    let higher = task.plan.higher_is_better();
    let mut entries: Vec<(usize, f64)> = task
        .rankings()
        .into_iter()
        .enumerate()
        .filter_map(|(index, ranking)| {
            let ranking = if higher { -ranking? } else { ranking? };
            // Zeros of either sign are one number.
            Some((index, ranking + 0.0))
        })
        .collect();
    entries.sort_by(|a, b| a.1.total_cmp(&b.1));
    let tied = entries.windows(2).any(|pair| pair[0].1 == pair[1].1);
    (entries.into_iter().map(|(index, _)| index).collect(), tied)
}

/// A contestant over the tasks of a group.
struct Standing<'a> {
    hotkey: &'a str,
    /// Tasks without an entry that counts.
    missing: usize,
    ranks: usize,
    summed: f64,
}

/// Contestants of a group with an entry that counts, the best first: those who miss no task, by mean rank, by summed
/// loss, by hotkey. A task that nobody has an entry for is none; one that somebody misses ranks him behind all others.
pub(super) fn group(tasks: &[&Task]) -> Vec<String> {
    let ranked: Vec<(&Task, Vec<usize>)> = tasks
        .iter()
        .map(|task| (*task, ranked(task).0))
        .filter(|(_, order)| !order.is_empty())
        .collect();
    let Some((first, _)) = ranked.first() else {
        return Vec::new();
    };
    let standing = |index: usize| {
        let mut standing = Standing {
            hotkey: &first.contestants[index].hotkey,
            missing: 0,
            ranks: 0,
            summed: 0.0,
        };
        for (task, order) in &ranked {
            match order.iter().position(|contestant| *contestant == index) {
                Some(before) => {
                    standing.ranks += before + 1;
                    let ranking = task.rankings()[index].unwrap_or(0.0);
                    let higher = task.plan.higher_is_better();
                    standing.summed += if higher { -ranking } else { ranking };
                }
                None => {
                    standing.missing += 1;
                    standing.ranks += order.len() + 1;
                    standing.summed = f64::INFINITY;
                }
            }
        }
        standing
    };
    let mut standings: Vec<Standing<'_>> = (0..first.contestants.len())
        .map(standing)
        .filter(|standing| standing.missing < ranked.len())
        .collect();
    standings.sort_by(|a, b| better(a, b));
    let hotkeys = standings.into_iter();
    hotkeys.map(|standing| standing.hotkey.to_owned()).collect()
}

// Every contestant has the same number of tasks, so sums of ranks compare as means do.
fn better(a: &Standing<'_>, b: &Standing<'_>) -> Ordering {
    (a.missing > 0)
        .cmp(&(b.missing > 0))
        .then(a.ranks.cmp(&b.ranks))
        .then((a.summed + 0.0).total_cmp(&(b.summed + 0.0)))
        .then(a.hotkey.cmp(b.hotkey))
}

/// The place of a contestant among the entries of a task that count, from 1.
pub(super) fn rank_of(task: &Task, hotkey: &str) -> Option<u32> {
    let index = task.contestants.iter().position(|c| c.hotkey == hotkey)?;
    let before = match &task.decision {
        Some(Decision::Standings { scores }) => {
            let score = scores[index]?;
            let better = |other: &Option<f64>| other.is_some_and(|other| other > score);
            scores.iter().filter(|other| better(other)).count()
        }
        _ => ranked(task).0.iter().position(|other| *other == index)?,
    };
    Some(before as u32 + 1)
}

/// Who wins a pair.
pub(super) fn pair(task: &Task, kind: TaskKind, rules: &RuleSet) -> Decision {
    let contenders: Vec<Contender<'_>> = task
        .contestants
        .iter()
        .map(|contestant| Contender {
            hotkey: &contestant.hotkey,
            showing: showing(&contestant.evaluation),
            // What is none is invalid, and has nothing to show.
            is_finetune: true,
        })
        .collect();
    let [first, second] = contenders.as_slice() else {
        return Decision::Pair {
            winner: None,
            decision: None,
        };
    };
    let decision = decide_knockout(kind, [first, second], rules);
    let winner = decision.winner.and_then(|winner| contenders.get(winner));
    Decision::Pair {
        winner: winner.map(|winner| winner.hotkey.to_owned()),
        decision: Some(decision),
    }
}

/// Standings of an environment task, in the order of contestants; `None` where an entry does not count.
pub(super) fn environments(task: &Task, rules: &RuleSet) -> Vec<Option<f64>> {
    let scored: Vec<Option<&Score>> = task
        .contestants
        .iter()
        .map(|contestant| match &contestant.evaluation {
            Evaluation::Scored { score } => Some(score),
            _ => None,
        })
        .collect();
    let names = task
        .built
        .as_ref()
        .map_or(&[][..], |built| &built.environments);
    let of = |environment: &String| EnvironmentScores {
        environment: environment.clone(),
        scores: scored
            .iter()
            .flatten()
            .map(|score| score.environments.get(environment).copied())
            .collect(),
    };
    let by_environment: Vec<EnvironmentScores> = names.iter().map(of).collect();
    let entries = scored.iter().flatten().count();
    let standings = rules
        .environment()
        .ok()
        .and_then(|rules| standings(&by_environment, entries, rules).ok())
        .unwrap_or_default();
    let mut standings = standings.into_iter();
    scored
        .iter()
        .map(|score| score.and_then(|_| standings.next()))
        .collect()
}

/// Who of an environment group goes on besides the boss.
pub(super) fn environment_winners(task: &Task, boss: &str, rules: &RuleSet) -> Vec<String> {
    let (Some(Decision::Standings { scores }), Ok(rules)) = (&task.decision, rules.environment())
    else {
        return Vec::new();
    };
    let boss = task.contestants.iter().position(|c| c.hotkey == boss);
    let advance = advancing(scores, boss, rules);
    let names = advance
        .indices
        .into_iter()
        .filter_map(|index| task.contestants.get(index));
    names.map(|contestant| contestant.hotkey.clone()).collect()
}
