use super::*;
use crate::rules::RuleSet;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    digest: String,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/golden/entry/sources.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn digests_are_the_subnets_in_every_recorded_case() {
    let rules = RuleSet::newest().entry.duplicates;
    for case in cases() {
        let files: Vec<(String, Vec<u8>)> = (case.files.iter())
            .map(|(path, hex)| (path.clone(), bytes(hex)))
            .collect();
        let mut files: Vec<SourceFile<'_>> = files
            .iter()
            .map(|(path, bytes)| SourceFile { path, bytes })
            .collect();
        for _ in 0..2 {
            let found = source_digest(&rules, &files).unwrap();
            assert_eq!(found, case.digest, "{}", case.name);
            // In whatever order they come.
            files.reverse();
        }
    }
    let old = RuleSet::named("2025-12-12-86623e97").unwrap();
    assert_eq!(source_digest(&old.entry.duplicates, &[]), None);
}

fn facts(list: &[(&str, &str, &str)]) -> BTreeMap<String, SourceFact> {
    list.iter()
        .map(|(hotkey, commit, digest)| {
            let fact = SourceFact {
                commit: (*commit).to_owned(),
                digest: (*digest).to_owned(),
            };
            ((*hotkey).to_owned(), fact)
        })
        .collect()
}

fn found(list: &[(&str, &str, &str)]) -> Vec<(String, Basis, String)> {
    find_duplicates(&facts(list), "boss")
        .into_iter()
        .map(|cluster| {
            (
                cluster.hotkeys.join(" "),
                cluster.basis,
                cluster.dropped.join(" "),
            )
        })
        .collect()
}

#[test]
fn everyone_of_a_cluster_falls_but_the_boss() {
    let one =
        |hotkeys: &str, basis, dropped: &str| vec![(hotkeys.to_owned(), basis, dropped.to_owned())];
    assert_eq!(found(&[]), []);
    assert_eq!(found(&[("a", "1", "x"), ("b", "2", "y")]), []);
    assert_eq!(
        found(&[("a", "1", "x"), ("b", "1", "x"), ("c", "2", "y")]),
        one("a b", Basis::Commit, "a b")
    );
    assert_eq!(
        found(&[("a", "1", "x"), ("b", "2", "y"), ("c", "3", "x")]),
        one("a c", Basis::Source, "a c")
    );
    assert_eq!(
        found(&[("a", "1", "x"), ("boss", "1", "x")]),
        one("a boss", Basis::Commit, "a")
    );
    // A shares its commit with b, b its source with c.
    assert_eq!(
        found(&[
            ("a", "1", "x"),
            ("b", "1", "y"),
            ("c", "2", "y"),
            ("d", "3", "z")
        ]),
        one("a b c", Basis::Source, "a b c")
    );
    // Two chains that meet late.
    assert_eq!(
        found(&[
            ("a", "1", "p"),
            ("b", "2", "q"),
            ("c", "2", "r"),
            ("d", "1", "r")
        ]),
        one("a b c d", Basis::Source, "a b c d")
    );
    // What is not known is nobody's copy.
    assert_eq!(
        found(&[
            ("a", "", "x"),
            ("b", "", "y"),
            ("c", "3", ""),
            ("d", "4", "")
        ]),
        []
    );
}
