//! Requests that are answered at once.

use super::reads::{View, runtime_version_json};
use super::subscriptions::{Subscriptions, Topic};
use crate::api;
use crate::chain::Hold;
use crate::fault::{Fault, RpcError};
use crate::hex;
use crate::node::Shared;
use serde_json::{Value as Json, json};

/// Methods that the double has; `rpc_methods` lists them.
const METHODS: &[&str] = &[
    "account_nextIndex",
    "author_pendingExtrinsics",
    "author_submitAndWatchExtrinsic",
    "author_submitExtrinsic",
    "author_unwatchExtrinsic",
    "chain_getBlock",
    "chain_getBlockHash",
    "chain_getFinalisedHead",
    "chain_getFinalizedHead",
    "chain_getHead",
    "chain_getHeader",
    "chain_getRuntimeVersion",
    "chain_subscribeAllHeads",
    "chain_subscribeFinalizedHeads",
    "chain_subscribeNewHeads",
    "chain_unsubscribeAllHeads",
    "chain_unsubscribeFinalizedHeads",
    "chain_unsubscribeNewHeads",
    "gradus_dump",
    "gradus_produceBlock",
    "payment_queryInfo",
    "rpc_methods",
    "state_call",
    "state_callAt",
    "state_getKeysPaged",
    "state_getKeysPagedAt",
    "state_getMetadata",
    "state_getRuntimeVersion",
    "state_getStorage",
    "state_getStorageAt",
    "state_queryStorageAt",
    "state_subscribeRuntimeVersion",
    "state_subscribeStorage",
    "state_unsubscribeRuntimeVersion",
    "state_unsubscribeStorage",
    "system_accountNextIndex",
    "system_chain",
    "system_health",
    "system_name",
    "system_properties",
    "system_version",
];

pub(super) fn call(
    shared: &Shared,
    subscriptions: &mut Subscriptions,
    method: &str,
    params: &[Json],
) -> Result<Json, RpcError> {
    match method {
        "rpc_methods" => Ok(json!({ "methods": METHODS })),
        "system_chain" => Ok(json!(shared.chain.lock().config.name)),
        "system_name" => Ok(json!("Subtensor Node")),
        "system_version" => Ok(json!("4.0.0-dev-double")),
        "system_health" => Ok(json!({ "peers": 3, "isSyncing": false, "shouldHavePeers": true })),
        "system_properties" => {
            Ok(json!({ "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" }))
        }
        // Not the node's: for whoever drives the double from another process.
        "gradus_produceBlock" => Ok(json!(shared.chain.produce_block())),
        "gradus_dump" => {
            let netuid = params.first().and_then(Json::as_u64).unwrap_or(56);
            Ok(shared.chain.dump(netuid as u16))
        }
        "payment_queryInfo" => Ok(json!({
            "weight": { "refTime": 321_973_000, "proofSize": 5_691 },
            "class": "normal",
            "partialFee": "0",
        })),
        "author_submitExtrinsic" => Ok(json!(hex::encode(&submit(shared, params)?))),
        "author_submitAndWatchExtrinsic" => {
            // Before it is submitted, so that nothing of its way is missed.
            let bytes = bytes_param(params, 0)?;
            let hash = sp_crypto_hashing::blake2_256(&bytes);
            let name = subscriptions.open(shared, Topic::Extrinsic(hash));
            match submit(shared, params) {
                Ok(_) => Ok(json!(name)),
                Err(error) => {
                    subscriptions.close(&name);
                    Err(error)
                }
            }
        }
        "author_pendingExtrinsics" => {
            let pending = shared.chain.lock().pending(shared.id);
            Ok(pending.iter().map(|bytes| hex::encode(bytes)).collect())
        }
        "system_accountNextIndex" | "account_nextIndex" => {
            let account = account_param(params)?;
            let next = shared.chain.lock().next_nonce(account, shared.id);
            Ok(json!(next.saturating_sub(stale(shared))))
        }
        "chain_subscribeNewHeads" => Ok(json!(
            subscriptions.open(shared, Topic::Heads("chain_newHead"))
        )),
        "chain_subscribeAllHeads" => Ok(json!(
            subscriptions.open(shared, Topic::Heads("chain_allHead"))
        )),
        "chain_subscribeFinalizedHeads" => {
            Ok(json!(subscriptions.open(shared, Topic::FinalizedHeads)))
        }
        "state_subscribeRuntimeVersion" => {
            Ok(json!(subscriptions.open(shared, Topic::RuntimeVersion)))
        }
        "state_subscribeStorage" => {
            let keys = keys_param(params)?.into_iter().map(|key| (key, None));
            Ok(json!(
                subscriptions.open(shared, Topic::Storage(keys.collect()))
            ))
        }
        "author_unwatchExtrinsic"
        | "chain_unsubscribeAllHeads"
        | "chain_unsubscribeFinalizedHeads"
        | "chain_unsubscribeNewHeads"
        | "state_unsubscribeRuntimeVersion"
        | "state_unsubscribeStorage" => {
            let name = params.first().and_then(Json::as_str).unwrap_or("");
            Ok(json!(subscriptions.close(name)))
        }
        _ => read(shared, method, params),
    }
}

