//! Random tournaments hold what every tournament must.
//!
//! 250 of each type by default. The figure of 10,000 is
//! `GRADUS_RANDOM_TOURNAMENTS=10000 cargo test --release -p gradus-tasks random_tournaments`.

mod invariants;
mod next;

use super::play::{Chance, NEW, OLD, event, rules, setup};
use crate::rules::RuleSet;
use crate::tournament::*;
use crate::weights::TournamentType;
use invariants::{holds, weights_sum_to_one};
use next::{next, nonsense_changes_nothing};
use std::collections::HashSet;
use std::sync::Arc;

const STEPS_MAX: usize = 20_000;

fn tournaments() -> u64 {
    let asked = std::env::var("GRADUS_RANDOM_TOURNAMENTS");
    asked.map_or(250, |asked| asked.parse().unwrap())
}

#[test]
fn random_tournaments_of_text_hold_what_they_must() {
    many(NEW, TournamentType::Text, tournaments());
}

#[test]
fn random_tournaments_of_images_hold_what_they_must() {
    many(NEW, TournamentType::Image, tournaments());
}

#[test]
fn random_tournaments_in_environments_hold_what_they_must() {
    many(NEW, TournamentType::Environment, tournaments());
}

#[test]
fn random_tournaments_of_older_rules_hold_what_they_must() {
    many(OLD, TournamentType::Text, tournaments() / 2);
    many(OLD, TournamentType::Image, tournaments() / 2);
}

fn many(name: &str, tournament_type: TournamentType, count: u64) {
    let rules = rules(name);
    let mut ends = HashSet::new();
    for seed in 0..count {
        ends.insert(one(&rules, tournament_type, seed));
    }
    // The runs reach the ends that there are.
    for why in [
        OutcomeReason::Challenger,
        OutcomeReason::Defended,
        OutcomeReason::NobodyAdvanced,
    ] {
        assert!(
            ends.contains(&format!("{why:?}")),
            "{name} {tournament_type}: {ends:?}"
        );
    }
}

/// Plays one tournament and looks at it; how it ended.
fn one(rules: &Arc<RuleSet>, tournament_type: TournamentType, seed: u64) -> String {
    let mut chance = Chance::new(seed);
    // Fields of 1 to 100, small ones more often.
    let entrants = 1 + chance.below(100) * (1 + chance.below(4)) / 4;
    let mut setup = setup(rules, tournament_type, entrants, seed);
    if chance.permille(200) {
        setup.champion = None;
    }
    let mut tournament = Tournament::new(setup.clone(), Arc::clone(rules)).unwrap();
    let mut events = Vec::new();
    let snapshot_at = chance.below(60);
    let mut snapshot = None;
    while tournament.state().stage != (Stage::Finished {}) {
        assert!(events.len() < STEPS_MAX, "seed {seed} does not end");
        if events.len() == snapshot_at {
            snapshot = Some(tournament.to_json());
        }
        if chance.permille(20) {
            nonsense_changes_nothing(&mut tournament, &mut chance);
        }
        let event = event(&tournament, next(&tournament, &mut chance));
        if let Err(refusal) = tournament.apply(&event) {
            panic!("seed {seed}: {event:?}: {refusal}");
        }
        events.push(event);
    }
    let context = format!("{tournament_type}, seed {seed}");
    holds(&tournament, &context);
    weights_sum_to_one(&tournament, &context);

    let written = tournament.to_json();
    let again = Tournament::replay(setup.clone(), Arc::clone(rules), &events).unwrap();
    assert_eq!(again.to_json(), written, "{context}");
    assert!(tournament.pending().is_empty());
    if let Some(snapshot) = snapshot.filter(|_| seed.is_multiple_of(2)) {
        let part = &events[..snapshot_at];
        let part = Tournament::replay(setup, Arc::clone(rules), part).unwrap();
        assert_eq!(part.to_json(), snapshot, "{context}");
        let mut read = Tournament::from_json(snapshot.as_bytes(), Arc::clone(rules)).unwrap();
        assert_eq!(read.to_json(), snapshot, "{context}");
        for event in &events[snapshot_at..] {
            read.apply(event).unwrap();
        }
        assert_eq!(read.to_json(), written, "{context}");
    }
    assert!(again == Tournament::from_json(written.as_bytes(), Arc::clone(rules)).unwrap());
    format!("{:?}", tournament.result().unwrap().why)
}
