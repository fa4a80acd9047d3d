//! Every vector that a node of spec 461 recorded, each kind with its count: a kind that is added or left out fails.

mod encode;
mod values;

use super::*;
use crate::AccountId;
use crate::Hash;
use crate::node::block::bytes_of;
use crate::node::capabilities::{hash_key, storage_prefix};
use crate::node::{Era, ExtrinsicContext, Unsigned};
use crate::{Signature, hex};
use encode::encode;
use parity_scale_codec::{Compact, DecodeAll, Encode};
use serde_json::Value as Json;

/// The file's kinds, and how many vectors each has.
const KINDS: [(&str, usize); 15] = [
    ("network", 4),
    ("storage_keys", 10),
    ("calls", 10),
    ("signature_payloads", 2),
    ("extrinsics", 2),
    ("multisig", 3),
    ("ss58", 4),
    ("constants", 3),
    ("receipt", 5),
    ("storage_values", 8),
    ("events", 8),
    ("query_maps", 4),
    ("runtime_calls", 4),
    ("block", 3),
    ("payment_info", 2),
];

fn golden() -> Json {
    serde_json::from_str(include_str!(
        "../../../../../tests/golden/chain/golden-461.json"
    ))
    .expect("JSON")
}

/// The vectors of a kind, as many as there should be.
fn vectors(kind: &str) -> Vec<Json> {
    let found = golden()[kind].as_array().expect("a list").clone();
    assert_eq!(Some(found.len()), count(kind), "{kind}");
    found
}

fn count(kind: &str) -> Option<usize> {
    let mut kinds = KINDS.iter();
    kinds
        .find(|(name, _)| *name == kind)
        .map(|(_, count)| *count)
}

fn bytes(json: &Json) -> Vec<u8> {
    let text = json.as_str().expect("a text");
    let text = text.strip_prefix("0x").unwrap_or(text);
    bytes_of(&format!("0x{text}")).expect("hexadecimal")
}

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json[name].as_str().expect("a text")
}

fn address(json: &Json) -> Option<AccountId> {
    json.as_str()?.parse().ok()
}

#[test]
fn no_kind_of_vector_is_left_out() {
    let golden = golden();
    let kinds: Vec<&String> = golden
        .as_object()
        .expect("an object")
        .keys()
        .filter(|key| !key.starts_with('_') && *key != "endpoint")
        .collect();
    assert_eq!(kinds.len(), KINDS.len());
    assert!(kinds.iter().all(|kind| count(kind).is_some()), "{kinds:?}");
    assert_eq!(golden["network"]["ss58_format"], crate::SS58_PREFIX);
}

fn storage_key(runtime: &Runtime, pallet: &str, item: &str, params: &[Json]) -> Vec<u8> {
    let pallet = runtime.metadata().pallet_by_name(pallet).expect("a pallet");
    let storage = pallet.storage().expect("storage");
    let entry = storage.entry_by_name(item).expect("an item");
    let mut key = storage_prefix(storage.prefix(), item).to_vec();
    for (info, json) in entry.keys().zip(params) {
        let mut bytes = Vec::new();
        encode(runtime, info.key_id, json, &mut bytes);
        hash_key(info.hasher, &bytes, &mut key);
    }
    key
}

#[test]
fn storage_keys() {
    for spec in [365, 439, 461] {
        let runtime = runtime(spec);
        for vector in vectors("storage_keys") {
            let (pallet, item) = (text(&vector, "pallet"), text(&vector, "storage_function"));
            let params = vector["params"].as_array().expect("a list");
            let key = storage_key(&runtime, pallet, item, params);
            assert_eq!(hex::encode(&key), text(&vector, "key_hex"), "{spec} {item}");
        }
    }
    // The same through the table of items, as reads do it.
    let capabilities = capabilities(461);
    let key = capabilities.storage_key(super::super::items::BONDS, &[&[1, 0], &[0, 0]]);
    let expected = vectors("storage_keys")[5]["key_hex"].clone();
    assert_eq!(hex::encode(&key.expect("there")), expected);
}

/// A call with nested calls written out: `transfer N to NAME` is one of the kind that the recorder used.
fn call_data(runtime: &Runtime, module: &str, function: &str, params: &Json) -> Vec<u8> {
    let (pallet, variant) = runtime.call(module, function).expect("a call");
    let mut bytes = vec![pallet, variant.index];
    for field in &variant.fields {
        let json = &params[field.name.as_deref().expect("a name")];
        let nested = |json: &Json| match json {
            Json::String(text) if text.starts_with("transfer") => {
                Some(nested_transfer(runtime, text))
            }
            Json::Object(call) => Some(call_data(
                runtime,
                call["module"].as_str()?,
                call["function"].as_str()?,
                json,
            )),
            _ => None,
        };
        if let Some(call) = nested(json) {
            bytes.extend(call);
        } else if let Some(calls) = json
            .as_array()
            .filter(|calls| calls.iter().any(|c| nested(c).is_some()))
        {
            Compact(calls.len() as u32).encode_to(&mut bytes);
            calls
                .iter()
                .for_each(|call| bytes.extend(nested(call).expect("a call")));
        } else {
            encode(runtime, field.ty.id, json, &mut bytes);
        }
    }
    bytes
}

