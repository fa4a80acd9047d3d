//! Two tournaments as files, computed by another program too: `tests/golden/tournaments`.

use super::play::NEW;
use crate::rules::RuleSet;
use crate::tournament::*;
use serde_json::{Value, json};
use std::sync::Arc;

const TEXT: &str = include_str!("../../../tests/golden/tournaments/text.jsonl");
const ENVIRONMENT: &str = include_str!("../../../tests/golden/tournaments/environment.jsonl");
const EXPECTED: &str = include_str!("../../../tests/golden/tournaments/expected.json");

/// What the script writes of a tournament.
fn summary(tournament: &Tournament) -> Value {
    let outcome = tournament.state().outcome.as_ref().unwrap();
    let result = tournament.result().unwrap();
    let places: Vec<Value> = result
        .places
        .iter()
        .map(|p| json!([p.place, p.hotkey]))
        .collect();
    let rounds = tournament.state().rounds.iter().map(
        |round| json!({"kind": round.kind, "places": round.places, "advanced": round.advanced}),
    );
    json!({
        "winner": outcome.winner,
        "why": outcome.why,
        "places": places,
        "difference": outcome.difference,
        "rounds": rounds.collect::<Vec<Value>>(),
    })
}

#[test]
fn files_come_to_what_another_program_says() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    for (name, file) in [("text", TEXT), ("environment", ENVIRONMENT)] {
        let tournament = Journal::replay_bytes(file.as_bytes()).unwrap();
        let found = summary(&tournament);
        assert_eq!(
            found, expected[name],
            "{name}\nregenerate with tests/golden/tournaments/make_tournaments.py if the rules changed"
        );
    }
}

#[test]
fn files_are_written_as_they_were_read_and_every_prefix_replays() {
    let rules = Arc::new(RuleSet::named(NEW).unwrap());
    for file in [TEXT, ENVIRONMENT] {
        let journal = Journal::parse(file.as_bytes()).unwrap();
        assert_eq!(
            Journal::parse(journal.to_text().as_bytes()).unwrap(),
            journal
        );
        let mut tournament = Tournament::new(journal.setup.clone(), Arc::clone(&rules)).unwrap();
        for (index, event) in journal.events.iter().enumerate() {
            let events = &journal.events[..index];
            let part =
                Tournament::replay(journal.setup.clone(), Arc::clone(&rules), events).unwrap();
            assert_eq!(part.to_json(), tournament.to_json(), "{index}");
            let read = Tournament::from_json(part.to_json().as_bytes(), Arc::clone(&rules));
            assert!(read.unwrap() == tournament, "{index}");
            assert!(!tournament.pending().is_empty() && tournament.result().is_none());
            tournament.apply(event).unwrap();
        }
        assert!(tournament.pending().is_empty());
        let result = serde_json::to_string(&tournament.result().unwrap()).unwrap();
        let read: TournamentResult = serde_json::from_str(&result).unwrap();
        assert_eq!(read, tournament.result().unwrap());
    }
}

#[test]
fn lines_that_do_not_fit_are_named() {
    let error = |text: &str| Journal::replay_bytes(text.as_bytes()).unwrap_err();
    assert!(matches!(error(""), JournalError::Empty));
    assert!(matches!(
        error("{}\n"),
        JournalError::Malformed { line: 1, .. }
    ));
    let lines: Vec<&str> = TEXT.lines().collect();
    let cut = format!("{}\n{}\n{}", lines[0], lines[1], &lines[2][..40]);
    assert!(matches!(
        error(&cut),
        JournalError::Malformed { line: 3, .. }
    ));
    let extra = format!(
        "{}\n{}",
        lines[0],
        lines[1].replace("\"sequence\"", "\"more\":1,\"sequence\"")
    );
    assert!(error(&extra).to_string().contains("more"));
    let missing = format!("{}\n{}", lines[0], lines[1].replace("\"sequence\":0,", ""));
    assert!(error(&missing).to_string().contains("sequence"));
    let twice = format!("{}\n{}\n{}", lines[0], lines[1], lines[1]);
    assert!(matches!(error(&twice), JournalError::Replay(_)));
    let unknown = lines[0].replace(NEW, "2019");
    assert!(matches!(error(&unknown), JournalError::Rules(_)));
    // JSON has no NaN, and no number that a double cannot hold.
    for number in ["NaN", "1e999", "-Infinity"] {
        let spoilt = TEXT.replacen("\"ranking\":1.0", &format!("\"ranking\":{number}"), 1);
        assert_ne!(spoilt, TEXT);
        assert!(
            matches!(error(&spoilt), JournalError::Malformed { .. }),
            "{number}"
        );
    }
}

#[test]
fn bytes_that_were_changed_anywhere_are_no_panic() {
    let bytes = TEXT.as_bytes();
    let mut chance = super::play::Chance::new(1);
    let mut accepted = 0;
    for _ in 0..150 {
        let mut changed = bytes.to_vec();
        for _ in 0..=chance.below(3) {
            let at = chance.below(changed.len());
            match chance.below(3) {
                0 => changed[at] = b"0123456789\"{}[],:-e\n"[chance.below(20)],
                1 => changed.truncate(at),
                _ => {
                    changed.remove(at);
                }
            }
            if changed.is_empty() {
                break;
            }
        }
        fuzzing::tournament_events(&changed);
        accepted += usize::from(Journal::parse(&changed).is_ok());
    }
    assert!(accepted > 0);
}

#[test]
fn states_that_contradict_themselves_are_refused() {
    let rules = Arc::new(RuleSet::named(NEW).unwrap());
    let tournament = Journal::replay_bytes(TEXT.as_bytes()).unwrap();
    let good: Value = serde_json::from_str(&tournament.to_json()).unwrap();
    let read =
        |value: &Value| Tournament::from_json(value.to_string().as_bytes(), Arc::clone(&rules));
    assert!(read(&good).is_ok());
    for change in [
        (|v: &mut Value| v["tasks"][0]["round"] = json!(9)) as fn(&mut Value),
        |v| v["tasks"][1]["number"] = json!(1),
        |v| v["tasks"][0]["place"] = json!(0),
        |v| v["tasks"][0]["contestants"][0]["hotkey"] = json!("f"),
        |v| v["rounds"][0]["number"] = json!(2),
        |v| v["entrants"][0]["hotkey"] = json!("f"),
        |v| v["outcome"] = Value::Null,
        |v| v["version"] = json!(2),
        |v| v["setup"]["entrants"] = json!([]),
        |v| v["more"] = json!(1),
    ] {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(read(&bad).is_err(), "{bad}");
    }
}
