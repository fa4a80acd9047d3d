//! Events that are added, one by one and at once, right and wrong.

use super::{Place, golden, lines, show, tournament};
use crate::binary::{command, finish};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;

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
            format!(
                "{first}\n{}",
                recorded[2].replace("1790000001000000", "1789999999999999")
            ),
            "line 2",
            "of 1789999999999999 microseconds after 1970, expected 1790000000000000 or later",
        ),
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
fn events_that_are_added_at_once_are_all_there_in_the_order_of_their_times() {
    let place = Place::new();
    let path = place.path("many.jsonl");
    let entrants: Vec<String> = (0..24).map(|entrant| format!("e{entrant}")).collect();
    let list = place.file("many", &entrants.join("\n"));
    let mut new = command();
    new.args(["tournament", "new"]).arg(&path).arg("--entrants");
    let made = new
        .arg(list)
        .args(["--id", "t", "--type", "text", "--seed", "1"]);
    assert_eq!(finish(made).code, Some(0));
    for some in entrants.chunks(8) {
        let leave = |hotkey: &String| {
            let event = json!({"event": "left", "hotkey": hotkey, "why": "withdrawn"});
            let event = place.file(hotkey, &event.to_string());
            let mut apply = command();
            apply.args(["tournament", "apply", "--stamp"]).arg(&path);
            apply
                .arg(event)
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            apply.spawn().unwrap()
        };
        let children: Vec<_> = some.iter().map(leave).collect();
        for child in children {
            let done = child.wait_with_output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(0), "{said}");
        }
    }
    assert_eq!(show(&path)["state"]["next_sequence"], json!(24));
}

#[test]
fn an_event_that_is_yet_to_come_does_not_keep_others_out() {
    let place = Place::new();
    let path = place.begun();
    let started = &lines("text.jsonl")[1];
    let at = |unix_us: i64| started.replace("1790000000000000", &unix_us.to_string());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_micros() as i64;
    let hour = 3_600_000_000;
    for (unix_us, says) in [
        (i64::MAX, "294247-01-10 04:00:54 UTC"),
        (now + 25 * hour, "this machine's clock says 2"),
    ] {
        let done = place.apply(&path, &at(unix_us), &[]);
        done.complains(1, &["line 1", says, "nothing was added", "clock"]);
    }
    // A clock that is a little ahead is followed.
    let ahead = now + 23 * hour;
    assert_eq!(place.apply(&path, &at(ahead), &[]).code, Some(0));
    let left = "{\"event\":\"left\",\"hotkey\":\"b\",\"why\":\"withdrawn\"}";
    let done = place.apply(&path, left, &["--stamp"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(show(&path)["state"]["last_unix_us"], json!(ahead));
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
fn an_event_is_not_taken_from_a_list() {
    let place = Place::new();
    let path = place.file("t", &(lines("text.jsonl")[..1].join("\n") + "\n"));
    let before = fs::read(&path).unwrap();
    let done = place.apply(&path, "[\"started\"]\n", &["--stamp"]);
    done.complains(1, &["line 1", "expected an object"]);
    assert_eq!(fs::read(&path).unwrap(), before);
}
