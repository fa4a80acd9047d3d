//! What one endpoint does wrong, while the chain behind it, and its other endpoint, go on.

use crate::client::Client;
use crate::signer::{Signer, chain, set_weights};
use gradus_node::{Chain, Fault, Garbage, Key, Method, Node, RpcError, hex};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Long enough to be sure that nothing comes.
const SILENCE: Duration = Duration::from_millis(60);

struct World {
    alice: Signer,
    chain: Chain,
    node: Node,
    other: Node,
}

impl World {
    fn new() -> Self {
        let alice = Signer::new(1);
        let chain = chain(&alice, |_, _| {});
        let node = Node::serve(&chain).expect("a port");
        let other = Node::serve(&chain).expect("a port");
        Self {
            alice,
            chain,
            node,
            other,
        }
    }

    fn extrinsic(&self) -> Json {
        let weights = set_weights(&self.chain, &[1], &[1]);
        json!([hex::encode(&self.alice.sign(&self.chain, &weights, 0))])
    }

    fn applied(&self) -> usize {
        self.chain.produce_block();
        self.chain.applied_by(self.alice.account())
    }
}

#[test]
fn a_socket_that_drops_before_has_done_nothing_and_after_has_done_it() {
    for (fault, applied) in [
        (Fault::DropBefore(Method::Submit), 0),
        (Fault::DropAfter(Method::Submit), 1),
    ] {
        let world = World::new();
        world.node.inject_once(fault);
        let mut client = Client::connect(&world.node);
        client.send("author_submitAndWatchExtrinsic", world.extrinsic());
        assert!(client.receive(SILENCE).is_err());
        assert_eq!(world.applied(), applied);
        assert_eq!(world.node.pending_faults(), 0);
        // It was once.
        let mut client = Client::connect(&world.node);
        client.ask("chain_getHead", json!([]));
    }
}

#[test]
fn a_hanging_request_is_never_answered() {
    for (fault, applied) in [
        (Fault::HangBefore(Method::Any), 0),
        (Fault::HangAfter(Method::Any), 1),
    ] {
        let world = World::new();
        world.node.inject_once(fault);
        let mut client = Client::connect(&world.node);
        client.send("author_submitAndWatchExtrinsic", world.extrinsic());
        let silence = client.receive(SILENCE).expect_err("nothing");
        assert!(silence.contains("unavailable"), "{silence}");
        assert_eq!(world.applied(), applied);
    }
}

#[test]
fn an_error_may_mean_that_nothing_was_done_or_that_it_was() {
    let world = World::new();
    let mut client = Client::connect(&world.node);
    let banned = RpcError::banned();
    world
        .node
        .inject_once(Fault::Refuse(Method::Submit, banned));
    let error = client.call("author_submitExtrinsic", world.extrinsic());
    assert_eq!(error.expect_err("refused")["code"], 1012);
    assert_eq!((world.applied(), world.chain.submissions().len()), (0, 0));
    let lie = RpcError::custom(6);
    world
        .node
        .inject_after(1, Fault::FailAfter(Method::Any, lie));
    client.ask("chain_getHead", json!([]));
    let error = client.call("author_submitExtrinsic", world.extrinsic());
    assert_eq!(error.expect_err("refused")["data"], "Custom error: 6");
    assert_eq!((world.applied(), world.chain.submissions().len()), (1, 1));
}

#[test]
fn what_one_endpoint_swallows_the_other_has_never_seen() {
    let world = World::new();
    world.node.inject_once(Fault::Swallow);
    let mut client = Client::connect(&world.node);
    let mut other = Client::connect(&world.other);
    let extrinsic = world.extrinsic();
    let account = gradus_node::address::encode(&world.alice.account());
    client.ask("author_submitExtrinsic", extrinsic.clone());
    assert_eq!(world.applied(), 0);
    assert_eq!(client.ask("system_accountNextIndex", json!([account])), 1);
    assert_eq!(other.ask("system_accountNextIndex", json!([account])), 0);
    assert_eq!(client.ask("author_pendingExtrinsics", json!([])), extrinsic);
    assert_eq!(other.ask("author_pendingExtrinsics", json!([])), json!([]));
    let again = client.call("author_submitExtrinsic", extrinsic.clone());
    assert_eq!(again.expect_err("it has it")["code"], 1013);
    other.ask("author_submitExtrinsic", extrinsic);
    assert_eq!(world.applied(), 1);
    let endpoints: Vec<usize> = world
        .chain
        .submissions()
        .iter()
        .map(|s| s.endpoint)
        .collect();
    assert_eq!(
        endpoints,
        [world.node.id(), world.node.id(), world.other.id()]
    );
}

