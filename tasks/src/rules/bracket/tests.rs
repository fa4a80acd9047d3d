//! Every number of the section is needed and held to its range.

use crate::rules::{
    EMBEDDED, EnvironmentBracket, KlTaskRules, RuleSet, RuleSetError, SmallFieldRules,
};

#[test]
fn every_number_is_held_to_its_range() {
    let mut numbers = 0;
    for (name, text) in EMBEDDED {
        let section = text.split_once("[bracket]\n").unwrap().1;
        let section = section
            .split("\n# Tournaments to emissions")
            .next()
            .unwrap();
        for line in section.lines().filter(|line| !line.starts_with(['#', '['])) {
            let content = line.split(" #").next().unwrap();
            for field in content.split(['{', '}', ',']) {
                let Some((key, value)) = field.split_once(" = ") else {
                    continue;
                };
                if value.trim().parse::<f64>().is_err() {
                    continue;
                }
                numbers += 1;
                for wrong in ["nan", "-1.0", "-1", "1e9", "100000000"] {
                    let spoilt = line.replace(field.trim(), &format!("{} = {wrong}", key.trim()));
                    let (before, behind) = text.split_once(section).unwrap();
                    let section = section.replacen(line, &spoilt, 1);
                    let error = RuleSet::from_toml(name, &format!("{before}{section}{behind}"));
                    assert!(error.is_err(), "{name}: {spoilt}");
                }
            }
        }
    }
    assert!(numbers > 50, "{numbers}");
}

#[test]
fn an_unknown_field_and_an_unknown_rule_are_named() {
    let (name, text) = EMBEDDED[1];
    for (old, new, word) in [
        (
            "rounds_max = 64",
            "rounds_max = 64\nrounds_min = 1",
            "rounds_min",
        ),
        (
            "rule = \"one_group\"",
            "rule = \"two_groups\"",
            "two_groups",
        ),
        ("advance = 2", "advance = 2\nextra = 1", "extra"),
        (
            "small_size_max = 4",
            "small_size_max = 4\nspare = 1",
            "spare",
        ),
    ] {
        assert!(text.contains(old), "{old}");
        let error = RuleSet::from_toml(name, &text.replace(old, new)).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn values_under_which_a_tournament_would_not_end_are_refused() {
    let (name, text) = EMBEDDED[1];
    for (old, new, field) in [
        ("advance = 8", "advance = 9", "bracket.groups.advance"),
        (
            "contestants_max = 8",
            "contestants_max = 1",
            "bracket.knockout.contestants_max",
        ),
        ("advance = 2", "advance = 3", "bracket.small_field.advance"),
        (
            "size_min = 2\n",
            "size_min = 1\n",
            "bracket.environment.size_min, small_size_max, size_max",
        ),
        ("rounds_max = 64", "rounds_max = 0", "bracket.rounds_max"),
    ] {
        assert!(text.contains(old), "{old}");
        match RuleSet::from_toml(name, &text.replacen(old, new, 1)) {
            Err(RuleSetError::OutOfRange { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{new}: {other:?}"),
        }
    }
}

#[test]
fn the_two_sets_differ_where_the_subnet_did() {
    let [old, new] = EMBEDDED.map(|(name, _)| RuleSet::named(name).unwrap().bracket);
    assert_eq!(
        (old.knockout.contestants_max, new.knockout.contestants_max),
        (14, 8)
    );
    assert_eq!(old.small_field, SmallFieldRules::None {});
    assert_eq!(old.kl_tasks, KlTaskRules::None {});
    assert_eq!(old.environment, EnvironmentBracket::None {});
    assert!(matches!(new.environment, EnvironmentBracket::Groups(_)));
    assert_eq!(old.text.boss_tasks.continuous_sft.len(), 0);
    assert_eq!(new.text.boss_tasks.continuous_sft[0].seed, "Qwen/Qwen3-14B");
}
