//! One tournament after another: who defends, with which wins and which margin.

use super::{BURN, Place, golden, lines};
use crate::binary::{Finished, command, finish};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const MARGIN: f64 = 0.208_333_333_333_333_31;

fn champion(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    let setup: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    setup["champion"].clone()
}

/// The golden tournament once more, a day later, with this champion: `a` wins it under his own hotkey.
fn second(place: &Place, name: &str, champion: &[&str]) -> PathBuf {
    let path = place.path(name);
    let mut new = place.new_command(&path, &["--id", "second"]);
    let done = finish(new.args(champion));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let later = |line: &String| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event["tournament_id"] = json!("second");
        event["at_unix_us"] = json!(event["at_unix_us"].as_i64().unwrap() + 86_400_000_000);
        event.to_string()
    };
    let events: Vec<String> = lines("text.jsonl")[1..].iter().map(later).collect();
    let done = place.apply(&path, &events.join("\n"), &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    path
}

fn collect(place: &Place, files: &[&Path]) -> Finished {
    let participants = place.file("participants", "a\n");
    let mut command = command();
    command.args(["weights", "collect", "--participants"]);
    finish(command.arg(participants).args(files))
}

#[test]
fn the_next_tournament_begins_with_what_the_last_one_left() {
    let place = Place::new();
    let first = golden("text.jsonl");
    let after = second(
        &place,
        "second.jsonl",
        &["--after", first.to_str().unwrap()],
    );
    let left = json!({"hotkey": "a", "consecutive_wins": 1, "stored_difference": MARGIN});
    assert_eq!(champion(&after), left);
    let done = collect(&place, &[&after, &first]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    // One that wins again has one win more.
    let third = place.path("third.jsonl");
    let mut new = place.new_command(&third, &["--after"]);
    assert_eq!(finish(new.arg(&after)).code, Some(0));
    assert_eq!(champion(&third)["consecutive_wins"], json!(2));
}

#[test]
fn a_champion_who_comes_with_other_wins_or_another_margin_is_not_paid() {
    let place = Place::new();
    let first = golden("text.jsonl");
    let margin = MARGIN.to_string();
    for (name, wins, margin, says) in [
        (
            "nine",
            "9",
            Some(&margin),
            ["consecutive_wins 9", "consecutive_wins 1"],
        ),
        (
            "none",
            "1",
            None,
            [
                "stored_difference null",
                &format!("stored_difference {margin}"),
            ],
        ),
    ] {
        let mut named = vec!["--champion", "a", "--wins", wins];
        named.extend(
            margin
                .iter()
                .flat_map(|margin| ["--stored-difference", margin]),
        );
        let path = second(&place, name, &named);
        let done = collect(&place, &[&first, &path]);
        done.complains(
            1,
            &[
                "second began with a",
                "tourn_text, which ended before it",
                "--after",
            ],
        );
        done.complains(1, &says);
    }
}

#[test]
fn only_a_tournament_of_the_type_that_is_over_leaves_a_champion() {
    let place = Place::new();
    let path = place.path("new.jsonl");
    let refused = |after: &Path, more: &[&str], code, says: &[&str]| {
        let mut new = place.new_command(&path, &["--after"]);
        finish(new.arg(after).args(more)).complains(code, says);
        assert!(!path.exists());
    };
    refused(
        &place.begun(),
        &[],
        1,
        &["--after", "t.jsonl", "is not over"],
    );
    let environment = golden("environment.jsonl");
    let says = [
        "environment.jsonl",
        "one of environment",
        "expected one of text",
    ];
    refused(&environment, &[], 1, &says);
    refused(&place.path("nowhere"), &[], 1, &["--after", "nowhere"]);
    let more = ["--champion", "a", "--wins", "1"];
    refused(&golden("text.jsonl"), &more, 2, &["--after", "--champion"]);
}

#[test]
fn a_title_that_was_kept_for_nobody_is_the_burn_hotkeys() {
    let place = Place::new();
    let first = place.path("first.jsonl");
    assert_eq!(finish(&mut place.new_command(&first, &[])).code, Some(0));
    let left = |hotkey| json!({"event": "left", "hotkey": hotkey, "why": "withdrawn"}).to_string();
    let events: Vec<String> = ["a", "b", "c", "d", "e"].map(left).to_vec();
    let events = events.join("\n") + "\n{\"event\":\"started\"}\n";
    let done = place.apply(&first, &events, &["--stamp"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let path = place.path("second.jsonl");
    let mut new = place.new_command(&path, &["--after"]);
    assert_eq!(finish(new.arg(&first)).code, Some(0));
    let kept = json!({"hotkey": BURN, "consecutive_wins": 1, "stored_difference": null});
    assert_eq!(champion(&path), kept);
}
