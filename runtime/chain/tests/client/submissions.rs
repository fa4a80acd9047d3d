use super::*;
use gradus_chain::node::{
    Capabilities, Dispatch, Event, PoolReason, Progress, Search, SubmitError, Watch, WeightsEvent,
    preflight,
};
use gradus_chain::stored_values;
use gradus_node::{ChainFault, Fault, Method, Retracted};
use std::time::Instant;

/// What is new within two seconds.
fn next(watch: &mut Watch) -> Option<Progress> {
    watch
        .next(Instant::now() + Duration::from_secs(2))
        .expect("a connection")
}

/// The next that is not of the pool.
pub(super) fn next_block(watch: &mut Watch) -> Option<Progress> {
    loop {
        match next(watch) {
            Some(Progress::Ready | Progress::Broadcast) => (),
            other => return other,
        }
    }
}

#[test]
fn weights_are_set_and_proven_in_three_specs() {
    for spec in [Spec::V365, Spec::V439, Spec::V461] {
        for mechanism in [None, Some(0)] {
            let chain = chain(spec, |_| ());
            let (_served, node) = serve(&chain);
            let snapshot = best(&node);
            let call = set(mechanism);
            let ready = preflight(&facts(&node), &call, None, 75).expect("no rule is broken");
            let signed = sign(&snapshot, &call, &pair());
            let mut watch = node.submit(&signed, spec.version()).expect("taken");
            assert_eq!(next(&mut watch), Some(Progress::Ready));
            // Nothing new is no end of the watch.
            let soon = Instant::now() + Duration::from_millis(30);
            while let Some(progress) = watch.next(soon).expect("a connection") {
                assert_eq!(progress, Progress::Broadcast);
            }
            chain.produce_block();
            let Some(Progress::InBlock(block)) = next_block(&mut watch) else {
                panic!("not in a block");
            };
            let inclusion = node
                .inclusion(block, &signed.hash)
                .expect("read")
                .expect("there");
            assert_eq!(inclusion.block.number, ready.landing_block);
            assert_eq!(inclusion.dispatch, Some(Dispatch::Succeeded));
            let about: Vec<_> = inclusion
                .events
                .iter()
                .filter_map(|e| e.about_weights())
                .collect();
            let expected = WeightsEvent::Set {
                storage_index: NETUID,
                uid: 0,
            };
            assert_eq!(about, [expected]);
            chain.produce_to(chain.best_number() + 2);
            assert_eq!(next_block(&mut watch), Some(Progress::Finalized(block)));
            let finalized = node
                .at(node.finalized_head().expect("a head"))
                .expect("its state");
            let row = finalized.weights_row(NETUID, 0).expect("read");
            let values = stored_values(&[100, 200, 50]);
            assert_eq!(row, [(2, values[0]), (3, values[1]), (4, values[2])]);
            let landed = Some(ready.landing_block);
            assert_eq!(finalized.last_update(NETUID, 0).expect("read"), landed);
            assert_eq!(chain.applied_by(pair().account().0), 1);
        }
    }
}

#[test]
fn an_answer_that_never_came_is_decided_by_looking() {
    for (fault, taken) in [
        (Fault::DropBefore(Method::Submit), false),
        (Fault::DropAfter(Method::Submit), true),
        (Fault::HangBefore(Method::Submit), false),
        (Fault::HangAfter(Method::Submit), true),
    ] {
        let chain = chain(Spec::V461, |_| ());
        let (served, node) = serve(&chain);
        let snapshot = best(&node);
        let signed = sign(&snapshot, &set(None), &pair());
        served.inject_once(fault.clone());
        let error = node.submit(&signed, 461).err().expect("no answer");
        assert!(
            matches!(error, SubmitError::Unknown(_)),
            "{fault:?}: {error}"
        );
        let first = snapshot.block().number;
        chain.produce_to(16);
        let search = node.find(&signed.hash, first, first + 16).expect("read");
        // The chain ends before the era: what was not found may still come.
        assert_eq!(search.found.is_some(), taken, "{fault:?}");
        if let Some(found) = &search.found {
            assert_eq!(found.dispatch, Some(Dispatch::Succeeded));
            assert_eq!(search.searched_to, Some(found.block.number));
        } else {
            assert_eq!(search.searched_to, Some(16));
        }
        assert_eq!(chain.submissions().len(), usize::from(taken));
    }
}

