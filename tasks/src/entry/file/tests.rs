use super::*;
use serde_json::{Value, json};

fn file() -> Value {
    json!({
        "version": 1, "tournament_id": "t-1", "tournament_type": "text", "rules": "2026-09-30-27931f9d",
        "now_unix_s": 1_790_000_000, "previous": {"state": "none"}, "datasets": ["a/b"],
        "ledger": [{"kind": "transfer_in", "id": "1", "coldkey": "cold-a", "amount_rao": 5}],
        "enrolled": [{"hotkey": "e", "coldkey": "cold-e", "ip": "1.2.3.4",
            "repository": "https://github.com/e/r", "commit": "00".repeat(20), "datasets": []}],
        "candidates": [
            {"hotkey": "a", "coldkey": "cold-a", "ip": "::1", "answer": {"is": "text", "text": "{\"github_token\":\"SECRET\"}"}},
            {"hotkey": "b", "coldkey": "cold-b", "ip": "1.1.1.1", "answer": {"is": "silent"}},
        ],
        "facts": [{"hotkey": "a", "repository": "https://github.com/a/r", "commit": "main", "token": "opens",
            "obfuscation": {"verdict": "timed_out", "limit_ms": 9}, "licence": {"is": "fits"},
            "source": {"is": "read", "commit": "ab".repeat(20), "digest": "cd".repeat(32)}}],
    })
}

fn read(file: &Value) -> Result<EntryFile, EntryFileError> {
    EntryFile::from_bytes(file.to_string().as_bytes())
}

#[test]
fn json_and_toml_say_the_same_and_no_text_of_it_has_a_token() {
    let from_json = read(&file()).unwrap();
    let text = toml::to_string(&from_json).unwrap();
    assert_eq!(EntryFile::from_bytes(text.as_bytes()).unwrap(), from_json);
    assert!(!format!("{from_json:?}").contains("SECRET"));
    assert_eq!(from_json.balances().unwrap().balance_rao("cold-a"), 5);
    let rules = from_json.rule_set().unwrap();
    let enrolled = from_json.enrolled(&rules).unwrap();
    assert_eq!(EnrolledEntry::from(&enrolled[0]), from_json.enrolled[0]);
}

#[test]
fn what_does_not_fit_is_named() {
    let refused = |pointer: &str, value: Value, says: &str| {
        let mut file = file();
        *file.pointer_mut(pointer).unwrap() = value;
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(says), "{pointer}: {error}");
    };
    refused("/version", json!(2), "version 2, expected 1");
    refused("/tournament_id", json!("a b"), "tournament_id is \"a b\"");
    refused("/candidates/0/hotkey", json!("é"), "a candidate's hotkey");
    refused("/candidates/0/coldkey", json!(""), "a candidate's coldkey");
    refused(
        "/candidates/0/ip",
        json!("host"),
        "line 1: candidates[0].ip: invalid IP",
    );
    refused("/candidates/1/answer/is", json!("mute"), "mute");
    refused(
        "/enrolled/0/hotkey",
        json!("x y"),
        "an enrolled entrant's hotkey",
    );
    refused(
        "/facts/0/hotkey",
        json!("z"),
        "a fact of z, which is neither",
    );
    refused(
        "/facts/0/repository",
        json!("gitlab.com/a/r"),
        "a fact of a",
    );
    refused("/facts/0/token", json!("works"), "works");
    refused(
        "/facts/0/source/commit",
        json!("AB".repeat(20)),
        "commit of a",
    );
    refused("/facts/0/source/digest", json!("ab"), "64 lower-case");
    let add = |pointer: &str, name: &str, value: Value| {
        let mut file = file();
        let of = file.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        of.insert(name.to_owned(), value);
        read(&file).unwrap_err().to_string()
    };
    assert!(add("", "extra", json!(1)).contains("unknown field `extra`"));
    assert!(add("/facts/0", "digest", json!(1)).contains("unknown field `digest`"));
    let boss = json!({"commit": "x", "digest": "y"});
    assert!(add("", "boss_source", boss).contains("commit of the boss"));
    for field in file().as_object().unwrap().keys() {
        let mut file = file();
        file.as_object_mut().unwrap().remove(field);
        let error = read(&file).unwrap_err().to_string();
        assert!(
            error.contains(&format!("missing field `{field}`")),
            "{error}"
        );
    }
    let error = EntryFile::from_bytes(b"version = 1\nnow = \"SECRET\"\n").unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("line 2: ") && !error.contains("SECRET"),
        "{error}"
    );
}

#[test]
fn what_is_there_twice_is_named() {
    let twice = |list: &str| {
        let mut file = file();
        let entries = file[list].as_array_mut().unwrap();
        let first = entries[0].clone();
        entries.push(first);
        read(&file)
    };
    let error = twice("facts").unwrap_err().to_string();
    assert!(
        error.contains("the fact of a (a/r at main) is there twice"),
        "{error}"
    );
    let error = twice("enrolled").unwrap_err().to_string();
    assert!(
        error.contains("enrolled entrant e is there twice"),
        "{error}"
    );
    // The gate refuses the second candidate, and the ledger counts an event once.
    assert_eq!(twice("candidates").unwrap().candidates.len(), 3);
    assert_eq!(
        twice("ledger")
            .unwrap()
            .balances()
            .unwrap()
            .balance_rao("cold-a"),
        5
    );
}

#[test]
fn payments_and_entrants_that_cannot_be_are_named() {
    let mut wrong = file();
    wrong["ledger"][0] = json!({"kind": "fee", "id": "1", "tournament_id": "t", "coldkey": "cold-a", "amount_rao": 1});
    let error = read(&wrong).unwrap().balances().unwrap_err().to_string();
    assert!(error.contains("event 0 of the ledger"), "{error}");
    let mut wrong = file();
    wrong["enrolled"][0]["commit"] = json!("main");
    let file = read(&wrong).unwrap();
    let error = file
        .enrolled(&file.rule_set().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("e cannot be enrolled: commit_hash is \"main\""),
        "{error}"
    );
    let mut wrong = self::file();
    wrong["rules"] = json!("2019");
    assert!(matches!(
        read(&wrong).unwrap().rule_set(),
        Err(EntryFileError::Rules(_))
    ));
}
