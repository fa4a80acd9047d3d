//! What happens to the whole chain: forks, a new runtime, finality that stands still.

use crate::client::Client;
use crate::signer::{Signer, chain, set_weights};
use gradus_node::{Chain, ChainFault, Node, Retracted, Spec, hex};
use serde_json::json;

fn submitted(alice: &Signer, chain: &Chain, client: &mut Client) -> [u8; 32] {
    let extrinsic = alice.sign(chain, &set_weights(chain, &[1], &[1]), 0);
    let watch = json!([hex::encode(&extrinsic)]);
    client.ask("author_submitAndWatchExtrinsic", watch);
    sp_crypto_hashing::blake2_256(&extrinsic)
}

#[test]
fn an_extrinsic_of_a_lost_block_comes_again_or_never() {
    for retracted in [Retracted::Pool, Retracted::Lost] {
        let alice = Signer::new(1);
        let chain = chain(&alice, |_, _| {});
        let node = Node::serve(&chain).expect("a port");
        let mut client = Client::connect(&node);
        let hash = submitted(&alice, &chain, &mut client);
        let at = chain.produce_block();
        let lost = chain.block(at).expect("it is").hash;
        chain.inject(ChainFault::Reorg {
            depth: 1,
            retracted,
        });
        assert_eq!(chain.best_number(), at + 1);
        let new = chain.block(at).expect("it is");
        assert_ne!(new.hash, lost);
        assert_eq!(
            (chain.applied_by(alice.account()), chain.weights(56, 0, 0)),
            (0, vec![])
        );
        chain.produce_to(at + 5);
        assert_eq!(client.next(), json!("ready"));
        assert_eq!(client.next(), json!({ "inBlock": hex::encode(&lost) }));
        assert_eq!(client.next(), json!({ "retracted": hex::encode(&lost) }));
        // Handed in once, whatever became of it.
        assert_eq!(chain.submissions().len(), 1);
        match retracted {
            Retracted::Pool => {
                assert_eq!(chain.applied_by(alice.account()), 1);
                assert_eq!(chain.applied()[0].block_number, at + 2);
                assert_eq!(client.next(), json!("ready"));
                let again = hex::encode(&chain.block(at + 2).expect("it is").hash);
                assert_eq!(client.next(), json!({ "inBlock": again }));
                assert_eq!(client.next(), json!({ "finalized": again }));
            }
            Retracted::Lost => {
                assert_eq!(chain.applied_by(alice.account()), 0);
                assert!(chain.dropped(hash).is_some());
                // Nothing stands in the way of handing it in again.
                let extrinsic = alice.sign(&chain, &set_weights(&chain, &[1], &[1]), 0);
                client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
            }
        }
        // The lost block is still known by its hash.
        assert_ne!(
            client.ask("chain_getHeader", json!([hex::encode(&lost)])),
            json!(null)
        );
    }
}

#[test]
#[should_panic(expected = "reaches behind the final block")]
fn what_is_final_is_not_lost() {
    let chain = chain(&Signer::new(1), |_, _| {});
    chain.produce_to(9);
    chain.inject(ChainFault::Reorg {
        depth: 3,
        retracted: Retracted::Pool,
    });
}

#[test]
fn a_new_runtime_between_signing_and_inclusion_makes_the_signature_a_wrong_one() {
    let alice = Signer::new(1);
    let chain = chain(&alice, |config, _| config.spec = Spec::V439);
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    client.ask("state_subscribeRuntimeVersion", json!([]));
    assert_eq!(client.next()["specVersion"], 439);
    let hash = submitted(&alice, &chain, &mut client);
    chain.inject(ChainFault::Upgrade(Spec::V461));
    let at = chain.produce_block();
    let mut said = vec![client.next(), client.next(), client.next()];
    assert_eq!(said.remove(0), json!("ready"));
    assert_eq!(said.remove(0)["specVersion"], 461);
    assert_eq!(said.remove(0), json!("invalid"));
    assert_eq!(chain.dropped(hash).as_deref(), Some("BadProof"));
    assert_eq!(
        client.ask("state_getRuntimeVersion", json!([]))["specVersion"],
        461
    );
    let before = hex::encode(&chain.block(at - 1).expect("it is").hash);
    let version = client.ask("state_getRuntimeVersion", json!([before]));
    assert_eq!(version["specVersion"], 439);
    let extrinsic = alice.sign(&chain, &set_weights(&chain, &[1], &[1]), 0);
    client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
    chain.produce_block();
    assert_eq!(chain.applied_by(alice.account()), 1);
}

#[test]
fn finality_stands_still_while_blocks_go_on() {
    let chain = chain(&Signer::new(1), |_, _| {});
    chain.produce_to(5);
    assert_eq!(chain.finalized_number(), 3);
    chain.inject(ChainFault::StallFinality(true));
    chain.produce_to(9);
    assert_eq!(chain.finalized_number(), 3);
    chain.inject(ChainFault::StallFinality(false));
    chain.produce_block();
    assert_eq!(chain.finalized_number(), 8);
}

#[test]
fn an_epoch_ends_every_tempo_and_when_one_is_pending() {
    let chain = chain(&Signer::new(1), |_, subnet| subnet.tempo = 7);
    let read = |name| -> u64 {
        let keys = [gradus_node::Key::U16(56)];
        chain.storage().get(("SubtensorModule", name), &keys)
    };
    let mut ends = Vec::new();
    for number in 2..=23 {
        if number == 16 {
            chain.edit(|storage, block_number| {
                let keys = [gradus_node::Key::U16(56)];
                let at = u64::from(block_number) + 1;
                storage.put(("SubtensorModule", "PendingEpochAt"), &keys, at);
            });
        }
        let before = read("SubnetEpochIndex");
        assert_eq!(chain.produce_block(), number);
        if read("SubnetEpochIndex") > before {
            ends.push(number);
            assert_eq!(read("LastEpochBlock"), u64::from(number));
            assert_eq!(read("BlocksSinceLastStep"), 0);
        }
    }
    assert_eq!(ends, [7, 14, 17]);
}

#[test]
fn an_endpoint_that_was_down_comes_back_on_its_port() {
    let chain = chain(&Signer::new(1), |_, _| {});
    let node = Node::serve(&chain).expect("a port");
    let port = node.port();
    let mut client = Client::connect(&node);
    client.ask("chain_getHead", json!([]));
    drop(node);
    assert!(client.call_fails("chain_getHead"));
    chain.produce_to(7);
    let node = Node::serve_at(&chain, port).expect("the same port");
    let mut client = Client::connect(&node);
    assert_eq!(client.ask("chain_getHeader", json!([]))["number"], "0x7");
}