/// Requests that read blocks and their storage.
fn read(shared: &Shared, method: &str, params: &[Json]) -> Result<Json, RpcError> {
    let state = shared.chain.lock();
    let view = View::new(shared, &state);
    let by_hash = |at: Option<&Json>| match at.and_then(Json::as_str) {
        None => Some(view.head.clone()),
        Some(text) => hex::hash(text).and_then(|hash| state.block(hash)),
    };
    match method {
        "chain_getHead" => Ok(json!(hex::encode(&view.head.hash))),
        "chain_getFinalizedHead" | "chain_getFinalisedHead" => {
            Ok(json!(hex::encode(&view.finalized.hash)))
        }
        "chain_getHeader" => Ok(by_hash(params.first()).map_or(Json::Null, |b| b.header.to_json())),
        "chain_getBlock" => Ok(by_hash(params.first()).map_or(Json::Null, |block| {
            let extrinsics = block.extrinsics.iter().map(|bytes| hex::encode(bytes));
            json!({
                "block": {
                    "header": block.header.to_json(),
                    "extrinsics": extrinsics.collect::<Vec<_>>(),
                },
                "justifications": null,
            })
        })),
        "chain_getBlockHash" => {
            let hash = |number: Option<u64>| {
                let number = number.unwrap_or(u64::from(view.head.header.number));
                if number > u64::from(view.head.header.number) {
                    return Json::Null;
                }
                let told = shared.state(|fault| match fault {
                    Fault::Genesis(hash) if number == 0 => Some(*hash),
                    _ => None,
                });
                let hash = told.or_else(|| state.hash_at(number as u32));
                hash.map_or(Json::Null, |hash| json!(hex::encode(&hash)))
            };
            Ok(match params.first() {
                Some(Json::Array(numbers)) => numbers.iter().map(|n| hash(number_of(n))).collect(),
                number => hash(number.and_then(number_of)),
            })
        }
        "state_getRuntimeVersion" | "chain_getRuntimeVersion" => {
            let storage = view.storage(&state, params.first())?;
            Ok(runtime_version_json(&storage))
        }
        "state_getMetadata" => {
            let storage = view.storage(&state, params.first())?;
            Ok(json!(hex::encode(storage.runtime().bytes())))
        }
        "state_getStorage" | "state_getStorageAt" => {
            let storage = view.storage(&state, params.get(1))?;
            let value = view.value(&storage, &bytes_param(params, 0)?);
            Ok(json!(value.as_deref().map(hex::encode)))
        }
        "state_queryStorageAt" => {
            let storage = view.storage(&state, params.get(1))?;
            let at = by_hash(params.get(1)).map(|block| hex::encode(&block.hash));
            let changes = keys_param(params)?.into_iter().map(|key| {
                let value = view.value(&storage, &key);
                json!([hex::encode(&key), value.as_deref().map(hex::encode)])
            });
            Ok(json!([{ "block": at, "changes": changes.collect::<Vec<_>>() }]))
        }
        "state_getKeysPaged" | "state_getKeysPagedAt" => {
            let storage = view.storage(&state, params.get(3))?;
            let prefix = bytes_param(params, 0)?;
            let count = params.get(1).and_then(Json::as_u64).unwrap_or(0).min(1_000);
            let after = params.get(2).and_then(Json::as_str).and_then(hex::decode);
            let after = after.filter(|after| !after.is_empty());
            let keys = storage.keys(&prefix, after.as_deref(), count as usize);
            Ok(keys.iter().map(|key| hex::encode(key)).collect())
        }
        "state_call" | "state_callAt" => {
            let storage = view.with_lies(view.storage(&state, params.get(2))?);
            drop(state);
            let called = params.first().and_then(Json::as_str).unwrap_or("");
            let mut answer = api::call(&storage, called, &bytes_param(params, 1)?)?;
            if called == "AccountNonceApi_account_nonce"
                && let Some(bytes) = answer.first_chunk::<4>()
            {
                let nonce = u32::from_le_bytes(*bytes).saturating_sub(stale(shared));
                answer = nonce.to_le_bytes().to_vec();
            }
            Ok(json!(hex::encode(&answer)))
        }
        _ => Err(RpcError {
            code: -32_601,
            message: "Method not found".into(),
            data: None,
        }),
    }
}