#[test]
fn a_swallowed_extrinsic_is_forgotten_when_its_era_ends() {
    let world = World::new();
    world.node.inject_once(Fault::Swallow);
    let mut client = Client::connect(&world.node);
    let signed_at = world.chain.best_number();
    client.ask("author_submitAndWatchExtrinsic", world.extrinsic());
    world.chain.produce_to(signed_at + 14);
    assert_eq!(world.chain.waiting().len(), 1);
    world.chain.produce_to(signed_at + 16);
    assert_eq!(world.chain.waiting().len(), 0);
    assert_eq!(
        (client.next(), client.next()),
        (json!("ready"), json!("invalid"))
    );
}

#[test]
fn a_delayed_extrinsic_comes_so_many_blocks_later() {
    let world = World::new();
    world.node.inject_once(Fault::Delay(3));
    let mut client = Client::connect(&world.node);
    client.ask("author_submitExtrinsic", world.extrinsic());
    let applied: Vec<usize> = (0..4).map(|_| world.applied()).collect();
    assert_eq!(applied, [0, 0, 0, 1]);
}

#[test]
fn a_lagging_endpoint_shows_an_old_head_and_the_other_a_new_one() {
    let world = World::new();
    world.chain.produce_to(9);
    world.node.inject(Fault::Lag(4));
    let mut client = Client::connect(&world.node);
    let mut other = Client::connect(&world.other);
    let head = |client: &mut Client| client.ask("chain_getHeader", json!([]))["number"].clone();
    assert_eq!(
        (head(&mut client), head(&mut other)),
        (json!("0x5"), json!("0x9"))
    );
    let hash = client.ask("chain_getFinalizedHead", json!([]));
    let header = client.ask("chain_getHeader", json!([hash]));
    assert_eq!(header["number"], "0x5");
    assert_eq!(client.ask("chain_getBlockHash", json!([8])), json!(null));
    client.ask("chain_subscribeNewHeads", json!([]));
    client.next();
    world.chain.produce_block();
    assert_eq!(client.next()["number"], "0x6");
    world.node.clear();
    assert_eq!(head(&mut client), json!("0xa"));
}

#[test]
fn a_lying_endpoint_lies_in_storage_and_in_runtime_calls() {
    let world = World::new();
    let runtime = world.chain.storage().runtime();
    let tempo = runtime.key(("SubtensorModule", "Tempo"), &[Key::U16(56)]);
    world.node.inject(Fault::Lie {
        key: tempo.clone(),
        value: Some(vec![99, 0]),
    });
    let mut client = Client::connect(&world.node);
    let mut other = Client::connect(&world.other);
    let key = json!([hex::encode(&tempo)]);
    assert_eq!(client.ask("state_getStorage", key.clone()), "0x6300");
    assert_eq!(other.ask("state_getStorage", key), "0x1400");
    let method = "SubnetInfoRuntimeApi_get_subnet_hyperparams_v2";
    let netuid = [56, 0];
    let lied = client.runtime_call(method, &netuid);
    assert_ne!(lied, other.runtime_call(method, &netuid));
    world.node.inject(Fault::Genesis([5; 32]));
    let genesis = client.ask("chain_getBlockHash", json!([0]));
    assert_eq!(genesis, hex::encode(&[5; 32]));
    let genesis = other.ask("chain_getBlockHash", json!([0]));
    assert_eq!(genesis, hex::encode(&world.chain.genesis_hash()));
}

