//! Answers of runtime APIs: bytes in, bytes out, types from the metadata.
//!
//! | module | is about |
//! |---|---|
//! | `fields` | what the double knows of a subnet, by the names that the answers' types have |
//! | `blank` | a value of a type that says nothing: what fills the fields that the double does not model |

mod blank;
mod fields;

use crate::fault::RpcError;
use crate::rules::epoch;
use crate::rules::subnet;
use crate::runtime::Runtime;
use crate::storage::Storage;
use parity_scale_codec::{Decode, Encode};
use scale_value::{Composite, Value, ValueDef};

/// A runtime call's answer on top of a block.
pub(crate) fn call(storage: &Storage, method: &str, input: &[u8]) -> Result<Vec<u8>, RpcError> {
    let runtime = storage.runtime();
    let malformed = || execution_failed("Bad input data provided");
    let mut rest = input;
    match method {
        "Core_version" => return Ok(runtime.version_bytes().to_vec()),
        "Metadata_metadata" => return Ok(runtime.bytes().to_vec().encode()),
        "Metadata_metadata_versions" => return Ok(vec![runtime.metadata_version()].encode()),
        "Metadata_metadata_at_version" => {
            let version = u32::decode(&mut rest).map_err(|_| malformed())?;
            let known = version == runtime.metadata_version();
            return Ok(known.then(|| runtime.bytes().to_vec()).encode());
        }
        "AccountNonceApi_account_nonce" => {
            let account = <[u8; 32]>::decode(&mut rest).map_err(|_| malformed())?;
            return Ok(crate::chain::nonce(storage, account).encode());
        }
        _ => {}
    }
    let unknown = || execution_failed(&format!("Exported method {method} is not found"));
    let (api, name) = method.split_once('_').ok_or_else(unknown)?;
    let found = runtime
        .metadata()
        .runtime_api_trait_by_name(api)
        .and_then(|api| api.method_by_name(name))
        .ok_or_else(unknown)?;
    let output = found.output_ty();
    if (api, name) == ("TransactionPaymentApi", "query_info") {
        return Ok(runtime.encode_value(&blank::value(runtime, output), output));
    }
    let netuid = u16::decode(&mut rest).map_err(|_| malformed())?;
    let exists = subnet::exists(storage, netuid);
    let value = match (api, name) {
        ("NeuronInfoRuntimeApi", "get_neurons_lite" | "get_neurons") => {
            let element = element_of(runtime, output);
            let uids = if exists {
                0..subnet::size(storage, netuid)
            } else {
                0..0
            };
            let neurons = uids.map(|uid| neuron(storage, netuid, uid, element));
            Value::unnamed_composite(neurons)
        }
        ("NeuronInfoRuntimeApi", "get_neuron_lite" | "get_neuron") => {
            let uid = u16::decode(&mut rest).map_err(|_| malformed())?;
            let known = exists && uid < subnet::size(storage, netuid);
            let inner = some_of(runtime, output);
            option(known.then(|| neuron(storage, netuid, uid, inner)))
        }
        ("SubnetInfoRuntimeApi", "get_next_epoch_start_block") => {
            let next = epoch::next_start(storage, netuid);
            option(next.map(|next| Value::u128(u128::from(next))))
        }
        ("SubnetInfoRuntimeApi", "get_subnet_hyperparams_v3") => {
            option(exists.then(|| fields::hyperparameters(storage, netuid)))
        }
        ("SubnetInfoRuntimeApi", "get_selective_metagraph") => {
            let wanted = Vec::<u16>::decode(&mut rest).map_err(|_| malformed())?;
            option(exists.then(|| selective(storage, (netuid, 0), &wanted, output)))
        }
        ("SubnetInfoRuntimeApi", "get_selective_mechagraph") => {
            let mecid = u8::decode(&mut rest).map_err(|_| malformed())?;
            let wanted = Vec::<u16>::decode(&mut rest).map_err(|_| malformed())?;
            option(exists.then(|| selective(storage, (netuid, mecid), &wanted, output)))
        }
        ("SubnetInfoRuntimeApi", "get_mechagraph") => {
            let mecid = u8::decode(&mut rest).map_err(|_| malformed())?;
            option(exists.then(|| whole(storage, (netuid, mecid), some_of(runtime, output))))
        }
        (
            "SubnetInfoRuntimeApi",
            "get_metagraph"
            | "get_subnet_state"
            | "get_subnet_hyperparams"
            | "get_subnet_hyperparams_v2"
            | "get_subnet_info"
            | "get_subnet_info_v2"
            | "get_dynamic_info",
        ) => option(exists.then(|| whole(storage, (netuid, 0), some_of(runtime, output)))),
        _ => {
            return Err(execution_failed(&format!(
                "{method} is not part of this double"
            )));
        }
    };
    Ok(runtime.encode_value(&value, output))
}

/// The node's error when a runtime call fails.
fn execution_failed(why: &str) -> RpcError {
    RpcError {
        code: 4003,
        message: format!("Client error: Execution failed: Other: {why}"),
        data: None,
    }
}

/// A structure of a type, with the fields that the double knows.
fn whole(storage: &Storage, subnet: (u16, u8), type_id: u32) -> Value<()> {
    fill(storage.runtime(), type_id, |name| {
        fields::field(storage, subnet, name)
    })
}

fn neuron(storage: &Storage, netuid: u16, uid: u16, type_id: u32) -> Value<()> {
    fill(storage.runtime(), type_id, |name| {
        fields::of_neuron(storage, netuid, uid, name)
    })
}

/// A structure whose fields are all optional, with those that were asked for by index. The netuid is always there.
fn selective(storage: &Storage, subnet: (u16, u8), wanted: &[u16], output: u32) -> Value<()> {
    let runtime = storage.runtime();
    let mut index = 0_u16;
    let structure = some_of(runtime, output);
    let types = blank::field_types(runtime, structure);
    fill(runtime, structure, |name| {
        let at = index;
        index += 1;
        if name == "netuid" {
            return fields::field(storage, subnet, name);
        }
        if !wanted.contains(&at) {
            return None;
        }
        let inner = some_of(runtime, types[usize::from(at)]);
        let known = fields::field(storage, subnet, name);
        Some(option(Some(
            known.unwrap_or_else(|| blank::value(runtime, inner)),
        )))
    })
}

fn fill(
    runtime: &Runtime,
    type_id: u32,
    mut known: impl FnMut(&str) -> Option<Value<()>>,
) -> Value<()> {
    let mut value = blank::value(runtime, type_id);
    if let ValueDef::Composite(Composite::Named(fields)) = &mut value.value {
        for (name, value) in fields {
            if let Some(known) = known(name) {
                *value = known;
            }
        }
    }
    value
}

fn option(value: Option<Value<()>>) -> Value<()> {
    match value {
        Some(value) => Value::unnamed_variant("Some", [value]),
        None => Value::unnamed_variant("None", []),
    }
}

/// The type inside an `Option`.
fn some_of(runtime: &Runtime, type_id: u32) -> u32 {
    blank::some_type(runtime, type_id).expect("this API answers with an option")
}

/// The type of a vector's elements.
fn element_of(runtime: &Runtime, type_id: u32) -> u32 {
    blank::element_type(runtime, type_id).expect("this API answers with a vector")
}
