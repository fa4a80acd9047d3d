//! The chain's rules twice: refused before signing, and what the chain says to the same submission all the same.

use super::*;
use gradus_chain::node::{Dispatch, DispatchError, PoolReason, Refusal, SubmitError, preflight};

/// What the chain says to a call, whatever was checked before: the error's name.
fn chain_says(chain: &Chain, node: &Node, call: &WeightsCall, signer: &Keypair) -> String {
    let snapshot = best(node);
    let signed = sign(&snapshot, call, signer);
    match node.submit(&signed, 461) {
        Err(SubmitError::Refused { refusal, .. }) => match refusal.reason {
            PoolReason::StakeBelowThreshold => "NotEnoughStakeToSetWeights".into(),
            PoolReason::RateLimit => "TooFast".into(),
            PoolReason::NotRegistered => "HotKeyNotRegisteredInSubNet".into(),
            PoolReason::RevealRound => "InvalidRevealRound".into(),
            PoolReason::NoCommit => "NoWeightsCommitFound".into(),
            other => format!("{other:?}"),
        },
        Err(error) => panic!("{error}"),
        Ok(_watch) => {
            chain.produce_block();
            let from = snapshot.block().number;
            let search = node.find(&signed.hash, from, from + 5).expect("read");
            match search.found.expect("in a block").dispatch {
                Some(Dispatch::Failed(DispatchError::Module { error, .. })) => error,
                other => format!("{other:?}"),
            }
        }
    }
}

/// The first refusal is what the chain says.
#[track_caller]
fn same(edit: impl FnOnce(&mut SubnetConfig), call: &WeightsCall) -> Vec<Refusal> {
    let chain = chain(Spec::V461, edit);
    let (_served, node) = serve(&chain);
    let mechanism = match call {
        WeightsCall::Set { mechanism, .. } => mechanism.unwrap_or_default(),
        _ => 0,
    };
    let facts = best(&node).facts(NETUID, mechanism, pair().account());
    let refusals = preflight(&facts.expect("facts"), call, None, 75).expect_err("a rule is broken");
    let said = chain_says(&chain, &node, call, &pair());
    let expected = refusals[0]
        .chain_error()
        .expect("the chain has a name for it");
    let expected = match refusals[0] {
        // The pool asks for the rate limit first, and a mechanism that does not exist has none that is kept.
        Refusal::TooFast { .. } | Refusal::NoMechanism { .. } if said == "TooFast" => "TooFast",
        // The pool asks for stake first.
        Refusal::NotRegistered { .. } if said == "NotEnoughStakeToSetWeights" => &said,
        _ => expected,
    };
    assert_eq!(said, expected, "{refusals:?}");
    refusals
}

fn vector(uids: &[u16], values: &[u16], version_key: u64) -> WeightsCall {
    WeightsCall::Set {
        netuid: NETUID,
        mechanism: None,
        uids: uids.to_vec(),
        values: values.to_vec(),
        version_key,
    }
}

#[test]
fn refusals_before_signing_are_the_chains() {
    same(
        |subnet| subnet.neurons[0].validator_permit = false,
        &set(None),
    );
    same(|subnet| subnet.neurons[0].alpha = 5, &set(None));
    same(|subnet| subnet.weights_version_key = 7, &set(None));
    same(|subnet| subnet.commit_reveal = true, &set(None));
    same(|subnet| subnet.min_allowed_weights = 4, &set(None));
    same(|_| (), &set(Some(1)));
    same(|_| (), &vector(&[2, 2], &[1, 2], 0));
    same(|_| (), &vector(&[2, 9], &[1, 2], 0));
    same(|_| (), &vector(&[2, 3], &[1, 2, 3], 0));
    same(|_| (), &vector(&[0, 1, 2, 3, 4, 5], &[1; 6], 0));
    same(|subnet| subnet.neurons[0].hotkey = [88; 32], &set(None));
}

#[test]
fn refusals_of_commits_are_the_chains() {
    let commit = |round, version| WeightsCall::CommitTimelocked {
        netuid: NETUID,
        mechanism: Some(0),
        commit: vec![1; 300],
        reveal_round: round,
        commit_reveal_version: version,
    };
    let far = u64::MAX / 4;
    let enabled = |subnet: &mut SubnetConfig| subnet.commit_reveal = true;
    same(|_| (), &commit(far, 4));
    same(enabled, &commit(far, 3));
    same(enabled, &commit(1, 4));
    let hashed = WeightsCall::Commit {
        netuid: NETUID,
        mechanism: None,
        commit_hash: hash([5; 32]),
    };
    same(|_| (), &hashed);
    let reveal = WeightsCall::Reveal {
        netuid: NETUID,
        mechanism: None,
        uids: vec![2, 3],
        values: vec![1, 2],
        salt: vec![3],
        version_key: 0,
    };
    same(enabled, &reveal);
}

