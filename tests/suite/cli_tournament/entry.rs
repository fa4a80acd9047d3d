//! Who may enter: the example as it stands, and files that do not fit.

mod refused;
mod trees;

use super::{Place, tournament};
use crate::binary::{Finished, command, finish};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLE: &str = "examples/entry/entry.toml";

fn decide(file: &Path, more: &[(&str, &Path)]) -> Finished {
    let mut command = command();
    command.args(["tournament", "entry"]).arg(file);
    for (option, path) in more {
        command.arg(option).arg(path);
    }
    finish(&mut command)
}

/// A file of four who enter at once, all of whose facts are known.
fn four() -> Value {
    let names = ["a", "b", "c", "d"];
    let submits = |number: usize| format!("{number:040x}");
    let candidate = |(number, name): (usize, &&str)| {
        let answer = json!({"github_repo": format!("https://github.com/{name}/r"), "commit_hash": submits(number)});
        json!({"hotkey": name, "coldkey": format!("cold-{name}"), "ip": format!("10.0.0.{number}"),
            "answer": {"is": "text", "text": answer.to_string()}})
    };
    let fact = |(number, name): (usize, &&str)| {
        json!({"hotkey": name, "repository": format!("https://github.com/{name}/r"), "commit": submits(number),
            "obfuscation": {"verdict": "clean"}, "licence": {"is": "fits"},
            "source": {"is": "read", "commit": submits(number), "digest": format!("{number:064x}")}})
    };
    let paid = |name: &&str| json!({"kind": "transfer_in", "id": name, "coldkey": format!("cold-{name}"), "amount_rao": 700_000_000});
    json!({
        "version": 1, "tournament_id": "t", "tournament_type": "text", "rules": "2026-09-30-27931f9d",
        "now_unix_s": 1_791_198_300, "previous": {"state": "none"}, "datasets": [], "enrolled": [],
        "ledger": names.iter().map(paid).collect::<Vec<_>>(),
        "candidates": names.iter().enumerate().map(candidate).collect::<Vec<_>>(),
        "facts": names.iter().enumerate().map(fact).collect::<Vec<_>>(),
    })
}

fn written(place: &Place, file: &Value) -> PathBuf {
    place.file("entry.json", &file.to_string())
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_example_lets_five_in_says_why_others_are_not_and_begins_a_tournament() {
    let place = Place::new();
    let (report, list) = (place.path("d.json"), place.path("hotkeys"));
    let done = decide(
        Path::new(EXAMPLE),
        &[("--json", &report), ("--entrants", &list)],
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for line in [
        "example_text (text, rules 2026-09-30-27931f9d): 6 admitted, 1 enrolled before, 8 refused",
        "in   echo     enrolled before",
        "in   alpha    alpha/trainer at 010101010101…",
        "out  mike     it did not answer",
        "out  foxtrot  commit_hash is \"main\", expected 40 hexadecimal digits",
        "out  hotel    golf stays, which has the same address",
        "out  golf     LICENSE differs from the validator's from line 3 on",
        "out  kilo     the obfuscation check ended with code 3",
        "out  lima     cold-lima has 350000000 rao, the fee is 700000000",
        "out  india    its source is also that of india, juliett (it has paid)",
        "note: hotel fell to golf, which has the same address, and golf is not in: LICENSE differs from the validator's from line 3 on",
        "fees: 6 of 0.7 TAO each",
        "field: ready, 5 play",
        "start: at once",
    ] {
        let found = done.stdout.lines().any(|found| found == line);
        assert!(found, "{line:?} is not in:\n{}", done.stdout);
    }
    assert_eq!(
        fs::read_to_string(&list).unwrap(),
        "echo\nalpha\nbravo\ncharlie\ndelta\n"
    );

    let report = json_of(&report);
    assert_eq!(report["field"]["state"], "ready");
    assert_eq!(report["start"], json!({"may": "now"}));
    assert_eq!(report["enrolled"].as_array().unwrap().len(), 7);
    let refused = |hotkey: &str| {
        let all = report["refused"].as_array().unwrap();
        all.iter().find(|one| one["hotkey"] == hotkey).unwrap()
    };
    assert_eq!(
        (
            &refused("lima")["why"],
            &refused("lima")["help"],
            &refused("lima")["owner"]
        ),
        (
            &json!("fee"),
            &json!("transfer the rest"),
            &json!("submission")
        )
    );
    // The checker ran over three trees, and what it printed is there.
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 3);
    let rejected = checks
        .iter()
        .find(|check| check["hotkey"] == "kilo")
        .unwrap();
    assert_eq!(
        rejected["obfuscation"],
        json!({"verdict": "rejected", "code": 3})
    );
    assert!(
        rejected["output"]
            .as_str()
            .unwrap()
            .contains("runs what it decodes")
    );

    let path = place.path("t.jsonl");
    let mut new = command();
    new.args(["tournament", "new"])
        .arg(&path)
        .arg("--entrants")
        .arg(&list);
    let done = finish(new.args(["--id", "example_text", "--type", "text", "--seed", "7"]));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        tournament(&["show"], &path)
            .stdout
            .contains("5 of 5 entrants play")
    );
}

