//! What a real node of spec version 461 said, asked of the double's own code (`tests/golden/chain/README.md`).

use crate::client::Client;
use crate::signer::{Signer, chain};
use gradus_node::block::Header;
use gradus_node::extrinsic::{Era, Extrinsic};
use gradus_node::runtime::Key;
use gradus_node::{Node, Spec, address, hex};
use serde_json::{Value as Json, json};
use sp_crypto_hashing::blake2_256;

fn golden() -> Json {
    let text = include_str!("../../../golden/chain/golden-461.json");
    serde_json::from_str(text).expect("JSON")
}

fn bytes(value: &Json) -> Vec<u8> {
    hex::decode(value.as_str().expect("a text")).expect("hexadecimal")
}

#[test]
fn storage_keys_are_a_real_nodes() {
    let runtime = Spec::V461.runtime();
    let mut asked = 0;
    for key in golden()["storage_keys"].as_array().expect("a list") {
        let item = |field: &str| -> &'static str {
            let name = key[field].as_str().expect("a name").to_owned();
            Box::leak(name.into_boxed_str())
        };
        let params = key["params"].as_array().expect("a list").iter();
        let keys: Vec<Key> = params
            .map(|param| match param {
                Json::String(text) => {
                    let account = address::decode(text).or_else(|| hex::hash(text));
                    Key::Account(account.expect("an account or a hash"))
                }
                number => Key::U16(number.as_u64().expect("a number") as u16),
            })
            .collect();
        let found = runtime.key((item("pallet"), item("storage_function")), &keys);
        assert_eq!(found, bytes(&key["key_hex"]), "{key}");
        asked += 1;
    }
    assert_eq!(asked, 10);
}

#[test]
fn a_real_blocks_header_has_its_hash() {
    let golden = golden();
    let header = &golden["block"]["raw"]["block"]["header"];
    let number = header["number"].as_str().expect("a text");
    let logs = header["digest"]["logs"].as_array().expect("a list");
    let read = Header {
        parent: bytes(&header["parentHash"]).try_into().expect("32 bytes"),
        number: u32::from_str_radix(&number[2..], 16).expect("a number"),
        state_root: bytes(&header["stateRoot"]).try_into().expect("32 bytes"),
        extrinsics_root: bytes(&header["extrinsicsRoot"])
            .try_into()
            .expect("32 bytes"),
        logs: logs.iter().map(bytes).collect(),
    };
    assert_eq!(hex::encode(&read.hash()), golden["block"]["block_hash"]);
    assert_eq!(&read.to_json(), header);
}

/// Signatures of the recorded extrinsics are dummies; what should have been signed is recorded beside them.
#[test]
fn recorded_extrinsics_are_read_and_their_payloads_are_the_recorded_ones() {
    let golden = golden();
    let runtime = Spec::V461.runtime();
    let genesis = hex::hash(golden["network"]["genesis_hash"].as_str().expect("a text"));
    let genesis = genesis.expect("a hash");
    let eras = [(Era::Immortal, genesis), {
        let birth = &golden["signature_payloads"][1]["era_birth_block_hash"];
        let era = Era::Mortal {
            period: 64,
            phase: 2,
        };
        (era, bytes(birth).try_into().expect("32 bytes"))
    }];
    for at in 0..2 {
        let recorded = &golden["extrinsics"][at];
        let encoded = bytes(&recorded["extrinsic_hex"]);
        let read = Extrinsic::decode(runtime, &encoded).expect("an extrinsic");
        assert_eq!(hex::encode(&read.hash), recorded["extrinsic_hash"]);
        assert_eq!(address::encode(&read.account), recorded["address"]);
        assert_eq!(read.nonce, recorded["nonce"]);
        assert_eq!(read.era, eras[at].0);
        assert_eq!(read.signature.to_vec(), bytes(&recorded["signature_hex"]));
        let payload = read.payload(runtime, genesis, eras[at].1);
        assert!(!read.verifies(&payload), "the signature is a dummy");
        // The recorded payloads have other nonces: the byte after the era.
        let mut expected = bytes(&golden["signature_payloads"][at]["payload_hex"]);
        let nonce_at = bytes(&recorded["call_data_hex"]).len() + [1, 2][at];
        assert_eq!(
            u64::from(expected[nonce_at]),
            4 * golden["signature_payloads"][at]["nonce"]
                .as_u64()
                .expect("one")
        );
        expected[nonce_at] = 4 * read.nonce as u8;
        assert_eq!(payload, expected);
    }
    let era = eras[1].0;
    assert_eq!((era.birth(66), era.death(66)), (66, 130));
}