#[test]
fn stale_nonces_are_stale_in_both_answers() {
    let world = World::new();
    let mut client = Client::connect(&world.node);
    client.ask("author_submitExtrinsic", world.extrinsic());
    assert_eq!(world.applied(), 1);
    world.node.inject(Fault::StaleNonce(1));
    let account = world.alice.account();
    let nonce = client.runtime_call("AccountNonceApi_account_nonce", &account);
    assert_eq!(nonce, [0; 4]);
    let account = gradus_node::address::encode(&account);
    assert_eq!(client.ask("system_accountNextIndex", json!([account])), 0);
}

#[test]
fn garbage_is_what_it_is_called() {
    let world = World::new();
    let mut client = Client::connect(&world.node);
    let mut garbage = |garbage| {
        let method = Method::RuntimeCall("Core_version");
        world.node.inject_once(Fault::Garbage(method, garbage));
        // Another call is not meant.
        client.runtime_call("AccountNonceApi_account_nonce", &[1; 32]);
        client.send("state_call", json!(["Core_version", "0x"]));
        client.receive(Duration::from_secs(5)).expect("a message")
    };
    let parse = |message: &tungstenite::Message| serde_json::from_str::<Json>(&message.to_string());
    assert!(parse(&garbage(Garbage::InvalidJson)).is_err());
    assert!(garbage(Garbage::Binary).is_binary());
    let oversized = garbage(Garbage::Oversized(100_000));
    assert!(oversized.len() > 100_000);
    let right = hex::encode(world.chain.storage().runtime().version_bytes());
    let result = |message: &tungstenite::Message| {
        let answer = parse(message).expect("JSON");
        answer["result"].as_str().expect("a text").to_owned()
    };
    let short = result(&garbage(Garbage::ShortScale));
    assert!(short.len() < right.len() && right.starts_with(&short));
    let wrong = result(&garbage(Garbage::WrongScale));
    assert!(wrong.len() == right.len() && wrong != right);
    let other = parse(&garbage(Garbage::WrongId)).expect("JSON");
    assert!(other["id"].as_u64().expect("a number") > 1_000_000);
}

#[test]
fn a_disconnect_ends_subscriptions_and_new_connections_work() {
    let world = World::new();
    let mut client = Client::connect(&world.node);
    client.ask("chain_subscribeFinalizedHeads", json!([]));
    client.next();
    world.node.disconnect();
    assert!(client.receive(Duration::from_secs(5)).is_err());
    let mut client = Client::connect(&world.node);
    client.ask("chain_subscribeFinalizedHeads", json!([]));
    assert!(world.node.requests().len() >= 2);
}

/// What the list says of each fault is what it does to an extrinsic that is handed in once.
#[test]
fn faults_of_submissions_keep_or_let_pass_what_they_say() {
    for (fault, applied) in Fault::of_submissions(&Method::Submit) {
        let world = World::new();
        world.node.inject_once(fault.clone());
        let mut client = Client::connect(&world.node);
        client.send("author_submitExtrinsic", world.extrinsic());
        // An answer, an end, or nothing: the list is about the chain.
        let _ = client.receive(SILENCE);
        world.chain.produce_to(world.chain.best_number() + 4);
        let found = world.chain.applied_by(world.alice.account()) == 1;
        assert_eq!(found, applied, "{fault:?}");
        assert_eq!(world.chain.weights(56, 0, 0).is_empty(), !applied);
    }
}

/// A subnet of 256 neurons costs tests little: a block is made and read in well under the clock's shortest tick.
#[test]
fn a_block_of_a_full_subnet_is_made_in_a_fraction_of_a_tick() {
    let alice = Signer::new(1);
    let chain = chain(&alice, |_, subnet| {
        let miner = |uid: u8| gradus_node::Neuron::miner([uid; 32]);
        subnet.neurons.extend((20..=255).map(miner));
        subnet.neurons.extend((14..20).map(|uid| {
            gradus_node::Neuron::miner([uid, 1].repeat(16).try_into().expect("32 bytes"))
        }));
    });
    let start = std::time::Instant::now();
    chain.produce_to(101);
    let per_block = start.elapsed() / 100;
    println!("{per_block:?} for each of 100 blocks");
    assert!(per_block < Duration::from_millis(25), "{per_block:?}");
}
