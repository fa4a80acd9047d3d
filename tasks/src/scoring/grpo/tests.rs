use super::{NormaliseError, Rewards, normalise};
use crate::rules::{FailedRule, GrpoRules, RuleSet};
use crate::scoring::bootstrap::tests::{double, doubles, results};
use serde_json::Value;

fn rules(failed: FailedRule) -> GrpoRules {
    GrpoRules {
        failed,
        ..RuleSet::newest().grpo
    }
}

fn candidate(value: &Value) -> Option<Rewards> {
    let means = value.get("means")?.as_array().unwrap();
    Some(Rewards {
        means: means.iter().map(double).collect(),
        kl: double(&value["kl"]).unwrap(),
        own_score: double(&value["own"]).unwrap(),
    })
}

fn one(means: &[f64]) -> Option<Rewards> {
    Some(Rewards {
        means: means.iter().copied().map(Some).collect(),
        kl: 0.0,
        own_score: 7.0,
    })
}

#[test]
fn scores_equal_those_of_the_definition_bit_for_bit() {
    let golden = results();
    let cases = golden["rewards"].as_array().unwrap();
    assert_eq!(cases.len(), 126);
    for case in cases {
        let candidates: Vec<_> = case["candidates"]
            .as_array()
            .unwrap()
            .iter()
            .map(candidate)
            .collect();
        let weights = doubles(&case["weights"]);
        for (key, failed) in [
            ("shift_others", FailedRule::ShiftOthers),
            ("skipped", FailedRule::Skipped),
        ] {
            let found = normalise(&candidates, &weights, &rules(failed)).unwrap();
            let found: Vec<_> = found.iter().map(|score| score.map(f64::to_bits)).collect();
            let expected: Vec<_> = case[key]
                .as_array()
                .unwrap()
                .iter()
                .map(Value::as_u64)
                .collect();
            assert_eq!(found, expected, "{key} of {case}");
        }
    }
}

#[test]
fn two_with_a_negative_reward_are_told_apart_but_not_by_how_much() {
    let rules = rules(FailedRule::Skipped);
    let scores = |values: &[f64]| {
        let candidates: Vec<_> = values.iter().map(|value| one(&[*value])).collect();
        normalise(&candidates, &[1.0], &rules).unwrap()
    };
    assert_eq!(scores(&[-1.0, 50.0]), [Some(0.25), Some(0.75)]);
    assert_eq!(scores(&[50.0, -1.0]), [Some(0.75), Some(0.25)]);
    assert_eq!(scores(&[-1.0, -1.0]), [Some(0.25), Some(0.75)]);
    assert_eq!(scores(&[0.0, 0.0]), [Some(1.0), Some(1.0)]);
    assert_eq!(scores(&[2.0, 4.0]), [Some(0.5), Some(1.0)]);
    assert_eq!(scores(&[-1.0, 1.0, 0.0]), [Some(0.0), Some(1.0), Some(0.5)]);
    assert_eq!(scores(&[-1.0, -1.0, -1.0]), [Some(1.0); 3]);
    assert_eq!(scores(&[-3.0]), [Some(7.0)], "alone, its own score stands");
    assert_eq!(scores(&[]), []);
}

#[test]
fn a_failed_candidate_shifts_those_behind_it_where_the_rules_say_so() {
    let candidates = [one(&[1.0]), None, one(&[2.0]), one(&[4.0])];
    let scores = |failed| normalise(&candidates, &[1.0], &rules(failed)).unwrap();
    let skipped = scores(FailedRule::Skipped);
    assert_eq!(skipped, [Some(0.25), None, Some(0.5), Some(1.0)]);
    let shifted = scores(FailedRule::ShiftOthers);
    assert_eq!(shifted, [Some(0.25), None, Some(1.0), Some(7.0)]);
    let nobody = normalise(&[None, None], &[1.0], &rules(FailedRule::ShiftOthers));
    assert_eq!(nobody.unwrap(), [None, None]);
    let alone = normalise(&[None, one(&[-2.0])], &[1.0], &rules(FailedRule::Skipped));
    assert_eq!(alone.unwrap(), [None, Some(1.0)], "one value is flat");
}

#[test]
fn numbers_that_are_none_are_named() {
    let rules = rules(FailedRule::Skipped);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = normalise(&[one(&[1.0]), one(&[bad])], &[1.0], &rules).unwrap_err();
        let what = "mean of reward function 0";
        assert!(
            matches!(&error, NormaliseError::NotFinite { candidate: 1, what: found, .. } if found == what),
            "{error}"
        );
        let mut diverged = one(&[1.0]);
        diverged.as_mut().unwrap().kl = bad;
        assert!(normalise(&[diverged, one(&[1.0])], &[1.0], &rules).is_err());
        let mut own = one(&[1.0]);
        own.as_mut().unwrap().own_score = bad;
        assert!(normalise(&[own], &[1.0], &rules).is_err());
        let error = normalise(&[one(&[1.0])], &[bad], &rules).unwrap_err();
        assert!(matches!(error, NormaliseError::Weight { function: 0, .. }));
    }
    assert!(normalise(&[one(&[1.0])], &[-1.0], &rules).is_err());
    let error = normalise(&[one(&[1.0, 2.0])], &[1.0], &rules).unwrap_err();
    assert!(matches!(
        error,
        NormaliseError::Functions {
            found: 2,
            expected: 1,
            ..
        }
    ));
    // The spread of two finite numbers need not be finite.
    let far = [one(&[-f64::MAX]), one(&[f64::MAX]), one(&[0.0])];
    assert!(matches!(
        normalise(&far, &[1.0], &rules),
        Err(NormaliseError::NotFinite { candidate: 1, .. })
    ));
}