/// Signed with a key of its own, a recorded payload passes the double's check, and changed by a bit it does not.
#[test]
fn a_recorded_payload_that_is_really_signed_verifies() {
    let golden = golden();
    let runtime = Spec::V461.runtime();
    let genesis = hex::hash(golden["network"]["genesis_hash"].as_str().expect("a text"));
    let alice = Signer::new(5);
    let payload = bytes(&golden["signature_payloads"][0]["payload_hex"]);
    let call = bytes(&golden["signature_payloads"][0]["call_data_hex"]);
    let extra = &payload[call.len()..call.len() + 4];
    let signature = alice.sign_bytes(&payload);
    let body = [
        &[0x84, 0][..],
        &alice.account(),
        &[1],
        &signature,
        extra,
        &call,
    ]
    .concat();
    let encoded = parity_scale_codec::Encode::encode(&body);
    let read = Extrinsic::decode(runtime, &encoded).expect("an extrinsic");
    let signed = read.payload(runtime, genesis.expect("a hash"), genesis.expect("a hash"));
    assert_eq!(signed, payload);
    assert!(read.verifies(&signed));
    let other = read.payload(runtime, [1; 32], genesis.expect("a hash"));
    assert!(!read.verifies(&other));
}

#[test]
fn recorded_calls_are_read_whole() {
    use gradus_node::call::Call;
    let golden = golden();
    let runtime = Spec::V461.runtime();
    let mut set = None;
    for call in golden["calls"].as_array().expect("a list") {
        let encoded = bytes(&call["data_hex"]);
        let body = [
            &[0x84, 0][..],
            &[9; 32],
            &[1],
            &[1; 64],
            &[0, 0, 0, 0],
            &encoded,
        ]
        .concat();
        let extrinsic = parity_scale_codec::Encode::encode(&body);
        let read = Extrinsic::decode(runtime, &extrinsic).expect("a call");
        assert_eq!(call["function"], read.call.name());
        if let Call::Set { .. } = &read.call {
            set = Some(read.call);
        }
        let cut = parity_scale_codec::Encode::encode(&body[..body.len() - 1]);
        assert!(Extrinsic::decode(runtime, &cut).is_err());
    }
    let expected = Call::Set {
        netuid: 1,
        mecid: 0,
        uids: vec![0, 1],
        values: vec![100, 200],
        version_key: 0,
    };
    assert_eq!(set, Some(expected));
}

#[test]
fn recorded_extrinsics_with_dummy_signatures_are_refused_by_the_pool() {
    let chain = chain(&Signer::new(1), |_, _| {});
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    for recorded in golden()["extrinsics"].as_array().expect("a list") {
        let answer = client.call("author_submitExtrinsic", json!([recorded["extrinsic_hex"]]));
        let error = answer.expect_err("refused");
        assert_eq!(error["code"], 1010);
        // Of the second, block 66 is not yet made, whose hash it signs.
        let ancient = "Transaction has an ancient birth block";
        let bad = "Transaction has a bad signature";
        let expected = if recorded["era"] == "00" {
            bad
        } else {
            ancient
        };
        assert_eq!(error["data"], expected);
    }
    assert_eq!(chain.submissions().len(), 2);
}

/// The recorded events are five of kinds that the double writes too, and one that it does not.
#[test]
fn events_of_the_kinds_that_were_recorded_have_the_recorded_form() {
    use gradus_node::events::{Event, Phase, encode};
    let recorded = bytes(&golden()["events"]["raw_hex"]);
    let runtime = Spec::V461.runtime();
    let success = [(
        Phase::Extrinsic(0),
        Event::ExtrinsicSuccess { mandatory: true },
    )];
    let success = encode(runtime, &success);
    let has = |part: &[u8]| recorded.windows(part.len()).any(|window| window == part);
    assert!(has(&success[1..]), "{}", hex::encode(&success));
    let who = address::decode("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
    let paid = [(
        Phase::Extrinsic(2),
        Event::FeePaid {
            who: who.expect("an account"),
        },
    )];
    let paid = encode(runtime, &paid);
    // Up to the fee itself, which is nothing here.
    assert!(has(&paid[1..1 + 5 + 2 + 32]), "{}", hex::encode(&paid));
}

#[test]
fn accounts_are_stored_as_recorded() {
    let golden = golden();
    let recorded = &golden["storage_values"][0];
    let alice = Signer::new(1);
    let chain = chain(&alice, |_, _| {});
    let node = Node::serve(&chain).expect("a port");
    let mut client = Client::connect(&node);
    let weights = crate::signer::set_weights(&chain, &[1], &[1]);
    let extrinsic = alice.sign(&chain, &weights, 0);
    client.ask("author_submitExtrinsic", json!([hex::encode(&extrinsic)]));
    chain.produce_block();
    let runtime = chain.storage().runtime();
    let key = runtime.key(("System", "Account"), &[Key::Account(alice.account())]);
    let stored = bytes(&client.ask("state_getStorage", json!([hex::encode(&key)])));
    let mut expected = bytes(&recorded["raw_hex"]);
    // The free balance: hotkeys here have none.
    expected[16..24].fill(0);
    assert_eq!(stored, expected);
}

#[test]
fn block_hashes_are_hashes_of_their_headers() {
    let chain = chain(&Signer::new(1), |_, _| {});
    chain.produce_to(5);
    for number in 1..=5 {
        let block = chain.block(number).expect("it is");
        assert_eq!(block.hash, blake2_256(&block.header.encode()));
        let parent = chain.block(number - 1).expect("it is");
        assert_eq!(block.header.parent, parent.hash);
    }
}
