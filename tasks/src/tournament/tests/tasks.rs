//! Attempts, failures and replacements of tasks; who of a group goes on.

use super::play::{
    NEW, OLD, apply, at_boss, begun, build, by_number, event, invalid, never, play, rules, score,
    scored, setup, text, trained,
};
use crate::rules::TaskKind;
use crate::tournament::state::{Decision, Hold, Task, TaskState, Training};
use crate::tournament::*;
use crate::weights::{Performance, TournamentType};
use std::sync::Arc;

fn train(
    tournament: &mut Tournament,
    task: u32,
    hotkey: &str,
    outcome: TrainingOutcome,
) -> Vec<Effect> {
    let results = vec![Trained {
        hotkey: hotkey.to_owned(),
        outcome,
    }];
    apply(tournament, What::Trained { task, results })
}

fn failed(retry: bool) -> TrainingOutcome {
    TrainingOutcome::Failed {
        reason: "OSError: no".to_owned(),
        retry,
    }
}

fn of<'a>(tournament: &'a Tournament, task: u32, hotkey: &str) -> &'a state::Contestant {
    let mut contestants = tournament.state().tasks[task as usize - 1]
        .contestants
        .iter();
    contestants
        .find(|contestant| contestant.hotkey == hotkey)
        .unwrap()
}

#[test]
fn a_training_has_two_attempts_and_lost_machines_are_none() {
    let mut tournament = text(3);
    let first = build(&tournament, 1);
    apply(&mut tournament, first);
    let lost = || TrainingOutcome::Lost {
        reason: "unreachable".to_owned(),
    };
    train(&mut tournament, 1, "m000", lost());
    train(&mut tournament, 1, "m000", failed(true));
    train(&mut tournament, 1, "m000", lost());
    assert_eq!(
        of(&tournament, 1, "m000").training,
        Training::Waiting { failed: 1 }
    );
    train(&mut tournament, 1, "m000", failed(true));
    assert_eq!(of(&tournament, 1, "m000").training, Training::Failed {});
    assert_eq!(of(&tournament, 1, "m000").interruptions, 2);
    train(&mut tournament, 1, "m001", failed(false));
    assert_eq!(of(&tournament, 1, "m001").training, Training::Failed {});
    // Two of three failed: somebody looks at it, once the third was evaluated.
    train(&mut tournament, 1, "m002", TrainingOutcome::Succeeded {});
    let results = vec![scored("m002", score(&tournament, 1, 1.0, 2))];
    let effects = apply(&mut tournament, What::Evaluated { task: 1, results });
    assert_eq!(
        effects,
        [Effect::TaskHeld {
            task: 1,
            why: Hold::ManyFailed
        }]
    );
    assert!(tournament.pending().contains(&Pending::Judgement {
        task: 1,
        why: Hold::ManyFailed
    }));
    let reason = "their own".to_owned();
    let effects = apply(&mut tournament, What::FailuresAccepted { task: 1, reason });
    assert_eq!(effects, [Effect::TaskComplete { task: 1 }]);
}

#[test]
fn a_task_without_an_entry_that_counts_is_evaluated_again_and_then_held() {
    for (name, attempts) in [(NEW, rules(NEW).attempts.evaluation), (OLD, 4)] {
        let mut tournament = begun(name, TournamentType::Text, 3);
        let task = 1;
        let built = build(&tournament, task);
        apply(&mut tournament, built);
        let hotkeys: Vec<String> = tournament.state().rounds[0].places[0].clone();
        let results = hotkeys.iter().map(|hotkey| trained(hotkey, true)).collect();
        apply(&mut tournament, What::Trained { task, results });
        for attempt in 1..=attempts {
            let spoilt = Evaluated {
                hotkey: hotkeys[0].clone(),
                outcome: EvaluationOutcome::Infrastructure {
                    reason: "no disk".to_owned(),
                },
            };
            apply(
                &mut tournament,
                What::Evaluated {
                    task,
                    results: vec![spoilt],
                },
            );
            let results = hotkeys.iter().map(|hotkey| invalid(hotkey)).collect();
            let effects = apply(&mut tournament, What::Evaluated { task, results });
            let expected = if attempt < attempts {
                Effect::EvaluatedAgain { task }
            } else {
                Effect::TaskHeld {
                    task,
                    why: Hold::NobodyValid,
                }
            };
            assert_eq!(effects, [expected], "{name}, attempt {attempt}");
        }
        let reason = "a bad set".to_owned();
        apply(&mut tournament, What::TaskReset { task, reason });
        assert_eq!(
            of(&tournament, task, &hotkeys[0]).training,
            Training::Waiting { failed: 0 }
        );
        assert_eq!(tournament.state().tasks[0].empty_evaluations, 0);
    }
}

