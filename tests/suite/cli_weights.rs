//! `gradus weights`: vectors of finished tournaments, records that are recomputed, epochs that are simulated.

use crate::binary::{Finished, command, finish, repository, run};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

const RESULTS: &str = "examples/weights/results.json";
const SUBNET: &str = "examples/weights/subnet.json";

fn example(path: &str) -> Value {
    serde_json::from_slice(&fs::read(repository().join(path)).unwrap()).unwrap()
}

fn hotkey(uid: usize) -> String {
    let hotkey = &example(SUBNET)["neurons"][uid]["hotkey"];
    hotkey.as_str().unwrap().to_owned()
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}

/// A folder with changed copies of the examples.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, value: &Value) -> PathBuf {
        self.text(name, &value.to_string())
    }

    fn text(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The record of the example.
    fn audit(&self) -> PathBuf {
        let path = self.0.path().join("audit.json");
        let done = finish(
            command()
                .args(["weights", "show", RESULTS, "--subnet", SUBNET, "--audit"])
                .arg(&path),
        );
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        path
    }
}

fn weights(arguments: &[&str], path: &Path) -> Finished {
    finish(command().arg("weights").args(arguments).arg(path))
}

#[test]
fn the_example_gives_a_vector_that_sums_to_one_and_a_record_that_comes_out_again() {
    let done = run(["weights", "show", RESULTS, "--subnet", SUBNET, "--json"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let shown = json_of(&done);
    assert_eq!(shown["rule_set"], "2026-09-30-27931f9d");
    let total = shown["total"].as_f64().unwrap();
    assert!((total - 1.0).abs() < 1e-12, "{total}");
    let rows = shown["weights"].as_array().unwrap();
    let best = rows.iter().max_by_key(|row| row["value"].as_u64()).unwrap();
    assert_eq!((&best["uid"], &best["value"]), (&json!(42), &json!(65535)));
    let gone = &shown["lost"][0];
    assert!(gone["what"].as_str().unwrap().contains("not registered"));

    let place = Place::new();
    let done = weights(&["audit"], &place.audit());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("all of it comes out again"));
}

#[test]
fn the_first_number_of_a_record_that_differs_is_named() {
    let place = Place::new();
    let audit: Value = serde_json::from_slice(&fs::read(place.audit()).unwrap()).unwrap();
    let text = serde_json::to_string(&audit).unwrap();
    let pool = audit["tournament_audit_data"]["image_tournament_weight"].to_string();
    let weight = audit["gradus"]["weights"][42].to_string();
    for (from, to, at) in [
        (
            format!("\"image_tournament_weight\":{pool}"),
            "\"image_tournament_weight\":0.25".to_owned(),
            "tournament_audit_data.image_tournament_weight",
        ),
        (weight, "0.5".to_owned(), "gradus.weights[42]"),
        ("[42,65535]".into(), "[42,65534]".into(), "gradus.values["),
    ] {
        let changed = place.text("changed.json", &text.replacen(&from, &to, 1));
        let done = weights(&["audit"], &changed);
        assert_eq!(done.code, Some(1), "{from}: {}", done.stdout);
        assert!(done.stdout.contains(at), "{at}: {}", done.stdout);
    }
}

#[test]
fn a_record_of_the_reference_is_computed_over_a_snapshot_and_judged_against_a_row() {
    let place = Place::new();
    let mut audit: Value = serde_json::from_slice(&fs::read(place.audit()).unwrap()).unwrap();
    let values = audit["gradus"]["values"].clone();
    audit.as_object_mut().unwrap().remove("gradus");
    let file = place.file("reference.json", &audit);
    weights(&["audit"], &file).complains(1, &["does not say over which hotkeys", "--subnet"]);

    // Validator 3 sets just this, but for the last unit of one value.
    let mut subnet = example(SUBNET);
    let mut row = values.as_array().unwrap().clone();
    row[0][1] = json!(row[0][1].as_u64().unwrap() + 1);
    subnet["neurons"][3]["weights"] = Value::Array(row);
    let subnet = place.file("subnet.json", &subnet);
    let judged = |uid: usize| {
        let arguments = ["weights", "audit", "--rounding", "sdk11", "--json"];
        let mut command = command();
        command
            .args(arguments)
            .arg(&file)
            .args(["--hotkey", &hotkey(uid)]);
        finish(command.arg("--subnet").arg(&subnet))
    };
    let (same, other) = (judged(3), judged(4));
    assert_eq!(
        (same.code, other.code),
        (Some(0), Some(1)),
        "{}",
        same.stderr
    );
    let row = &json_of(&same)["row"];
    assert_eq!(row["passes"], true);
    assert!(row["first"]["at"].as_str().unwrap().contains("uid 0"));
    assert_eq!(json_of(&other)["row"]["passes"], false);
}

#[test]
fn an_epoch_pays_what_there_is_and_another_vector_changes_it() {
    let place = Place::new();
    let now = run(["weights", "simulate", SUBNET, "--json"]);
    assert_eq!(now.code, Some(0), "{}", now.stderr);
    let paid = |shown: &Value, of: &str| -> u64 {
        let rows = shown["neurons"].as_array().unwrap().iter();
        rows.map(|row| {
            let earned = if row["then"].is_null() {
                &row["now"]
            } else {
                &row["then"]
            };
            earned[of].as_u64().unwrap()
        })
        .sum()
    };
    let now = json_of(&now);
    let whole = paid(&now, "miner_rao") + paid(&now, "validator_rao");
    // Shares have 32 fractional bits, and each drops the rest.
    let emission = now["emission_rao"].as_u64().unwrap();
    assert!(
        whole <= emission && emission - whole < 64 * ((emission >> 32) + 1),
        "{whole}"
    );

    // All for uid 63: out of consensus, so the validator loses and uid 63 gets what consensus leaves it.
    let row = place.text("row.json", "[[63, 9]]");
    let then = finish(
        command()
            .args([
                "weights",
                "simulate",
                SUBNET,
                "--json",
                "--hotkey",
                &hotkey(4),
            ])
            .arg("--weights")
            .arg(&row),
    );
    let then = json_of(&then);
    let of = |uid: u64| {
        let rows = then["neurons"].as_array().unwrap();
        rows.iter().find(|row| row["uid"] == uid).unwrap().clone()
    };
    let trust = |row: &Value, when: &str| row[when]["validator_trust"].as_u64().unwrap();
    assert!(trust(&of(4), "now") > 60_000 && trust(&of(4), "then") < 1_000);
    let rao = |row: &Value, when: &str| row[when]["validator_rao"].as_u64().unwrap();
    assert!(rao(&of(4), "then") < rao(&of(4), "now"));
    assert!(rao(&of(1), "then") > rao(&of(1), "now"));
    // More epochs: bonds follow the weights.
    let later = finish(
        command()
            .args([
                "weights",
                "simulate",
                SUBNET,
                "--json",
                "--epochs",
                "40",
                "--hotkey",
                &hotkey(4),
            ])
            .arg("--weights")
            .arg(&row),
    );
    let later = json_of(&later);
    let rows = later["neurons"].as_array().unwrap();
    let four = rows.iter().find(|row| row["uid"] == 4).unwrap();
    assert!(rao(four, "then") < rao(&of(4), "then") / 2, "{four}");
}

#[test]
fn standard_input_is_a_file_too() {
    let results = fs::File::open(repository().join(RESULTS)).unwrap();
    let done = finish(
        command()
            .args(["weights", "show", "-", "--subnet", SUBNET])
            .stdin(Stdio::from(results)),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[test]
fn wrong_files_are_refused_by_name_and_nothing_is_written() {
    let place = Place::new();
    let audit = place.0.path().join("audit.json");
    let show = |results: &Path, subnet: &Path| {
        let mut command = command();
        command
            .args(["weights", "show"])
            .arg(results)
            .arg("--subnet")
            .arg(subnet);
        finish(command.arg("--audit").arg(&audit))
    };
    let (results, subnet) = (repository().join(RESULTS), repository().join(SUBNET));
    let nowhere = place.0.path().join("nowhere.json");
    show(&nowhere, &subnet).complains(1, &["RESULTS", "nowhere.json", "No such file"]);
    show(&results, &nowhere).complains(1, &["--subnet", "nowhere.json", "No such file"]);

    let changed = |path: &str, pointer: &str, value: Value| {
        let mut whole = example(path);
        *whole.pointer_mut(pointer).unwrap() = value;
        place.file("changed.json", &whole)
    };
    for (pointer, value, says) in [
        ("/version", json!(7), "version 7, expected 2"),
        ("/rule_set", json!("2019"), "2026-09-30-27931f9d"),
        (
            "/input/text/performance/won/difference",
            json!("much"),
            "invalid type",
        ),
        (
            "/results/text/final_positions",
            json!({hotkey(20): 0}),
            "position",
        ),
        ("/results/text/final_positions", json!({}), ""),
        ("/participants", json!([1]), "invalid type"),
        (
            "/participants",
            json!(["a", "b", "a"]),
            "participant a is in the results file twice",
        ),
    ] {
        let done = show(&changed(RESULTS, pointer, value.clone()), &subnet);
        if says.is_empty() {
            // Without places the champion and who was in the boss round are paid.
            assert_eq!(done.code, Some(0), "{}", done.stderr);
            fs::remove_file(&audit).unwrap();
        } else {
            done.complains(1, &[says, "changed.json"]);
            assert!(!audit.exists());
        }
    }
    // JSON has no NaN, and nobody's numbers pass as one.
    let text = fs::read_to_string(&results).unwrap();
    for number in ["NaN", "Infinity", "1e999"] {
        let bad = place.text("bad.json", &text.replace("0.12", number));
        show(&bad, &subnet).complains(1, &["bad.json", "line 1"]);
    }
    for (pointer, value, says) in [
        (
            "/neurons/5/uid",
            json!(6),
            "neuron 5 of the snapshot has uid 6",
        ),
        ("/neurons/5/hotkey", json!(hotkey(6)), "at uids 5 and 6"),
        ("/neurons", json!([]), "the metagraph is empty"),
        ("/settings/kappa", json!(70_000), "kappa"),
        ("/settings/weights_min", json!(20), "asks for 20"),
    ] {
        let done = show(&results, &changed(SUBNET, pointer, value));
        let text = if says == "kappa" {
            "invalid value"
        } else {
            says
        };
        done.complains(1, &[text]);
        assert!(!audit.exists());
    }
}

#[test]
fn wrong_words_name_the_option() {
    let place = Place::new();
    run(["weights", "show", RESULTS]).complains(2, &["--subnet"]);
    run(["weights", "simulate", SUBNET, "--hotkey", "5x"]).complains(2, &["--weights"]);
    run(["weights", "simulate", SUBNET, "--epochs", "0"]).complains(2, &["--epochs"]);
    let row = place.text("row.json", "[[1,2],[1,3]]");
    let simulate = |hotkey: &str, row: &Path| {
        let mut command = command();
        command.args(["weights", "simulate", SUBNET, "--hotkey", hotkey]);
        finish(command.arg("--weights").arg(row))
    };
    simulate("5x", &row).complains(1, &["5x is not registered", "subnet 56"]);
    simulate(&hotkey(1), &row).complains(1, &["uid 1 more than once"]);
    let row = place.text("row.json", "[[99,2]]");
    simulate(&hotkey(1), &row).complains(1, &["uid 99"]);
    let row = place.text("row.json", "7");
    simulate(&hotkey(1), &row).complains(1, &["--weights", "pairs"]);
    // What looks like an audit file is refused as one.
    let audit: Value = serde_json::from_slice(&fs::read(place.audit()).unwrap()).unwrap();
    let refused = |change: fn(&mut Value), says: &str| {
        let mut audit = audit.clone();
        change(&mut audit);
        let file = place.file("row.json", &audit);
        simulate(&hotkey(1), &file).complains(1, &["--weights", says]);
    };
    refused(
        |audit| audit["gradus"]["version"] = json!(1),
        "version 1, expected 2",
    );
    refused(
        |audit| audit["gradus"]["netuid"] = json!("56"),
        "gradus.netuid: invalid type",
    );
    refused(
        |audit| drop(audit.as_object_mut().unwrap().remove("gradus")),
        "was not written by gradus",
    );
}
