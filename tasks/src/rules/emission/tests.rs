use super::super::EMBEDDED;
use super::*;

#[test]
fn every_number_of_the_emissions_is_needed_and_held_to_its_range() {
    for (name, text) in EMBEDDED {
        let (before, section) = text.split_once("[emission]\n").unwrap();
        // Other sections have their own tests.
        let end = section
            .match_indices("\n[")
            .find(|(at, _)| !section[at + 1..].starts_with("[emission."))
            .map_or(section.len(), |(at, _)| at);
        let (section, after) = section.split_at(end);
        let lines: Vec<&str> = section.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some((key, _)) = line.split_once(" = ") else {
                continue;
            };
            let key = key.trim();
            let without = |replacement: &str| {
                let mut rest = lines.clone();
                rest[index] = replacement;
                let rest = rest.join("\n");
                RuleSet::from_toml(name, &format!("{before}[emission]\n{rest}{after}"))
            };
            if key != "audit_cosine_min" {
                let error = without("").unwrap_err().to_string();
                assert!(error.contains(key), "{name} without {key}: {error}");
            }
            for wrong in ["nan", "-1.0", "1e9"] {
                let error = without(&format!("{key} = {wrong}"));
                assert!(error.is_err(), "{name}: {key} = {wrong}");
            }
        }
    }
}

#[test]
fn a_value_that_a_set_does_not_know_is_an_error_when_asked_for() {
    assert_eq!(RuleSet::newest().audit_cosine_min().unwrap(), 0.98);
    let old = RuleSet::named(EMBEDDED[0].0).unwrap();
    let error = old.audit_cosine_min().unwrap_err().to_string();
    assert!(error.contains("audit_cosine_min"), "{error}");
}
