//! Reads: storage by the metadata's keys, runtime APIs by its types, old blocks, under all three runtimes.

use crate::client::Client;
use crate::signer::{Signer, chain, set_weights};
use gradus_node::runtime::{Key, Runtime};
use gradus_node::{ChainFault, Neuron, Node, Spec, hex};
use parity_scale_codec::{Decode, Encode};
use scale_value::{At, Value};
use serde_json::json;

const SPECS: [Spec; 3] = [Spec::V365, Spec::V439, Spec::V461];

/// A runtime API's answer, decoded by the metadata to the last byte.
fn ask(client: &mut Client, runtime: &Runtime, api: &str, method: &str, input: &[u8]) -> Value<()> {
    let bytes = client.runtime_call(&format!("{api}_{method}"), input);
    let api = runtime.metadata().runtime_api_trait_by_name(api);
    let output = api
        .and_then(|api| api.method_by_name(method))
        .expect("the runtime has it")
        .output_ty();
    let mut rest = &bytes[..];
    let types = runtime.metadata().types();
    let value = scale_value::scale::decode_as_type(&mut rest, output, types).expect("it decodes");
    assert_eq!(rest.len(), 0);
    value.remove_context()
}

#[test]
fn metadata_is_what_was_recorded_in_the_form_that_clients_unwrap() {
    for spec in SPECS {
        let chain = chain(&Signer::new(1), |config, _| config.spec = spec);
        let node = Node::serve(&chain).expect("a port");
        let mut client = Client::connect(&node);
        let runtime = spec.runtime();
        let versions = client.runtime_call("Metadata_metadata_versions", &[]);
        let versions = Vec::<u32>::decode(&mut &versions[..]).expect("a list");
        assert_eq!(versions, [runtime.metadata_version()]);
        let method = "Metadata_metadata_at_version";
        let metadata = client.runtime_call(method, &versions[0].encode());
        let metadata = Option::<Vec<u8>>::decode(&mut &metadata[..]).expect("opaque metadata");
        assert_eq!(metadata.as_deref(), Some(runtime.bytes()));
        assert_eq!(client.runtime_call(method, &99_u32.encode()), [0]);
        let version = client.ask("state_getRuntimeVersion", json!([]));
        assert_eq!(version["specVersion"], spec.version());
        assert_eq!(version["specName"], "node-subtensor");
        let version = client.runtime_call("Core_version", &[]);
        assert_eq!(version, runtime.version_bytes());
    }
}

#[test]
fn neurons_metagraph_and_hyperparameters_say_what_storage_holds() {
    let alice = Signer::new(1);
    for spec in SPECS {
        let chain = chain(&alice, |config, subnet| {
            config.spec = spec;
            subnet.owner_uid = Some(2);
            subnet.neurons[1].incentive = 777;
            subnet.neurons[0].last_update = 1;
        });
        let node = Node::serve(&chain).expect("a port");
        let mut client = Client::connect(&node);
        let runtime = spec.runtime();
        let netuid = 56_u16.encode();
        let neurons = "NeuronInfoRuntimeApi";
        let lite = ask(&mut client, runtime, neurons, "get_neurons_lite", &netuid);
        let validator = lite.at(0).expect("uid 0");
        assert_eq!(validator.at("hotkey"), Some(&account(alice.account())));
        assert_eq!(number(validator, "last_update"), 1);
        assert_eq!(flag(validator, "validator_permit"), Some(true));
        let miner = lite.at(1).expect("uid 1");
        assert_eq!(number(miner, "incentive"), 777);
        assert_eq!(flag(miner, "validator_permit"), Some(false));
        assert!(lite.at(4).is_none());
        let subnets = "SubnetInfoRuntimeApi";
        // Netuid, owner's hotkey, tempo, hotkeys, incentives.
        let input = (56_u16, vec![0_u16, 5, 8, 52, 62]).encode();
        let some = ask(
            &mut client,
            runtime,
            subnets,
            "get_selective_metagraph",
            &input,
        );
        let some = some.at(0).expect("it is there");
        assert_eq!(number(some, "netuid"), 56);
        assert_eq!(number(some.at("tempo").expect("a field"), 0), 20);
        let owner = some.at("owner_hotkey").expect("a field").at(0);
        assert_eq!(owner, Some(&account([12; 32])));
        let incentives = some.at("incentives").and_then(|v| v.at(0));
        assert_eq!(number(incentives.expect("asked for"), 1), 777);
        // Not asked for.
        assert!(some.at("coldkeys").expect("a field").at(0).is_none());
        for method in ["get_metagraph", "get_subnet_hyperparams_v2"] {
            let whole = ask(&mut client, runtime, subnets, method, &netuid);
            let whole = whole.at(0).expect("it is there");
            assert_eq!(number(whole, "tempo"), 20);
            assert_eq!(number(whole, "weights_rate_limit"), 5);
            assert_eq!(number(whole, "max_weights_limit"), 65_535);
            assert_eq!(flag(whole, "commit_reveal_weights_enabled"), Some(false));
            let none = ask(&mut client, runtime, subnets, method, &9_u16.encode());
            assert!(none.at(0).is_none(), "a subnet that is none");
        }
        if spec == Spec::V365 {
            let method = "SubnetInfoRuntimeApi_get_next_epoch_start_block";
            let answer = client.call("state_call", json!([method, "0x3800"]));
            assert_eq!(answer.expect_err("not there")["code"], 4003);
            continue;
        }
        let next = ask(
            &mut client,
            runtime,
            subnets,
            "get_next_epoch_start_block",
            &netuid,
        );
        assert_eq!(number(&next, 0), 20);
        if spec == Spec::V461 {
            let list = ask(
                &mut client,
                runtime,
                subnets,
                "get_subnet_hyperparams_v3",
                &netuid,
            );
            assert!(list.to_string().contains("U64 (5)"), "{list}");
        }
    }
}

