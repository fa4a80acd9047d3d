//! Every input that is refused.

use super::super::pools::Pools;
use super::*;
use crate::rules::ReignDecay;
use serde_json::json;

#[test]
fn margins_and_pools_that_are_no_numbers_are_refused() {
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = pools(&newest(), &input([0.0, wrong, 0.0], [&[], &[], &[]])).unwrap_err();
        assert!(error.to_string().contains("image"), "{error}");
    }
    let rules = newest();
    let good = pools(&rules, &input([0.0; 3], [&[], &[], &[]])).unwrap();
    for wrong in [f64::NAN, f64::INFINITY, -0.1] {
        for place in 0..3 {
            let mut bad = good;
            match place {
                0 => bad.types.text.champion = wrong,
                1 => bad.types.environment.others = wrong,
                _ => bad.burn = wrong,
            }
            let graph = metagraph(&["a"]);
            let refused = weight_vector(&rules, &bad, &PerType::default(), &[], &graph);
            assert!(matches!(refused, Err(EmissionError::Number { .. })));
        }
    }
    // A margin below zero is a champion who was worse: no boost.
    let worse = pools(&rules, &input([-0.5; 3], [&[], &[], &[]])).unwrap();
    assert_eq!(worse, good);
}

#[test]
fn a_rest_to_burn_below_zero_is_nothing_or_refused() {
    let rules = newest();
    let burn = rules.burn_hotkey.clone();
    let of_text = |champion| Pools {
        types: PerType {
            text: Pool {
                champion,
                others: 1.0,
            },
            ..PerType::default()
        },
        burn: 0.0,
    };
    let text = results("a", None, &[("b", 1)]);
    let of = PerType {
        text: Some(&text),
        ..PerType::default()
    };
    let graph = metagraph(&[&burn, "b"]);
    let vector = |champion| weight_vector(&rules, &of_text(champion), &of, &[], &graph);
    assert_eq!(vector(1.0 - 1e-9).unwrap().weights, [0.0, 1.0]);
    assert!(matches!(vector(0.5), Err(EmissionError::Number { .. })));
}

#[test]
fn what_the_rule_set_does_not_have_is_refused_in_both_directions() {
    let three = input([0.0; 3], [&[], &[], &[]]);
    let two = EmissionInput {
        environment: None,
        ..three.clone()
    };
    let tournament = TournamentType::Environment;
    let what = "input";
    assert_eq!(
        pools(&old(), &three),
        Err(EmissionError::UnknownType { tournament, what })
    );
    assert_eq!(
        pools(&newest(), &two),
        Err(EmissionError::MissingType { tournament, what })
    );
    let found = pools(&old(), &two).unwrap();
    let environment = results("a", None, &[]);
    let of = PerType {
        environment: Some(&environment),
        ..PerType::default()
    };
    let refused = weight_vector(&old(), &found, &of, &[], &metagraph(&["a"]));
    assert!(matches!(refused, Err(EmissionError::UnknownType { .. })));
    let mut reigning = two;
    reigning.text.reign = Some(Reign {
        first_won_unix_us: None,
        consecutive_wins: 3,
    });
    // Wins alone need no time; days need two.
    assert_eq!(pools(&old(), &reigning), Ok(found));
    let mut days = old();
    days.decay = ReignDecay::WinsThenDays {
        per_defence: 0.01,
        per_day: 0.0033,
        start_unix_s: 0,
    };
    assert_eq!(pools(&days, &reigning), Err(EmissionError::NoPresent));
    reigning.now_unix_us = Some(1);
    let tournament = TournamentType::Text;
    assert_eq!(
        pools(&days, &reigning),
        Err(EmissionError::NoFirstWin { tournament })
    );
}

#[test]
fn positions_from_zero_and_crowds_of_participants_are_refused() {
    let rules = newest();
    let zero = results("a", None, &[("a", 0)]);
    let error = shares(&rules, 0.35, &zero).unwrap_err();
    assert!(matches!(error, EmissionError::Position { .. }), "{error}");
    let pools = pools(&rules, &input([0.0; 3], [&[], &[], &[]])).unwrap();
    let crowd = vec!["a".to_owned(); 10_000];
    let refused = weight_vector(
        &rules,
        &pools,
        &PerType::default(),
        &crowd,
        &metagraph(&["a"]),
    );
    let (participants, each) = (10_000, 0.0001);
    assert_eq!(
        refused,
        Err(EmissionError::Participants { participants, each })
    );
}

#[test]
fn a_record_with_a_hotkey_twice_is_refused() {
    let text = r#"{"tournament_id":"t","rounds":[],"base_winner_hotkey":null,"winner_hotkey":"a",
        "final_positions":{"a":1,"b":2,"a":3}}"#;
    let error = serde_json::from_str::<Results>(text)
        .unwrap_err()
        .to_string();
    assert!(error.contains("a is there twice"), "{error}");
    let missing = json!({"tournament_id": "t", "rounds": [], "winner_hotkey": "a"});
    let error = serde_json::from_value::<Results>(missing).unwrap_err();
    assert!(error.to_string().contains("base_winner_hotkey"), "{error}");
}
