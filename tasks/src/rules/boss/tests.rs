use super::super::{EMBEDDED, RuleSet};
use super::{MarginRule, TaskKind};

/// Every `key = value` line from `[boss]` to `[emission]`, as it is and with another value.
fn lines(text: &str) -> Vec<&str> {
    let section = text.split_once("[boss]\n").unwrap().1;
    let section = section.split_once("# Tournaments to emissions").unwrap().0;
    section
        .lines()
        .filter(|line| line.contains(" = "))
        .collect()
}

#[test]
fn every_field_of_duels_titles_standings_and_margins_is_needed_and_held_to_its_range() {
    for (name, text) in EMBEDDED {
        let lines = lines(text);
        assert!(lines.len() > 15, "{name}");
        for line in lines {
            let (key, value) = line.split_once(" = ").unwrap();
            let key = key.trim();
            let with = |replacement: &str| {
                // From the section on, since other sections share names.
                let (before, after) = text.split_once("[boss]\n").unwrap();
                let changed = after.replacen(line, replacement, 1);
                RuleSet::from_toml(name, &format!("{before}[boss]\n{changed}"))
            };
            let error = with("").unwrap_err().to_string();
            let named = error.contains(key) || key == "share_min";
            assert!(named, "{name} without {key}: {error}");
            let wrong: &[&str] = if value.starts_with('"') || value.starts_with('[') {
                &["\"\"", "[\"swe\"]", "1"]
            } else {
                &["nan", "inf", "-1.0", "1e9", "\"\""]
            };
            for wrong in wrong {
                let changed = with(&format!("{key} = {wrong}"));
                assert!(changed.is_err(), "{name}: {key} = {wrong}");
            }
        }
    }
}

#[test]
fn kinds_without_rows_cannot_be_compared_by_rows() {
    let (name, text) = EMBEDDED[1];
    for kind in ["grpo", "image"] {
        let text = text.replacen("paired = [", &format!("paired = [\"{kind}\", "), 1);
        let error = RuleSet::from_toml(name, &text).unwrap_err().to_string();
        assert!(error.contains("boss.paired"), "{error}");
    }
    let text = text.replacen(
        "rule = \"replaced\"\nbatches = 1\nlineage_as = \"instruct\"",
        "rule = \"none\"",
        1,
    );
    let error = RuleSet::from_toml(name, &text).unwrap_err().to_string();
    assert!(error.contains("boss.draws.rule"), "{error}");
}

#[test]
fn a_set_has_environments_in_all_sections_or_in_none() {
    let (name, text) = EMBEDDED[1];
    let (before, rest) = text.split_once("[performance.environment]\n").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    let error = RuleSet::from_toml(name, &format!("{before}{after}")).unwrap_err();
    assert!(error.to_string().contains("3 of 4"), "{error}");
    // A title's environment that nobody plays, a final without the task that decides it.
    for (from, to, field) in [
        (
            "required = \"",
            "required = \"no_",
            "environment.title.required",
        ),
        (
            ", \"previous_winner\"",
            "",
            "bracket.environment.final_tasks",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let error = RuleSet::from_toml(name, &text.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
    let old = RuleSet::named(EMBEDDED[0].0).unwrap();
    assert!(
        old.environment()
            .unwrap_err()
            .to_string()
            .contains("environment")
    );
}

#[test]
fn the_sets_differ_where_the_rules_did() {
    let (old, new) = (RuleSet::named(EMBEDDED[0].0).unwrap(), RuleSet::newest());
    assert!(matches!(old.boss.margin, MarginRule::Progressive { .. }));
    assert_eq!(new.boss.margin, MarginRule::Additive { fraction: 0.01 });
    assert!(old.boss.paired.is_empty() && new.boss.paired.contains(&TaskKind::Dpo));
    assert_eq!(new.boss_margin(0), new.boss_margin(9));
}
