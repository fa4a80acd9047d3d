use super::submissions::next_block;
use super::*;
use gradus_chain::node::{Progress, WeightsEvent, preflight};
use gradus_chain::timelock::{Beacon, WeightsPayload, lock, reveal};
use rand_chacha::rand_core::SeedableRng;

#[test]
fn a_timelocked_commit_opens_to_the_weights_inside() {
    let chain = chain(Spec::V461, |subnet| subnet.commit_reveal = true);
    let (_served, node) = serve(&chain);
    let drand = chain.drand();
    let beacon = Beacon::new(&drand.public_key(), drand.genesis_s(), drand.period_s());
    let beacon = beacon.expect("a beacon");
    let snapshot = best(&node);
    let facts = facts(&node);
    let hidden = WeightsPayload {
        hotkey: pair().account(),
        uids: vec![2, 3],
        values: vec![30_000, 65_535],
        version_key: 0,
    };
    let state = facts.parameters.epoch_state().expect("spec 461");
    let now_ms = snapshot.timestamp_ms().expect("read");
    let planned = reveal(&state, 1, 12_000, now_ms, &beacon).expect("a round");
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([9; 32]);
    let plain = hidden.encode().expect("pairs");
    let locked = lock(&beacon, planned.round, &plain, &mut rng).expect("fits");
    let commit = locked.to_wire().expect("fits");
    let call = WeightsCall::CommitTimelocked {
        netuid: NETUID,
        mechanism: Some(0),
        commit: commit.clone(),
        reveal_round: planned.round,
        commit_reveal_version: facts.parameters.commit_reveal_version,
    };
    preflight(&facts, &call, Some(&hidden), 75).expect("no rule is broken");
    let signed = sign(&snapshot, &call, &pair());
    let mut watch = node.submit(&signed, 461).expect("taken");
    chain.produce_block();
    let Some(Progress::InBlock(block)) = next_block(&mut watch) else {
        panic!("not in a block");
    };
    let inclusion = node
        .inclusion(block, &signed.hash)
        .expect("read")
        .expect("there");
    let about: Vec<_> = inclusion
        .events
        .iter()
        .filter_map(|e| e.about_weights())
        .collect();
    let WeightsEvent::TimelockedCommitted {
        commit_hash,
        reveal_round,
        ..
    } = about[0]
    else {
        panic!("{about:?}");
    };
    assert_eq!(
        (commit_hash, reveal_round),
        (Hash::of(&commit), planned.round)
    );
    let pending = best(&node)
        .pending_commits(NETUID, pair().account())
        .expect("read");
    assert_eq!(pending.timelocked.len(), 1);
    assert_eq!(
        (
            &pending.timelocked[0].commit,
            pending.timelocked[0].commit_hash
        ),
        (&commit, commit_hash)
    );
    assert_eq!(
        best(&node)
            .pending_commits(NETUID, owner().account())
            .expect("read"),
        Default::default()
    );
    // The round is stored three blocks after the one that would open the commit: until then the chain tries again.
    chain.produce_to(u32::try_from(planned.block_number).expect("a small chain") - 1);
    assert_eq!(best(&node).weights_row(NETUID, 0).expect("read"), []);
    chain.produce_to(chain.best_number() + 5);
    let opened = best(&node);
    assert_eq!(
        opened.weights_row(NETUID, 0).expect("read"),
        [(2, 30_000), (3, 65_535)]
    );
    assert_eq!(
        opened
            .pending_commits(NETUID, pair().account())
            .expect("read"),
        Default::default()
    );
    let signature = opened
        .pulse_signature(planned.round)
        .expect("read")
        .expect("stored");
    assert!(beacon.verifies(planned.round, &signature));
    let revealed = WeightsEvent::TimelockedRevealed {
        hotkey: pair().account(),
        storage_index: NETUID,
    };
    // Some block on the way says so.
    let events: Vec<_> = (planned.block_number..=opened.block().number)
        .flat_map(|number| {
            let hash = node.block_hash(number).expect("read").expect("a block");
            let block = node.header(hash).expect("read").block;
            node.at(block).expect("its state").events().expect("read")
        })
        .collect();
    assert!(
        events
            .iter()
            .filter_map(|e| e.about_weights())
            .any(|about| about == revealed)
    );
}