fn submit(shared: &Shared, params: &[Json]) -> Result<[u8; 32], RpcError> {
    let bytes = bytes_param(params, 0)?;
    let mut state = shared.chain.lock();
    let held = shared.take(|fault| matches!(fault, Fault::Swallow | Fault::Delay(_)));
    let hold = match held {
        Some(Fault::Delay(blocks)) => Hold::Until(state.best_number() + 1 + blocks),
        Some(_) => Hold::Swallowed,
        None => Hold::None,
    };
    state.submit(&bytes, shared.id, hold)
}

/// By how much the endpoint says that nonces are lower.
fn stale(shared: &Shared) -> u32 {
    let stale = shared.state(|fault| match fault {
        Fault::StaleNonce(behind) => Some(*behind),
        _ => None,
    });
    stale.unwrap_or(0)
}

fn invalid_params(what: &str) -> RpcError {
    RpcError::new(-32_602, "Invalid params", what)
}

fn bytes_param(params: &[Json], at: usize) -> Result<Vec<u8>, RpcError> {
    let text = params.get(at).and_then(Json::as_str);
    let bytes = text.and_then(hex::decode);
    bytes.ok_or_else(|| invalid_params("expected hexadecimal"))
}

fn keys_param(params: &[Json]) -> Result<Vec<Vec<u8>>, RpcError> {
    let keys = params.first().and_then(Json::as_array);
    let keys = keys.ok_or_else(|| invalid_params("expected a list of keys"))?;
    let keys = keys.iter().map(|key| key.as_str().and_then(hex::decode));
    let keys: Option<Vec<_>> = keys.collect();
    keys.ok_or_else(|| invalid_params("expected hexadecimal"))
}

/// An account by its address, or by 32 bytes in hexadecimal.
fn account_param(params: &[Json]) -> Result<[u8; 32], RpcError> {
    let text = params.first().and_then(Json::as_str).unwrap_or("");
    let account = hex::hash(text).or_else(|| crate::address::decode(text));
    account.ok_or_else(|| invalid_params("expected an account's address"))
}

fn number_of(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => u64::from_str_radix(text.strip_prefix("0x")?, 16).ok(),
        _ => None,
    }
}
