//! Weights in the open: what is stored, which events say so, and in which order the chain finds fault.

use crate::client::Client;
use crate::signer::{Signer, Signing, call, chain, list, number, set_weights};
use gradus_node::{Chain, Node, Spec, hex};
use serde_json::{Value as Json, json};

/// Submits, and returns the pool's error code and reason.
fn refused(client: &mut Client, extrinsic: &[u8]) -> (i64, String) {
    let answer = client.call("author_submitExtrinsic", json!([hex::encode(extrinsic)]));
    let error = answer.expect_err("the pool refuses it");
    let text = error["data"].as_str().or(error["message"].as_str());
    (
        error["code"].as_i64().expect("a code"),
        text.expect("a text").to_owned(),
    )
}

#[test]
fn weights_are_stored_upscaled_and_told_to_whoever_watches() {
    for spec in [Spec::V365, Spec::V439, Spec::V461] {
        let alice = Signer::new(1);
        let chain = chain(&alice, |config, _| config.spec = spec);
        let node = Node::serve(&chain).expect("a port");
        let mut client = Client::connect(&node);
        let extrinsic = alice.sign(&chain, &set_weights(&chain, &[1, 3], &[100, 300]), 0);
        let watch = json!([hex::encode(&extrinsic)]);
        client.ask("author_submitAndWatchExtrinsic", watch);
        assert_eq!(client.next(), json!("ready"));
        let included = chain.produce_block();
        let hash = hex::encode(&chain.block(included).expect("it is").hash);
        assert_eq!(client.next(), json!({ "inBlock": hash }));
        chain.produce_to(included + 2);
        assert_eq!(client.next(), json!({ "finalized": hash }));
        assert_eq!(chain.weights(56, 0, 0), [(1, 21845), (3, 65535)]);
        assert_eq!(chain.last_update(56, 0, 0), u64::from(included));
        assert_eq!(chain.applied_by(alice.account()), 1);
        assert_eq!(chain.applied()[0].error, None);
        assert_eq!(chain.submissions().len(), 1);
        let body = client.ask("chain_getBlock", json!([hash]));
        assert_eq!(body["block"]["extrinsics"][1], hex::encode(&extrinsic));
    }
}

#[test]
fn what_was_not_signed_for_this_chain_runtime_and_time_is_refused() {
    let (alice, chain, node) = plain();
    let mut client = Client::connect(&node);
    let weights = set_weights(&chain, &[1], &[1]);
    let sign = |nonce, mortal, spec_version, genesis| {
        let signing = Signing {
            nonce,
            mortal,
            spec_version,
            genesis,
        };
        alice.sign_as(&chain, &weights, &signing)
    };
    let bad = (1010, "Transaction has a bad signature".to_owned());
    let best = chain.best_number();
    assert_eq!(refused(&mut client, &sign(0, None, Some(439), None)), bad);
    assert_eq!(
        refused(&mut client, &sign(0, None, None, Some([7; 32]))),
        bad
    );
    let mut changed = sign(0, None, None, None);
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert_eq!(refused(&mut client, &changed), bad);
    let short = sign(0, Some((4, best)), None, None);
    chain.produce_to(best + 4);
    assert_eq!(refused(&mut client, &short), bad);
    let (code, _) = refused(&mut client, &changed[..last]);
    assert_eq!(code, 1001);
    // None of them is taken for a submission of weights.
    assert_eq!(chain.waiting().len(), 0);
    let good = sign(0, None, None, None);
    client.ask("author_submitExtrinsic", json!([hex::encode(&good)]));
    assert_eq!(refused(&mut client, &good).0, 1013);
    let other = alice.sign(&chain, &set_weights(&chain, &[2], &[1]), 0);
    assert_eq!(refused(&mut client, &other).0, 1014);
    chain.produce_block();
    assert_eq!(refused(&mut client, &good).0, 1012);
    let stale = (1010, "Transaction is outdated".to_owned());
    assert_eq!(refused(&mut client, &other), stale);
}

#[test]
fn the_pool_counts_stake_and_blocks_before_it_takes_weights() {
    let alice = Signer::new(1);
    let bob = Signer::new(2);
    let chain = chain(&alice, |_, subnet| subnet.weights_set_rate_limit = 10);
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    let weights = set_weights(&chain, &[1], &[1]);
    let poor = bob.sign(&chain, &weights, 0);
    assert_eq!(
        refused(&mut client, &poor),
        (1010, "Custom error: 1".into())
    );
    let first = alice.sign(&chain, &weights, 0);
    client.ask("author_submitExtrinsic", json!([hex::encode(&first)]));
    let set_at = chain.produce_block();
    let fast = alice.sign(&chain, &weights, 1);
    assert_eq!(
        refused(&mut client, &fast),
        (1010, "Custom error: 6".into())
    );
    chain.produce_to(set_at + 8);
    let fast = alice.sign(&chain, &weights, 1);
    assert_eq!(
        refused(&mut client, &fast),
        (1010, "Custom error: 6".into())
    );
    chain.produce_to(set_at + 9);
    let after = alice.sign(&chain, &weights, 1);
    client.ask("author_submitExtrinsic", json!([hex::encode(&after)]));
    assert_eq!(chain.produce_block(), set_at + 10);
    assert_eq!(chain.applied_by(alice.account()), 2);
}

