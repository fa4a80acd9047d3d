//! Every file of tournaments and weights is held to its names, and says which field does not fit.

use crate::entry::EntryFile;
use crate::rules::RuleSet;
use crate::subnet::Snapshot;
use crate::tournament::{Journal, Tournament};
use crate::weights::audit::AuditFile;
use crate::weights::{ResultsFile, Rounding};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;

const RESULTS: &str = include_str!("../../../../examples/weights/results.json");
const SUBNET: &str = include_str!("../../../../examples/weights/subnet.json");
const ENTRY: &str = include_str!("../../../../examples/entry/entry.toml");
const TOURNAMENT: &str = concat!(
    r#"{"champion":null,"entrants":["a","b","c","d"],"rules":"2026-09-30-27931f9d","seed":1,"tournament_id":"t","tournament_type":"text","version":1}"#,
    "\n",
    r#"{"at_unix_us":1,"sequence":0,"tournament_id":"t","what":{"event":"started"}}"#,
    "\n",
);

/// What a reader says, and what is behind that.
fn said<T, E: Error>(read: Result<T, E>) -> String {
    let Err(error) = read else {
        return "it is read".to_owned();
    };
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    text
}

fn changed(text: &str, pointer: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    change(file.pointer_mut(pointer).unwrap());
    file.to_string().into_bytes()
}

/// The object's values in the order of its fields, as serde would take them.
fn by_position(names: &[&str]) -> impl FnOnce(&mut Value) {
    move |value| *value = names.iter().map(|name| value[*name].clone()).collect()
}

fn results(pointer: &str, change: impl FnOnce(&mut Value)) -> String {
    said(ResultsFile::parse(&changed(RESULTS, pointer, change)))
}

fn subnet(pointer: &str, change: impl FnOnce(&mut Value)) -> String {
    said(Snapshot::parse(&changed(SUBNET, pointer, change)))
}

fn record() -> String {
    let subnet = Snapshot::parse(SUBNET.as_bytes()).unwrap();
    let results = ResultsFile::parse(RESULTS.as_bytes()).unwrap();
    let plan = results.plan(&subnet, Rounding::Sdk11, None).unwrap();
    plan.audit.to_json()
}

fn entry() -> String {
    serde_json::to_string(&EntryFile::from_bytes(ENTRY.as_bytes()).unwrap()).unwrap()
}

#[test]
fn lists_in_place_of_objects_are_refused_in_every_file() {
    let text = [
        "tournament_id",
        "rounds",
        "winner_hotkey",
        "base_winner_hotkey",
        "final_positions",
    ];
    let error = results("/results/text", by_position(&text));
    assert!(
        error.contains("results.text: invalid type: sequence"),
        "{error}"
    );
    let neuron = [
        "uid",
        "coldkey",
        "hotkey",
        "stake_rao",
        "validator_permit",
        "last_update",
        "registered_at",
        "oldest_open_commit",
        "incentive",
        "dividends",
        "weights",
        "bonds",
    ];
    let error = subnet("/neurons/3", by_position(&neuron));
    assert!(
        error.contains("neurons[3]: invalid type: sequence"),
        "{error}"
    );
    let limits = ["max_weight", "weights_min", "num_neurons", "own_uid"];
    let audit = changed(&record(), "/gradus/limits", by_position(&limits));
    let error = said(AuditFile::parse(&audit));
    assert!(
        error.contains("gradus.limits: invalid type: sequence"),
        "{error}"
    );
    let candidate = ["coldkey", "hotkey", "ip", "answer"];
    let error = said(EntryFile::from_bytes(&changed(
        &entry(),
        "/candidates/0",
        by_position(&candidate),
    )));
    assert!(
        error.contains("candidates[0]: invalid type: sequence"),
        "{error}"
    );
    let toml = "version = 1\ntournament_id = \"t\"\ntournament_type = \"text\"\nrules = \"2026-09-30-27931f9d\"\nnow_unix_s = 1\ndatasets = []\nledger = []\nenrolled = []\nfacts = []\nprevious = { state = \"none\" }\ncandidates = [[\"a\", \"cold-a\", \"1.2.3.4\", { is = \"silent\" }]]\n";
    let error = said(EntryFile::from_bytes(toml.as_bytes()));
    assert!(
        error.contains("line 11: candidates[0]: invalid type"),
        "{error}"
    );
}

