//! What nodes say in JSON, and whose a state directory is.

use crate::Hash;
use crate::node::rpc::{Incoming, RpcError, parse_message};
use crate::node::{Binding, Network, PoolReason, PoolRefusal, Profile, ProfileError, Progress};
use serde_json::json;

fn refused(code: i64, data: &str) -> RpcError {
    RpcError::Refused {
        url: "ws://node".into(),
        method: "author_submitAndWatchExtrinsic".into(),
        code,
        message: "Invalid Transaction".into(),
        data: Some(data.into()),
    }
}

#[test]
fn a_pools_number_is_named_for_the_specs_that_have_it_and_always_kept() {
    let read = |code, data, spec| PoolRefusal::read(&refused(code, data), spec);
    let refusal = read(1010, "Custom error: 6", 461).expect("a pool's");
    assert_eq!(
        (refusal.reason, refusal.custom_code),
        (PoolReason::RateLimit, Some(6))
    );
    let refusal = read(1010, "Custom error: 6", 900).expect("a pool's");
    assert_eq!(
        (refusal.reason, refusal.custom_code),
        (PoolReason::UnknownCode, Some(6))
    );
    assert!(refusal.to_string().contains("Custom error: 6"), "{refusal}");
    for (code, data, reason) in [
        (1010, "Custom error: 1", PoolReason::StakeBelowThreshold),
        (1010, "Custom error: 19", PoolReason::NotRegistered),
        (1010, "Custom error: 77", PoolReason::UnknownCode),
        (1010, "Transaction is outdated", PoolReason::StaleNonce),
        (
            1010,
            "Transaction has a bad signature",
            PoolReason::BadSignature,
        ),
        (
            1010,
            "Transaction has an ancient birth block",
            PoolReason::Outdated,
        ),
        (
            1010,
            "Transaction will be valid in the future",
            PoolReason::FutureNonce,
        ),
        (1012, "", PoolReason::Banned),
        (1013, "", PoolReason::AlreadyImported),
        (1014, "", PoolReason::TooLowPriority),
    ] {
        assert_eq!(
            read(code, data, 461).map(|refusal| refusal.reason),
            Some(reason),
            "{data}"
        );
    }
    assert_eq!(read(-32601, "", 461), None);
}

#[test]
fn messages_are_answers_or_notifications() {
    let answer = parse_message(r#"{"jsonrpc":"2.0","id":3,"result":null}"#);
    let expected = Incoming::Answer {
        id: 3,
        result: Ok(json!(null)),
    };
    assert_eq!(answer, Some(expected));
    let text = r#"{"jsonrpc":"2.0","method":"m","params":{"subscription":7,"result":"ready"}}"#;
    let expected = Incoming::Notification {
        subscription: "7".into(),
        result: json!("ready"),
    };
    assert_eq!(parse_message(text), Some(expected));
    let text = r#"{"id":1,"error":{"code":1010,"message":"no","data":{"a":1}}}"#;
    let Some(Incoming::Answer {
        result: Err(refusal),
        ..
    }) = parse_message(text)
    else {
        panic!("no refusal");
    };
    assert_eq!(
        (refusal.code, refusal.data.as_deref()),
        (1010, Some(r#"{"a":1}"#))
    );
    for text in [
        "",
        "[]",
        "null",
        r#"{"id":1}"#,
        r#"{"id":-1,"result":1}"#,
        r#"{"params":{}}"#,
    ] {
        assert_eq!(parse_message(text), None, "{text}");
    }
    let deep = format!("{{\"id\":1,\"result\":{}", "[".repeat(100_000));
    assert_eq!(parse_message(&deep), None);
}

#[test]
fn progress_is_a_word_or_a_word_with_a_hash() {
    let hash = Hash([7; 32]);
    for (json, expected, last) in [
        (json!("ready"), Progress::Ready, false),
        (json!({"broadcast": ["peer"]}), Progress::Broadcast, false),
        (json!({"inBlock": hash}), Progress::InBlock(hash), false),
        (json!({"retracted": hash}), Progress::Retracted(hash), false),
        (json!({"finalized": hash}), Progress::Finalized(hash), true),
        (json!({"usurped": hash}), Progress::Usurped(hash), true),
        (json!("invalid"), Progress::Invalid, true),
        (json!("dropped"), Progress::Dropped, true),
    ] {
        let found = Progress::parse(&json).expect("progress");
        assert_eq!((found, found.is_last()), (expected, last));
    }
    for json in [
        json!("else"),
        json!({"inBlock": "0x00"}),
        json!({}),
        json!(3),
    ] {
        assert_eq!(Progress::parse(&json), None);
    }
}

#[test]
fn a_state_directory_belongs_to_one_network_for_good() {
    let directory = tempfile::tempdir().expect("a directory");
    let (finney, test) = (Profile::finney(), Profile::test());
    let genesis = |profile: &Profile| profile.genesis.expect("public");
    assert_eq!((finney.netuid, test.netuid), (56, 241));
    assert_eq!(Binding::of(directory.path()).expect("readable"), None);
    let bound = finney
        .bind(directory.path(), genesis(&finney))
        .expect("free");
    assert_eq!((bound.network, bound.netuid), (Network::Finney, 56));
    assert_eq!(
        finney
            .bind(directory.path(), genesis(&finney))
            .expect("ours"),
        bound
    );
    assert_eq!(
        Binding::of(directory.path()).expect("readable"),
        Some(bound)
    );
    let error = test
        .bind(directory.path(), genesis(&test))
        .expect_err("another's");
    let shown = error.to_string();
    assert!(
        shown.contains("finney") && shown.contains("network test"),
        "{shown}"
    );
    // A node of another chain is refused before anything is written.
    let empty = tempfile::tempdir().expect("a directory");
    let error = finney
        .bind(empty.path(), genesis(&test))
        .expect_err("another chain");
    assert!(matches!(error, ProfileError::Genesis { .. }));
    assert_eq!(
        std::fs::read_dir(empty.path()).expect("readable").count(),
        0
    );
    // Only the file is left, no half of one.
    let names: Vec<_> = std::fs::read_dir(directory.path())
        .expect("readable")
        .collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn a_local_chain_is_recorded_at_first_contact_and_no_public_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let local = Profile::local(1, Vec::new());
    let finney = Profile::finney().genesis.expect("public");
    let error = local.bind(directory.path(), finney).expect_err("finney's");
    assert!(matches!(
        error,
        ProfileError::NotLocal {
            network: Network::Finney,
            ..
        }
    ));
    local.bind(directory.path(), Hash([1; 32])).expect("free");
    let error = local
        .bind(directory.path(), Hash([2; 32]))
        .expect_err("another chain");
    assert!(matches!(error, ProfileError::OtherBinding { .. }));
    // Another subnet of the same chain is other state too.
    assert!(
        Profile::local(2, Vec::new())
            .bind(directory.path(), Hash([1; 32]))
            .is_err()
    );
    let path = directory.path().join("chain.json");
    for text in ["", "{}", "{\"version\":2}", &" ".repeat(10_000)] {
        std::fs::write(&path, text).expect("writable");
        let error = local
            .bind(directory.path(), Hash([1; 32]))
            .expect_err("nothing of ours");
        assert!(matches!(error, ProfileError::Malformed { .. }), "{error}");
    }
    let missing = directory.path().join("none");
    let error = local
        .bind(&missing, Hash([1; 32]))
        .expect_err("no directory");
    assert!(matches!(error, ProfileError::File { .. }));
}
