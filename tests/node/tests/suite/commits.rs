//! Weights that are committed: by a hash and shown later, or under a timelock that the beacon opens.

use crate::client::Client;
use crate::signer::{Signer, call, chain, list, number};
use gradus_chain::AccountId;
use gradus_chain::timelock::{self, Beacon, EpochState, WeightsPayload};
use gradus_node::{Chain, ChainFault, Key, Node, Spec, hex};
use parity_scale_codec::Encode;
use rand_core::SeedableRng;
use scale_value::Value;
use serde_json::{Value as Json, json};

pub(crate) struct World {
    pub(crate) alice: Signer,
    pub(crate) chain: Chain,
    _node: Node,
    client: Client,
    nonce: u32,
}

impl World {
    fn new(change: impl FnOnce(&mut gradus_node::SubnetConfig)) -> Self {
        Self::of(Spec::V461, change)
    }

    pub(crate) fn of(spec: Spec, change: impl FnOnce(&mut gradus_node::SubnetConfig)) -> Self {
        let alice = Signer::new(1);
        let chain = chain(&alice, |config, subnet| {
            config.spec = spec;
            subnet.commit_reveal = true;
            subnet.weights_set_rate_limit = 0;
            change(subnet);
        });
        let node = Node::serve(&chain).expect("a port");
        let client = Client::connect(&node);
        Self {
            alice,
            chain,
            _node: node,
            client,
            nonce: 0,
        }
    }

    fn submit(&mut self, call: &[u8]) -> Result<Json, Json> {
        let extrinsic = self.alice.sign(&self.chain, call, self.nonce);
        let params = json!([hex::encode(&extrinsic)]);
        let answer = self.client.call("author_submitExtrinsic", params);
        self.nonce += u32::from(answer.is_ok());
        answer
    }

    /// Submits, makes a block, and returns the error that the call failed with.
    pub(crate) fn dispatch(&mut self, call: &[u8]) -> Option<String> {
        self.submit(call).expect("the pool takes it");
        let number = self.chain.produce_block();
        let block = self.chain.block(number).expect("it is");
        block.applied[0].error.clone()
    }

    fn read(&self, name: &'static str) -> u64 {
        self.chain
            .storage()
            .get(("SubtensorModule", name), &[Key::U16(56)])
    }

    fn beacon(&self) -> Beacon {
        let drand = self.chain.drand();
        let (genesis, period) = (drand.genesis_s(), drand.period_s());
        Beacon::new(&drand.public_key(), genesis, period).expect("a beacon")
    }

    /// Where the product's own schedule says that a commit of the next block opens.
    fn reveal(&self) -> timelock::Reveal {
        let state = EpochState {
            last_epoch_block: self.read("LastEpochBlock"),
            pending_epoch_at: self.read("PendingEpochAt"),
            subnet_epoch_index: self.read("SubnetEpochIndex"),
            tempo: self.read("Tempo") as u16,
            blocks_since_last_step: self.read("BlocksSinceLastStep"),
            block_number: u64::from(self.chain.best_number()),
        };
        let now: u64 = self.chain.storage().get(("Timestamp", "Now"), &[]);
        let period = self.read("RevealPeriodEpochs");
        timelock::reveal(&state, period, 12_000, now, &self.beacon()).expect("a schedule")
    }

    pub(crate) fn locked(&self, round: u64, payload: &[u8]) -> Vec<u8> {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
        let locked = timelock::lock(&self.beacon(), round, payload, &mut rng);
        locked.expect("it locks").to_wire().expect("it fits")
    }

    pub(crate) fn payload(&self, hotkey: [u8; 32]) -> Vec<u8> {
        let payload = WeightsPayload {
            hotkey: AccountId(hotkey),
            uids: vec![1, 2],
            values: vec![1, 4],
            version_key: 0,
        };
        payload.encode().expect("it pairs")
    }

    pub(crate) fn commit(&self, commit: &[u8], round: u64, version: u64) -> Vec<u8> {
        let fields = [
            ("netuid", number(56)),
            (
                "commit",
                Value::unnamed_composite([Value::from_bytes(commit)]),
            ),
            ("reveal_round", number(round)),
            ("commit_reveal_version", number(version)),
        ];
        call(&self.chain, "commit_timelocked_weights", &fields)
    }

