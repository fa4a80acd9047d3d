use super::{Resampled, ResampledDuel, mean};
use crate::scoring::pcg64::Pcg64;
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

/// Values of the definitions; `make_results_golden.py` beside the file makes them.
pub(crate) fn results() -> Value {
    serde_json::from_str(include_str!(
        "../../../../tests/golden/scoring/results.json"
    ))
    .unwrap()
}

pub(crate) fn double(bits: &Value) -> Option<f64> {
    bits.as_u64().map(f64::from_bits)
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

/// The rows of `make_bootstrap_golden.py`.
fn random_gaps(case: u64, rows: usize) -> Vec<f64> {
    let mut random = Pcg64::new(case);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (shift, spread) = (uniform() * 0.1, uniform() * 0.5);
    let boss: Vec<f64> = (0..rows).map(|_| uniform() * 4.0).collect();
    let gaps: Vec<f64> = boss
        .iter()
        .map(|boss| boss - (boss - (shift + spread * (uniform() - 0.5))))
        .collect();
    gaps.into_iter().filter(|_| uniform() >= 0.05).collect()
}

#[test]
fn bounds_of_a_thousand_random_duels_equal_numpys_bit_for_bit() {
    let golden = include_str!("../../../../tests/golden/scoring/bootstrap.txt");
    let mut cases = 0;
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| fields[index].parse::<u64>().unwrap();
        let gaps = random_gaps(number(0), number(1) as usize);
        let drawn = ResampledDuel::draw(&gaps, 0.01, number(2) as usize, number(3));
        let confidence: f64 = fields[4].parse().unwrap();
        let hex = |drawn: &Resampled| format!("{:016x}", drawn.lower_bound(confidence).to_bits());
        let found = match &drawn {
            Some(drawn) => [hex(&drawn.win_rate), hex(&drawn.gap)],
            None => ["none".to_owned(), "none".to_owned()],
        };
        assert_eq!(found, fields[5..], "case {line}");
        cases += 1;
    }
    assert_eq!(cases, 1001);
}

#[test]
fn drawing_in_pairs_gives_the_numbers_that_drawing_one_by_one_gives() {
    // With a million values some bits are drawn again, which is where pairs break up.
    for count in [1, 2, 3, 1000, (1 << 20) + 1] {
        let values: Vec<f64> = (0..count).map(f64::from).collect();
        let (mut pairs, mut single) = (Pcg64::new(7), Pcg64::new(7));
        for len in [0, 1, 2, 7, 10_001] {
            let mut sample = vec![-1.0; len];
            pairs.choose(&values, count, &mut sample);
            let expected: Vec<f64> = (0..len).map(|_| f64::from(single.below(count))).collect();
            assert_eq!(sample, expected, "{len} of {count}");
        }
        assert_eq!(pairs.next_u32(), single.next_u32(), "{count}");
    }
}

#[test]
fn what_cannot_be_resampled_is_refused() {
    assert_eq!(Resampled::draw(&[], 10, 1), None);
    assert_eq!(Resampled::draw(&[1.0], 0, 1), None);
    assert_eq!(Resampled::draw(&[1.0, f64::NAN], 10, 1), None);
    assert_eq!(Resampled::draw(&[1.0, f64::INFINITY], 10, 1), None);
    assert_eq!(Resampled::draw(&[1.0, f64::NEG_INFINITY], 10, 1), None);
    assert_eq!(ResampledDuel::draw(&[], 0.01, 10, 1), None);
    assert_eq!(ResampledDuel::draw(&[1.0], 0.01, 0, 1), None);
    assert_eq!(ResampledDuel::draw(&[f64::NAN], 0.01, 10, 1), None);
}

#[test]
fn intervals_nest_and_bounds_follow_percent() {
    let values: Vec<f64> = (0..50).map(|i| f64::from(i) * 0.1).collect();
    let drawn = Resampled::draw(&values, 2000, 3).unwrap();
    let (low99, high99) = drawn.interval(0.99);
    let (low95, high95) = drawn.interval(0.95);
    assert!(low99 < low95 && low95 < mean(&values) && mean(&values) < high95 && high95 < high99);
    assert_eq!(drawn.lower_bound(0.5), drawn.quantile(0.5));
    // 1 - 0.99 is not the double nearest to 0.01, and the reference lets it show.
    assert_eq!(drawn.lower_bound(0.99), drawn.quantile(1.0 - 0.99));
}
