//! What happens in a random tournament.

use super::super::play::{Chance, build, event, invalid, score, scored};
use crate::entry::review::{ChallengerState, PairwiseState};
use crate::tournament::*;

/// What might happen next.
pub(super) fn next(tournament: &Tournament, chance: &mut Chance) -> What {
    let playing = tournament
        .state()
        .entrants
        .iter()
        .filter(|e| e.out.is_none() && e.left.is_none());
    let playing: Vec<&str> = playing.map(|entrant| entrant.hotkey.as_str()).collect();
    if !playing.is_empty() && chance.permille(10) {
        let hotkey = playing[chance.below(playing.len())].to_owned();
        return What::Left {
            hotkey,
            why: Departure::Deregistered,
        };
    }
    let mut pending = tournament.pending();
    let chosen = chance.below(pending.len());
    let reason = || "for some reason".to_owned();
    match pending.swap_remove(chosen) {
        Pending::Start { .. } => What::Started {},
        Pending::Task { task, .. } => match chance.permille(30) {
            true => What::PrepFailed {
                task,
                reason: reason(),
            },
            false => build(tournament, task),
        },
        Pending::Training { task, hotkeys, .. } => What::Trained {
            task,
            results: some(hotkeys, chance)
                .into_iter()
                .map(|hotkey| Trained {
                    hotkey,
                    outcome: training(chance),
                })
                .collect(),
        },
        Pending::Evaluation {
            task,
            hotkeys,
            together,
            ..
        } => {
            let hotkeys = if together {
                hotkeys
            } else {
                some(hotkeys, chance)
            };
            let spoilt = chance.permille(50);
            let results = hotkeys.iter().map(|hotkey| match spoilt {
                true => Evaluated {
                    hotkey: hotkey.clone(),
                    outcome: EvaluationOutcome::Infrastructure { reason: reason() },
                },
                false => evaluation(tournament, task, hotkey, chance),
            });
            What::Evaluated {
                task,
                results: results.collect(),
            }
        }
        Pending::Judgement { task, .. } => match chance.below(6) {
            0 => What::TaskReset {
                task,
                reason: reason(),
            },
            1 => What::TaskReplaced {
                task,
                reason: reason(),
            },
            _ => What::FailuresAccepted {
                task,
                reason: reason(),
            },
        },
        Pending::DuplicateReview { entrants, .. } => {
            let boss = tournament.boss();
            let mut removed = entrants;
            removed.retain(|hotkey| hotkey == boss || chance.permille(100));
            What::EntrantsCompared {
                state: match chance.below(5) {
                    0 => PairwiseState::Pending { flagged: removed },
                    1 => PairwiseState::Error {},
                    2 => PairwiseState::Clean {},
                    3 => PairwiseState::Rejected {},
                    _ => PairwiseState::Accepted {
                        eliminated: removed,
                    },
                },
                reason: reason(),
            }
        }
        Pending::ChallengerReview { hotkey, .. } => What::ChallengerReviewed {
            hotkey,
            state: [
                ChallengerState::Clean,
                ChallengerState::Pending,
                ChallengerState::Accepted,
                ChallengerState::Rejected,
                ChallengerState::Error,
            ][chance.below(5)],
            reason: reason(),
        },
    }
}

fn some(mut hotkeys: Vec<String>, chance: &mut Chance) -> Vec<String> {
    if chance.permille(300) {
        let count = 1 + chance.below(hotkeys.len());
        hotkeys.rotate_left(chance.below(count));
        hotkeys.truncate(count);
    }
    hotkeys
}

fn training(chance: &mut Chance) -> TrainingOutcome {
    let reason = "RuntimeError: no".to_owned();
    match chance.below(20) {
        0 => TrainingOutcome::Lost { reason },
        1 => TrainingOutcome::Failed {
            reason,
            retry: false,
        },
        2 | 3 => TrainingOutcome::Failed {
            reason,
            retry: true,
        },
        _ => TrainingOutcome::Succeeded {},
    }
}

fn evaluation(tournament: &Tournament, task: u32, hotkey: &str, chance: &mut Chance) -> Evaluated {
    if chance.permille(80) {
        return invalid(hotkey);
    }
    // Few different values, so that ties and draws are common; challengers are better than the boss more often.
    let better = hotkey != tournament.boss() && chance.permille(700);
    let value = (1 + chance.below(6)) as f64 / if better { 16.0 } else { 8.0 };
    let rows = chance.below(5);
    let mut score = score(tournament, task, value, rows);
    let later = hotkey.bytes().map(i64::from).sum::<i64>() % 3;
    score.uploaded_unix_us = score.uploaded_unix_us.map(|uploaded| uploaded + later);
    for value in score.environments.values_mut() {
        *value = (chance.below(5) + usize::from(better)) as f64 / 8.0;
    }
    if let Some(ranking) = &mut score.ranking
        && tournament.state().tasks[task as usize - 1]
            .plan
            .higher_is_better()
    {
        *ranking = (chance.below(7) + usize::from(better)) as f64 / 4.0 - 0.5;
    }
    if let Some(rows) = &mut score.rows {
        for row in &mut rows.losses {
            match chance.below(12) {
                0 => *row = None,
                1..=3 => *row = row.map(|row| row + 0.25),
                _ => {}
            }
        }
        if chance.permille(30) {
            rows.fingerprint.push('2');
        }
    }
    scored(hotkey, score)
}

/// Something that does not fit is refused, and nothing is different then.
pub(super) fn nonsense_changes_nothing(tournament: &mut Tournament, chance: &mut Chance) {
    let before = tournament.clone();
    let tasks = tournament.state().tasks.len() as u32;
    let any_task = chance.below(tasks as usize + 1) as u32;
    let nan = || Score {
        ranking: Some(f64::NAN),
        rows: None,
        kl_term: None,
        uploaded_unix_us: None,
        environments: std::collections::BTreeMap::from([("x".to_owned(), f64::NAN)]),
    };
    let hotkey = "m000";
    let what = match chance.below(6) {
        0 => What::TaskBuilt {
            task: tasks + 1,
            task_id: "x".to_owned(),
            model: "x".to_owned(),
            environments: Vec::new(),
        },
        1 => What::Evaluated {
            task: any_task,
            results: vec![scored(hotkey, nan())],
        },
        2 => What::Trained {
            task: any_task,
            results: vec![Trained {
                hotkey: "nobody".to_owned(),
                outcome: TrainingOutcome::Succeeded {},
            }],
        },
        3 => What::Left {
            hotkey: "nobody".to_owned(),
            why: Departure::Withdrawn,
        },
        4 => What::FailuresAccepted {
            task: any_task,
            reason: String::new(),
        },
        _ => What::ChallengerReviewed {
            hotkey: "nobody".to_owned(),
            state: ChallengerState::Clean,
            reason: "x".to_owned(),
        },
    };
    let mut event = event(tournament, what);
    assert!(tournament.apply(&event).is_err(), "{event:?}");
    event.sequence += 1;
    assert!(tournament.apply(&event).is_err());
    assert!(*tournament == before, "{event:?}");
}
