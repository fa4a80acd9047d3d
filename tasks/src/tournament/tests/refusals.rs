//! Events that do not fit are refused by name, and change nothing.

mod scores;

use super::play::{
    NEW, apply, build, by_number, event, invalid, never, play, rules, setup, trained,
};
use crate::entry::review::{ChallengerState, PairwiseState};
use crate::tournament::state::TaskState;
use crate::tournament::*;
use crate::weights::TournamentType;

fn fresh(entrants: usize) -> Tournament {
    let rules = rules(NEW);
    let setup = setup(&rules, TournamentType::Text, entrants, 3);
    Tournament::new(setup, rules).unwrap()
}

/// A text tournament of five, whose first task is open and trained.
fn open() -> Tournament {
    let mut tournament = fresh(5);
    apply(&mut tournament, What::Started {});
    let first = build(&tournament, 1);
    apply(&mut tournament, first);
    let hotkeys: Vec<String> = tournament.state().setup.entrants.clone();
    let results = hotkeys.iter().map(|hotkey| trained(hotkey, true)).collect();
    apply(&mut tournament, What::Trained { task: 1, results });
    tournament
}

/// Refuses `what` and is the same as before.
fn refused(tournament: &mut Tournament, what: What) -> Refusal {
    let event = event(tournament, what);
    let before = tournament.to_json();
    let refusal = tournament.apply(&event).unwrap_err();
    assert_eq!(tournament.to_json(), before, "{refusal}");
    refusal
}

#[test]
fn an_event_earlier_than_the_one_before_is_refused_and_one_of_the_same_time_is_not() {
    let mut tournament = fresh(5);
    let mut first = event(&tournament, What::Started {});
    // Before 1970 there is no clock to compare with, and the first has none before it.
    first.at_unix_us = -5;
    tournament.apply(&first).unwrap();
    let mut second = event(&tournament, build(&tournament, 1));
    second.at_unix_us = -6;
    let before = tournament.to_json();
    let refusal = tournament.apply(&second).unwrap_err();
    let expected = Refusal::Time {
        found: -6,
        before: -5,
    };
    assert_eq!(refusal, expected);
    assert_eq!(tournament.to_json(), before);
    second.at_unix_us = -5;
    tournament.apply(&second).unwrap();
    assert_eq!(tournament.state().last_unix_us, Some(-5));
    // A state that was taken up knows it too.
    let rules = rules(NEW);
    let text = tournament.to_json();
    let mut again = Tournament::from_json(text.as_bytes(), rules.clone()).unwrap();
    let mut third = event(&again, build(&again, 2));
    third.at_unix_us = -6;
    let refusal = again.apply(&third).unwrap_err();
    assert!(matches!(refusal, Refusal::Time { .. }), "{refusal}");
    let lost = text.replace("\"last_unix_us\":-5", "\"last_unix_us\":null");
    let error = Tournament::from_json(lost.as_bytes(), rules).unwrap_err();
    assert!(matches!(error, StateError::Inconsistent { .. }), "{error}");
}

#[test]
fn events_out_of_order_twice_or_of_another_tournament_are_refused() {
    let mut tournament = fresh(5);
    let mut started = event(&tournament, What::Started {});
    started.sequence = 1;
    let refusal = tournament.apply(&started).unwrap_err();
    assert!(matches!(
        refusal,
        Refusal::Sequence {
            found: 1,
            expected: 0
        }
    ));
    started.sequence = 0;
    started.tournament_id = "another".to_owned();
    let refusal = tournament.apply(&started).unwrap_err();
    assert!(matches!(refusal, Refusal::Tournament { .. }));
    started.tournament_id = "tourn_3".to_owned();
    tournament.apply(&started).unwrap();
    let refusal = tournament.apply(&started).unwrap_err();
    assert!(refusal.to_string().contains("applied already"), "{refusal}");
    let refusal = refused(&mut tournament, What::Started {});
    assert!(matches!(
        refusal,
        Refusal::Stage {
            event: "started",
            ..
        }
    ));
}

#[test]
fn unknown_tasks_and_miners_are_refused() {
    let mut tournament = open();
    let train = |task, hotkey| What::Trained {
        task,
        results: vec![trained(hotkey, true)],
    };
    for task in [0, 99] {
        let refusal = refused(&mut tournament, train(task, "m000"));
        assert!(matches!(refusal, Refusal::UnknownTask { .. }), "{refusal}");
    }
    let refusal = refused(&mut tournament, train(1, "nobody"));
    assert!(matches!(
        refusal,
        Refusal::UnknownHotkey { task: Some(1), .. }
    ));
    let left = |hotkey: &str| What::Left {
        hotkey: hotkey.to_owned(),
        why: Departure::Withdrawn,
    };
    let refusal = refused(&mut tournament, left("nobody"));
    assert!(matches!(refusal, Refusal::UnknownHotkey { task: None, .. }));
    apply(&mut tournament, left("m001"));
    let refusal = refused(&mut tournament, left("m001"));
    assert!(matches!(refusal, Refusal::Out { .. }));
}

