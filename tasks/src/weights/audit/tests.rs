use super::super::tests::{input, metagraph, newest, results};
use super::*;
use serde_json::Value;

fn file() -> AuditFile {
    let rules = RuleSet::newest();
    let burn = rules.emission.burn_hotkey.clone();
    let input = input([0.2, 0.0, 0.13], [&[5, 12, 9], &[8, 20], &[4, 4, 7, 5, 6]]);
    let pools = pools(&newest(), &input).unwrap();
    let all = PerType {
        text: Some(results("a", Some("z"), &[("a", 1), (&burn, 2), ("c", 3)])),
        image: Some(results(&burn, Some("b"), &[(&burn, 1), ("a", 2)])),
        environment: None,
    };
    let participants = ["a", "b", "c"].map(str::to_owned).to_vec();
    let hotkeys = ["v", "a", "b", "c", "z", &burn].map(str::to_owned).to_vec();
    let data = AuditData::new(&rules, &pools, all, participants, Vec::new());
    let graph = Metagraph::new(hotkeys.clone()).unwrap();
    let weights = data.vector(&rules, &graph).unwrap().weights;
    let limits = Limits {
        max_weight: u16::MAX,
        weights_min: 1,
        num_neurons: 6,
        own_uid: Some(0),
    };
    let uids: Vec<u16> = (0..6).collect();
    let values = quantise(Rounding::Sdk11, &uids, &weights, &limits).unwrap();
    AuditFile {
        tournament_audit_data: data,
        gradus: Some(Recipe {
            version: Recipe::VERSION,
            rule_set: rules.id,
            netuid: 56,
            block_number: 7_000_000,
            input,
            hotkeys,
            rounding: Rounding::Sdk11,
            limits,
            weights,
            values,
        }),
    }
}

#[test]
fn a_file_comes_out_again_after_a_trip_through_its_text() {
    let file = file();
    let again = AuditFile::parse(file.to_json().as_bytes()).unwrap();
    assert_eq!(again, file);
    assert_eq!(again.first_difference().unwrap(), None);
}

#[test]
fn a_file_has_the_keys_of_the_reference_in_its_order() {
    let json: Value = serde_json::from_str(&file().to_json()).unwrap();
    let data = json["tournament_audit_data"].as_object().unwrap();
    let keys: Vec<&str> = data.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "text_tournament_data",
            "image_tournament_data",
            "environment_tournament_data",
            "participants",
            "text_tournament_weight",
            "image_tournament_weight",
            "environment_tournament_weight",
            "text_base_weight",
            "image_base_weight",
            "environment_base_weight",
            "burn_weight",
            "weekly_participation"
        ]
    );
    // A type without a tournament is there, and null.
    assert_eq!(data["environment_tournament_data"], Value::Null);
}

#[test]
fn the_first_number_that_does_not_come_out_again_is_named() {
    // One unit in the last place is a difference.
    let up = |number: f64| f64::from_bits(number.to_bits() + 1);
    type Change = fn(&mut AuditFile, &dyn Fn(f64) -> f64);
    let changes: [(&str, Change); 6] = [
        (
            "tournament_audit_data.text_tournament_weight",
            |file, up| {
                let weight = &mut file.tournament_audit_data.text_tournament_weight;
                *weight = up(*weight);
            },
        ),
        ("tournament_audit_data.image_base_weight", |file, up| {
            let weight = &mut file.tournament_audit_data.image_base_weight;
            *weight = weight.map(up);
        }),
        ("tournament_audit_data.burn_weight", |file, _| {
            file.tournament_audit_data.burn_weight = 0.25;
        }),
        ("gradus.weights[3]", |file, up| {
            let weight = &mut file.gradus.as_mut().unwrap().weights[3];
            *weight = up(*weight);
        }),
        ("gradus.weights[5]", |file, _| {
            file.gradus.as_mut().unwrap().weights.truncate(5);
        }),
        ("gradus.values[1]", |file, _| {
            file.gradus.as_mut().unwrap().values[1].1 -= 1;
        }),
    ];
    for (at, change) in changes {
        let mut changed = file();
        change(&mut changed, &up);
        let difference = changed.first_difference().unwrap().expect(at);
        assert_eq!(difference.at, at);
        assert_ne!(difference.recorded, difference.recomputed);
    }
    // Another result is another vector.
    let mut other = file();
    let text = other.tournament_audit_data.text_tournament_data.as_mut();
    text.unwrap().winner_hotkey = Some("c".to_owned());
    let positions = &mut other.tournament_audit_data.image_tournament_data;
    positions
        .as_mut()
        .unwrap()
        .final_positions
        .as_mut()
        .unwrap()
        .0
        .remove(1);
    let difference = other.first_difference().unwrap().unwrap();
    assert_eq!(difference.at, "gradus.weights[1]");
}

