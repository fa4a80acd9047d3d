use super::*;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../tests/golden/weights/weights-vectors.json");

struct Case {
    name: String,
    uids: Vec<u16>,
    weights: Vec<f64>,
    limits: Limits,
    json: Value,
}

impl Case {
    fn pairs(&self, key: &str) -> Option<Vec<(u16, u16)>> {
        let [uids, values]: [Vec<u16>; 2] =
            serde_json::from_value(self.json.get(key)?.clone()).unwrap();
        Some(uids.into_iter().zip(values).collect())
    }
}

fn float(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let whole = |case: &Value, key: &str| u16::try_from(case[key].as_u64().unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    cases
        .iter()
        .map(|case| Case {
            name: case["name"].as_str().unwrap().to_owned(),
            uids: serde_json::from_value(case["uids"].clone()).unwrap(),
            weights: case["weights"]
                .as_array()
                .unwrap()
                .iter()
                .map(float)
                .collect(),
            limits: Limits {
                max_weight: whole(case, "max_weight_limit_u16"),
                weights_min: whole(case, "min_allowed_weights"),
                num_neurons: whole(case, "num_neurons"),
                own_uid: None,
            },
            json: case.clone(),
        })
        .collect()
}

#[test]
fn the_reference_rule_equals_every_vector() {
    let cases = cases();
    assert_eq!(cases.len(), 37);
    for case in cases {
        let ours = reference::pairs(&case.uids, &case.weights).ok();
        assert_eq!(ours, case.pairs("fiber_2_x"), "{}", case.name);
    }
}

#[test]
fn the_rule_of_sdk_11_equals_every_vector() {
    for case in cases() {
        let ours = pairs_and_clipped(&case);
        assert_eq!(ours.0, case.pairs("sdk11_normalize"), "{}", case.name);
        assert_eq!(ours.1, case.pairs("sdk11_conform"), "{}", case.name);
        if let Some(clipped) = case.json.get("sdk11_clip") {
            let clipped: Vec<f64> = clipped.as_array().unwrap().iter().map(float).collect();
            let ours = sdk11::clip(&case.weights, case.limits.max_weight).unwrap();
            assert_eq!(ours, clipped, "{}", case.name);
        }
    }
}

type MaybePairs = Option<Vec<(u16, u16)>>;

fn pairs_and_clipped(case: &Case) -> (MaybePairs, MaybePairs) {
    let plain = sdk11::pairs(&case.uids, &case.weights).ok();
    let clipped = sdk11::clip(&case.weights, case.limits.max_weight)
        .and_then(|clipped| sdk11::pairs(&case.uids, &clipped));
    (plain, clipped.ok())
}

#[test]
fn the_rule_of_sdk_10_equals_every_vector_to_the_last_bit_of_its_floats() {
    for case in cases() {
        let processed = sdk10::process(&case.uids, &case.weights, &case.limits);
        if case.json.get("sdk10_error").is_some() {
            assert!(processed.is_err(), "{}", case.name);
            continue;
        }
        let (uids, weights) = processed.unwrap();
        let expected = case.json["sdk10_process"].as_array().unwrap();
        let expected_uids: Vec<u16> = serde_json::from_value(expected[0].clone()).unwrap();
        let expected_weights: Vec<f64> =
            expected[1].as_array().unwrap().iter().map(float).collect();
        assert_eq!(uids, expected_uids, "{}", case.name);
        assert_eq!(weights, expected_weights, "{}", case.name);
        let pairs = sdk10::emit(&uids, &weights).ok();
        assert_eq!(pairs, case.pairs("sdk10_emit"), "{}", case.name);
    }
}

const RULES: [Rounding; 3] = [Rounding::Reference, Rounding::Sdk10, Rounding::Sdk11];
const LIMITS: Limits = Limits {
    max_weight: u16::MAX,
    weights_min: 1,
    num_neurons: 4,
    own_uid: None,
};

#[test]
fn no_rule_takes_what_no_vector_should_hold() {
    for rule in RULES {
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1] {
            let error = quantise(rule, &[0, 2], &[1.0, wrong], &LIMITS).unwrap_err();
            assert!(
                matches!(error, QuantiseError::NotAWeight { uid: 2, .. }),
                "{rule:?}: {error}"
            );
        }
        let refused = |uids: &[u16], weights: &[f64]| quantise(rule, uids, weights, &LIMITS);
        assert_eq!(refused(&[], &[]), Err(QuantiseError::Nothing));
        assert_eq!(refused(&[0, 1], &[0.0, 0.0]), Err(QuantiseError::Nothing));
        let (uids, weights) = (2, 1);
        let lengths = QuantiseError::Lengths { uids, weights };
        assert_eq!(refused(&[0, 1], &[1.0]), Err(lengths));
        assert_eq!(
            refused(&[1, 1], &[1.0, 0.5]),
            Err(QuantiseError::Twice { uid: 1 })
        );
        let (uid, num_neurons) = (4, 4);
        let not_there = QuantiseError::NotThere { uid, num_neurons };
        assert_eq!(refused(&[4], &[1.0]), Err(not_there));
    }
}

