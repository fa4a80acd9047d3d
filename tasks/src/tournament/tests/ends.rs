//! Who falls on the way, and how tournaments end.

use super::play::{NEW, OLD, apply, begun, by_number, never, play, rules, setup, text};
use crate::entry::review::PairwiseState;
use crate::tournament::state::Task;
use crate::tournament::*;
use crate::weights::{Performance, TournamentType};
use std::sync::Arc;

#[test]
fn older_rules_have_no_review_and_no_positions() {
    let mut tournament = begun(OLD, TournamentType::Text, 9);
    play(&mut tournament, &by_number, &never);
    let result = tournament.result().unwrap();
    assert_eq!(
        (result.why, result.results.final_positions),
        (OutcomeReason::Challenger, None)
    );
    assert!(
        result
            .results
            .rounds
            .iter()
            .all(|round| round.round_type == "knockout")
    );
    let last = result.results.rounds.last().unwrap();
    assert_eq!((last.is_final_round, last.tasks.len()), (true, 6));
    assert!(
        last.tasks
            .iter()
            .all(|task| task.winner.as_deref() == Some("m000"))
    );
    assert!(
        last.tasks[0].pair_id.as_deref() == Some("tourn_4_round_005_pair_001"),
        "{:?}",
        last.tasks[0].pair_id
    );
}

#[test]
fn copies_fall_before_the_second_round_and_the_boss_does_not() {
    let mut tournament = text(20);
    play(&mut tournament, &by_number, &|t| {
        matches!(t.state().stage, Stage::DuplicateReview {})
    });
    let reason = || "alike".to_owned();
    let flagged = vec!["m000".to_owned(), "m001".to_owned()];
    let state = PairwiseState::Pending {
        flagged: flagged.clone(),
    };
    apply(
        &mut tournament,
        What::EntrantsCompared {
            state,
            reason: reason(),
        },
    );
    assert!(matches!(
        tournament.state().stage,
        Stage::DuplicateReview {}
    ));
    let state = PairwiseState::Accepted {
        eliminated: flagged,
    };
    apply(
        &mut tournament,
        What::EntrantsCompared {
            state,
            reason: reason(),
        },
    );
    // Six are left of eight.
    assert_eq!(tournament.state().rounds[1].places.len(), 3);
    play(&mut tournament, &by_number, &never);
    let result = tournament.result().unwrap();
    assert_eq!(result.places[0].hotkey, "m002");
    let last = result.places.last().unwrap();
    assert!(["m000", "m001"].contains(&last.hotkey.as_str()));
}

#[test]
fn who_left_ends_his_round_and_is_not_in_the_next() {
    let leave = |tournament: &mut Tournament, hotkey: &str| {
        let hotkey = hotkey.to_owned();
        apply(
            tournament,
            What::Left {
                hotkey,
                why: Departure::Deregistered,
            },
        );
    };
    // Before it begins.
    let rules = rules(NEW);
    let setup = setup(&rules, TournamentType::Text, 4, 4);
    let mut tournament = Tournament::new(setup, rules).unwrap();
    leave(&mut tournament, "m000");
    apply(&mut tournament, What::Started {});
    assert_eq!(tournament.state().rounds[0].places[0].len(), 3);
    // In the last knockout: whoever won it has nobody to send, and the boss stays.
    play(&mut tournament, &by_number, &|t| {
        t.state().rounds.len() == 2
    });
    leave(&mut tournament, "m001");
    play(&mut tournament, &by_number, &never);
    let result = tournament.result().unwrap();
    assert_eq!(result.why, OutcomeReason::NobodyLeft);
    // Of two who go on one has left: the other plays the boss, in a round that is not the boss round yet.
    let mut tournament = text(4);
    leave(&mut tournament, "m001");
    play(&mut tournament, &by_number, &|t| {
        t.state().rounds.len() == 2
    });
    let round = &tournament.state().rounds[1];
    assert_eq!(round.kind, RoundKind::LastKnockout);
    assert!(round.places[0].contains(&tournament.boss().to_owned()));
    play(&mut tournament, &by_number, &never);
    assert_eq!(tournament.result().unwrap().places[0].hotkey, "m000");
}