#[test]
fn nobody_trained_is_held_and_accepted_nobody_goes_on() {
    let mut tournament = text(2);
    let built = build(&tournament, 1);
    apply(&mut tournament, built);
    train(&mut tournament, 1, "m000", failed(false));
    let effects = train(&mut tournament, 1, "m001", failed(false));
    assert_eq!(
        effects,
        [Effect::TaskHeld {
            task: 1,
            why: Hold::NobodyTrained
        }]
    );
    let reason = "their own".to_owned();
    apply(&mut tournament, What::FailuresAccepted { task: 1, reason });
    let result = tournament.result().unwrap();
    assert_eq!(result.why, OutcomeReason::NobodyAdvanced);
    assert_eq!(result.champion.as_deref(), Some("champion"));
    let stored_difference = Some(0.125);
    assert_eq!(
        result.performance,
        Performance::Defended { stored_difference }
    );
    assert_eq!(result.results.final_positions, None);
    let places: Vec<u32> = result.places.iter().map(|place| place.place).collect();
    assert_eq!(places, [1, 2, 2]);
}

#[test]
fn replaced_tasks_keep_plan_and_contestants() {
    let mut tournament = text(4);
    let reason = || "no data".to_owned();
    let effects = apply(
        &mut tournament,
        What::PrepFailed {
            task: 2,
            reason: reason(),
        },
    );
    assert_eq!(effects, [Effect::TaskReplaced { task: 2, by: 4 }]);
    let tasks = &tournament.state().tasks;
    assert_eq!(tasks[1].state, TaskState::Replaced { by: 4 });
    assert_eq!(
        (tasks[3].plan.clone(), tasks[3].replaces),
        (tasks[1].plan.clone(), Some(2))
    );
    assert_eq!(tasks[3].contestants, tasks[1].contestants);
    apply(
        &mut tournament,
        What::TaskReplaced {
            task: 4,
            reason: reason(),
        },
    );
    play(&mut tournament, &by_number, &never);
    let result = tournament.result().unwrap();
    assert_eq!(result.results.rounds[0].tasks.len(), 3);
    // A boss round is as large as it was built, whatever was replaced.
    let mut tournament = text(4);
    play(&mut tournament, &by_number, &at_boss);
    let task = tournament.state().tasks.len() as u32;
    apply(
        &mut tournament,
        What::PrepFailed {
            task,
            reason: reason(),
        },
    );
    assert_eq!(tournament.state().rounds.last().unwrap().built_tasks, 5);
}

#[test]
fn small_fields_go_by_errors_then_ranks_then_losses_then_names() {
    // m000 and m001 swap places, so that the mean rank ties; m003 is best but misses a task.
    let losses = |task: &Task, hotkey: &str| {
        let column = task.number as usize - 1;
        match hotkey {
            "m000" => Some([1.0, 3.0, 2.0][column]),
            "m001" => Some([2.0, 2.0, 2.5][column]),
            "m002" => Some([5.0, 5.0, 5.0][column]),
            _ => [Some(0.5), Some(0.5), None][column],
        }
    };
    let mut tournament = text(4);
    play(&mut tournament, &losses, &|t| {
        t.state().rounds[0].advanced.is_some()
    });
    let round = &tournament.state().rounds[0];
    // Ranks of m000: 2, 3, 1; of m001: 3, 2, 2; of m002: 4, 4, 3; m003 has an error.
    assert_eq!(round.advanced.as_ref().unwrap(), &["m000", "m001"]);

    let tie = |task: &Task, hotkey: &str| {
        let column = task.number as usize - 1;
        match hotkey {
            "m000" => Some([1.0, 2.5, 3.0][column]),
            "m001" => Some([2.0, 1.0, 3.0][column]),
            _ => Some([3.0, 3.5, 1.0][column]),
        }
    };
    let mut tournament = text(3);
    play(&mut tournament, &tie, &|t| {
        t.state().rounds[0].advanced.is_some()
    });
    let advanced = tournament.state().rounds[0].advanced.clone().unwrap();
    // The third task ties m000 and m001, so that the order of the draw gives one of them the better rank.
    assert!(advanced.contains(&"m001".to_owned()), "{advanced:?}");
    let Some(Decision::Ranking { tied, .. }) = &tournament.state().tasks[2].decision else {
        panic!("a group's task is ranked");
    };
    assert!(tied);
}

