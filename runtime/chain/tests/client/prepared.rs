//! What is planned, and what is not: by the chain's facts and its runtime.

use super::several::*;
use super::*;
use gradus_chain::land::{Basis, Landing, PrepareError, Prepared, Wanted, calls_wanted, prepare};
use gradus_chain::node::{Capabilities, CapabilityError, Head, Refusal, Runtime, items, report};
use gradus_chain::signer::CommandSigner;
use gradus_chain::submission::{
    BeaconCipher, Call, Chain as _, ChainError, Method as By, Order, Origin, Step, Target,
};
use gradus_chain::timelock::{Beacon, COMMIT_VERSION};
use gradus_node::Fault;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// What would be planned for weights on a chain's newest final block.
pub(super) fn prepared(chain: &Chain, url: &str) -> Result<Prepared, PrepareError> {
    prepared_by(chain, url, None)
}

/// As [`prepared`], by other facts and another runtime.
fn prepared_by(
    chain: &Chain,
    url: &str,
    other: Option<(&Facts, &Capabilities)>,
) -> Result<Prepared, PrepareError> {
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
        facts: other.map_or(&facts, |(facts, _)| facts),
        capabilities: other.map_or(pinned.first().capabilities(), |(_, other)| other),
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

/// `commit_timelocked_weights` came before the items that a commit is read from were moved: a runtime may have one without the other.
#[test]
fn nothing_is_planned_by_a_call_that_the_runtime_lacks() {
    let chain = chain(Spec::V461, |_| ());
    let (served, node) = serve(&chain);
    let snapshot = best(&node);
    let (known, parameters) = (snapshot.capabilities(), snapshot.subnet(NETUID));
    let mut parameters = parameters.expect("there");
    let runtime = |name: &str| {
        let bytes = Spec::V461.runtime().bytes();
        let mut changed = bytes.to_vec();
        let mut places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(name.as_bytes()));
        // Its name in the pallet's calls, whose length is written before it.
        let at = places.find(|at| bytes[at - 1] == (name.len() as u8) << 2);
        changed[at.expect("a call")] ^= 1;
        Capabilities::new(Runtime::decode(
            known.runtime().version().clone(),
            &changed,
        )?)
        .map_err(Box::<dyn std::error::Error>::from)
    };
    for (commits, name) in [(false, "set_weights"), (true, "commit_timelocked_weights")] {
        let without = runtime(name).expect("sound but for a call");
        parameters.commit_reveal_enabled = commits;
        assert_eq!(calls_wanted(&parameters, &without, 0), [name]);
        for (capabilities, lacks) in [(&**known, false), (&without, true)] {
            let checked = capabilities.check_call(name);
            let missing = matches!(checked, Err(CapabilityError::CallMissing { .. }));
            assert_eq!(missing, lacks, "{name}: {checked:?}");
        }
        let facts = Facts {
            parameters: parameters.clone(),
            ..facts(&node)
        };
        let prepared = prepared_by(&chain, &served.url(), Some((&facts, &without)));
        assert!(
            matches!(prepared, Err(PrepareError::Call(_))),
            "{name}: {prepared:?}"
        );
    }
}

/// Eight and a half hours of blocks are more than any era has: the signer is not even asked.
#[test]
fn a_signature_that_may_take_longer_than_the_runtime_remembers_is_not_asked_for() {
    let chain = chain(Spec::V461, |_| ());
    let (served, _node) = serve(&chain);
    let intent = prepared(&chain, &served.url()).expect("a vector").intent;
    let endpoints = local(&[served.url()], policy(1)).expect("one");
    let limit = Duration::from_secs(60_000);
    let nobody = CommandSigner::new(pair().account(), "/nowhere/at/all", Vec::new(), limit);
    let mut landing = Landing::new(&endpoints, &nobody, |_| ());
    assert_eq!(landing.signing_ms(), 60_000_000);
    let heads = landing.heads().expect("a node");
    let (uids, values) = intent.vectors();
    let call = Call::Set {
        netuid: NETUID,
        mechanism: 0,
        uids,
        values,
        version_key: 0,
    };
    let mut sign = |era_period_blocks| {
        let order = Order {
            step: Step::Set,
            nonce: 0,
            birth: heads.finalized,
            era_period_blocks,
            spec_version: 461,
        };
        match landing.sign(&intent, &call, &order) {
            Err(ChainError::Sign { why }) => why,
            other => panic!("{other:?}"),
        }
    };
    let why = sign(4_096);
    assert!(
        why.contains("a signature may take 60000 s") && why.contains("--signer-timeout"),
        "{why}"
    );
    let why = sign(2_048);
    assert!(why.contains("/nowhere/at/all"), "{why}");
}
