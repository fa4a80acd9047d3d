use super::*;
use gradus_node::{ChainFault, Fault};
use serde_json::json;

/// Verdict, finding and help of the checks with a name.
fn checks<'a>(health: &'a Value, what: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let checks = health["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["what"] == what)
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap_or_default();
            (text("verdict"), text("found"), text("help"))
        })
        .collect()
}

fn examine(nodes: &[&Node], code: i32, arguments: &[&str]) -> Value {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let done = ask(nodes, &arguments);
    assert_eq!(done.code, Some(code), "{}{}", done.stdout, done.stderr);
    let health: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(health["healthy"], json!(code == 0));
    health
}

#[track_caller]
fn has(health: &Value, what: &str, verdict: &str, texts: &[&str]) {
    let found = checks(health, what);
    let fits = |(is, found, help): &(&str, &str, &str)| {
        *is == verdict
            && texts
                .iter()
                .all(|text| found.contains(text) || help.contains(text))
    };
    assert!(
        found.iter().any(fits),
        "{what} is not {verdict} {texts:?}: {health:#}"
    );
}

#[test]
fn a_validator_that_is_well_is_said_to_be() {
    let edit = |config: &mut ChainConfig| {
        config.subnets[0].commit_reveal = true;
        config.subnets[0].neurons[0].last_update = 20;
    };
    let chain = chain(edit, |_| ());
    let (first, second) = (serve(&chain), serve(&chain));
    let address = address_of(0);
    let health = examine(&[&first, &second], 0, &["--hotkey", &address]);
    for (what, text) in [
        ("endpoints", "2 of 2"),
        ("agreement", "agree on block 30: 2, at least 2"),
        ("clock", "s old"),
        ("finality", "2 ahead"),
        ("runtime", "spec 461 is known"),
        ("subnet", "5 neurons"),
        ("method", "timelocked commits of version 4"),
        ("beacon", "behind its own time"),
        ("registration", &address),
        ("permit", "uid 0"),
        ("stake", "10000000000000 rao"),
        ("rate limit", "once in 5 blocks"),
        ("commits", "0 commits"),
        ("activity", "10 blocks ago"),
    ] {
        has(&health, what, "ok", &[text]);
    }
    let all = health["checks"].as_array().unwrap();
    assert!(
        all.iter().all(|check| check["verdict"] == "ok"),
        "{health:#}"
    );
    let text = ask(&[&first, &second], &["doctor", "--hotkey", &address]);
    assert_eq!(text.code, Some(0));
    assert!(
        text.stdout
            .contains("nothing found that keeps weights from landing"),
        "{}",
        text.stdout
    );
}

#[test]
fn whoever_cannot_set_weights_is_told_why() {
    let edit = |config: &mut ChainConfig| {
        let subnet = &mut config.subnets[0];
        subnet.weights_set_rate_limit = 30;
        subnet.neurons[0].last_update = 25;
        subnet.neurons[0].alpha = 999_999_999_999;
    };
    let chain = chain(edit, |_| ());
    let node = serve(&chain);
    let health = examine(&[&node], 1, &["--hotkey", &address_of(0)]);
    has(
        &health,
        "stake",
        "failed",
        &["999999999999", "1000000000000", "add stake"],
    );
    has(
        &health,
        "rate limit",
        "warning",
        &["block 25", "wait until block 55"],
    );
    has(&health, "endpoints", "warning", &["1 of 1", "second"]);
    has(&health, "method", "ok", &["in the open"]);
    let health = examine(&[&node], 1, &["--hotkey", &address_of(2)]);
    has(&health, "permit", "failed", &["uid 2", "add stake"]);
    // The owner needs neither.
    let health = examine(&[&node], 0, &["--hotkey", &address_of(1)]);
    has(&health, "permit", "ok", &["owner"]);
    let stranger = address::encode(&[99; 32]);
    let health = examine(&[&node], 1, &["--hotkey", &stranger]);
    has(
        &health,
        "registration",
        "failed",
        &[&stranger, "not registered", "register it"],
    );
    assert!(checks(&health, "permit").is_empty());
    let text = ask(&[&node], &["doctor", "--hotkey", &stranger]);
    assert_eq!(text.code, Some(1));
    for part in ["FAIL", "→ register it", "one check failed"] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
}