fn nested_transfer(runtime: &Runtime, text: &str) -> Vec<u8> {
    let words: Vec<&str> = text.split(' ').collect();
    let dest = match words[3] {
        "bob" => "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
        "charlie" => "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y",
        other => panic!("{other}"),
    };
    let value: u64 = words[1].parse().expect("a number");
    // The batch was of calls that keep the sender alive, the proxied one too.
    let params = serde_json::json!({"dest": dest, "value": value});
    call_data(runtime, "Balances", "transfer_keep_alive", &params)
}

#[test]
fn calls() {
    for vector in vectors("calls") {
        let (module, function) = (text(&vector, "module"), text(&vector, "function"));
        let expected = text(&vector, "data_hex");
        let mut last = None;
        for spec in [365, 439, 461] {
            let runtime = runtime(spec);
            let data = call_data(&runtime, module, function, &vector["params"]);
            let found = hex::encode(&data);
            if found != expected {
                last = Some(format!("{spec} {module}.{function}: {found}"));
            }
            // And back: all bytes are one call.
            let call_ty = runtime.metadata().outer_enums().call_enum_ty();
            let value = runtime.decode_value(call_ty, &data).expect("a call");
            assert_eq!(value.variant().map(|(name, _)| name), Some(module));
        }
        assert_eq!(last, None, "{expected}");
    }
    let call = crate::node::WeightsCall::Set {
        netuid: 1,
        mechanism: None,
        uids: vec![0, 1],
        values: vec![100, 200],
        version_key: 0,
    };
    let expected = bytes(&vectors("calls")[5]["data_hex"]);
    for spec in [365, 439, 461] {
        assert_eq!(capabilities(spec).call_data(&call), Ok(expected.clone()));
    }
}

fn unsigned(runtime: &Runtime, vector: &Json) -> Unsigned {
    let genesis: Hash = text(&golden()["network"], "genesis_hash")
        .parse()
        .expect("a hash");
    let (era, birth_hash) = match &vector["era"] {
        Json::String(immortal) => {
            assert_eq!(immortal, "00");
            (Era::Immortal, genesis)
        }
        era => {
            let number = |name: &str| era[name].as_u64().expect("a number");
            let birth = vector["era_birth_block_hash"]
                .as_str()
                .map(|text| text.parse().expect("a hash"));
            (
                Era::mortal(number("period"), number("current")),
                birth.unwrap_or(genesis),
            )
        }
    };
    let context = ExtrinsicContext {
        nonce: vector["nonce"].as_u64().expect("a number") as u32,
        era,
        birth_hash,
        genesis,
        tip: vector["tip"].as_u64().expect("a number"),
    };
    Unsigned::from_call_data(runtime, bytes(&vector["call_data_hex"]), &context).expect("known")
}

#[test]
fn signature_payloads() {
    for vector in vectors("signature_payloads") {
        for spec in [365, 439, 461] {
            let payload = unsigned(&runtime(spec), &vector).payload();
            // The one place that names the spec.
            let expected = bytes(&vector["payload_hex"]);
            let at = expected.len() - 1 - 64 - 8;
            let mut respec = expected.clone();
            respec[at..at + 4].copy_from_slice(&spec.to_le_bytes());
            assert_eq!(hex::encode(&payload), hex::encode(&respec), "{spec}");
            assert_eq!(expected == respec, spec == 461);
        }
    }
    let era = Era::mortal(64, 66);
    assert_eq!((era.birth(), era.end()), (66, Some(130)));
    assert_eq!(
        Era::mortal(64, 129),
        Era::Mortal {
            period_blocks: 64,
            current: 129
        }
    );
    assert_eq!(Era::mortal(64, 129).birth(), 129);
}

#[test]
fn extrinsics() {
    for vector in vectors("extrinsics") {
        for spec in [365, 439, 461] {
            let account = address(&vector["address"]).expect("an address");
            assert_eq!(bytes(&vector["public_key_hex"]), account.0);
            let signature =
                Signature(hex::decode(text(&vector, "signature_hex")).expect("64 bytes"));
            let signed = unsigned(&runtime(spec), &vector).with_signature(account, &signature);
            assert_eq!(hex::encode(&signed.bytes), text(&vector, "extrinsic_hex"));
            assert_eq!(signed.hash.to_string(), text(&vector, "extrinsic_hash"));
        }
    }
}

#[test]
fn multisig_and_ss58() {
    for vector in vectors("multisig") {
        let mut members: Vec<[u8; 32]> = vector["signatories"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|json| address(json).expect("an address").0)
            .collect();
        members.sort_unstable();
        let threshold = vector["threshold"].as_u64().expect("a number") as u16;
        let account = Hash::of(&(*b"modlpy/utilisuba", members, threshold).encode());
        assert_eq!(
            AccountId(account.0).to_string(),
            text(&vector, "ss58_address")
        );
    }
    for vector in vectors("ss58") {
        let account = address(&vector["address"]).expect("an address");
        assert_eq!(hex::encode(&account.0), text(&vector, "public_key_hex"));
        assert_eq!(account.to_string(), text(&vector, "address"));
    }
}
