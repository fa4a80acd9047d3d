use super::*;
use crate::binary::run;
use gradus_node::{Fault, Garbage, Method};
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// The same chain under another name.
fn other() -> Chain {
    chain(|config| config.name = "another".into(), |_| ())
}

#[test]
fn an_identity_says_which_chain_how_far_and_who_agrees() {
    let chain = plain();
    let (first, second) = (serve(&chain), serve(&chain));
    let json = json_of(&ask(&[&first, &second], &["identity", "--json"]));
    assert_eq!(
        json["genesis"],
        gradus_node::hex::encode(&chain.genesis_hash())
    );
    assert_eq!(json["network"], "local");
    assert_eq!(json["runtime"]["spec_version"], 461);
    assert_eq!(
        (&json["head"]["number"], &json["finalized"]["number"]),
        (&json!(32), &json!(30))
    );
    assert_eq!(
        (&json["finality_lag_blocks"], &json["required"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(json["endpoints"], json!([first.url(), second.url()]));
    assert_eq!(json["excluded"], json!([]));
    let text = ask(&[&first, &second], &["identity"]);
    assert_eq!(text.code, Some(0), "{}", text.stderr);
    for part in [
        "node-subtensor 461",
        "2 blocks behind",
        "of 2 nodes, at least 2",
        &second.url(),
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
}

#[test]
fn a_node_of_another_chain_is_left_out_or_ends_it() {
    let (chain, other) = (plain(), other());
    let (first, second, third) = (serve(&chain), serve(&chain), serve(&other));
    let json = json_of(&ask(&[&first, &third, &second], &["identity", "--json"]));
    assert_eq!(json["endpoints"], json!([first.url(), second.url()]));
    let excluded = &json["excluded"][0];
    assert_eq!(excluded["url"], json!(third.url()));
    assert!(
        excluded["why"].as_str().unwrap().contains("genesis"),
        "{excluded}"
    );
    // One against one is a tie.
    ask(&[&first, &third], &["identity"])
        .complains(1, &["0 of at least 2", "the genesis", &third.url()]);
    let urls = [first.url(), second.url()];
    let done = ask_urls(&urls, "finney", &["metagraph"]);
    done.complains(
        1,
        &[
            "network finney is 0x2f0555cc",
            "another network",
            &urls[0],
            &urls[1],
        ],
    );
}

#[test]
fn a_node_that_lies_is_left_out_and_named_if_others_agree() {
    let chain = plain();
    let (first, second, third) = (serve(&chain), serve(&chain), serve(&chain));
    let key = chain
        .storage()
        .runtime()
        .key(item("Kappa"), &[Key::U16(NETUID)]);
    third.inject(Fault::Lie {
        key,
        value: Some(60_000_u16.to_le_bytes().to_vec()),
    });
    let done = ask(&[&first, &third, &second], &["metagraph", "--json"]);
    assert_eq!(json_of(&done)["settings"]["kappa"], 32_767);
    let told = &done.events()[0];
    assert_eq!(
        (&told["event"], &told["url"]),
        (&json!("excluded"), &json!(third.url()))
    );
    assert!(
        told["why"]
            .as_str()
            .unwrap()
            .contains("settings of its epoch"),
        "{told}"
    );
    // Neither is believed.
    let done = ask(&[&first, &third], &["metagraph"]);
    let texts = ["0 of at least 2", "settings of its epoch", &third.url()];
    done.complains(1, &[texts[0], texts[1], texts[2], "60000", "32767"]);
    let all = [&first, &third, &second];
    ask(&all, &["hyperparams", "--agree", "3"])
        .complains(1, &["2 of at least 3", texts[1], texts[2]]);
    let json = json_of(&ask(&[&first, &third, &second], &["hyperparams", "--json"]));
    assert_eq!(json["endpoints"], json!([first.url(), second.url()]));
    assert_eq!(json["excluded"][0]["url"], json!(third.url()));
}

#[test]
fn a_row_that_one_node_changes_is_noticed() {
    let chain = plain();
    let (first, second, third) = (serve(&chain), serve(&chain), serve(&chain));
    let slot = [Key::U16(NETUID), Key::U16(0)];
    for name in ["Weights", "Bonds"] {
        let key = chain.storage().runtime().key(item(name), &slot);
        // One pair: uid 4, all of it.
        let value = Some(vec![4, 4, 0, 255, 255]);
        third.inject(Fault::Lie { key, value });
        let done = ask(&[&first, &second, &third], &["metagraph", "--json"]);
        assert_eq!(json_of(&done)["neurons"][0][name.to_lowercase()], json!([]));
        assert!(
            done.stderr.contains("rows of its uids") && done.stderr.contains(&third.url()),
            "{}",
            done.stderr
        );
        third.clear();
    }
}

#[test]
fn a_node_that_lags_is_left_out() {
    let chain = plain();
    let (first, second, third) = (serve(&chain), serve(&chain), serve(&chain));
    third.inject(Fault::Lag(15));
    let json = json_of(&ask(&[&first, &second, &third], &["identity", "--json"]));
    assert_eq!(json["finalized"]["number"], 30);
    let why = json["excluded"][0]["why"].as_str().unwrap();
    assert!(why.contains("it is at block 17, others are at 30"), "{why}");
}

#[test]
fn nonsense_is_an_error_that_names_the_node() {
    let chain = plain();
    let node = serve(&chain);
    for garbage in Garbage::KINDS {
        if garbage == Garbage::WrongId {
            // Waited for until the time limit, as silence is.
            continue;
        }
        node.inject(Fault::Garbage(Method::Any, garbage));
        ask(&[&node], &["metagraph", "--json", "--timeout", "1"]).complains(1, &[&node.url()]);
        node.clear();
    }
    assert_eq!(ask(&[&node], &["identity"]).code, Some(0));
}

#[test]
fn nobody_and_silence_end_within_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("ws://{}", listener.local_addr().unwrap());
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("ws://{}", listener.local_addr().unwrap())
    };
    let started = Instant::now();
    let done = ask_urls(
        &[silent.clone(), closed.clone()],
        "local",
        &["metagraph", "--timeout", "1"],
    );
    let took = started.elapsed();
    done.complains(1, &[&silent, "slow or hangs", &closed, "cannot be reached"]);
    assert!(took < Duration::from_secs(8), "{took:?}");
    ask_urls(&["http://127.0.0.1:1".into()], "local", &["identity"])
        .complains(2, &["is no node's address", "wss://"]);
}

#[test]
fn arguments_that_do_not_fit_are_usage_errors() {
    run(["chain", "identity", "--network", "local"])
        .complains(2, &["--endpoint", "ws://127.0.0.1:9944"]);
    run(["chain", "identity", "--endpoint", "ws://127.0.0.1:1"])
        .complains(2, &["2 nodes have to agree, 1 are named", "--agree 1"]);
    run(["chain", "identity", "--network", "nakamoto"]).complains(2, &["nakamoto", "finney"]);
    run(["chain", "metagraph", "--netuid", "65536"]).complains(2, &["65536"]);
    run(["chain", "doctor", "--hotkey", "5Nobody"]).complains(2, &["5Nobody"]);
    let help = run(["chain", "--help"]);
    for text in [
        "identity",
        "metagraph",
        "hyperparams",
        "doctor",
        "subnet.json",
    ] {
        assert!(help.stdout.contains(text), "{text}: {}", help.stdout);
    }
}
