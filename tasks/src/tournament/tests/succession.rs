//! Whom a tournament leaves to the next.

use super::play::{NEW, OLD, by_number, never, play, rules, setup};
use crate::tournament::state::Task;
use crate::tournament::*;
use crate::weights::{Performance, TournamentType};

fn champion(hotkey: &str, wins: u32, margin: Option<f64>) -> Champion {
    Champion {
        hotkey: hotkey.to_owned(),
        consecutive_wins: wins,
        stored_difference: margin,
    }
}

/// What is left by a tournament that `before` defends: the boss is better than everybody, or worse.
fn left(name: &str, before: Option<Champion>, boss_wins: bool) -> (Champion, Tournament) {
    let rules = rules(name);
    let mut setup = setup(&rules, TournamentType::Text, 8, 4);
    setup.champion = before;
    let mut tournament = Tournament::new(setup, rules).unwrap();
    let value = |task: &Task, hotkey: &str| match hotkey.starts_with('m') || !boss_wins {
        true => by_number(task, hotkey),
        false if task.plan.higher_is_better() => Some(2.0),
        false => Some(0.5),
    };
    assert_eq!(tournament.leaves(), None);
    play(&mut tournament, &value, &never);
    (tournament.leaves().unwrap(), tournament)
}

#[test]
fn wins_add_up_and_the_margin_is_that_of_the_last_win_under_his_own_hotkey() {
    for name in [OLD, NEW] {
        let (won, tournament) = left(name, Some(champion("c", 3, Some(0.125))), false);
        let Performance::Won { difference, .. } = tournament.result().unwrap().performance else {
            panic!("m000 won");
        };
        assert!(difference.is_some_and(|difference| difference > 1.0));
        assert_eq!(won, champion("m000", 1, difference), "{name}");
        // The champion is his own challenger.
        let (again, _) = left(name, Some(champion("m000", 3, Some(0.125))), false);
        assert_eq!(again, champion("m000", 4, difference), "{name}");

        let (defended, _) = left(name, Some(champion("c", 3, Some(0.125))), true);
        assert_eq!(defended, champion("c", 4, Some(0.125)), "{name}");
        let (twice, _) = left(name, Some(defended), true);
        assert_eq!(twice, champion("c", 5, Some(0.125)), "{name}");
    }
}

#[test]
fn nobody_is_the_burn_hotkey_and_has_no_margin() {
    for name in [OLD, NEW] {
        let burn = rules(name).emission.burn_hotkey.clone();
        let (once, _) = left(name, None, true);
        assert_eq!(once, champion(&burn, 1, None), "{name}");
        let (twice, tournament) = left(name, Some(once), true);
        assert_eq!(twice, champion(&burn, 2, None), "{name}");
        let defender = tournament.defender();
        assert_eq!((defender.hotkey, defender.counts_wins), (None, name == OLD));
        let (won, _) = left(name, Some(twice), false);
        assert_eq!((&*won.hotkey, won.consecutive_wins), ("m000", 1), "{name}");
    }
}