#[test]
fn what_does_not_come_to_a_task_in_its_state_is_refused() {
    let mut tournament = open();
    let again = What::Trained {
        task: 1,
        results: vec![trained("m000", true)],
    };
    let refusal = refused(&mut tournament, again);
    assert!(matches!(refusal, Refusal::TrainingOver { .. }));
    // The second task is not built.
    let early = What::Trained {
        task: 2,
        results: vec![trained("m000", true)],
    };
    let refusal = refused(&mut tournament, early);
    let planned = TaskState::Planned {};
    assert!(matches!(refusal, Refusal::Task { task: 2, state, .. } if state == planned));
    let built_again = build(&tournament, 1);
    let refusal = refused(&mut tournament, built_again);
    assert!(matches!(
        refusal,
        Refusal::Task {
            event: "task_built",
            ..
        }
    ));
    let reason = "x".to_owned();
    let refusal = refused(
        &mut tournament,
        What::PrepFailed {
            task: 1,
            reason: reason.clone(),
        },
    );
    assert!(matches!(
        refusal,
        Refusal::Task {
            event: "prep_failed",
            ..
        }
    ));
    let refusal = refused(&mut tournament, What::FailuresAccepted { task: 1, reason });
    assert!(matches!(
        refusal,
        Refusal::Task {
            event: "failures_accepted",
            ..
        }
    ));
    // A round that is over takes nothing any more.
    play(&mut tournament, &by_number, &|t| {
        t.state().rounds.len() == 2 || t.state().rounds[0].advanced.is_some()
    });
    apply(
        &mut tournament,
        What::EntrantsCompared {
            state: PairwiseState::Clean {},
            reason: "nothing".to_owned(),
        },
    );
    let past = What::TaskReset {
        task: 1,
        reason: "late".to_owned(),
    };
    let refusal = refused(&mut tournament, past);
    assert!(matches!(refusal, Refusal::PastRound { task: 1, round: 1 }));
}

#[test]
fn empty_and_double_results_are_refused() {
    let mut tournament = open();
    let refusal = refused(
        &mut tournament,
        What::Evaluated {
            task: 1,
            results: vec![],
        },
    );
    assert!(matches!(refusal, Refusal::Results { .. }));
    let twice = vec![invalid("m000"), invalid("m000")];
    let refusal = refused(
        &mut tournament,
        What::Evaluated {
            task: 1,
            results: twice,
        },
    );
    assert!(
        refusal.to_string().contains("two results of m000"),
        "{refusal}"
    );
    apply(
        &mut tournament,
        What::Evaluated {
            task: 1,
            results: vec![invalid("m000")],
        },
    );
    let refusal = refused(
        &mut tournament,
        What::Evaluated {
            task: 1,
            results: vec![invalid("m000")],
        },
    );
    assert!(matches!(refusal, Refusal::AlreadyEvaluated { .. }));
}

#[test]
fn tasks_that_are_not_as_planned_are_refused() {
    let mut tournament = fresh(5);
    apply(&mut tournament, What::Started {});
    let built = |task_id: &str, environments: &[&str]| What::TaskBuilt {
        task: 1,
        task_id: task_id.to_owned(),
        model: "org/model".to_owned(),
        environments: environments.iter().map(|name| (*name).to_owned()).collect(),
    };
    let refusal = refused(&mut tournament, built("a", &["othello"]));
    assert!(matches!(
        refusal,
        Refusal::NotAsPlanned {
            what: "environments",
            ..
        }
    ));
    for wrong in ["", "two\nlines", &"x".repeat(1001)] {
        let refusal = refused(&mut tournament, built(wrong, &[]));
        assert!(matches!(refusal, Refusal::Text { .. }), "{refusal}");
    }
    apply(&mut tournament, built("a", &[]));
    let mut second = built("a", &[]);
    if let What::TaskBuilt { task, .. } = &mut second {
        *task = 2;
    }
    let refusal = refused(&mut tournament, second);
    assert!(matches!(
        refusal,
        Refusal::Text {
            what: "the task_id",
            ..
        }
    ));
}

#[test]
fn reviews_of_others_and_before_their_time_are_refused() {
    let mut tournament = open();
    let review = |hotkey: &str| What::ChallengerReviewed {
        hotkey: hotkey.to_owned(),
        state: ChallengerState::Clean,
        reason: "nothing".to_owned(),
    };
    let refusal = refused(&mut tournament, review("m000"));
    assert!(matches!(refusal, Refusal::Stage { .. }));
    play(&mut tournament, &by_number, &|t| {
        matches!(t.state().stage, Stage::DuplicateReview {})
    });
    let compared = What::EntrantsCompared {
        state: PairwiseState::Accepted {
            eliminated: vec!["m004".to_owned()],
        },
        reason: "copied".to_owned(),
    };
    // m004 lost the first round.
    let refusal = refused(&mut tournament, compared);
    assert!(matches!(refusal, Refusal::UnknownHotkey { .. }));
    play(&mut tournament, &by_number, &|t| {
        matches!(t.state().stage, Stage::ChallengerReview { .. })
    });
    let refusal = refused(&mut tournament, review("m001"));
    assert!(
        matches!(refusal, Refusal::NotTheChallenger { .. }),
        "{refusal}"
    );
    play(&mut tournament, &by_number, &never);
    let refusal = refused(&mut tournament, review("m000"));
    assert!(matches!(
        refusal,
        Refusal::Stage {
            stage: Stage::Finished {},
            ..
        }
    ));
    let left = What::Left {
        hotkey: "m000".to_owned(),
        why: Departure::Withdrawn,
    };
    assert!(matches!(
        refused(&mut tournament, left),
        Refusal::Stage { .. }
    ));
}
