//! Boss rounds, and the reviews after them.

use super::play::{apply, at_boss, build, by_number, play, score, scored, text, trained};
use crate::entry::review::ChallengerState;
use crate::rules::TaskKind;
use crate::scoring::title::TitleReason;
use crate::tournament::state::{Decision, Evaluation, Hold, Task, TitleRecord};
use crate::tournament::*;
use crate::weights::Performance;

/// Whoever challenges wins all of a boss round's tasks but those for which `value` says something else.
fn boss_round(value: &dyn Fn(&Task, &str) -> Option<f64>) -> Tournament {
    let mut tournament = text(4);
    play(&mut tournament, &by_number, &at_boss);
    play(&mut tournament, value, &|t| {
        !matches!(t.state().stage, Stage::Playing {})
    });
    tournament
}

fn verdict(tournament: &Tournament) -> (String, TitleReason) {
    let round = tournament.state().rounds.last().unwrap();
    let Some(TitleRecord::Tasks { decision }) = &round.title else {
        panic!("the title is decided by tasks");
    };
    (round.advanced.clone().unwrap()[0].clone(), decision.reason)
}

#[test]
fn a_challenger_may_lose_one_task_but_no_lineage() {
    let first = |tournament: &Tournament, kind| {
        let round = tournament.state().rounds.len() as u32;
        tournament
            .tasks_of(round)
            .find(|task| task.plan.kind() == Some(kind))
            .unwrap()
            .number
    };
    let probe = boss_round(&by_number);
    assert_eq!(
        verdict(&probe),
        ("m000".to_owned(), TitleReason::EnoughWins)
    );
    let (dpo, grpo, chat) = (
        first(&probe, TaskKind::Dpo),
        first(&probe, TaskKind::Grpo),
        first(&probe, TaskKind::Chat),
    );
    let losing = |tasks: &'static [TaskKind], numbers: Vec<u32>| {
        let _ = tasks;
        boss_round(&move |task: &Task, hotkey: &str| {
            let lost = numbers.contains(&task.number) && hotkey == "m000";
            if lost { None } else { by_number(task, hotkey) }
        })
    };
    let one = losing(&[TaskKind::Dpo], vec![dpo]);
    assert_eq!(verdict(&one), ("m000".to_owned(), TitleReason::EnoughWins));
    let two = losing(&[TaskKind::Dpo, TaskKind::Grpo], vec![dpo, grpo]);
    assert_eq!(verdict(&two).1, TitleReason::TooFewWins);
    let lineage = losing(&[TaskKind::Chat], vec![chat]);
    assert_eq!(verdict(&lineage).1, TitleReason::LineageLost);
    assert_eq!(verdict(&lineage).0, lineage.boss());
}

#[test]
fn drawn_tasks_get_one_batch_of_stand_ins() {
    // Nobody can be told from anybody where rows are compared.
    let drawn = |task: &Task, hotkey: &str| match task.plan.kind() {
        Some(TaskKind::Grpo) => by_number(task, hotkey),
        _ => Some(1.0),
    };
    let tournament = boss_round(&drawn);
    let round = tournament.state().rounds.last().unwrap();
    assert_eq!((round.built_tasks, round.batches), (5, 1));
    let kinds: Vec<TaskKind> = tournament
        .tasks_of(round.number)
        .skip(5)
        .map(|task| task.plan.kind().unwrap())
        .collect();
    // The lineage's stand-in is an instruct task, and continues no lineage.
    use TaskKind::{Dpo, Instruct};
    assert_eq!(kinds, [Instruct, Instruct, Dpo, Instruct]);
    assert!(
        tournament
            .tasks_of(round.number)
            .skip(5)
            .all(|task| task.plan.lineage().is_none())
    );
    // They draw too: the one task that was decided has to be won, and was.
    assert_eq!(
        verdict(&tournament),
        ("m000".to_owned(), TitleReason::EnoughWins)
    );
}

#[test]
fn a_boss_without_an_entry_loses_tasks_and_both_without_keep_them() {
    let boss_fails = |task: &Task, hotkey: &str| {
        if hotkey.starts_with('m') {
            by_number(task, hotkey)
        } else {
            None
        }
    };
    let tournament = boss_round(&boss_fails);
    assert_eq!(verdict(&tournament).0, "m000");
    let mut tournament = text(4);
    play(&mut tournament, &by_number, &at_boss);
    while matches!(tournament.state().stage, Stage::Playing {}) {
        play(&mut tournament, &|_, _| None, &|t| {
            !matches!(t.state().stage, Stage::Playing {})
        });
        for pending in tournament.pending() {
            if let Pending::Judgement { task, .. } = pending {
                let reason = "their own".to_owned();
                apply(&mut tournament, What::FailuresAccepted { task, reason });
            }
        }
    }
    assert_eq!(verdict(&tournament).0, tournament.boss());
}

