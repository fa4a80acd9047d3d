use super::{MarginError, task_margin, tournament_margin, win_share, win_share_margin};
use crate::rules::{Divisor, PerformanceRules, RuleSet, TaskKind};
use crate::scoring::bootstrap::tests::{double, results};
use serde_json::Value;

fn rules(divisor: Divisor) -> PerformanceRules {
    PerformanceRules {
        divisor,
        ..RuleSet::newest().performance
    }
}

fn same(found: Option<f64>, expected: &Value, case: &Value) {
    // A zero difference may carry either sign.
    let bits = |value: f64| (value + 0.0).to_bits();
    assert_eq!(found.map(bits), double(expected).map(bits), "{case}");
}

#[test]
fn margins_equal_those_of_the_definition_bit_for_bit() {
    let golden = results();
    for case in golden["margins"].as_array().unwrap() {
        let kind: TaskKind = serde_json::from_value(case["kind"].clone()).unwrap();
        let (challenger, boss) = (double(&case["challenger"]), double(&case["boss"]));
        for (key, divisor) in [
            ("positive", Divisor::Positive),
            ("magnitude", Divisor::Magnitude),
        ] {
            let found = task_margin(kind, challenger, boss, &rules(divisor));
            same(found, &case[key], case);
        }
    }
    let rules = rules(Divisor::Magnitude);
    for case in golden["medians"].as_array().unwrap() {
        let margins: Vec<_> = case["margins"]
            .as_array()
            .unwrap()
            .iter()
            .map(double)
            .collect();
        same(
            tournament_margin(&margins, &rules).ok(),
            &case["median"],
            case,
        );
    }
    let shares = RuleSet::newest().win_shares().unwrap();
    for case in golden["win_shares"].as_array().unwrap() {
        let share = double(&case[0]).unwrap();
        same(win_share_margin(share, &shares).ok(), &case[1], case);
    }
}

#[test]
fn points_of_games_give_their_share_and_standings_none() {
    let rules = RuleSet::newest().win_shares().unwrap();
    let of = |challenger, boss, environments| {
        let share = win_share(challenger, boss, environments, &rules.share);
        (share, win_share_margin(share, &rules).unwrap())
    };
    // Seven of ten won, two lost, one drawn: 22 points against 7.
    assert_eq!(of(22.0, 7.0, 10).0, 0.7);
    // All won.
    assert_eq!(of(3.0, 0.0, 1), (1.0, 0.1 + 0.4 * 0.125));
    // Standings are from 0 to 1, whoever has them.
    for environments in 1..=8 {
        let (share, margin) = of(1.0, 0.0, environments);
        assert!(share < 0.0 && margin == 0.0, "{environments}: {share}");
        assert_eq!(of(1.0, 1.0, environments).1, 0.0);
    }
}

#[test]
fn the_older_rules_divide_by_nothing_that_is_not_positive() {
    let old = RuleSet::named(RuleSet::names()[0]).unwrap();
    let margin = |boss| task_margin(TaskKind::Grpo, Some(1.0), Some(boss), &old.performance);
    assert_eq!(margin(-1.0), Some(0.0));
    assert_eq!(margin(0.5), Some(1.0));
    let new = RuleSet::newest().performance;
    assert_eq!(
        task_margin(TaskKind::Grpo, Some(1.0), Some(-1.0), &new),
        Some(2.0)
    );
    assert!(old.win_shares().is_err());
}

#[test]
fn what_is_not_finite_gives_no_margin() {
    let rules = rules(Divisor::Magnitude);
    for bad in [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
    ] {
        assert_eq!(task_margin(TaskKind::Dpo, bad, Some(1.0), &rules), None);
        assert_eq!(task_margin(TaskKind::Dpo, Some(1.0), bad, &rules), None);
    }
    let least = f64::from_bits(1);
    assert_eq!(
        task_margin(TaskKind::Dpo, Some(least), Some(1.0), &rules),
        None
    );
    let shares = RuleSet::newest().win_shares().unwrap();
    assert!(win_share_margin(f64::NAN, &shares).is_err());
    assert!(
        win_share_margin(1.000_1, &shares)
            .unwrap_err()
            .to_string()
            .contains("1.0001")
    );
    assert_eq!(win_share_margin(f64::NEG_INFINITY, &shares), Ok(0.0));
}

#[test]
fn a_median_of_what_is_no_number_and_one_that_overflows_are_refused() {
    let rules = rules(Divisor::Magnitude);
    for found in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = tournament_margin(&[None, Some(0.5), Some(found)], &rules).unwrap_err();
        assert!(
            matches!(error, MarginError::NotFinite { task: 2, found: f } if f.to_bits() == found.to_bits()),
            "{error}"
        );
    }
    let of = |margins: &[f64]| {
        let margins: Vec<_> = margins.iter().copied().map(Some).collect();
        tournament_margin(&margins, &rules)
    };
    let (low, high) = (1e308, f64::MAX);
    assert_eq!(of(&[high, low]), Err(MarginError::Overflow { low, high }));
    assert_eq!(
        of(&[-low, -high]),
        Err(MarginError::Overflow {
            low: -high,
            high: -low
        })
    );
    // Only the middle decides.
    assert_eq!(of(&[high, 0.25, -high]), Ok(0.25));
    assert_eq!(of(&[high, high, 0.25, -0.75, -high, -high]), Ok(-0.25));
    assert_eq!(tournament_margin(&[None, None], &rules), Ok(rules.missing));
}