#[test]
fn equal_scores_of_all_still_send_as_many_on() {
    let mut tournament = text(20);
    play(&mut tournament, &|_, _| Some(1.0), &|t| {
        t.state().rounds.len() == 2
    });
    assert_eq!(tournament.state().rounds[1].places.len(), 4);
}

#[test]
fn too_many_tasks_are_refused() {
    let mut tournament = text(3);
    let mut last = 1;
    let refusal = loop {
        let reason = "no data".to_owned();
        let event = event(&tournament, What::PrepFailed { task: last, reason });
        match tournament.apply(&event) {
            Ok(_) => last = tournament.state().tasks.len() as u32,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(
        refusal,
        Refusal::TooMany {
            what: "tasks",
            max: 10_000
        }
    ));
}

#[test]
fn a_task_whose_rows_decide_nothing_is_held_until_somebody_has_looked() {
    // Instruct: learned by heart, nothing learned; and a set that tells them apart.
    for (loss, holds) in [(0.005, true), (2.5, true), (1.0, false)] {
        let mut tournament = text(3);
        let first = build(&tournament, 1);
        apply(&mut tournament, first);
        if tournament.state().tasks[0].plan.kind() != Some(TaskKind::Instruct) {
            panic!("the first task of this seed is instruct");
        }
        for hotkey in ["m000", "m001", "m002"] {
            train(&mut tournament, 1, hotkey, TrainingOutcome::Succeeded {});
        }
        let results = [("m000", loss), ("m001", loss * 1.5), ("m002", 9.0)];
        let results = results
            .map(|(hotkey, loss)| scored(hotkey, score(&tournament, 1, loss, 2)))
            .to_vec();
        let effects = apply(&mut tournament, What::Evaluated { task: 1, results });
        let why = Hold::DecidesNothing;
        match holds {
            false => assert_eq!(effects, [Effect::TaskComplete { task: 1 }], "{loss}"),
            true => {
                assert_eq!(effects, [Effect::TaskHeld { task: 1, why }], "{loss}");
                let reason = "it counts".to_owned();
                let effects = apply(&mut tournament, What::FailuresAccepted { task: 1, reason });
                assert_eq!(effects, [Effect::TaskComplete { task: 1 }]);
            }
        }
    }
}

/// What a round's tasks share is chosen anew once all that were built with it have given their place to others.
#[test]
fn a_model_that_cannot_be_prepared_does_not_stay_the_rounds() {
    let rules = rules(NEW);
    let setup = setup(&rules, TournamentType::Environment, 5, 1);
    let mut tournament = Tournament::new(setup, Arc::clone(&rules)).unwrap();
    apply(&mut tournament, What::Started {});
    let other = |tournament: &Tournament, number| match build(tournament, number) {
        What::TaskBuilt {
            task,
            task_id,
            environments,
            ..
        } => What::TaskBuilt {
            task,
            task_id,
            model: "another/model".to_owned(),
            environments,
        },
        event => panic!("{event:?}"),
    };
    let first = build(&tournament, 1);
    apply(&mut tournament, first);
    assert!(tournament.state().rounds[0].shared.is_some());
    let reason = "no such model".to_owned();
    let effects = apply(&mut tournament, What::PrepFailed { task: 1, reason });
    let [Effect::TaskReplaced { by, .. }] = effects[..] else {
        panic!("{effects:?}");
    };
    let anew = other(&tournament, by);
    apply(&mut tournament, anew);
    let shared = tournament.state().rounds[0].shared.as_ref().unwrap();
    assert_eq!(shared.model, "another/model");
}