#[test]
fn files_that_are_not_of_the_form_are_refused() {
    let text = file().to_json();
    let refused = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        AuditFile::parse(changed.as_bytes())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(refused("\"burn_weight\": 0.0", "\"burn_weight\": NaN").contains("fit"));
    assert!(refused("\"burn_weight\": 0.0", "\"burn_weight\": 1e999").contains("fit"));
    assert!(refused("\"burn_weight\": 0.0,", "").contains("burn_weight"));
    assert!(refused("\"burn_weight\"", "\"burn\": 1, \"burn_weight\"").contains("`burn`"));
    assert!(refused("\"winner_hotkey\": \"a\"", "\"x\": 1").contains('x'));
    assert!(refused("\"version\": 2", "\"version\": 1").contains("version 1"));
    assert!(AuditFile::parse(b"[]").is_err() && AuditFile::parse(b"").is_err());
    let large = vec![b' '; FILE_BYTES_MAX + 1];
    let large = AuditFile::parse(&large).unwrap_err();
    assert!(matches!(large, AuditError::TooLarge { .. }));
}

#[test]
fn files_of_another_time_than_their_rules_are_refused() {
    let old = RuleSet::named("2025-12-12-86623e97").unwrap();
    let data = file().tournament_audit_data;
    let error = data.pools(&old).unwrap_err().to_string();
    assert!(error.contains("environment_tournament_data"), "{error}");
    let mut short = data.clone();
    short.text_base_weight = None;
    let error = short.pools(&RuleSet::newest()).unwrap_err().to_string();
    assert!(error.contains("text_base_weight is missing"), "{error}");
    let mut unknown = file();
    unknown.gradus.as_mut().unwrap().rule_set = "2019".to_owned();
    assert!(matches!(
        unknown.first_difference(),
        Err(AuditError::Rules(RuleSetError::Unknown { .. }))
    ));
    unknown.gradus = None;
    assert!(matches!(
        unknown.first_difference(),
        Err(AuditError::NoRecipe)
    ));
    // Without a recipe the vector still comes out, over a metagraph that the caller has.
    let graph = metagraph(&["a", "b"]);
    let vector = data.vector(&RuleSet::newest(), &graph).unwrap();
    assert!(vector.weights[0] > vector.weights[1]);
}

#[test]
fn a_row_on_chain_is_judged_by_its_angle_and_its_first_difference() {
    let rules = RuleSet::newest();
    let ours = [(1, 65535), (4, 10923), (9, 1)];
    let same = judge_row(&rules, &ours, &[(9, 1), (4, 10923), (1, 65535), (7, 0)]).unwrap();
    assert!(same.passes && same.first.is_none(), "{same:?}");
    assert!((same.cosine.unwrap() - 1.0).abs() < 1e-12);
    let twice = judge_row(&rules, &ours, &[(1, 65535), (4, 10923), (1, 3)]);
    assert!(matches!(twice, Err(AuditError::UidTwice { uid: 1 })));
    let near = judge_row(&rules, &ours, &[(1, 65535), (4, 10922)]).unwrap();
    assert!(near.passes);
    assert_eq!(near.first.unwrap().at, "uid 4 of the row");
    let far = judge_row(&rules, &ours, &[(1, 10923), (4, 65535)]).unwrap();
    assert!(!far.passes, "{far:?}");
    // The square of the root of 3 is less than 3.
    let three = [(0, 1), (1, 1), (2, 1)];
    let same = judge_row(&rules, &three, &three).unwrap();
    assert_eq!(same.cosine, Some(1.0));
    let none = judge_row(&rules, &ours, &[]).unwrap();
    assert_eq!((none.cosine, none.passes), (None, false));
    let old = RuleSet::named("2025-12-12-86623e97").unwrap();
    assert!(matches!(
        judge_row(&old, &ours, &ours),
        Err(AuditError::Rules(RuleSetError::NotKnown { .. }))
    ));
}
