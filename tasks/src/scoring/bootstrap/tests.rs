use super::{Resampled, mean};
use serde_json::Value;

/// numpy's values; `make_scoring_golden.py` beside the file makes them.
pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!(
        "../../../../tests/golden/scoring/scoring.json"
    ))
    .unwrap()
}

pub(crate) fn doubles(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|bits| f64::from_bits(bits.as_u64().unwrap()))
        .collect()
}

#[test]
fn quantiles_of_resampled_means_equal_numpys_bit_for_bit() {
    let golden = golden();
    let cases = golden["bootstrap"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let values = doubles(&case["values"]);
        let resamples = case["resamples"].as_u64().unwrap() as usize;
        let drawn = Resampled::draw(&values, resamples, case["seed"].as_u64().unwrap()).unwrap();
        let first = doubles(&case["first_means_sorted"]);
        assert_eq!(drawn.means[..first.len()], first, "{} values", values.len());
        let percents = case["percents"].as_array().unwrap();
        for (percent, expected) in percents.iter().zip(doubles(&case["quantiles"])) {
            let percent = percent.as_f64().unwrap();
            let found = drawn.quantile(percent / 100.0);
            assert_eq!(
                found.to_bits(),
                expected.to_bits(),
                "{} values, {percent} %",
                values.len()
            );
        }
    }
}

#[test]
fn what_cannot_be_resampled_is_refused() {
    assert_eq!(Resampled::draw(&[], 10, 1), None);
    assert_eq!(Resampled::draw(&[1.0], 0, 1), None);
    assert_eq!(Resampled::draw(&[1.0, f64::NAN], 10, 1), None);
    assert_eq!(Resampled::draw(&[1.0, f64::INFINITY], 10, 1), None);
}

#[test]
fn intervals_nest_and_bounds_follow_percent() {
    let values: Vec<f64> = (0..50).map(|i| f64::from(i) * 0.1).collect();
    let drawn = Resampled::draw(&values, 2000, 3).unwrap();
    let (low99, high99) = drawn.interval(0.99);
    let (low95, high95) = drawn.interval(0.95);
    assert!(low99 < low95 && low95 < mean(&values) && mean(&values) < high95 && high95 < high99);
    assert_eq!(drawn.lower_bound(0.99), drawn.quantile(0.01));
}
