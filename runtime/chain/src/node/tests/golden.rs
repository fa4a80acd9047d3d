//! Every vector that a node of spec 461 recorded, each kind with its count: a kind that is added or left out fails.

use super::*;
use crate::AccountId;
use crate::node::block::{Block, bytes_of};
use crate::node::capabilities::{hash_key, storage_prefix};
use crate::node::{Dispatch, Era, Event, ExtrinsicContext, Hash, Unsigned, Value};
use crate::{Signature, hex};
use parity_scale_codec::{Compact, DecodeAll, Encode};
use scale_info::{TypeDef, TypeDefPrimitive};
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
        "../../../tests/golden/subtensor-golden-461.json"
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

/// SCALE of a JSON value by a type: what the recorder did, written once more.
fn encode(runtime: &Runtime, type_id: u32, json: &Json, bytes: &mut Vec<u8>) {
    let found = runtime.types().resolve(type_id).expect("a type");
    if let Some(AccountId(key)) = address(json) {
        if let TypeDef::Variant(_) = found.type_def {
            bytes.push(0); // MultiAddress::Id
        }
        return bytes.extend(key);
    }
    match &found.type_def {
        TypeDef::Composite(composite) => {
            assert_eq!(composite.fields.len(), 1, "{json}");
            encode(runtime, composite.fields[0].ty.id, json, bytes);
        }
        TypeDef::Array(_) => bytes.extend(super::golden::bytes(json)),
        TypeDef::Sequence(sequence) => match json {
            Json::String(_) => super::golden::bytes(json).encode_to(bytes),
            _ => {
                let values = json.as_array().expect("a list");
                Compact(values.len() as u32).encode_to(bytes);
                for value in values {
                    encode(runtime, sequence.type_param.id, value, bytes);
                }
            }
        },
        TypeDef::Compact(_) => Compact(json.as_u64().expect("a number")).encode_to(bytes),
        TypeDef::Primitive(primitive) => {
            let number = json.as_u64().expect("a number");
            let width = match primitive {
                TypeDefPrimitive::U8 => 1,
                TypeDefPrimitive::U16 => 2,
                TypeDefPrimitive::U32 => 4,
                TypeDefPrimitive::U64 => 8,
                other => panic!("{other:?}"),
            };
            bytes.extend(&number.to_le_bytes()[..width]);
        }
        TypeDef::Variant(variants) => {
            let variant = match json.as_str() {
                Some(name) if found.path.segments.last().is_none_or(|own| own != "Option") => {
                    variants.variants.iter().find(|found| found.name == name)
                }
                _ => variants.variants.iter().find(|found| found.index == 1),
            };
            let variant = variant.expect("a variant");
            bytes.push(variant.index);
            if let Some(field) = variant.fields.first() {
                encode(runtime, field.ty.id, json, bytes);
            }
        }
        other => panic!("{other:?}"),
    }
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

#[test]
fn constants() {
    let runtime = runtime(461);
    for vector in vectors("constants") {
        let (bytes, type_id) = runtime
            .constant(text(&vector, "module"), text(&vector, "name"))
            .expect("a constant");
        let value = runtime.decode_value(type_id, bytes).expect("a value");
        assert!(same(&value, &vector["decoded"]), "{value:?} {vector}");
    }
}

/// Whether a decoded value is what the recorder wrote: accounts as addresses, newtypes and compacts without wrapping.
fn same(value: &Value, json: &Json) -> bool {
    match (value, json) {
        (_, Json::String(text)) if value.bytes().is_some() => {
            let bytes = value.bytes().expect("bytes");
            let account = <[u8; 32]>::try_from(bytes).map(|key| AccountId(key).to_string());
            account.is_ok_and(|account| account == *text)
                || hex::encode(bytes) == *text
                || bytes == text.as_bytes()
        }
        (Value::Bool(found), Json::Bool(expected)) => found == expected,
        (_, Json::Number(expected)) => {
            value.unsigned().map(|number| number.to_string()) == Some(expected.to_string())
                || value.unsigned().map(|number| number as f64) == expected.as_f64()
        }
        (Value::Variant(variant), Json::String(name))
            if !["Some", "Id"].contains(&variant.variant.as_str()) =>
        {
            variant.variant == *name
        }
        (Value::Variant(variant), Json::Null) => variant.variant == "None",
        (Value::Variant(variant), _) if ["Some", "Id"].contains(&variant.variant.as_str()) => {
            variant
                .value
                .list()
                .is_some_and(|list| same(&list[0], json))
        }
        (Value::Fields(fields), Json::Object(expected)) => {
            fields.0.len() == expected.len()
                && fields
                    .0
                    .iter()
                    .all(|(name, value)| same(value, &expected[name]))
        }
        (Value::List(values), Json::Array(expected)) => {
            values.len() == expected.len()
                && values
                    .iter()
                    .zip(expected)
                    .all(|(value, json)| same(value, json))
        }
        (Value::List(values), _) if values.len() == 1 => same(&values[0], json),
        _ => false,
    }
}

fn same_event(event: &Event, json: &Json) -> bool {
    let inner = &json["event"];
    let phase = match event.phase {
        crate::node::Phase::ApplyExtrinsic(_) => "ApplyExtrinsic",
        crate::node::Phase::Initialization => "Initialization",
        crate::node::Phase::Finalization => "Finalization",
    };
    event.pallet == text(inner, "module_id")
        && event.name == text(inner, "event_id")
        && phase == text(json, "phase")
        && same(&event.value, &inner["attributes"])
}

#[test]
fn events_and_receipt() {
    let golden = golden();
    let runtime = runtime(461);
    let raw = bytes(&golden["events"]["raw_hex"]);
    let events = runtime.decode_events(&raw).expect("events");
    let decoded = golden["events"]["decoded"].as_array().expect("a list");
    assert_eq!(
        (events.len(), decoded.len()),
        (8, count("events").expect("known"))
    );
    for (event, json) in events.iter().zip(decoded) {
        assert!(same_event(event, json), "{event:?}\n{json}");
    }
    let receipt = &golden["receipt"];
    let position = receipt["extrinsic_idx"].as_u64().expect("a number") as u32;
    let triggered: Vec<&Event> = events
        .iter()
        .filter(|event| event.phase == crate::node::Phase::ApplyExtrinsic(position))
        .collect();
    let expected = receipt["triggered_events"].as_array().expect("a list");
    assert_eq!(
        (triggered.len(), expected.len()),
        (5, count("receipt").expect("known"))
    );
    for (event, json) in triggered.iter().zip(expected) {
        assert!(same_event(event, json), "{event:?}\n{json}");
    }
    assert_eq!(receipt["is_success"], true);
    assert_eq!(
        runtime.dispatch(&events, position),
        Some(Dispatch::Succeeded)
    );
    let fee = triggered
        .iter()
        .find(|event| event.name == "TransactionFeePaid")
        .and_then(|event| event.value.field("actual_fee")?.unsigned());
    assert_eq!(fee, receipt["total_fee_amount"].as_u64().map(u128::from));
    // Cut or changed anywhere, events are an error or other events, never a panic.
    for at in 0..raw.len() {
        assert!(runtime.decode_events(&raw[..at]).is_err());
        let mut changed = raw.clone();
        changed[at] ^= 0xff;
        let _ = runtime.decode_events(&changed);
    }
}

fn value_type(runtime: &Runtime, vector: &Json) -> (u32, Option<Vec<u8>>) {
    let pallet = runtime
        .metadata()
        .pallet_by_name(text(vector, "pallet"))
        .expect("a pallet");
    let storage = pallet.storage().expect("storage");
    let entry = storage
        .entry_by_name(text(vector, "storage_function"))
        .expect("an item");
    (entry.value_ty(), entry.default_value().map(<[u8]>::to_vec))
}

#[test]
fn storage_values_and_maps() {
    let runtime = runtime(461);
    for vector in vectors("storage_values") {
        let (type_id, default) = value_type(&runtime, &vector);
        let raw = match &vector["raw_hex"] {
            Json::Null => default.expect("a default"),
            raw => bytes(raw),
        };
        let value = runtime.decode_value(type_id, &raw).expect("a value");
        assert!(same(&value, &vector["decoded"]), "{value:?} {vector}");
        let params = vector["params"].as_array().expect("a list");
        let (pallet, item) = (text(&vector, "pallet"), text(&vector, "storage_function"));
        assert_eq!(
            hex::encode(&storage_key(&runtime, pallet, item, params)),
            text(&vector, "key_hex")
        );
    }
    for vector in vectors("query_maps") {
        let (type_id, _) = value_type(&runtime, &vector);
        let params = vector["params"].as_array().expect("a list");
        let (pallet, item) = (text(&vector, "pallet"), text(&vector, "storage_function"));
        let prefix = storage_key(&runtime, pallet, item, params);
        assert_eq!(hex::encode(&prefix), text(&vector, "prefix_hex"));
        let pairs = vector["pairs"].as_array().expect("a list");
        let changes = vector["raw_changes"].as_array().expect("a list");
        assert_eq!(pairs.len(), changes.len());
        for (pair, change) in pairs.iter().zip(changes) {
            let mut all = params.clone();
            all.push(pair[0].clone());
            assert_eq!(
                hex::encode(&storage_key(&runtime, pallet, item, &all)),
                change[0]
            );
            let value = runtime
                .decode_value(type_id, &bytes(&change[1]))
                .expect("a value");
            assert!(same(&value, &pair[1]), "{value:?} {pair}");
        }
    }
}

#[test]
fn runtime_calls() {
    let runtime = runtime(461);
    for vector in vectors("runtime_calls") {
        let (api, method) = (text(&vector, "api"), text(&vector, "method"));
        let methods = runtime
            .metadata()
            .runtime_api_trait_by_name(api)
            .expect("there");
        let found = methods.method_by_name(method).expect("there");
        let mut arguments = Vec::new();
        for (input, json) in found
            .inputs()
            .zip(vector["params"].as_array().expect("a list"))
        {
            encode(&runtime, input.id, json, &mut arguments);
        }
        assert_eq!(arguments, bytes(&vector["encoded_params_hex"]), "{method}");
        let output = runtime.api_output(api, method).expect("there");
        let raw = bytes(&vector["raw_hex"]);
        let value = runtime.decode_value(output, &raw).expect("a value");
        assert!(same(&value, &vector["decoded"]), "{method}: {value:?}");
        for at in 0..raw.len() {
            assert!(
                runtime.decode_value(output, &raw[..at]).is_err(),
                "{method} cut at {at}"
            );
        }
    }
}

#[test]
fn block() {
    let golden = golden();
    let vector = &golden["block"];
    let block = Block::parse(&vector["raw"]).expect("a block");
    assert_eq!(
        block.header.block.hash.to_string(),
        text(vector, "block_hash")
    );
    assert_eq!(block.header.block.number, 67);
    let runtime = runtime(461);
    let call_ty = runtime.metadata().outer_enums().call_enum_ty();
    let decoded = vector["decoded_extrinsics"].as_array().expect("a list");
    assert_eq!(
        (block.extrinsics.len(), decoded.len()),
        (3, count("block").expect("known"))
    );
    for (position, (extrinsic, json)) in block.extrinsics.iter().zip(decoded).enumerate() {
        let hash = Hash::of(extrinsic);
        let body = Vec::<u8>::decode_all(&mut &extrinsic[..]).expect("its length in front");
        assert_eq!(hash.to_string(), text(json, "extrinsic_hash"));
        assert_eq!(block.position(&hash), Some(position as u32));
        assert_eq!(
            body.len() as u64,
            json["extrinsic_length"].as_u64().expect("a number")
        );
        // The call is what is left behind the signature; its hash is recorded.
        let call = (0..extrinsic.len())
            .map(|at| &extrinsic[at..])
            .find(|call| Hash::of(call).to_string() == text(&json["call"], "call_hash"))
            .expect("a suffix");
        let value = runtime.decode_value(call_ty, call).expect("a call");
        let (pallet, inner) = value.variant().expect("a pallet");
        assert_eq!(pallet, text(&json["call"], "call_module"));
        let (name, fields) = inner.list().expect("one")[0].variant().expect("a call");
        assert_eq!(name, text(&json["call"], "call_function"));
        for argument in json["call"]["call_args"].as_array().expect("a list") {
            let value = fields.field(text(argument, "name")).expect("an argument");
            assert!(same(value, &argument["value"]), "{value:?}");
        }
    }
    let mut changed = vector["raw"].clone();
    changed["block"]["header"]["number"] = "0x44".into();
    let changed = Block::parse(&changed).expect("a block");
    assert_ne!(
        changed.header.block.hash.to_string(),
        text(vector, "block_hash")
    );
}

#[test]
fn payment_info() {
    let golden = golden();
    let vector = &golden["payment_info"];
    assert_eq!(
        vector.as_object().map(|object| object.len()),
        count("payment_info")
    );
    let runtime = runtime(461);
    let output = runtime
        .api_output("TransactionPaymentApi", "query_info")
        .expect("there");
    let weight = &vector["weight"];
    // Two compact weights, a class, a fee: what the function returned for these numbers.
    let raw = (
        Compact(weight["ref_time"].as_u64().expect("a number")),
        Compact(weight["proof_size"].as_u64().expect("a number")),
        0_u8,
        0_u64,
    );
    let value = runtime
        .decode_value(output, &raw.encode())
        .expect("a value");
    let Value::Fields(fields) = &value else {
        panic!("{value:?}");
    };
    let mut names: Vec<&str> = fields.0.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(serde_json::json!(names), vector["keys"]);
    assert!(same(value.field("weight").expect("there"), weight));
}
