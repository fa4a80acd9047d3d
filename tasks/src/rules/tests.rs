use super::*;

#[test]
fn every_embedded_set_loads_and_carries_its_own_name() {
    for name in RuleSet::names() {
        assert_eq!(RuleSet::named(name).unwrap().id, name);
    }
    assert_eq!(RuleSet::newest().text.sequence_len, 4096);
    assert_eq!(
        RuleSet::named("2025-12-12-86623e97")
            .unwrap()
            .split
            .test_rows_max,
        400
    );
}

#[test]
fn a_missing_and_an_extra_field_are_named() {
    let text = EMBEDDED[1].1;
    let missing = text.replace("beta = 0.1\n", "");
    let error = RuleSet::from_toml(EMBEDDED[1].0, &missing)
        .unwrap_err()
        .to_string();
    assert!(error.contains("beta"), "{error}");
    let extra = text.replace("beta = 0.1\n", "beta = 0.1\nbetta = 0.2\n");
    let error = RuleSet::from_toml(EMBEDDED[1].0, &extra)
        .unwrap_err()
        .to_string();
    assert!(error.contains("betta"), "{error}");
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let text = EMBEDDED[1].1.replace("beta = 0.1", "beta = nan");
    let error = RuleSet::from_toml(EMBEDDED[1].0, &text).unwrap_err();
    assert!(
        matches!(
            error,
            RuleSetError::OutOfRange {
                field: "dpo.beta",
                ..
            }
        ),
        "{error}"
    );
    assert!(
        RuleSet::named("2019")
            .unwrap_err()
            .to_string()
            .contains("2026-09-30-27931f9d")
    );
}