#[test]
fn the_block_that_a_refusal_names_takes_it_and_the_one_before_does_not() {
    let chain = chain(Spec::V461, |subnet| subnet.weights_set_rate_limit = 5);
    let (_served, node) = serve(&chain);
    let signed = sign(&best(&node), &set(None), &pair());
    node.submit(&signed, 461).expect("taken");
    chain.produce_block();
    let refusals = preflight(&facts(&node), &set(None), None, 75).expect_err("too fast");
    let retry_at = refusals[0].retry_at_block().expect("a block");
    assert_eq!(retry_at, 11 + 5);
    // The last block whose successor is too early.
    chain.produce_to(retry_at as u32 - 2);
    assert!(preflight(&facts(&node), &set(None), None, 75).is_err());
    let said = chain_says(&chain, &node, &set(None), &pair());
    assert!(
        ["TooFast", "SettingWeightsTooFast"].contains(&said.as_str()),
        "{said}"
    );
    chain.produce_to(retry_at as u32 - 1);
    let ready = preflight(&facts(&node), &set(None), None, 75).expect("in time");
    assert_eq!(ready.landing_block, retry_at);
    assert_eq!(
        chain_says(&chain, &node, &set(None), &pair()),
        "Some(Succeeded)"
    );
}

#[test]
fn a_hash_commit_is_revealed_in_the_epoch_that_preflight_names() {
    let chain = chain(Spec::V461, |subnet| {
        subnet.commit_reveal = true;
        subnet.weights_set_rate_limit = 0;
    });
    let (_served, node) = serve(&chain);
    let (uids, values, salt) = (vec![2, 3], vec![1, 2], vec![7, 8]);
    let commit_hash =
        gradus_chain::node::commit_hash(pair().account(), NETUID, &uids, &values, &salt, 0);
    let commit = WeightsCall::Commit {
        netuid: NETUID,
        mechanism: None,
        commit_hash,
    };
    assert_eq!(
        chain_says(&chain, &node, &commit, &pair()),
        "Some(Succeeded)"
    );
    let reveal = WeightsCall::Reveal {
        netuid: NETUID,
        mechanism: None,
        uids,
        values,
        salt,
        version_key: 0,
    };
    let refusals = preflight(&facts(&node), &reveal, None, 75).expect_err("too early");
    assert_eq!(
        refusals[0].chain_error(),
        Some("RevealTooEarly"),
        "{refusals:?}"
    );
    let retry_at = refusals[0].retry_at_block().expect("a block");
    chain.produce_to(retry_at as u32 - 2);
    assert!(preflight(&facts(&node), &reveal, None, 75).is_err());
    chain.produce_block();
    preflight(&facts(&node), &reveal, None, 75).expect("in time");
    // The block of an epoch runs it first; a reveal there is of the epoch that begins.
    assert_eq!(
        chain_says(&chain, &node, &reveal, &pair()),
        "Some(Succeeded)"
    );
    assert_eq!(
        best(&node).weights_row(NETUID, 0).expect("read"),
        [(2, 32_768), (3, 65_535)]
    );
}

#[test]
fn a_limit_that_storage_still_has_and_no_runtime_enforces_is_no_rule() {
    for spec in [Spec::V365, Spec::V439, Spec::V461] {
        let chain = chain(spec, |subnet| subnet.max_weights_limit = 20_000);
        let (_served, node) = serve(&chain);
        let facts = best(&node).facts(NETUID, 0, pair().account());
        let facts = facts.expect("facts");
        assert_eq!(facts.max_weight, u16::MAX);
        let set = vector(&[2, 3], &[1, 9], 0);
        preflight(&facts, &set, None, 75).expect("no rule is broken");
        let index = facts.parameters.netuid;
        chain_says(&chain, &node, &set, &pair());
        let stored = vec![(2, 7_282), (3, 65_535)];
        assert_eq!(chain.weights(index, 0, facts.uid.expect("there")), stored);
    }
}
