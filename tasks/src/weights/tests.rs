//! The rules of each set in small.

use super::vector::LostFor;
use super::*;
use crate::rules::{EmissionRules, RuleSet, SplitShares};
mod refused;

const OLD: &str = "2025-12-12-86623e97";

pub(super) fn newest() -> EmissionRules {
    RuleSet::newest().emission
}

pub(super) fn old() -> EmissionRules {
    RuleSet::named(OLD).unwrap().emission
}

pub(super) fn type_input(difference: f64, entrants: &[u32]) -> TypeInput {
    TypeInput {
        performance: Performance::Won {
            difference: Some(difference),
            burn_account: false,
        },
        entrants_newest_first: entrants.to_vec(),
        running: 0,
        reign: None,
    }
}

pub(super) fn input(differences: [f64; 3], entrants: [&[u32]; 3]) -> EmissionInput {
    EmissionInput {
        now_unix_us: None,
        text: type_input(differences[0], entrants[0]),
        image: type_input(differences[1], entrants[1]),
        environment: Some(type_input(differences[2], entrants[2])),
    }
}

pub(super) fn results(winner: &str, base: Option<&str>, positions: &[(&str, u32)]) -> Results {
    let positions: Vec<(String, u32)> = positions
        .iter()
        .map(|(hotkey, position)| ((*hotkey).to_owned(), *position))
        .collect();
    Results {
        tournament_id: "tourn_1".to_owned(),
        rounds: Vec::new(),
        base_winner_hotkey: base.map(str::to_owned),
        winner_hotkey: Some(winner.to_owned()),
        final_positions: Some(results::Positions(positions)),
    }
}

