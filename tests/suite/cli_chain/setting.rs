//! What is shown, what lands, and how it is proven.

use super::*;

#[test]
fn without_yes_it_shows_what_would_change_and_touches_nothing() {
    let place = Place::new(2, |_| ());
    let done = finish(&mut place.set(&[]));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for text in [
        "method plain",
        "65535",
        "the chain would take it",
        "2 values change",
    ] {
        assert!(done.stdout.contains(text), "{text:?}: {}", done.stdout);
    }
    let shown = json_of(&finish(&mut place.set(&["--json"])));
    assert_eq!(shown["accepted"], true);
    let miner = address::encode(&[3; 32]);
    let change = json!({"uid": 2, "hotkey": miner, "now": 0, "then": 65_535});
    assert_eq!(shown["changes"][1], change);
    assert_eq!(place.applied(), 0);
    assert!(place.chain.submissions().is_empty());
    assert!(!place.path("state").exists(), "nothing is written down");
    is_secret_free(&done);
}

#[test]
fn plain_weights_are_verified_and_set_again_is_refused_until_a_block_that_is_waited_for() {
    let place = Place::new(2, |subnet| subnet.weights_set_rate_limit = 40);
    let done = finish(&mut place.set(&["--yes", "--json"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let status = json_of(&done);
    assert_eq!(status["intents"][0]["word"], "verified", "{status}");
    assert_eq!(place.row(), STORED);
    assert_eq!(place.applied(), 1);
    let events = done.events();
    assert!(
        events.iter().all(|event| event["event"] == "record") && events.len() >= 4,
        "{}",
        done.stderr
    );
    let kept = place.status();
    assert_eq!(kept["status"]["intents"][0]["word"], "verified", "{kept}");

    let updated = place.chain.last_update(NETUID, 0, UID);
    let again = finish(&mut place.set(&["--yes"]));
    let retry = format!("retry at block {}", updated + 40);
    again.complains(1, &[&retry, "nothing was signed"]);
    assert_eq!(place.applied(), 1);

    place.write("values.json", b"[[0,1],[1,1]]", 0o644);
    let waited = finish(&mut place.set(&["--yes", "--wait"]));
    assert_eq!(waited.code, Some(0), "{}", waited.stderr);
    assert!(waited.stderr.contains("\"waits\""), "{}", waited.stderr);
    assert_eq!(place.row(), [(0, 65_535), (1, 65_535)]);
    assert_eq!(place.applied(), 2);
    is_secret_free(&waited);
}

#[test]
fn timelocked_weights_are_verified_once_the_chain_has_opened_them() {
    let place = Place::hidden();
    let shown = finish(&mut place.set(&[]));
    assert!(
        shown.stdout.contains("method timelocked"),
        "{}",
        shown.stdout
    );
    let done = finish(&mut place.set(&["--yes"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("verified"), "{}", done.stdout);
    assert!(done.stderr.contains("revealed in block"), "{}", done.stderr);
    assert_eq!(place.row(), STORED);
    let activity = finish(&mut place.weights("status", &["--hotkey", &golden("ss58")]));
    assert_eq!(activity.code, Some(0), "{}", activity.stderr);
    assert!(
        activity.stdout.contains("blocks from inactive"),
        "{}",
        activity.stdout
    );
}

#[test]
fn a_limit_that_storage_still_has_and_no_runtime_enforces_refuses_nothing() {
    // Four fifths go to one uid.
    let place = Place::new(1, |subnet| subnet.max_weights_limit = 20_000);
    let done = finish(&mut place.set(&["--yes"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(place.row(), STORED);
}

#[test]
fn the_version_is_the_rule_sets_and_a_subnet_that_asks_for_more_gets_another_by_name() {
    let place = Place::new(1, |subnet| subnet.weights_version_key = 61_001);
    let shown = json_of(&finish(&mut place.set(&["--json"])));
    assert_eq!(shown["version_key"], 61_000);
    let refused = finish(&mut place.set(&["--yes"]));
    refused.complains(
        1,
        &[
            "version key is 61000",
            "61001 or more",
            "nothing was signed",
        ],
    );
    let done = finish(&mut place.set(&["--yes", "--version-key", "61001"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(place.row(), STORED);
}