    pub(crate) fn weights(&self) -> Vec<(u16, u16)> {
        self.chain.weights(56, 0, 0)
    }

    fn open_commits(&self) -> usize {
        let dump = self.chain.dump(56);
        let epochs = dump["mechanisms"][0]["timelocked_commits"].as_array();
        epochs.expect("a list").len()
    }

    /// Whether the newest block's events name a reveal: index 56 and the hotkey, at the end of the event.
    fn says_revealed(&self) -> bool {
        let runtime = self.chain.storage().runtime();
        let key = runtime.key(("System", "Events"), &[]);
        let events = self.chain.storage().raw(&key).expect("events");
        let fields = (56_u16, self.alice.account()).encode();
        events.windows(fields.len()).any(|window| window == fields)
    }
}

#[test]
fn a_timelocked_commit_opens_at_the_block_that_the_schedule_says() {
    for start in [1, 7, 19, 20, 33] {
        let mut world = World::new(|_| {});
        world.chain.produce_to(start);
        let reveal = world.reveal();
        let commit = world.locked(reveal.round, &world.payload(world.alice.account()));
        assert_eq!(
            world.dispatch(&world.commit(&commit, reveal.round, 4)),
            None
        );
        let committed = u64::from(world.chain.best_number());
        assert_eq!(world.chain.last_update(56, 0, 0), committed);
        assert_eq!(world.open_commits(), 1);
        // The round is three blocks later than the reveal: the pulse is missing at first, and the chain tries again.
        let due = reveal.block_number as u32;
        world.chain.produce_to(due + 2);
        assert_eq!((world.weights(), world.says_revealed()), (vec![], false));
        while world.weights().is_empty() && world.chain.best_number() < due + 6 {
            world.chain.produce_block();
        }
        assert_eq!(world.weights(), [(1, 16384), (2, 65535)], "from {start}");
        assert!(world.says_revealed());
        assert_eq!(world.open_commits(), 0);
        // A reveal is no update: the commit was.
        assert_eq!(world.chain.last_update(56, 0, 0), committed);
    }
}

/// Another's payload, another round, bytes that are no commit, a vector that may not be set: all gone without a word.
#[test]
fn what_does_not_open_is_dropped_without_an_event() {
    for wrong in ["hotkey", "round", "bytes", "weights", "fault"] {
        let mut world = World::new(|_| {});
        let reveal = world.reveal();
        let mut payload = world.payload(world.alice.account());
        let mut locked_to = reveal.round;
        match wrong {
            "hotkey" => payload = world.payload([9; 32]),
            "round" => locked_to += 1,
            "weights" => {
                let hotkey = world.alice.account().to_vec();
                payload = (hotkey, vec![9_u16], vec![1_u16], 0_u64).encode();
            }
            "fault" => world.chain.inject(ChainFault::DropReveals(true)),
            _ => {}
        }
        let mut commit = world.locked(locked_to, &payload);
        if wrong == "bytes" {
            commit.truncate(90);
        }
        assert_eq!(
            world.dispatch(&world.commit(&commit, reveal.round, 4)),
            None
        );
        for _ in world.chain.best_number()..=reveal.block_number as u32 + 6 {
            world.chain.produce_block();
            assert!(!world.says_revealed(), "{wrong}");
        }
        assert_eq!(
            (world.weights(), world.open_commits()),
            (vec![], 0),
            "{wrong}"
        );
    }
}

#[test]
fn a_missing_pulse_is_waited_for_through_the_epoch_and_no_longer() {
    for (comes_back, expected) in [(true, 2), (false, 0)] {
        let mut world = World::new(|_| {});
        let reveal = world.reveal();
        world.chain.inject(ChainFault::MissPulsesFrom(reveal.round));
        let commit = world.locked(reveal.round, &world.payload(world.alice.account()));
        assert_eq!(
            world.dispatch(&world.commit(&commit, reveal.round, 4)),
            None
        );
        let due = reveal.block_number as u32;
        world.chain.produce_to(due + 15);
        assert_eq!((world.weights(), world.open_commits()), (vec![], 1));
        if comes_back {
            world.chain.inject(ChainFault::StorePulses);
        }
        world.chain.produce_to(due + 20);
        world.chain.inject(ChainFault::StorePulses);
        world.chain.produce_to(due + 25);
        assert_eq!((world.weights().len(), world.open_commits()), (expected, 0));
    }
}

