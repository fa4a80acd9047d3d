//! The list of attacks, as `main.rs` has it: each has a test, and a test of that name is there and runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How many attacks there are.
const ATTACKS: usize = 52;

/// Tests by attack, as the list names them: `module::test` of this suite, `FILE.rs::test` of another.
fn listed() -> BTreeMap<usize, Vec<&'static str>> {
    let rows = include_str!("main.rs").lines().filter_map(|line| {
        let mut cells = line.strip_prefix("//! | ")?.split(" | ");
        let number = cells.next()?.parse().ok()?;
        let tests = cells.nth(1)?.split('`').skip(1).step_by(2);
        Some((number, tests.filter(|name| name.contains("::")).collect()))
    });
    rows.collect()
}

/// The file that a test is in, below the repository, and its own name.
fn place(test: &str) -> (String, &str) {
    let (module, name) = test.rsplit_once("::").expect("filtered for it");
    let file = match module.ends_with(".rs") {
        true => module.to_owned(),
        false => format!("sandbox/tests/attacks/{}.rs", module.replace("::", "/")),
    };
    (file, name)
}

/// Whether `text` has the test `name`, which is not left out.
fn has(text: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let Some((before, _)) = text.split_once(&head) else {
        return false;
    };
    let attributes: Vec<&str> = before
        .lines()
        .rev()
        .skip_while(|line| line.is_empty())
        .take_while(|line| line.starts_with("#[") || line.starts_with("///"))
        .collect();
    attributes.contains(&"#[test]") && !attributes.iter().any(|it| it.starts_with("#[ignore"))
}

#[test]
fn each_of_the_attacks_has_a_test_that_is_there() {
    let listed = listed();
    assert_eq!(
        listed.keys().copied().collect::<Vec<_>>(),
        (1..=ATTACKS).collect::<Vec<_>>()
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut missing, mut count) = (Vec::new(), 0);
    for (attack, tests) in &listed {
        assert!(!tests.is_empty(), "attack {attack} has no test");
        for test in tests {
            let (file, name) = place(test);
            let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
            count += 1;
            if !has(&text, name) {
                missing.push(format!("{attack}: {test} is not in {file}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    println!("{ATTACKS} attacks, {count} tests");
}

#[test]
fn a_test_that_is_left_out_or_no_test_does_not_count() {
    assert!(has("#[test]\nfn a() {", "a"));
    assert!(has("/// Words.\n#[test]\n#[cfg(unix)]\nfn a() {", "a"));
    assert!(!has("fn a() {", "a"));
    assert!(!has("#[test]\n#[ignore = \"slow\"]\nfn a() {", "a"));
    assert!(!has("#[test]\nfn ab() {", "a"));
}