#[test]
fn a_decision_and_its_fees_are_what_the_next_call_goes_on_with() {
    let place = Place::new();
    let report = place.path("d.json");
    let mut file = four();
    let fourth = file["candidates"].as_array_mut().unwrap().pop().unwrap();
    let fact = file["facts"].as_array_mut().unwrap().pop().unwrap();
    let list = place.path("list");
    let done = decide(&written(&place, &file), &[("--json", &report)]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stdout
            .contains("field: waits, 3 of 4 are in; ask again at 2026-10-05 11:35:00 UTC"),
        "{}",
        done.stdout
    );
    let mut options = vec![("--entrants", list.as_path())];
    decide(&written(&place, &file), &options)
        .complains(1, &["is not written", "the field is not ready"]);
    assert!(!list.exists());

    let decision = json_of(&report);
    file["enrolled"] = decision["enrolled"].clone();
    let ledger = file["ledger"].as_array_mut().unwrap();
    ledger.extend(decision["fees"].as_array().unwrap().clone());
    file["candidates"].as_array_mut().unwrap().push(fourth);
    file["facts"].as_array_mut().unwrap().push(fact);
    options.push(("--json", &report));
    let done = decide(&written(&place, &file), &options);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(fs::read_to_string(&list).unwrap(), "a\nb\nc\nd\n");
    assert_eq!(json_of(&report)["fees"].as_array().unwrap().len(), 1);
}

#[test]
fn what_came_before_says_when_the_next_one_may_start() {
    let place = Place::new();
    let start = |previous: Value| {
        let mut file = four();
        file["previous"] = previous;
        let done = decide(&written(&place, &file), &[]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let line = done.stdout.lines().find(|line| line.starts_with("start: "));
        line.unwrap().to_owned()
    };
    assert_eq!(start(json!({"state": "none"})), "start: at once");
    assert_eq!(
        start(json!({"state": "completed", "unix_s": 1_791_205_200})),
        "start: at 2026-10-12 11:00:00 UTC"
    );
    assert!(
        start(json!({"state": "running"})).contains("held: the last text tournament is not over")
    );
    let review =
        |state: Value| start(json!({"state": "under_review", "challenger": "x", "review": state}));
    assert!(review(Value::Null).contains("has to be reviewed"));
    assert!(review(json!("pending")).contains("has to be decided"));
    assert!(review(json!("accepted")).contains("has to be ended by it"));
    // Where nothing may start there is no list to start with; at a later time there is.
    for (previous, starts) in [
        (json!({"state": "running"}), false),
        (json!({"state": "completed", "unix_s": 1_791_205_200}), true),
    ] {
        let (mut file, list) = (four(), place.path("list"));
        file["previous"] = previous;
        let done = decide(&written(&place, &file), &[("--entrants", &list)]);
        assert_eq!(list.exists(), starts, "{}", done.stderr);
        if !starts {
            done.complains(1, &["is not written", "the start is held"]);
        }
    }
}

#[test]
fn a_pipe_where_an_answer_or_a_text_should_be_is_not_waited_for() {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.path("pipe")).status();
    assert!(made.unwrap().success());
    place.file("text", "x");
    for (licence, notice) in [("pipe", "text"), ("text", "pipe")] {
        let mut file = four();
        file["licence"] = json!({"licence": licence, "notice": notice});
        decide(&written(&place, &file), &[]).complains(1, &["pipe", "no plain file"]);
    }
    let mut file = four();
    file["candidates"][0]["answer"] = json!({"is": "file", "path": "pipe"});
    decide(&written(&place, &file), &[]).complains(1, &["pipe", "no plain file"]);
}
