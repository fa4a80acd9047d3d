//! Pools, shares and vectors against Python's own floats, bit for bit.

use super::*;
use crate::rules::{EmissionRules, ReignDecay, RuleSet};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct File {
    python: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rule_set: String,
    /// Instead of the set's own.
    #[serde(default)]
    decay: Option<ReignDecay>,
    input: EmissionInput,
    results: HashMap<TournamentType, Option<Results>>,
    participants: Vec<String>,
    hotkeys: Vec<String>,
    champions: HashMap<TournamentType, f64>,
    others: HashMap<TournamentType, f64>,
    burn: f64,
    weights: Vec<f64>,
}

impl Case {
    fn rules(&self) -> EmissionRules {
        let mut rules = RuleSet::named(&self.rule_set).unwrap().emission;
        rules.decay = self.decay.unwrap_or(rules.decay);
        rules
    }

    fn latest(&self) -> PerType<Option<&Results>> {
        let result = |t| self.results.get(&t).and_then(Option::as_ref);
        PerType {
            text: result(TournamentType::Text),
            image: result(TournamentType::Image),
            environment: result(TournamentType::Environment),
        }
    }
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../tests/golden/weights/emission.json");
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(file.python, "3.11.7");
    file.cases
}

fn bits(values: &[f64]) -> Vec<u64> {
    // 0 and -0 are the same weight.
    values.iter().map(|value| (value + 0.0).to_bits()).collect()
}

#[test]
fn pools_and_vectors_equal_python_bit_for_bit() {
    let cases = cases();
    assert_eq!(cases.len(), 120);
    for (index, case) in cases.iter().enumerate() {
        let rules = case.rules();
        let pools = pools(&rules, &case.input).unwrap();
        for (tournament, pool) in pools.types.iter() {
            let of = |all: &HashMap<_, f64>| all.get(&tournament).copied().unwrap_or(0.0);
            let expected = [of(&case.champions), of(&case.others)];
            let ours = [pool.champion, pool.others];
            assert_eq!(bits(&ours), bits(&expected), "case {index}, {tournament}");
        }
        assert_eq!(bits(&[pools.burn]), bits(&[case.burn]), "case {index}");
        let results = case.latest();
        let metagraph = Metagraph::new(case.hotkeys.clone()).unwrap();
        let vector =
            weight_vector(&rules, &pools, &results, &case.participants, &metagraph).unwrap();
        // Python leaves the burn uid a rounding below 0, and then cannot set the vector.
        let expected: Vec<f64> = case.weights.iter().map(|weight| weight.max(0.0)).collect();
        assert!(case.weights.iter().all(|weight| *weight > -1e-15));
        assert_eq!(
            bits(&vector.weights),
            bits(&expected),
            "case {index}: {vector:?}\npython: {:?}",
            case.weights
        );
    }
}

#[test]
fn a_vector_and_what_was_lost_sum_to_one() {
    for (index, case) in cases().iter().enumerate() {
        let rules = case.rules();
        let pools = pools(&rules, &case.input).unwrap();
        let results = case.latest();
        let metagraph = Metagraph::new(case.hotkeys.clone()).unwrap();
        let vector =
            weight_vector(&rules, &pools, &results, &case.participants, &metagraph).unwrap();
        // What a tournament lost is burned, so it is in the vector.
        let beside: f64 = vector
            .lost
            .iter()
            .filter(|lost| !matches!(lost.what, vector::LostFor::Tournament(_)))
            .map(|lost| lost.weight)
            .sum();
        assert!(
            (vector.total + beside - 1.0).abs() < 1e-12,
            "case {index}: {} and {beside}",
            vector.total
        );
        // Whole but where the burn hotkey is not registered and there is something to burn.
        let unburned = |l: &vector::Lost| l.what == vector::LostFor::Burn;
        let unburned = vector.lost.iter().filter(|lost| unburned(lost));
        let unburned: f64 = unburned.map(|lost| lost.weight).sum();
        let whole = unburned < rules.total_tolerance;
        assert_eq!(vector.check_total(&rules).is_ok(), whole, "case {index}");
    }
}