#[test]
fn weights_that_are_old_are_an_alarm_and_then_a_failure() {
    for (last_update, verdict, code) in [(10, "ok", 0), (6, "warning", 0), (1, "failed", 1)] {
        let edit = |config: &mut ChainConfig| {
            config.spec = Spec::V365;
            config.subnets[0].activity_cutoff = 28;
            config.subnets[0].neurons[0].last_update = last_update;
        };
        let chain = chain(edit, |_| ());
        let node = serve(&chain);
        let arguments = ["--hotkey", &address_of(0), "--alarm", "80"];
        let health = examine(&[&node], code, &arguments);
        has(&health, "activity", verdict, &["after 28"]);
    }
}

#[test]
fn a_beacon_that_has_stopped_is_noticed() {
    let edit = |config: &mut ChainConfig| {
        config.subnets[0].commit_reveal = true;
        // Sixty more blocks to come.
        config.start_ms -= 60 * 12_000;
    };
    let chain = chain(edit, |_| ());
    let stored: u64 = chain.storage().get(("Drand", "LastStoredRound"), &[]);
    chain.inject(ChainFault::MissPulsesFrom(stored));
    chain.produce_to(BEST + 60);
    let node = serve(&chain);
    let health = examine(&[&node], 1, &[]);
    has(
        &health,
        "beacon",
        "failed",
        &["behind its own time", "wait"],
    );
}

#[test]
fn nodes_that_are_not_well_are_named() {
    let chain = plain();
    let (first, second, third) = (serve(&chain), serve(&chain), serve(&chain));
    third.inject(Fault::Lag(15));
    let health = examine(&[&first, &second, &third], 0, &[]);
    has(&health, "agreement", "warning", &[&third.url(), "block 17"]);
    has(&health, "agreement", "ok", &["agree on block 30: 2"]);
    let health = examine(&[&first, &third], 1, &[]);
    has(
        &health,
        "agreement",
        "failed",
        &["1 of at least 2", "--endpoint"],
    );
    assert!(
        checks(&health, "subnet").is_empty(),
        "nothing is said that nobody agrees on"
    );
    let health = examine(&[&first, &second], 1, &["--netuid", "57"]);
    has(&health, "subnet", "failed", &["subnet 57", "--netuid"]);
}

#[test]
fn a_chain_that_stands_still_is_told_by_the_clock() {
    let chain = chain(|config| config.start_ms -= 3_600_000, |_| ());
    let node = serve(&chain);
    let health = examine(&[&node], 1, &[]);
    has(&health, "clock", "failed", &["clock", "NTP"]);
}

#[test]
fn a_node_far_away_that_is_asked_without_encryption_is_a_warning() {
    let chain = plain();
    let node = serve(&chain);
    // Addresses for documents: nobody has them.
    let far = "ws://192.0.2.1:9944".to_owned();
    let urls = [node.url(), far.clone()];
    let arguments = ["doctor", "--json", "--agree", "1", "--timeout", "1"];
    let done = ask_urls(&urls, "local", &arguments);
    let health: Value = serde_json::from_str(&done.stdout).unwrap();
    let said = checks(&health, "endpoints");
    let exposed = said
        .iter()
        .filter(|(_, found, _)| found.contains("without encryption"));
    let exposed: Vec<_> = exposed.collect();
    assert_eq!(exposed.len(), 1, "loopback is near: {health}");
    let (verdict, found, help) = exposed[0];
    assert!(*verdict == "warning" && found.contains(&far), "{health}");
    assert!(help.contains("wss://"), "{health}");
}
