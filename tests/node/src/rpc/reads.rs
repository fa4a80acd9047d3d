//! The chain as an endpoint shows it: perhaps late, perhaps with lies.

use crate::block::Block;
use crate::chain::State;
use crate::fault::{Fault, RpcError};
use crate::hex;
use crate::node::Shared;
use crate::storage::Storage;
use parity_scale_codec::Decode;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A look at the chain; it does not hold the chain's lock.
pub(super) struct View {
    pub(super) head: Arc<Block>,
    pub(super) finalized: Arc<Block>,
    lag: u32,
    lies: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl View {
    pub(super) fn new(shared: &Shared, state: &State) -> Self {
        let lag = shared.state(|fault| match fault {
            Fault::Lag(blocks) => Some(*blocks),
            _ => None,
        });
        let lag = lag.unwrap_or(0);
        let head = state.best_number().saturating_sub(lag);
        let finalized = state.finalized_number().min(head);
        let block = |number| {
            let hash = state.hash_at(number).expect("a number up to the best");
            state.block(hash).expect("a canonical block")
        };
        let lies = shared.all(|fault| match fault {
            Fault::Lie { key, value } => Some((key.clone(), value.clone())),
            _ => None,
        });
        Self {
            head: block(head),
            finalized: block(finalized),
            lag,
            lies,
        }
    }

    pub(super) fn head_json(&self) -> Json {
        self.head.header.to_json()
    }

    pub(super) fn finalized_json(&self) -> Json {
        self.finalized.header.to_json()
    }

    /// The head, which is announced late if the endpoint lags.
    pub(super) fn lagging_json(&self, state: &State, hash: [u8; 32]) -> Json {
        match state.block(hash) {
            Some(block) if self.lag == 0 => block.header.to_json(),
            _ => self.head_json(),
        }
    }

    /// The storage of the block with a hash, or of the head.
    pub(super) fn storage(&self, state: &State, at: Option<&Json>) -> Result<Storage, RpcError> {
        let block = match at.and_then(Json::as_str) {
            None => self.head.clone(),
            Some(text) => {
                let unknown = || {
                    client_error(&format!(
                        "UnknownBlock: Header was not found in the database: {text}"
                    ))
                };
                let hash = hex::hash(text).ok_or_else(unknown)?;
                state.block(hash).ok_or_else(unknown)?
            }
        };
        let hash = hex::encode(&block.hash);
        let discarded =
            || client_error(&format!("UnknownBlock: State already discarded for {hash}"));
        block.storage.clone().ok_or_else(discarded)
    }

    /// What a key is said to hold.
    pub(super) fn value(&self, storage: &Storage, key: &[u8]) -> Option<Vec<u8>> {
        match self.lies.iter().find(|(lied, _)| lied == key) {
            Some((_, value)) => value.clone(),
            None => storage.raw(key),
        }
    }

    /// The storage that runtime calls see, with the lies in it.
    pub(super) fn with_lies(&self, mut storage: Storage) -> Storage {
        for (key, value) in &self.lies {
            match value {
                Some(value) => storage.put_raw(key.clone(), value.clone()),
                None => storage.remove_raw(key),
            }
        }
        storage
    }

    fn head_storage(&self) -> &Storage {
        let storage = self.head.storage.as_ref();
        storage.expect("the head's storage is kept")
    }

    /// Changes of keys, which are remembered; all of them with `all`.
    pub(super) fn changes_json(&self, keys: &mut [(Vec<u8>, Option<Vec<u8>>)], all: bool) -> Json {
        let mut changes = Vec::new();
        for (key, last) in keys {
            let now = self.value(self.head_storage(), key);
            if all || now != *last {
                changes.push(json!([hex::encode(key), now.as_deref().map(hex::encode)]));
                *last = now;
            }
        }
        json!({ "block": hex::encode(&self.head.hash), "changes": changes })
    }

    pub(super) fn runtime_version_json(&self) -> Json {
        runtime_version_json(self.head_storage())
    }
}

/// A runtime's version as JSON.
pub(super) fn runtime_version_json(storage: &Storage) -> Json {
    type Version = (String, String, u32, u32, u32, Vec<([u8; 8], u32)>, u32, u8);
    let mut bytes = storage.runtime().version_bytes();
    let (name, implementation, authoring, spec, revision, apis, transaction, state) =
        Version::decode(&mut bytes).expect("a constant of the metadata decodes");
    let apis: Vec<Json> = apis
        .iter()
        .map(|(id, version)| json!([hex::encode(id), version]))
        .collect();
    json!({
        "specName": name,
        "implName": implementation,
        "authoringVersion": authoring,
        "specVersion": spec,
        "implVersion": revision,
        "apis": apis,
        "transactionVersion": transaction,
        "systemVersion": state,
        "stateVersion": state,
    })
}

/// The node's error when it lacks a block or its state.
fn client_error(what: &str) -> RpcError {
    RpcError {
        code: 4003,
        message: format!("Client error: {what}"),
        data: None,
    }
}
