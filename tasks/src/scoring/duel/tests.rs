use super::{Duel, IncomparableError, Tally, Verdict};
use crate::rules::RuleSet;
use crate::scoring::bootstrap::tests::golden;
use serde_json::Value;

fn losses(value: &Value) -> Vec<Option<f64>> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|bits| bits.as_u64().map(f64::from_bits))
        .collect()
}

#[test]
fn decisions_and_bounds_equal_numpys() {
    let rules = RuleSet::newest().paired;
    let golden = golden();
    let cases = golden["duels"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let (boss, challenger) = (losses(&case["boss"]), losses(&case["challenger"]));
        let duel = Duel::new(&challenger, "set", &boss, "set", rules.dead_zone).unwrap();
        let count = |key: &str| case[key].as_u64().unwrap() as usize;
        let expected = Tally {
            wins: count("wins"),
            losses: count("losses"),
            draws: count("draws"),
        };
        assert_eq!(duel.tally, expected, "{name}");
        let bounds = duel.bounds(&rules).unwrap();
        assert_eq!(
            bounds.gap_lower.to_bits(),
            case["gap_lower"].as_u64().unwrap(),
            "{name}"
        );
        assert_eq!(
            bounds.gap_needed.to_bits(),
            case["gap_needed"].as_u64().unwrap(),
            "{name}"
        );
        assert_eq!(
            bounds.win_rate_lower.map(f64::to_bits),
            case["win_rate_lower"].as_u64(),
            "{name}"
        );
        let verdict = match case["verdict"].as_str().unwrap() {
            "challenger" => Verdict::Challenger,
            "holder" => Verdict::Holder,
            _ => Verdict::Draw,
        };
        assert_eq!(bounds.verdict(), verdict, "{name}");
    }
}

#[test]
fn a_gap_on_the_edge_of_the_dead_zone_is_a_draw() {
    let tally = Tally::of(&[0.01, -0.01, 0.010_000_1, -0.010_000_1, 0.0], 0.01);
    assert_eq!(
        tally,
        Tally {
            wins: 1,
            losses: 1,
            draws: 3
        }
    );
    assert_eq!(tally.win_rate(), Some(0.5));
    assert_eq!(Tally::of(&[0.0], 0.01).win_rate(), None);
}

#[test]
fn vectors_of_different_sets_are_not_compared() {
    let row = [Some(1.0)];
    let other = Duel::new(&row, "a", &row, "b", 0.01).unwrap_err();
    assert!(matches!(other, IncomparableError::Fingerprint { .. }));
    let longer = Duel::new(&[Some(1.0), Some(2.0)], "a", &row, "a", 0.01).unwrap_err();
    assert_eq!(
        longer,
        IncomparableError::Length {
            challenger: 2,
            holder: 1
        }
    );
}

#[test]
fn a_duel_without_a_common_finite_row_has_no_numbers() {
    let rules = RuleSet::newest().paired;
    let duel = Duel::new(&[Some(1.0), None], "a", &[None, Some(f64::NAN)], "a", 0.01).unwrap();
    assert_eq!((duel.mean_gap, duel.tally), (None, Tally::default()));
    assert_eq!(duel.bounds(&rules), None);
}
