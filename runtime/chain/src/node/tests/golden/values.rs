//! What was stored, happened or was answered: bytes to values, by the metadata.

use super::*;
use crate::node::block::Block;
use crate::node::{Dispatch, Event, Phase, Value};

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
        Phase::ApplyExtrinsic(_) => "ApplyExtrinsic",
        Phase::Initialization => "Initialization",
        Phase::Finalization => "Finalization",
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
        .filter(|event| event.phase == Phase::ApplyExtrinsic(position))
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