#[test]
fn environment_groups_send_on_ties_and_nobody_past_the_boss() {
    let strong_boss =
        |_: &Task, hotkey: &str| Some(if hotkey.starts_with('m') { 0.25 } else { 0.75 });
    let mut tournament = begun(NEW, TournamentType::Environment, 6);
    play(&mut tournament, &strong_boss, &|t| {
        t.state().rounds[0].advanced.is_some()
    });
    let round = &tournament.state().rounds[0];
    let boss = tournament.boss().to_owned();
    let with_boss = round
        .places
        .iter()
        .find(|group| group.contains(&boss))
        .unwrap();
    let advanced = round.advanced.clone().unwrap();
    // The group of the boss sends nobody; all of the other tie and go on, and the boss with them.
    assert_eq!(advanced.len(), 4);
    assert!(
        advanced
            .iter()
            .all(|hotkey| *hotkey == boss || !with_boss.contains(hotkey))
    );
    // With the boss in the only group of the next round nobody goes on.
    play(&mut tournament, &strong_boss, &never);
    assert_eq!(
        tournament.result().unwrap().why,
        OutcomeReason::NobodyAdvanced
    );
}

/// What tasks of environments hold are standings, of which the rules' share of points is never above 0.
#[test]
fn a_champion_of_environments_has_no_margin() {
    let mut tournament = begun(NEW, TournamentType::Environment, 6);
    play(&mut tournament, &by_number, &never);
    let result = tournament.result().unwrap();
    assert_eq!(result.champion.as_deref(), Some("m000"));
    let won = Performance::Won {
        difference: Some(0.0),
        burn_account: false,
    };
    assert_eq!(result.performance, won);
}

#[test]
fn a_tournament_of_equals_ends() {
    // All tie and the boss has no entry that counts, so nobody is ever eliminated.
    let equal = |_: &Task, hotkey: &str| hotkey.starts_with('m').then_some(0.5);
    let mut tournament = begun(NEW, TournamentType::Environment, 6);
    play(&mut tournament, &equal, &never);
    assert_eq!(
        tournament.result().unwrap().why,
        OutcomeReason::TooManyRounds
    );
    assert_eq!(tournament.state().rounds.len(), 64);
}

#[test]
fn without_a_champion_the_burn_account_plays_for_nobody() {
    let rules = rules(NEW);
    let kept = |champion: Option<Champion>| {
        let mut setup = setup(&rules, TournamentType::Text, 4, 4);
        setup.champion = champion;
        let mut tournament = Tournament::new(setup, Arc::clone(&rules)).unwrap();
        // Rewards of the boss are above, losses below everybody's.
        let boss_wins = |task: &Task, hotkey: &str| match hotkey.starts_with('m') {
            true => by_number(task, hotkey).map(|value| value + 0.3),
            false if task.plan.higher_is_better() => Some(2.0),
            false => Some(1.0),
        };
        play(&mut tournament, &boss_wins, &never);
        let result = tournament.result().unwrap();
        assert_eq!(
            (result.why, &result.champion),
            (OutcomeReason::Defended, &None)
        );
        assert_eq!(result.results.base_winner_hotkey, None);
        result.performance
    };
    // Of the first tournament the margin counts as it was, here 1.3 against 1.0 in most tasks: nothing is earned.
    let Performance::Won {
        difference: Some(difference),
        burn_account: true,
    } = kept(None)
    else {
        panic!("the burn account won");
    };
    assert!(
        (difference - (1.0 - 1.3) / 1.3).abs() < 1e-12,
        "{difference}"
    );
    // Of a later one what is stored counts, and nobody has stored anything.
    let again = kept(Some(Champion {
        hotkey: rules.emission.burn_hotkey.clone(),
        consecutive_wins: 1,
        stored_difference: None,
    }));
    let stored_difference = None;
    assert_eq!(again, Performance::Defended { stored_difference });
}

/// December's margin is that of one win where the burn account has kept the title once, and of a win less before it has.
#[test]
fn what_the_burn_account_kept_counts_for_the_margin() {
    let rules = rules(OLD);
    let why = |champion: Option<Champion>| {
        let mut setup = setup(&rules, TournamentType::Text, 8, 4);
        setup.champion = champion;
        let mut tournament = Tournament::new(setup, Arc::clone(&rules)).unwrap();
        let value = |task: &Task, hotkey: &str| {
            let boss_round = task.contestants.iter().any(|c| !c.hotkey.starts_with('m'));
            match (boss_round, hotkey.starts_with('m')) {
                (false, _) => by_number(task, hotkey),
                (true, miner) if miner == task.plan.higher_is_better() => Some(1.0),
                (true, _) => Some(0.89),
            }
        };
        play(&mut tournament, &value, &never);
        tournament.result().unwrap().why
    };
    let kept_once = Champion {
        hotkey: rules.emission.burn_hotkey.clone(),
        consecutive_wins: 1,
        stored_difference: None,
    };
    // 0.89 is below 1 - 0.1, and not below 1 - 0.125.
    assert_eq!(why(None), OutcomeReason::Defended);
    assert_eq!(why(Some(kept_once)), OutcomeReason::Challenger);
}