#[test]
fn rows_of_other_sets_or_lengths_are_the_boss_s() {
    for change in [
        (|rows: &mut Rows| rows.fingerprint.push('2')) as fn(&mut Rows),
        |rows| rows.losses.push(Some(0.1)),
        |rows| rows.losses.fill(None),
    ] {
        let mut tournament = text(4);
        play(&mut tournament, &by_number, &at_boss);
        let round = tournament.state().rounds.len() as u32;
        let task = tournament.tasks_of(round).next().unwrap().number;
        let built = build(&tournament, task);
        apply(&mut tournament, built);
        let boss = tournament.boss().to_owned();
        let results = ["m000", &boss]
            .iter()
            .map(|hotkey| trained(hotkey, true))
            .collect();
        apply(&mut tournament, What::Trained { task, results });
        let mut better = score(&tournament, task, 0.5, 4);
        change(better.rows.as_mut().unwrap());
        let worse = score(&tournament, task, 1.0, 4);
        let same_set = better
            .rows
            .as_ref()
            .map(|rows| (&rows.fingerprint, rows.losses.len()))
            == worse
                .rows
                .as_ref()
                .map(|rows| (&rows.fingerprint, rows.losses.len()));
        let results = vec![scored("m000", better), scored(&boss, worse)];
        let effects = apply(&mut tournament, What::Evaluated { task, results });
        // Somebody looks at other rows before they decide anything.
        let why = Hold::DifferentRows;
        let held = effects.contains(&Effect::TaskHeld { task, why });
        assert_eq!(held, !same_set, "{effects:?}");
        if held {
            let reason = "its own choice".to_owned();
            apply(&mut tournament, What::FailuresAccepted { task, reason });
        }
        play(&mut tournament, &by_number, &|t| {
            !matches!(t.state().stage, Stage::Playing {})
        });
        let Some(Decision::Boss { decision }) =
            &tournament.state().tasks[task as usize - 1].decision
        else {
            panic!("a boss round's task is decided");
        };
        assert_eq!(
            decision.verdict,
            crate::scoring::Verdict::Holder,
            "{decision:?}"
        );
        // Rows are in the events from now on.
        let task = &tournament.state().tasks[task as usize - 1];
        assert!(
            task.contestants
                .iter()
                .all(|contestant| match &contestant.evaluation {
                    Evaluation::Scored { score } => score.rows.is_none(),
                    _ => true,
                })
        );
    }
}

#[test]
fn reviews_hold_the_result_until_they_are_decided() {
    use ChallengerState::{Accepted, Clean, Error, Pending as Open, Rejected};
    for (states, why) in [
        (vec![Clean], OutcomeReason::Challenger),
        (vec![Open, Error, Open, Rejected], OutcomeReason::Challenger),
        (vec![Error, Clean], OutcomeReason::Challenger),
        (vec![Open, Accepted], OutcomeReason::Disqualified),
    ] {
        let mut tournament = boss_round(&by_number);
        for state in states {
            assert!(tournament.result().is_none());
            let reason = "as found".to_owned();
            let hotkey = "m000".to_owned();
            apply(
                &mut tournament,
                What::ChallengerReviewed {
                    hotkey,
                    state,
                    reason,
                },
            );
        }
        let result = tournament.result().unwrap();
        assert_eq!(result.why, why);
        let places: Vec<&str> = result
            .places
            .iter()
            .map(|place| place.hotkey.as_str())
            .collect();
        let boss = tournament.boss();
        if why == OutcomeReason::Disqualified {
            // m001 lost the last knockout to him, and is second now; the first round's losers share the third place.
            assert_eq!(places[..2], [boss, "m001"]);
            assert_eq!(places.last(), Some(&"m000"));
            let stored_difference = Some(0.125);
            assert_eq!(
                result.performance,
                Performance::Defended { stored_difference }
            );
        } else {
            assert_eq!(places[..3], ["m000", boss, "m001"]);
            assert!(
                matches!(result.performance, Performance::Won { difference: Some(d), burn_account: false } if d > 0.0)
            );
        }
        let positions = result.results.final_positions.unwrap().0;
        assert_eq!(positions[1].1, 2);
    }
}
