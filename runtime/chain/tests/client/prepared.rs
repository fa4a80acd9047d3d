//! What is planned, and what is not: by the chain's facts and its runtime.

use super::several::*;
use super::*;
use gradus_chain::land::{Basis, PrepareError, Prepared, Wanted, prepare};
use gradus_chain::node::{Head, Refusal, items, report};
use gradus_chain::submission::{BeaconCipher, Method as By, Origin, Target};
use gradus_chain::timelock::{Beacon, COMMIT_VERSION};
use gradus_node::Fault;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// What would be planned for weights on a chain's newest final block.
pub(super) fn prepared(chain: &Chain, url: &str) -> Result<Prepared, PrepareError> {
    let endpoints = local(&[url.to_owned()], policy(1)).expect("one");
    let pinned = endpoints.pin(Head::Finalized).expect("one");
    let facts = report::facts(&pinned, NETUID, 0, pair().account()).expect("read");
    let drand = chain.drand();
    let beacon = Beacon::new(&drand.public_key(), drand.genesis_s(), drand.period_s());
    let rng = || ChaCha20Rng::from_seed([9; 32]);
    let target = |(uid, value)| Target {
        uid,
        value,
        hotkey: account([uid as u8; 32]),
    };
    let wanted = Wanted {
        profile: "local".into(),
        netuid: NETUID,
        mechanism: 0,
        hotkey: pair().account(),
        targets: [(2, 100), (3, 200)].map(target).to_vec(),
        version_key: 0,
        origin: Origin::Results,
    };
    let basis = Basis {
        facts: &facts,
        capabilities: pinned.first().capabilities(),
        genesis: endpoints.genesis(),
        finalized_number: pinned.finalized.number,
        timestamp_ms: pinned.timestamp_ms,
        alarm_percent: 75,
    };
    let mut cipher = BeaconCipher::new(beacon.expect("a beacon"), rng());
    prepare(&wanted, &basis, &mut cipher, &mut rng())
}

/// A chain that opens another format drops a commit at its reveal, without a word, and the rate limit is used up.
#[test]
fn a_commit_is_not_called_what_the_chain_asks_for_but_what_it_is() {
    let chain = chain(Spec::V461, |subnet| subnet.commit_reveal = true);
    let (served, node) = serve(&chain);
    let first = prepared(&chain, &served.url()).expect("a vector");
    first.verdict.expect("no rule is broken");
    let snapshot = best(&node);
    let key = snapshot
        .capabilities()
        .storage_key(items::COMMIT_REVEAL_VERSION, &[]);
    served.inject(Fault::Lie {
        key: key.expect("known"),
        value: Some(5_u16.to_le_bytes().to_vec()),
    });
    let prepared = prepared(&chain, &served.url()).expect("a vector");
    let refused = Refusal::CommitRevealVersion {
        found: COMMIT_VERSION,
        expected: 5,
    };
    assert_eq!(prepared.verdict, Err(vec![refused]));
    let written = By::Timelocked {
        commit_reveal_version: COMMIT_VERSION,
    };
    assert_eq!(prepared.intent.method, written);
}