#[test]
fn a_journal_has_no_lists_in_place_of_objects() {
    let read = |line: &str| {
        let (setup, _) = TOURNAMENT.split_once('\n').unwrap();
        said(Journal::parse(format!("{setup}\n{line}\n").as_bytes()))
    };
    assert_eq!(said(Journal::parse(TOURNAMENT.as_bytes())), "it is read");
    for (what, path) in [
        (r#"["started"]"#, "what: "),
        (
            r#"["evaluated",1,[["a",["scored",[1.0,null,null,{}]]]]]"#,
            "what: ",
        ),
        (
            r#"{"event":"evaluated","task":1,"results":[{"hotkey":"a","outcome":{"state":"scored","score":[1.0,null,null,{}]}}]}"#,
            "what.results[0].outcome.score: ",
        ),
        (
            r#"{"event":"evaluated","task":1,"results":[{"hotkey":"a","outcome":{"state":"invalid","why":{"missing":null},"detail":""}}]}"#,
            "what.results[0].outcome.why: ",
        ),
    ] {
        let error = read(&format!(
            r#"{{"sequence":0,"tournament_id":"t","at_unix_us":1,"what":{what}}}"#
        ));
        assert!(
            error.starts_with(&format!("line 2: {path}")),
            "{what}: {error}"
        );
    }
    let setup = r#"[1,"t","text","2026-09-30-27931f9d",1,["a","b","c","d"],null]"#;
    let error = said(Journal::parse(setup.as_bytes()));
    assert!(error.starts_with("line 1: "), "{error}");
    let rules = Arc::new(RuleSet::newest());
    let tournament = Journal::replay_bytes(TOURNAMENT.as_bytes()).unwrap();
    let state = changed(
        &tournament.to_json(),
        "/entrants/0",
        by_position(&["hotkey", "left", "out"]),
    );
    let error = said(Tournament::from_json(&state, rules));
    assert!(
        error.contains("entrants[0]: invalid type: sequence"),
        "{error}"
    );
}

#[test]
fn an_ill_typed_field_is_named() {
    let set = |value: Value| move |place: &mut Value| *place = value;
    let error = results("/input/text/running", set(json!("0")));
    assert!(
        error.contains("input.text.running: invalid type: string \"0\""),
        "{error}"
    );
    let error = subnet("/netuid", set(json!("56")));
    assert!(error.contains("netuid: invalid type"), "{error}");
    let error = subnet("/settings/kappa", set(json!(70_000)));
    assert!(error.contains("settings.kappa: invalid value"), "{error}");
    let record = record();
    for (pointer, value, says) in [
        (
            "/tournament_audit_data/burn_weight",
            json!("x"),
            "tournament_audit_data.burn_weight: ",
        ),
        ("/gradus/values/0/1", json!(70_000), "gradus.values[0][1]: "),
        ("/gradus/version", json!("2"), "gradus.version: "),
    ] {
        let error = said(AuditFile::parse(&changed(&record, pointer, set(value))));
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_newer_file_is_called_newer_whatever_is_in_it() {
    let newer = |file: &mut Value| {
        file["version"] = json!(3);
        file["new"] = json!([]);
    };
    for error in [
        results("", newer),
        subnet("", newer),
        said(EntryFile::from_bytes(&changed(&entry(), "", newer))),
        said(EntryFile::from_bytes(b"version = 3\nnew = []\n")),
        said(Journal::parse(&changed(
            TOURNAMENT.lines().next().unwrap(),
            "",
            newer,
        ))),
        said(AuditFile::parse(&changed(&record(), "/gradus", newer))),
        said(Tournament::from_json(
            b"{\"version\":3}",
            Arc::new(RuleSet::newest()),
        )),
    ] {
        assert!(error.contains("version 3"), "{error}");
    }
}
