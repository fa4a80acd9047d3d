//! What independent implementations make of the same texts: `tests/golden/dockerfile/make.py` says which.

use super::super::expand::{Budget, Style, Variables, expand};
use super::*;
use serde_json::Value;

/// Where buildah means something else than BuildKit, or refuses what BuildKit takes, and why ours is as it is.
const DIFFERS: [(&str, &str); 7] = [
    (
        "escape_directive",
        "buildah joins lines by it, but reads words with a backslash all the same",
    ),
    (
        "expose",
        "buildah keeps a range as one; Docker makes single ports of it",
    ),
    (
        "lower_case_keywords",
        "buildah finds stages by exact case; BuildKit lowers names",
    ),
    ("replaces", "buildah does not know /; bash checks it below"),
    (
        "shell_forms",
        "buildah wraps CMD and ENTRYPOINT in /bin/sh whatever SHELL says",
    ),
    (
        "trims",
        "buildah does not know # and %; bash checks them below",
    ),
    (
        "unset_dash",
        "buildah knows - and + with a colon only; bash checks them below",
    ),
];

fn directory() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dockerfile")
}

pub(crate) fn expected() -> Value {
    let text = std::fs::read_to_string(directory().join("expected.json"));
    serde_json::from_str(&text.expect("it lies beside make.py")).expect("make.py writes JSON")
}

fn facts(config: &ImageConfig) -> Value {
    let list = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    let env: Vec<_> = config.env.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let healthcheck = config.healthcheck.as_ref().map(|check| {
        let mut facts = serde_json::json!({ "Test": check.test });
        let numbers = [
            ("Interval", check.interval_ns),
            ("Timeout", check.timeout_ns),
            ("StartPeriod", check.start_period_ns),
            ("Retries", check.retries.into()),
        ];
        for (name, number) in numbers.into_iter().filter(|(_, n)| *n != 0) {
            facts[name] = number.into();
        }
        facts
    });
    serde_json::json!({
        "env": env,
        "working_dir": config.working_dir,
        "user": config.user,
        "shell": config.shell,
        "labels": config.labels,
        "ports": list(&config.exposed_ports),
        "volumes": list(&config.volumes),
        "entrypoint": config.entrypoint,
        "cmd": config.cmd,
        "healthcheck": healthcheck,
        "stop_signal": config.stop_signal,
        "author": config.author.clone().unwrap_or_default(),
    })
}

#[test]
fn configurations_are_those_of_buildah() {
    let expected = expected();
    let cases = expected["cases"].as_object().expect("an object");
    assert!(cases.len() >= 40);
    let mut failures = Vec::new();
    for (name, expected) in cases {
        let path = directory().join(format!("cases/{name}.Dockerfile"));
        let text = std::fs::read_to_string(path).expect("each case has its Dockerfile");
        let mut found = match resolved(&text) {
            Ok(resolved) => facts(&resolved.config),
            Err(e) => panic!("{name}: {}", chain(&e)),
        };
        // From nothing, BuildKit begins in the root and says so.
        if expected["working_dir"] == "" && found["working_dir"] == "/" {
            found["working_dir"] = "".into();
        }
        let known = DIFFERS.iter().any(|(n, _)| n == name);
        if (found == *expected) == known {
            failures.push(format!(
                "{name}, known to differ: {known}\n  ours   {found}\n  theirs {expected}"
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{}\nregenerate with tests/golden/dockerfile/make.py, or say in DIFFERS why",
        failures.join("\n")
    );
}

#[test]
fn words_become_what_bash_makes_of_them() {
    let shell = &expected()["shell"];
    let variables: Variables = serde_json::from_value(shell["variables"].clone()).expect("texts");
    let words: Vec<(String, String)> =
        serde_json::from_value(shell["words"].clone()).expect("pairs");
    assert!(words.len() >= 60);
    let mut failures = Vec::new();
    for (word, expected) in words {
        let found = expand(
            &word,
            &variables,
            Style::arguments('\\'),
            &mut Budget::default(),
        );
        if found.as_ref().ok() != Some(&expected) {
            failures.push(format!("{word}: ours {found:?}, bash {expected:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