/// Errors of the dispatch, each by a call that is wrong in that and everything later.
#[test]
fn dispatch_finds_the_first_fault_in_the_chains_order() {
    let alice = Signer::new(1);
    let miner = Signer::new(3);
    let chain = chain(&alice, |_, subnet| {
        subnet.weights_version_key = 9;
        subnet.weights_set_rate_limit = 0;
        subnet.min_allowed_weights = 2;
        subnet.max_weights_limit = 40_000;
        let mut rich = gradus_node::Neuron::validator(miner.account());
        rich.validator_permit = false;
        subnet.neurons.push(rich);
    });
    let set = |netuid, mecid, uids: &[u16], values: &[u16], version_key| {
        let fields = [
            ("netuid", number(netuid)),
            ("mecid", number(mecid)),
            ("dests", list(uids)),
            ("weights", list(values)),
            ("version_key", number(version_key)),
        ];
        call(&chain, "set_mechanism_weights", &fields)
    };
    let cases = [
        (
            &alice,
            set(56, 0, &[0, 0, 9], &[1, 1], 0),
            "WeightVecNotEqualSize",
        ),
        (
            &alice,
            set(56, 0, &[9; 6], &[1; 6], 0),
            "UidsLengthExceedUidsInSubNet",
        ),
        (
            &miner,
            set(56, 0, &[9, 9], &[1, 1], 0),
            "IncorrectWeightVersionKey",
        ),
        (
            &miner,
            set(56, 0, &[9, 9], &[1, 1], 9),
            "NeuronNoValidatorPermit",
        ),
        (&alice, set(56, 0, &[9, 9], &[1, 1], 9), "DuplicateUids"),
        (&alice, set(56, 0, &[9], &[1], 9), "UidVecContainInvalidOne"),
        (&alice, set(56, 0, &[2], &[1], 9), "WeightVecLengthIsLow"),
        // Above the limit that is in storage, which nothing enforces.
        (&alice, set(56, 0, &[1, 2], &[2, 1], 9), ""),
        (&alice, set(56, 0, &[1, 2], &[1, 1], 10), ""),
        // A weight on oneself needs neither permit nor length.
        (&miner, set(56, 0, &[4], &[1], 9), ""),
    ];
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    // The pool cannot count blocks for a mechanism that is none, and calls that too fast.
    let nowhere = alice.sign(&chain, &set(56, 1, &[1, 2], &[1, 1], 9), 0);
    let too_fast = (1010, "Custom error: 6".to_owned());
    assert_eq!(refused(&mut client, &nowhere), too_fast);
    let mut nonces = std::collections::HashMap::new();
    for (signer, call, expected) in cases {
        let nonce = nonces.entry(signer.account()).or_insert(0);
        let extrinsic = signer.sign(&chain, &call, *nonce);
        *nonce += 1;
        client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
        let number = chain.produce_block();
        let applied = chain.block(number).expect("it is").applied.clone();
        let error = applied[0].error.clone().unwrap_or_default();
        assert_eq!(error, expected);
    }
}

/// Above 32768 the chain multiplies by a ratio that was rounded down, below it divides a product; both end at 65535.
#[test]
fn the_greatest_weight_is_65535_and_the_others_keep_their_ratio() {
    let alice = Signer::new(1);
    let chain = chain(&alice, |_, subnet| subnet.weights_set_rate_limit = 0);
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    let cases = [
        ([40_000, 10_000, 1], [65_535, 16_384, 2]),
        ([65_535, 32_768, 7], [65_535, 32_768, 7]),
        ([3, 2, 1], [65_535, 43_690, 21_845]),
        ([0, 0, 0], [0, 0, 0]),
    ];
    for (nonce, (values, stored)) in (0..).zip(cases) {
        let weights = set_weights(&chain, &[1, 2, 3], &values);
        let extrinsic = alice.sign(&chain, &weights, nonce);
        client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
        chain.produce_block();
        let expected: Vec<(u16, u16)> = (1..).zip(stored).collect();
        assert_eq!(chain.weights(56, 0, 0), expected);
    }
}

#[test]
fn weights_in_the_open_fail_where_they_must_be_committed() {
    let alice = Signer::new(1);
    let chain = chain(&alice, |_, subnet| subnet.commit_reveal = true);
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    let extrinsic = alice.sign(&chain, &set_weights(&chain, &[1], &[1]), 0);
    client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
    chain.produce_block();
    assert_eq!(
        chain.applied()[0].error.as_deref(),
        Some("CommitRevealEnabled")
    );
    assert_eq!(chain.weights(56, 0, 0), []);
}

#[test]
fn heads_final_blocks_and_nonces_follow_the_chain() {
    let (alice, chain, node) = plain();
    let mut client = Client::connect(&node);
    client.ask("chain_subscribeNewHeads", json!([]));
    let number = |head: &Json| head["number"].as_str().expect("a text").to_owned();
    assert_eq!(number(&client.next()), "0x1");
    chain.produce_block();
    let head = client.next();
    assert_eq!(number(&head), "0x2");
    let parent = hex::encode(&chain.block(1).expect("it is").hash);
    assert_eq!(head["parentHash"], parent);
    let account = gradus_node::address::encode(&alice.account());
    let next = |client: &mut Client| client.ask("system_accountNextIndex", json!([account]));
    assert_eq!(next(&mut client), 0);
    let extrinsic = alice.sign(&chain, &set_weights(&chain, &[1], &[1]), 0);
    client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
    assert_eq!(next(&mut client), 1);
    let nonce = client.runtime_call("AccountNonceApi_account_nonce", &alice.account());
    assert_eq!(nonce, [0, 0, 0, 0]);
    chain.produce_block();
    let nonce = client.runtime_call("AccountNonceApi_account_nonce", &alice.account());
    assert_eq!(nonce, [1, 0, 0, 0]);
}

fn plain() -> (Signer, Chain, Node) {
    let alice = Signer::new(1);
    let chain = chain(&alice, |_, _| {});
    let node = Node::serve(&chain).expect("a port");
    (alice, chain, node)
}
