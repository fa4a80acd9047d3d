//! Who is before whom where numbers tie, and a champion who enters under his own name.
//!
//! | what ties | goes by |
//! |---|---|
//! | numbers of one task | the order of the draw, where the subnet has the order of its database |
//! | a group's means of ranks | the sum of losses, then hotkeys |
//! | rows and numbers of a pair | hotkeys |
//! | the last place that goes on, in environments | nothing: all go on |
//! | the best whom the challenger left behind, in environments | nothing: nobody is third |
//! | means of ranks behind a disqualified challenger | hotkeys |

use super::play::{NEW, apply, at_boss, begun, by_number, never, play, rules, setup};
use crate::tournament::state::Task;
use crate::tournament::*;
use crate::weights::{Performance, TournamentType};

fn number(hotkey: &str) -> Option<u32> {
    hotkey.strip_prefix('m')?.parse().ok()
}

/// A tournament whose admission is in the order of falling hotkeys, so that hotkeys and order of entry say the opposite.
fn reversed(tournament_type: TournamentType, entrants: usize) -> Tournament {
    let rules = rules(NEW);
    let mut setup = setup(&rules, tournament_type, entrants, 4);
    setup.entrants.reverse();
    let mut tournament = Tournament::new(setup, rules).unwrap();
    apply(&mut tournament, What::Started {});
    tournament
}

#[test]
fn a_group_whose_ranks_and_sums_tie_goes_by_hotkey() {
    // Each is first once, second once and third once, with the same three losses.
    let square = |task: &Task, hotkey: &str| {
        let number = number(hotkey)?;
        Some(f64::from((number + task.number) % 3) / 4.0 + 0.75)
    };
    let mut tournament = reversed(TournamentType::Text, 3);
    play(&mut tournament, &square, &|t| t.state().rounds.len() == 2);
    let advanced = tournament.state().rounds[0].advanced.clone().unwrap();
    assert_eq!(advanced, ["m000", "m001"]);
    // With ranks that tie alone, the smaller sum is before the smaller hotkey.
    let heavier = |task: &Task, hotkey: &str| {
        let more = if number(hotkey)? == 0 { 0.125 } else { 0.0 };
        Some(square(task, hotkey)? + more)
    };
    let mut tournament = reversed(TournamentType::Text, 3);
    play(&mut tournament, &heavier, &|t| t.state().rounds.len() == 2);
    let advanced = tournament.state().rounds[0].advanced.clone().unwrap();
    assert_eq!(advanced, ["m001", "m002"]);
}

#[test]
fn equal_numbers_of_a_task_go_by_the_draw() {
    let mut tournament = reversed(TournamentType::Text, 5);
    play(&mut tournament, &|_, _| Some(1.0), &|t| {
        t.state().rounds.len() == 2
    });
    let drawn = &tournament.state().rounds[0].places[0];
    let Some(state::Decision::Ranking { order, .. }) = &tournament.state().tasks[0].decision else {
        panic!("a group's task is ranked")
    };
    assert_eq!(order, drawn);
}

#[test]
fn a_pair_that_ties_goes_by_hotkey() {
    let mut tournament = reversed(TournamentType::Text, 2);
    play(&mut tournament, &|_, _| Some(1.0), &at_boss);
    assert_eq!(tournament.challenger(), Some("m000"));
}

#[test]
fn nobody_is_third_where_two_would_be() {
    let third = |tied: bool| {
        let value = move |_: &Task, hotkey: &str| {
            Some(match number(hotkey) {
                Some(0) => 0.9,
                Some(1) => 0.5,
                Some(2) if tied => 0.5,
                Some(_) => 0.25,
                None => 0.125,
            })
        };
        let mut tournament = begun(NEW, TournamentType::Environment, 4);
        play(&mut tournament, &value, &never);
        let result = tournament.result().unwrap();
        assert_eq!(result.champion.as_deref(), Some("m000"));
        let positions = result.results.final_positions.unwrap().0;
        positions.into_iter().find(|(_, place)| *place == 3)
    };
    assert_eq!(third(false), Some(("m001".to_owned(), 3)));
    assert_eq!(third(true), None);
}

/// The boss plays for him, and he plays himself: the subnet leaves out the burn hotkey alone.
#[test]
fn a_champion_may_enter_under_his_own_hotkey_and_is_then_anybody() {
    let rules = rules(NEW);
    let mut setup = setup(&rules, TournamentType::Text, 4, 4);
    setup.champion.as_mut().unwrap().hotkey = "m000".to_owned();
    let mut tournament = Tournament::new(setup.clone(), rules.clone()).unwrap();
    play(&mut tournament, &by_number, &never);
    let result = tournament.result().unwrap();
    assert_eq!(result.why, OutcomeReason::Challenger);
    assert_eq!(result.champion.as_deref(), Some("m000"));
    assert_eq!(result.results.winner_hotkey.as_deref(), Some("m000"));
    assert_eq!(result.results.base_winner_hotkey.as_deref(), Some("m000"));
    // A win anew, with a margin of its own, and not the stored one of a defence.
    assert!(
        matches!(
            result.performance,
            Performance::Won {
                difference: Some(_),
                burn_account: false
            }
        ),
        "{:?}",
        result.performance
    );

    let boss_wins = |task: &Task, hotkey: &str| match hotkey.starts_with('m') {
        true => by_number(task, hotkey).map(|value| value + 0.3),
        false => Some(1.0),
    };
    let mut tournament = Tournament::new(setup, rules).unwrap();
    play(&mut tournament, &boss_wins, &never);
    let result = tournament.result().unwrap();
    assert_eq!(result.why, OutcomeReason::Defended);
    assert_eq!(result.champion.as_deref(), Some("m000"));
    assert_eq!(
        result.performance,
        Performance::Defended {
            stored_difference: Some(0.125)
        }
    );
    let own = result.places.iter().find(|place| place.hotkey == "m000");
    assert_eq!(own.map(|place| place.place), Some(2));
}
