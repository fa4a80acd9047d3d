//! Files that begin a tournament, are replayed, or are none.

use super::{BURN, Place, golden, lines, tournament};
use crate::binary::{command, finish, run};
use serde_json::Value;
use std::fs;
use std::process::Stdio;

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
    // Nobody can have kept the title, and has no margin of his own.
    refused(
        &[
            "--champion",
            BURN,
            "--wins",
            "1",
            "--stored-difference",
            "0.1",
        ],
        1,
        &["stored_difference"],
    );
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