#[test]
fn equal_weights_are_all_the_largest_value() {
    for rule in RULES {
        let pairs = quantise(rule, &[0, 1, 3], &[0.25; 3], &LIMITS).unwrap();
        assert_eq!(pairs, [(0, 65535), (1, 65535), (3, 65535)], "{rule:?}");
    }
}

#[test]
fn too_few_weights_are_refused_padded_or_let_through() {
    let limits = Limits {
        weights_min: 3,
        ..LIMITS
    };
    let by = |rule| quantise(rule, &[1, 3], &[1.0, 1.0], &limits);
    assert_eq!(by(Rounding::Reference).unwrap(), [(1, 65535), (3, 65535)]);
    let (found, weights_min) = (2, 3);
    let few = QuantiseError::TooFew { found, weights_min };
    assert_eq!(by(Rounding::Sdk11), Err(few.clone()));
    // The SDK pads by place in the vector: it would pay uids 0 and 1.
    let slipped = sdk10::process(&[1, 3], &[1.0, 1.0], &limits).unwrap();
    assert!(slipped.1[0] > 0.49 && slipped.1[3] < 0.01, "{slipped:?}");
    assert_eq!(by(Rounding::Sdk10), Err(few));
    let whole = [0.0, 1.0, 0.0, 1.0];
    let padded = quantise(Rounding::Sdk10, &[0, 1, 2, 3], &whole, &limits).unwrap();
    assert_eq!(padded, [(0, 1), (1, 65535), (2, 1), (3, 65535)]);
    // A vector of oneself is exempt.
    let own = Limits {
        own_uid: Some(2),
        max_weight: 100,
        ..limits
    };
    let alone = quantise(Rounding::Sdk11, &[2], &[0.3], &own).unwrap();
    assert_eq!(alone, [(2, 65535)]);
}

#[test]
fn weights_below_what_can_be_scaled_are_refused() {
    let error = quantise(Rounding::Reference, &[0], &[5e-324], &LIMITS).unwrap_err();
    assert_eq!(error, QuantiseError::TooSmall { largest: 5e-324 });
    // In f32 it is 0, where SDK 10 gives everyone the same, which nobody asked for.
    let equal = quantise(Rounding::Sdk10, &[0], &[5e-324], &LIMITS);
    assert_eq!(equal, Err(QuantiseError::TooSmall { largest: 5e-324 }));
}

#[test]
fn weights_that_f32_cannot_hold_are_refused_by_the_rule_that_uses_it() {
    let error = quantise(Rounding::Sdk10, &[0, 1], &[1.0, 1e39], &LIMITS).unwrap_err();
    let (uid, found) = (1, 1e39);
    assert_eq!(error, QuantiseError::NotAWeight { uid, found });
    let pairs = quantise(Rounding::Sdk11, &[0, 1], &[1.0, 1e39], &LIMITS).unwrap();
    assert_eq!(pairs, [(1, 65535)]);
}