#[test]
fn what_was_never_sent_or_refused_says_so() {
    let chain = chain(Spec::V461, |_| ());
    let (served, node) = serve(&chain);
    let signed = sign(&best(&node), &set(None), &pair());
    served.inject_once(Fault::Refuse(
        Method::Submit,
        gradus_node::RpcError::custom(6),
    ));
    let Err(SubmitError::Refused { refusal, .. }) = node.submit(&signed, 461) else {
        panic!("not refused");
    };
    assert_eq!(
        (refusal.reason, refusal.custom_code),
        (PoolReason::RateLimit, Some(6))
    );
    drop(served);
    let error = node.submit(&signed, 461).err().expect("nobody listens");
    assert!(matches!(error, SubmitError::NotSent(_)), "{error}");
}

#[test]
fn a_swallowed_extrinsic_is_not_found() {
    let chain = chain(Spec::V461, |_| ());
    let (served, node) = serve(&chain);
    let signed = sign(&best(&node), &set(None), &pair());
    served.inject_once(Fault::Swallow);
    node.submit(&signed, 461).expect("taken, it says");
    chain.produce_to(14);
    let nothing = Search {
        found: None,
        searched_to: Some(14),
    };
    assert_eq!(node.find(&signed.hash, 10, 14).expect("read"), nothing);
}

#[test]
fn a_block_that_gives_way_is_told_and_the_next_one_found() {
    let chain = chain(Spec::V461, |_| ());
    let (_served, node) = serve(&chain);
    let signed = sign(&best(&node), &set(None), &pair());
    let mut watch = node.submit(&signed, 461).expect("taken");
    chain.produce_block();
    let Some(Progress::InBlock(first)) = next_block(&mut watch) else {
        panic!("not in a block");
    };
    chain.inject(ChainFault::Reorg {
        depth: 1,
        retracted: Retracted::Pool,
    });
    chain.produce_block();
    assert_eq!(next_block(&mut watch), Some(Progress::Retracted(first)));
    chain.produce_block();
    let Some(Progress::InBlock(second)) = next_block(&mut watch) else {
        panic!("not in a block again");
    };
    assert_ne!(first, second);
    let search = node
        .find(&signed.hash, 10, chain.best_number().into())
        .expect("read");
    assert_eq!(search.found.expect("found").block.hash, second);
}

#[test]
fn a_payload_of_the_old_runtime_is_refused_by_the_new_one() {
    let chain = chain(Spec::V439, |_| ());
    let (_served, node) = serve(&chain);
    let signed = sign(&best(&node), &set(None), &pair());
    chain.inject(ChainFault::Upgrade(Spec::V461));
    chain.produce_block();
    chain.produce_block();
    let Err(SubmitError::Refused { refusal, .. }) = node.submit(&signed, 439) else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason, PoolReason::BadSignature);
    // The next snapshot has the new runtime, and signs for it.
    let snapshot = best(&node);
    assert_eq!(
        snapshot.capabilities().runtime().version().spec_version,
        461
    );
    let signed = sign(&snapshot, &set(None), &pair());
    node.submit(&signed, 461).expect("taken");
    chain.produce_block();
    assert_eq!(chain.applied_by(pair().account().0), 1);
}

#[test]
fn what_the_block_of_an_upgrade_says_is_read_by_the_old_runtime() {
    let chain = chain(Spec::V365, |_| ());
    let (_served, node) = serve(&chain);
    let signed = sign(&best(&node), &set(None), &pair());
    node.submit(&signed, 365).expect("taken");
    chain.inject(ChainFault::UpgradeBehindExtrinsics(Spec::V461));
    chain.produce_block();
    assert_eq!(chain.applied_by(pair().account().0), 1);
    let snapshot = best(&node);
    let found = node
        .inclusion(snapshot.block().hash, &signed.hash)
        .expect("read")
        .expect("in the block");
    assert_eq!(found.dispatch, Some(Dispatch::Succeeded));
    let set = found.events.iter().find_map(Event::about_weights);
    assert!(matches!(set, Some(WeightsEvent::Set { .. })), "{set:?}");
    let spec = |runtime: &Capabilities| runtime.runtime().version().spec_version;
    assert_eq!(spec(snapshot.stored_by()), 365);
    assert_eq!(spec(snapshot.capabilities()), 461);
    chain.produce_block();
    assert_eq!(spec(best(&node).stored_by()), 461);
}
