//! `gradus tournament`: files that grow by events, are replayed, shown, reported, and paid.

use crate::binary::{Finished, command, finish, repository, run};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const BURN: &str = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu";

/// A played tournament.
fn golden(name: &str) -> PathBuf {
    let folder = repository().join("tasks/tests/golden/tournaments");
    folder.join(name)
}

fn lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(golden(name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The text tournament's beginning.
    fn begun(&self) -> PathBuf {
        let path = self.path("t.jsonl");
        let done = finish(&mut self.new_command(&path, &["--champion", "former", "--wins", "1"]));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        path
    }

    fn new_command(&self, path: &Path, more: &[&str]) -> Command {
        let entrants = self.file("entrants", "a\nb\n c \n\nd\ne\n");
        let mut command = command();
        command.args(["tournament", "new"]).arg(path);
        command.args(["--id", "tourn_text", "--type", "text", "--seed", "11"]);
        command.arg("--entrants").arg(entrants).args(more);
        command
    }

    fn apply(&self, path: &Path, events: &str, more: &[&str]) -> Finished {
        let events = self.file("events", events);
        let mut command = command();
        command.args(["tournament", "apply"]).arg(path).arg(events);
        finish(command.args(more))
    }
}

fn tournament(arguments: &[&str], path: &Path) -> Finished {
    let mut command = command();
    command.arg("tournament").arg(arguments[0]).arg(path);
    finish(command.args(&arguments[1..]))
}

fn show(path: &Path) -> Value {
    let done = tournament(&["show", "--json"], path);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn events_added_one_by_one_and_at_once_make_the_same_file_and_the_same_champion() {
    let place = Place::new();
    let recorded = lines("text.jsonl");
    let path = place.begun();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        recorded[0].clone() + "\n"
    );
    for (number, event) in recorded[1..].iter().enumerate().take(5) {
        let waiting = show(&path)["pending"].clone();
        assert_ne!(waiting, json!([]), "before event {number}");
        let done = place.apply(&path, event, &[]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    // Nothing is added by a look.
    let before = fs::read(&path).unwrap();
    let rest = recorded[6..].join("\n");
    let looked = place.apply(&path, &rest, &["--dry-run"]);
    assert!(
        looked.stdout.contains("\"effect\":\"finished\""),
        "{}",
        looked.stderr
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    let done = place.apply(&path, &rest, &[]);
    assert_eq!(done.stdout, looked.stdout);
    assert_eq!(
        fs::read(&path).unwrap(),
        fs::read(golden("text.jsonl")).unwrap()
    );

    let shown = show(&path);
    assert_eq!(
        (&shown["pending"], &shown["result"]["champion"]),
        (&json!([]), &json!("a"))
    );
    let expected: Value =
        serde_json::from_slice(&fs::read(golden("expected.json")).unwrap()).unwrap();
    let places: Vec<Value> = shown["result"]["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| json!([place["place"], place["hotkey"]]))
        .collect();
    assert_eq!(Value::Array(places), expected["text"]["places"]);
    let text = tournament(&["show"], &path).stdout;
    assert!(
        text.contains("champion: a") && text.contains("small field"),
        "{text}"
    );
}

#[test]
fn what_happened_can_be_told_without_its_envelope() {
    let place = Place::new();
    let path = place.begun();
    let done = place.apply(&path, "{\"event\":\"started\"}", &["--stamp"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("round_drawn"), "{}", done.stdout);
    let last = fs::read_to_string(&path).unwrap();
    let event: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&event["sequence"], &event["tournament_id"]),
        (&json!(0), &json!("tourn_text"))
    );
    assert!(event["at_unix_us"].as_i64().unwrap() > 1_700_000_000_000_000);
    place
        .apply(&path, "{\"event\":\"started\"}", &["--stamp"])
        .complains(1, &["line 1", "started does not come while"]);
}

#[test]
fn a_replay_gives_the_same_bytes_at_every_event() {
    let place = Place::new();
    let state = place.path("state.json");
    let mut digests = Vec::new();
    for until in ["0", "7", "34", "34"] {
        let mut command = command();
        command
            .args(["tournament", "replay"])
            .arg(golden("text.jsonl"));
        let done = finish(command.args(["--until", until, "--state"]).arg(&state));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let said: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(said["events"].to_string(), until);
        digests.push((said["state_sha256"].clone(), fs::read(&state).unwrap()));
    }
    assert_eq!(digests[2], digests[3]);
    assert_ne!(digests[0].0, digests[1].0);
    tournament(&["replay", "--until", "35"], &golden("text.jsonl"))
        .complains(1, &["--until 35", "34 events"]);
    // From standard input, too.
    let mut command = command();
    command.args(["tournament", "replay", "-"]);
    command.stdin(Stdio::from(fs::File::open(golden("text.jsonl")).unwrap()));
    assert!(finish(&mut command).stdout.contains("\"champion\": \"a\""));
}

#[test]
fn a_wrong_event_adds_nothing_not_even_the_right_ones_before_it() {
    let place = Place::new();
    let recorded = lines("text.jsonl");
    let path = place.begun();
    let first = &recorded[1];
    let evaluated = recorded
        .iter()
        .position(|line| line.contains("\"evaluated\""))
        .unwrap();
    let before = recorded[1..evaluated].join("\n");
    let change = |from: &str, to: &str| {
        let line = &recorded[evaluated];
        assert!(line.contains(from), "{from} in {line}");
        format!("{before}\n{}", line.replace(from, to))
    };
    let line = evaluated.to_string();
    for (events, line, says) in [
        (
            format!("{first}\n{first}"),
            "line 2",
            "sequence 0, expected 1",
        ),
        (recorded[2].clone(), "line 1", "sequence 1, expected 0"),
        (
            first.replace("tourn_text", "other"),
            "line 1",
            "of other, this is tourn_text",
        ),
        (
            first.replace("started", "stated"),
            "line 1",
            "unknown variant `stated`",
        ),
        (
            first.replace("\"sequence\"", "\"number\""),
            "line 1",
            "number",
        ),
        (format!("{first}\n{{"), "line 2", "EOF"),
        (change("\"hotkey\":\"b\"", "\"hotkey\":\"q\""), &line, "q"),
        (change("\"task\":1", "\"task\":77"), &line, "77"),
        (
            change("\"ranking\":1.", "\"ranking\":1e999,\"x\":1."),
            &line,
            "number out of range",
        ),
        (
            change("\"ranking\":1.", "\"ranking\":NaN,\"x\":1."),
            &line,
            "expected value",
        ),
    ] {
        let done = place.apply(&path, &events, &[]);
        done.complains(1, &[line, says, "nothing was added"]);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1, "{says}");
    }
}

#[test]
fn two_who_add_events_at_once_do_so_one_after_the_other() {
    let place = Place::new();
    let path = place.begun();
    let started = place.file("started", "{\"event\":\"started\"}");
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = command();
            command
                .args(["tournament", "apply", "--stamp"])
                .arg(&path)
                .arg(&started);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let codes: Vec<_> = children
        .into_iter()
        .map(|child| child.wait_with_output().unwrap().status.code())
        .collect();
    assert_eq!(
        codes.iter().filter(|code| **code == Some(0)).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn what_begins_no_tournament_is_refused_and_leaves_no_file() {
    let place = Place::new();
    let path = place.path("new.jsonl");
    let refused = |more: &[&str], code, says: &[&str]| {
        finish(&mut place.new_command(&path, more)).complains(code, says);
        assert!(!path.exists(), "{says:?}");
    };
    refused(&["--rules", "2019"], 1, &["--rules", "2026-09-30-27931f9d"]);
    refused(&["--champion", "former"], 2, &["--wins"]);
    refused(
        &["--champion", "former", "--wins", "0"],
        1,
        &["consecutive_wins 0"],
    );
    refused(&["--champion", BURN, "--wins", "1"], 1, &["his own hotkey"]);
    let entrants = |text: &str, says: &str| {
        let list = place.file("list", text);
        let mut command = command();
        command.args(["tournament", "new"]).arg(&path);
        command.args([
            "--id",
            "t",
            "--type",
            "environment",
            "--seed",
            "1",
            "--entrants",
        ]);
        let done = finish(command.arg(list));
        done.complains(1, &[says]);
        assert!(!path.exists());
    };
    entrants("", "0 entrants");
    entrants("a\na\n", "a entered twice");
    entrants("a b\n", "a b");
    entrants(BURN, "plays for the champion");

    place.file("new.jsonl", "mine");
    finish(&mut place.new_command(&path, &[])).complains(1, &["is there already"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_file_that_is_no_tournament_says_where() {
    let place = Place::new();
    let recorded = lines("text.jsonl");
    let torn = place.file("torn", &recorded.join("\n")[..5_000]);
    tournament(&["show"], &torn).complains(1, &["torn", "line"]);
    let empty = place.file("empty", "");
    tournament(&["show"], &empty).complains(1, &["empty", "no setup"]);
    let missing = [&recorded[..3], &recorded[4..]].concat().join("\n");
    let missing = place.file("missing", &missing);
    tournament(&["replay"], &missing)
        .complains(1, &["event 2 is refused", "sequence 3, expected 2"]);
    let open = place.file("open", &(recorded[..9].join("\n") + "\n"));
    let mut command = command();
    command
        .args(["tournament", "replay"])
        .arg(&open)
        .arg("--result")
        .arg(place.path("r"));
    finish(&mut command).complains(1, &["--result", "is not over"]);
    assert!(!place.path("r").exists());
    run(["tournament", "show", "/nowhere"]).complains(1, &["FILE /nowhere", "No such file"]);
}

#[test]
fn the_page_has_the_bracket_the_bounds_and_the_places_and_loads_nothing() {
    let place = Place::new();
    for name in ["text.jsonl", "environment.jsonl"] {
        let page = place.path("page.html");
        let mut command = command();
        command
            .args(["tournament", "report"])
            .arg(golden(name))
            .arg("--html")
            .arg(&page);
        assert_eq!(finish(&mut command).code, Some(0));
        let page = fs::read_to_string(&page).unwrap();
        for part in [
            "<svg",
            "<h2>Rounds</h2>",
            "<h2>Places</h2>",
            "SHA-256 of the state",
            "default-src 'none'",
        ] {
            assert!(page.contains(part), "{name}: {part}");
        }
        assert!(
            !page.contains("<script") && !page.contains("http:") && !page.contains("https:"),
            "{name}"
        );
    }
    // One that has only begun, by somebody who writes markup.
    let list = place.file("list", "a\nb\nc\n");
    let path = place.path("t.jsonl");
    let mut new = command();
    new.args(["tournament", "new"]).arg(&path).args([
        "--id",
        "t",
        "--type",
        "image",
        "--seed",
        "3",
        "--entrants",
    ]);
    assert_eq!(finish(new.arg(list)).code, Some(0));
    let page = place.path("page.html");
    let mut report = command();
    report
        .args(["tournament", "report"])
        .arg(&path)
        .arg("--html")
        .arg(&page);
    assert_eq!(finish(&mut report).code, Some(0));
    assert!(fs::read_to_string(&page).unwrap().contains("not over"));
}

#[test]
fn finished_tournaments_become_results_and_weights() {
    let place = Place::new();
    let participants = place.file("participants", "a\nw\n");
    let results = place.path("results.json");
    let collect = |files: &[PathBuf], rules: &str| {
        let mut command = command();
        command
            .args(["weights", "collect", "--rules", rules, "-o"])
            .arg(&results);
        finish(command.arg("--participants").arg(&participants).args(files))
    };
    let both = [golden("text.jsonl"), golden("environment.jsonl")];
    let done = collect(&both, "2026-09-30-27931f9d");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let collected: Value = serde_json::from_slice(&fs::read(&results).unwrap()).unwrap();
    assert_eq!(collected["results"]["text"]["winner_hotkey"], "a");
    assert_eq!(collected["results"]["image"], Value::Null);
    assert_eq!(
        collected["input"]["environment"]["entrants_newest_first"],
        json!([5])
    );
    let margin = &collected["input"]["text"]["performance"]["won"]["difference"];
    assert_eq!(margin.as_f64(), Some(0.208_333_333_333_333_31));

    // Over a subnet on which they are registered, the vector goes through to its audit.
    let mut subnet: Value = serde_json::from_slice(
        &fs::read(repository().join("examples/weights/subnet.json")).unwrap(),
    )
    .unwrap();
    for (uid, hotkey) in (20..).zip(["a", "c", "w", "x", "former"]) {
        subnet["neurons"][uid]["hotkey"] = json!(hotkey);
    }
    let subnet = place.file("subnet.json", &subnet.to_string());
    let audit = place.path("audit.json");
    let mut show = command();
    show.args(["weights", "show", "--json"])
        .arg(&results)
        .arg("--subnet")
        .arg(&subnet);
    let shown = finish(show.arg("--audit").arg(&audit));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    // There was no environment champion, so what the boss earned is what the burned rest replaced.
    let lost = shown["lost"][0]["weight"].as_f64().unwrap();
    let total = shown["total"].as_f64().unwrap();
    assert!((total + lost - 1.0).abs() < 1e-12, "{shown}");
    let mut again = command();
    assert_eq!(
        finish(again.args(["weights", "audit"]).arg(&audit)).code,
        Some(0)
    );

    collect(
        &[golden("text.jsonl"), golden("text.jsonl")],
        "2026-09-30-27931f9d",
    )
    .complains(1, &["tourn_text is there twice"]);
    collect(&both, "2025-12-12-86623e97").complains(
        1,
        &["text.jsonl was played by rules 2026-09-30-27931f9d, which are newer"],
    );
    let open = place.begun();
    collect(&[open], "2026-09-30-27931f9d").complains(1, &["t.jsonl", "is not over"]);
}