#[test]
fn an_old_block_is_what_it_was_until_it_is_pruned() {
    let alice = Signer::new(1);
    let chain = chain(&alice, |config, _| config.kept_states = 10);
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    let before = hex::encode(&chain.block(1).expect("it is").hash);
    let extrinsic = alice.sign(&chain, &set_weights(&chain, &[1], &[5]), 0);
    client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
    chain.produce_block();
    let runtime = chain.storage().runtime();
    let slot = [Key::U16(56), Key::U16(0)];
    let key = hex::encode(&runtime.key(("SubtensorModule", "Weights"), &slot));
    assert_eq!(client.ask("state_getStorage", json!([key])), "0x040100ffff");
    let old = client.ask("state_getStorage", json!([key, before]));
    assert_eq!(old, json!(null));
    chain.produce_to(12);
    let error = client.call("state_getStorage", json!([key, before]));
    let error = error.expect_err("pruned")["message"].to_string();
    assert!(error.contains("State already discarded"), "{error}");
}

#[test]
fn keys_come_in_pages_and_uids_of_zero_are_stored() {
    let alice = Signer::new(1);
    let chain = chain(&alice, |_, _| {});
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    let runtime = chain.storage().runtime();
    let prefix = runtime.key(("SubtensorModule", "Keys"), &[Key::U16(56)]);
    let prefix = hex::encode(&prefix);
    let first = client.ask("state_getKeysPaged", json!([prefix, 3, null]));
    let first = first.as_array().expect("a list");
    assert_eq!(first.len(), 3);
    let rest = client.ask("state_getKeysPaged", json!([prefix, 3, first[2]]));
    assert_eq!(rest.as_array().map(Vec::len), Some(1));
    let values = client.ask("state_queryStorageAt", json!([first]));
    assert_eq!(values[0]["changes"][1][1], hex::encode(&[11; 32]));
    let slot = [Key::U16(56), Key::Account(alice.account())];
    let uid = hex::encode(&runtime.key(("SubtensorModule", "Uids"), &slot));
    assert_eq!(client.ask("state_getStorage", json!([uid])), "0x0000");
}

#[test]
fn neurons_come_and_go_between_blocks() {
    let chain = chain(&Signer::new(1), |_, _| {});
    chain.inject(ChainFault::Replace {
        netuid: 56,
        uid: 2,
        neuron: Box::new(Neuron::miner([22; 32])),
    });
    chain.inject(ChainFault::Register {
        netuid: 56,
        neuron: Box::new(Neuron::miner([23; 32])),
    });
    let keys = [Key::U16(56), Key::U16(2)];
    let hotkey = |storage: &gradus_node::Storage| -> [u8; 32] {
        storage.get(("SubtensorModule", "Keys"), &keys)
    };
    let uid = |account| -> Option<u16> {
        let slot = [Key::U16(56), Key::Account(account)];
        chain.storage().find(("SubtensorModule", "Uids"), &slot)
    };
    assert_eq!(hotkey(&chain.storage()), [12; 32]);
    let at = chain.produce_block();
    assert_eq!(hotkey(&chain.storage()), [22; 32]);
    assert_eq!(
        (uid([12; 32]), uid([22; 32]), uid([23; 32])),
        (None, Some(2), Some(4))
    );
    assert_eq!(chain.last_update(56, 0, 2), u64::from(at));
    chain.inject(ChainFault::Shrink {
        netuid: 56,
        size: 3,
    });
    chain.produce_block();
    assert_eq!((uid([13; 32]), uid([23; 32])), (None, None));
    let updates: Vec<u64> = chain
        .storage()
        .get(("SubtensorModule", "LastUpdate"), &[Key::U16(56)]);
    assert_eq!(updates.len(), 3);
}

fn account(account: [u8; 32]) -> Value<()> {
    Value::unnamed_composite([Value::from_bytes(account)])
}

fn number<'a>(value: &'a Value<()>, at: impl Into<scale_value_at::Step<'a>>) -> u128 {
    let found = scale_value_at::step(value, at.into());
    // Newer runtimes wrap numbers in a structure of one field.
    let found = found.and_then(|v| v.as_u128().or_else(|| v.at(0)?.as_u128()));
    found.unwrap_or_else(|| panic!("{value} has no such number"))
}

fn flag(value: &Value<()>, at: &str) -> Option<bool> {
    value.at(at)?.as_bool()
}

/// Fields by name or by position.
mod scale_value_at {
    use scale_value::{At, Value};

    pub(super) enum Step<'a> {
        Name(&'a str),
        Position(usize),
    }

    impl<'a> From<&'a str> for Step<'a> {
        fn from(name: &'a str) -> Self {
            Self::Name(name)
        }
    }

    impl From<usize> for Step<'_> {
        fn from(position: usize) -> Self {
            Self::Position(position)
        }
    }

    pub(super) fn step<'v>(value: &'v Value<()>, step: Step<'_>) -> Option<&'v Value<()>> {
        match step {
            Step::Name(name) => value.at(name),
            Step::Position(position) => value.at(position),
        }
    }
}
