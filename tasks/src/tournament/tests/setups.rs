//! Setups that make no sense.

use super::play::{NEW, OLD, rules, setup};
use crate::tournament::*;
use crate::weights::TournamentType;
use std::sync::Arc;

#[test]
fn setups_that_make_no_sense_are_refused() {
    let rules = rules(NEW);
    let good = setup(&rules, TournamentType::Text, 4, 1);
    let with = |change: &dyn Fn(&mut Setup)| {
        let mut setup = good.clone();
        change(&mut setup);
        Tournament::new(setup, Arc::clone(&rules)).unwrap_err()
    };
    let burn = rules.emission.burn_hotkey.clone();
    let champion =
        |change: &dyn Fn(&mut Champion)| with(&|setup| change(setup.champion.as_mut().unwrap()));
    assert!(matches!(
        with(&|s| s.version = 2),
        SetupError::Version { .. }
    ));
    assert!(matches!(
        with(&|s| s.rules = "2019".to_owned()),
        SetupError::Rules { .. }
    ));
    assert!(matches!(
        with(&|s| s.entrants.clear()),
        SetupError::Field { found: 0, .. }
    ));
    assert!(matches!(
        with(&|s| s.entrants[1] = "m000".to_owned()),
        SetupError::Twice { .. }
    ));
    assert!(matches!(
        with(&|s| s.entrants[1] = burn.clone()),
        SetupError::BurnHotkey { .. }
    ));
    assert!(matches!(
        with(&|s| s.tournament_id = "a b".to_owned()),
        SetupError::Name { .. }
    ));
    assert!(matches!(
        with(&|s| s.entrants[0] = "é".repeat(500)),
        SetupError::Name { .. }
    ));
    // Nobody can have kept the title, but has no margin.
    assert!(matches!(
        champion(&|c| c.hotkey = burn.clone()),
        SetupError::Champion {
            what: "stored_difference",
            ..
        }
    ));
    assert!(matches!(
        champion(&|c| c.consecutive_wins = 0),
        SetupError::Champion { .. }
    ));
    assert!(matches!(
        champion(&|c| c.consecutive_wins = u32::MAX),
        SetupError::Champion { .. }
    ));
    assert!(matches!(
        champion(&|c| c.stored_difference = Some(f64::NAN)),
        SetupError::Champion { .. }
    ));
    let old = super::play::rules(OLD);
    let setup = setup(&old, TournamentType::Environment, 5, 1);
    let error = Tournament::new(setup, old).unwrap_err();
    assert!(matches!(error, SetupError::NoSuchType { .. }), "{error}");
}