#[test]
fn timelocked_commits_are_refused_in_the_chains_order() {
    let mut world = World::new(|subnet| subnet.weights_set_rate_limit = 5);
    let round = world.reveal().round;
    let last: u64 = world.chain.storage().get(("Drand", "LastStoredRound"), &[]);
    let error = world
        .submit(&world.commit(&[1], last - 1, 4))
        .expect_err("too old");
    assert_eq!(error["data"], "Custom error: 15");
    let wrong = world.dispatch(&world.commit(&[1], round, 3));
    assert_eq!(wrong.as_deref(), Some("IncorrectCommitRevealVersion"));
    assert_eq!(world.dispatch(&world.commit(&[1], round, 4)), None);
    // Unlike weights in the open, a commit that comes too fast is taken by the pool.
    let fast = world.dispatch(&world.commit(&[1], round, 4));
    assert_eq!(fast.as_deref(), Some("CommittingWeightsTooFast"));
    let long = world.submit(&world.commit(&[1; 5001], round, 4));
    assert_eq!(long.expect_err("too long")["code"], 1001);
    let mut world = World::new(|subnet| subnet.commit_reveal = false);
    let disabled = world.dispatch(&world.commit(&[1], round, 4));
    assert_eq!(disabled.as_deref(), Some("CommitRevealDisabled"));
    let mut world = World::new(|subnet| subnet.tempo = 100);
    for _ in 0..10 {
        assert_eq!(world.dispatch(&world.commit(&[1], round, 4)), None);
    }
    let many = world.dispatch(&world.commit(&[1], round, 4));
    assert_eq!(many.as_deref(), Some("TooManyUnrevealedCommits"));
}

#[test]
fn a_hash_is_committed_and_shown_one_epoch_later_alone() {
    let mut world = World::new(|subnet| subnet.mechanisms = 2);
    let (uids, values, salt) = ([1_u16, 3], [7_u16, 7], [5_u16, 6, 7]);
    let index = 4096_u16 + 56;
    let alice = world.alice.account();
    let of = (alice, index, &uids[..], &values[..], &salt[..], 0_u64).encode();
    let hash = sp_crypto_hashing::blake2_256(&of);
    let fields = [
        ("netuid", number(56)),
        ("mecid", number(1)),
        ("commit_hash", Value::from_bytes(hash)),
    ];
    let commit = call(&world.chain, "commit_mechanism_weights", &fields);
    let show = |salt: &[u16]| {
        let fields = [
            ("netuid", number(56)),
            ("mecid", number(1)),
            ("uids", list(&uids)),
            ("values", list(&values)),
            ("salt", list(salt)),
            ("version_key", number(0)),
        ];
        call(&world.chain, "reveal_mechanism_weights", &fields)
    };
    let (right, wrong) = (show(&salt), show(&[5]));
    let refused = |answer: Result<Json, Json>| answer.expect_err("refused")["data"].clone();
    assert_eq!(refused(world.submit(&right)), "Custom error: 16");
    assert_eq!(world.dispatch(&commit), None);
    assert_eq!(refused(world.submit(&right)), "Custom error: 17");
    assert_eq!(refused(world.submit(&wrong)), "Custom error: 16");
    world.chain.produce_to(25);
    assert_eq!(world.dispatch(&right), None);
    assert_eq!(world.chain.weights(56, 1, 0), [(1, 65535), (3, 65535)]);
    assert_eq!(world.weights(), [], "the other mechanism's");
    assert_eq!(refused(world.submit(&right)), "Custom error: 16");
    // Two epochs later a commit has expired.
    assert_eq!(world.dispatch(&commit), None);
    world.chain.produce_to(62);
    assert_eq!(refused(world.submit(&right)), "Custom error: 17");
}