pub(super) fn metagraph(hotkeys: &[&str]) -> Metagraph {
    Metagraph::new(hotkeys.iter().map(|h| (*h).to_owned()).collect()).unwrap()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn balanced_entrants_keep_the_bases_and_crowded_types_lose() {
    let rules = newest();
    let quiet = input([0.0; 3], [&[9, 35, 35, 35, 35], &[9, 25], &[9, 25, 25]]);
    let shares = base_shares(&rules, &quiet).unwrap();
    assert!(
        near(shares.text, 0.35) && near(shares.image, 0.25),
        "{shares:?}"
    );
    // The newest tournament does not count, nor do those with fewer than three entrants.
    let small = input(
        [0.0; 3],
        [&[400, 35, 2, 0, 35, 35, 35, 999], &[9, 25], &[9, 25, 25]],
    );
    assert_eq!(base_shares(&rules, &small).unwrap(), shares);
    let crowded = input([0.0; 3], [&[9, 3500], &[9, 25], &[9, 25]]);
    let moved = base_shares(&rules, &crowded).unwrap();
    assert_eq!(moved.text, 0.05);
    assert!(moved.image > 0.4 && moved.image <= 0.5, "{moved:?}");
    // Without any history, and with a type that has none, everyone is as crowded as everyone.
    let none = input([0.0; 3], [&[], &[9], &[2, 2, 2]]);
    let bases = base_shares(&rules, &none).unwrap();
    assert!(near(bases.text, 0.35) && near(bases.environment, 0.25));
}

#[test]
fn a_running_tournament_is_the_newest_where_the_rules_say_so() {
    let mut rules = newest();
    let counts = [&[40, 35, 30, 25, 20, 15][..], &[9, 25], &[9, 25]];
    let of = |rules: &EmissionRules, counts: [&[u32]; 3], running| {
        let mut input = input([0.0; 3], counts);
        input.text.running = running;
        base_shares(rules, &input).unwrap()
    };
    // With one that runs the four that ended last count, and what runs has no entrants yet.
    let with_its_own = [&[99, 40, 35, 30, 25, 20, 15][..], &[9, 25], &[9, 25]];
    assert_eq!(of(&rules, counts, 1), of(&rules, with_its_own, 0));
    assert_ne!(of(&rules, counts, 1), of(&rules, counts, 0));
    assert_eq!(of(&rules, counts, 1), of(&rules, counts, 3));
    if let SplitShares::Balanced {
        lag_counts_running, ..
    } = &mut rules.split
    {
        *lag_counts_running = false;
    }
    assert_eq!(of(&rules, counts, 1), of(&rules, counts, 0));
}

#[test]
fn a_balance_of_alpha_zero_is_the_fixed_split() {
    let mut rules = newest();
    if let SplitShares::Balanced { alpha, .. } = &mut rules.split {
        *alpha = 0.0;
    }
    let crowded = input([0.0; 3], [&[9, 3500], &[9, 25], &[9, 4]]);
    let shares = base_shares(&rules, &crowded).unwrap();
    assert!(near(shares.text, 0.35) && near(shares.environment, 0.25));
}

#[test]
fn a_boost_begins_above_the_threshold_and_ends_at_the_cap() {
    let rules = old();
    let two = |text: f64, image: f64| EmissionInput {
        environment: None,
        ..input([text, image, 0.0], [&[], &[], &[]])
    };
    let found = pools(&rules, &two(0.15, 0.05)).unwrap();
    assert!(near(found.types.text.champion, 0.35), "{found:?}");
    assert_eq!(found.types.image.champion, 0.1);
    assert_eq!(found.types.text.others, 0.15);
    assert!(near(found.burn, 0.55));
    let capped = pools(&rules, &two(9.0, 9.0)).unwrap();
    assert_eq!(capped.types.text.champion, 0.6);
    assert_eq!(capped.types.image.champion, 0.4);
    assert_eq!(capped.burn, 0.0);
}

/// December's own example: a boost of 0.2, a hundredth less for each defence, never below the base however long ago
/// the first win.
#[test]
fn decembers_boosts_lose_a_hundredth_for_each_defence_and_nothing_for_days() {
    let of = |consecutive_wins| {
        let mut input = EmissionInput {
            environment: None,
            ..input([0.15, 0.0, 0.0], [&[], &[], &[]])
        };
        input.now_unix_us = Some(1_765_000_000_000_000);
        input.text.reign = Some(Reign {
            first_won_unix_us: Some(0),
            consecutive_wins,
        });
        pools(&old(), &input).unwrap().types.text.champion
    };
    assert!(near(of(0), 0.35) && near(of(1), 0.35), "{}", of(1));
    assert!(near(of(2), 0.34) && near(of(11), 0.25), "{}", of(11));
    assert_eq!((of(21), of(40)), (0.15, 0.15));
}

#[test]
fn a_missing_margin_counts_as_the_rules_say() {
    let rules = old();
    let of = |performance| {
        let mut input = EmissionInput {
            environment: None,
            ..input([0.0; 3], [&[], &[], &[]])
        };
        input.text.performance = performance;
        pools(&rules, &input).unwrap().types.text.champion
    };
    let won = |burn_account| Performance::Won {
        difference: None,
        burn_account,
    };
    // The subnet's branch for a margin that is not there. No tournament that was played comes to it.
    assert_eq!(of(won(true)), 0.6);
    assert_eq!(of(won(false)), 0.15);
    let defended = Performance::Defended {
        stored_difference: None,
    };
    assert_eq!(of(defended), 0.15);
    assert_eq!(of(Performance::NoTournament), 0.15);
}

#[test]
fn pools_without_burn_sum_to_one_and_pay_everyone_alike() {
    let found = pools(&newest(), &input([0.3, 0.0, 0.12], [&[], &[], &[]])).unwrap();
    let types = found.types;
    let total = types.text.champion + types.image.champion + types.environment.champion;
    assert!(near(total, 1.0), "{found:?}");
    assert_eq!(found.burn, 0.0);
    assert!(types.iter().all(|(_, pool)| pool.champion == pool.others));
}

#[test]
fn three_ranks_are_paid_and_double_places_are_added_up() {
    let rules = newest();
    let of = |results: &Results| -> Vec<(String, f64)> {
        let shares = shares(&rules, 0.35, results).unwrap();
        shares.into_iter().map(|s| (s.hotkey, s.share)).collect()
    };
    let four = results("a", None, &[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
    let paid = of(&four);
    assert_eq!(paid.len(), 3);
    assert!(
        near(paid[0].1, 16.0 / 21.0) && near(paid[1].1, 4.0 / 21.0),
        "{paid:?}"
    );
    let two = of(&results("a", None, &[("a", 1), ("b", 2)]));
    assert!(near(two[0].1, 0.8) && near(two[1].1, 0.2));
    // The champion under the burn hotkey, and under his own as the challenger.
    let burn = rules.burn_hotkey.clone();
    let twice = results(&burn, Some("a"), &[(&burn, 1), ("a", 2), ("c", 3)]);
    assert!(near(of(&twice)[0].1, 20.0 / 21.0), "{:?}", of(&twice));
    assert_eq!(twice.champion(&burn), Some("a"));
}

#[test]
fn all_equal_points_share_their_mean_rank() {
    let rules = old();
    let task = |winner: &str| results::RoundTask {
        task_id: "t".to_owned(),
        group_id: None,
        pair_id: None,
        winner: Some(winner.to_owned()),
        participant_scores: Vec::new(),
    };
    let mut tied = results("champion", None, &[]);
    tied.final_positions = None;
    tied.rounds = vec![results::Round {
        round_id: "r1".to_owned(),
        round_number: 1,
        round_type: "group".to_owned(),
        is_final_round: false,
        tasks: ["b", "a", "champion"].map(task).to_vec(),
    }];
    let shares = shares(&rules, 0.15, &tied).unwrap();
    let hotkeys: Vec<&str> = shares.iter().map(|s| &*s.hotkey).collect();
    assert_eq!(hotkeys, ["champion", "b", "a"]);
    assert_eq!(shares[1].share, shares[2].share);
    assert!(near(shares[1].share, 0.3f64.powf(1.5) / 1.39));
}

#[test]
fn weight_of_who_left_is_burned_and_the_burn_uid_is_set_not_added_to() {
    let rules = newest();
    let burn = rules.burn_hotkey.clone();
    let pools = pools(&rules, &input([0.0; 3], [&[], &[], &[]])).unwrap();
    let text = results("a", None, &[("a", 1), ("gone", 2)]);
    let of = PerType {
        text: Some(&text),
        image: None,
        environment: None,
    };
    let takers = ["a", &burn, "gone", "gone too"].map(str::to_owned);
    let graph = metagraph(&["x", &burn, "a"]);
    let vector = weight_vector(&rules, &pools, &of, &takers, &graph).unwrap();
    let scale = 1.0 - 4.0 * 0.0001;
    let text = pools.types.text.champion * scale;
    assert_eq!(vector.weights[0], 0.0);
    assert!(near(vector.weights[2], 0.8 * text + 0.0001));
    assert!(near(vector.weights[1], scale - 0.8 * text), "{vector:?}");
    let lost: Vec<_> = vector.lost.iter().map(|l| (&*l.hotkey, l.what)).collect();
    assert_eq!(
        lost,
        [
            ("gone", LostFor::Tournament(TournamentType::Text)),
            ("gone", LostFor::Participation),
            ("gone too", LostFor::Participation),
            (&*burn, LostFor::BurnUid),
        ]
    );
    // Two shares of taking part are nobody's, and the burn uid's own is replaced: named, and no reason to set nothing.
    assert!(near(vector.total, 1.0 - 3.0 * 0.0001), "{}", vector.total);
    vector.check_total(&rules).unwrap();
}

#[test]
fn a_vector_without_the_burn_hotkey_says_what_is_missing() {
    let rules = newest();
    let pools = pools(&rules, &input([0.0; 3], [&[], &[], &[]])).unwrap();
    let graph = metagraph(&["a"]);
    let vector = weight_vector(&rules, &pools, &PerType::default(), &[], &graph).unwrap();
    assert_eq!(vector.weights, [0.0]);
    assert_eq!(vector.paid_uids().count(), 0);
    let error = vector.check_total(&rules).unwrap_err();
    assert!(
        matches!(&error, EmissionError::Total { lost, .. } if lost.len() == 1),
        "{error}"
    );
}
