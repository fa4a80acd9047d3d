//! Storage and runtime functions as they were after one block, from one node.
//!
//! | module | reads |
//! |---|---|
//! | `subnet` | a subnet's parameters, its epochs |
//! | `metagraph` | its neurons |
//! | `weights` | rows of weights and bonds; commits that wait |
//! | `chain` | accounts, time, events, the beacon's pulses |
//! | `epoch` | what the next epoch starts from besides |

mod chain;
mod epoch;
mod metagraph;
mod subnet;
mod weights;

pub use chain::AccountState;
pub use epoch::{EpochRow, EpochSettings, PendingEmission};
pub use metagraph::{Metagraph, MetagraphSource, NEURONS_MAX, Neuron};
pub use subnet::{ActivityCutoff, SubnetParameters};
pub use weights::{HashCommit, PendingCommits, TimelockedCommit};

use super::block::bytes_of;
use super::capabilities::Capabilities;
use super::client::{Node, ReadError};
use super::items::Item;
use super::rpc::shown;
use super::value::{DecodeError, Value};
use crate::BlockRef;
use parity_scale_codec::{Decode, DecodeAll};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The most keys of a prefix that are listed: nodes refuse to list more at once.
const KEYS_MAX: usize = 1_000;

/// One block of one node.
pub struct Snapshot<'a> {
    node: &'a Node,
    block: BlockRef,
    capabilities: Arc<Capabilities>,
    stored_by: Arc<Capabilities>,
}

/// Items that were asked for together.
pub(super) struct Answers<'a> {
    snapshot: &'a Snapshot<'a>,
    answers: Vec<(&'static Item, Option<Vec<u8>>)>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(
        node: &'a Node,
        block: BlockRef,
        capabilities: Arc<Capabilities>,
        stored_by: Arc<Capabilities>,
    ) -> Self {
        Self {
            node,
            block,
            capabilities,
            stored_by,
        }
    }

    /// The same block of another node, which has the same runtimes there.
    pub(super) fn of<'n>(&self, node: &'n Node) -> Snapshot<'n> {
        let (capabilities, stored_by) = (&self.capabilities, &self.stored_by);
        Snapshot::new(
            node,
            self.block,
            Arc::clone(capabilities),
            Arc::clone(stored_by),
        )
    }

    /// The node.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// The block.
    pub fn block(&self) -> BlockRef {
        self.block
    }

    /// The runtime of the block after it: its functions answer here, extrinsics are made for it.
    pub fn capabilities(&self) -> &Arc<Capabilities> {
        &self.capabilities
    }

    /// The runtime that the block was made with: storage and events are laid out by it. Another than [`Snapshot::capabilities`] in the block that
    /// sets a new one, whose migrations run in the next.
    pub fn stored_by(&self) -> &Arc<Capabilities> {
        &self.stored_by
    }

    /// Items of storage, in one round trip. Those that the runtime lacks have no answer, those that are not stored their default.
    pub(super) fn fetch(
        &self,
        items: &[(&'static Item, &[&[u8]])],
    ) -> Result<Answers<'_>, ReadError> {
        let mut asked = Vec::new();
        let mut answers = Vec::new();
        for (item, keys) in items {
            if self.stored_by.has(item) {
                let key = self.key(item, keys)?;
                asked.push((
                    "state_getStorage",
                    json!([crate::hex::encode(&key), self.block.hash]),
                ));
                answers.push((*item, true));
            } else {
                answers.push((*item, false));
            }
        }
        let mut results = self.node.calls(&asked).map_err(ReadError::Rpc)?.into_iter();
        let mut found = Vec::new();
        for (item, is_asked) in answers {
            let bytes = if is_asked {
                let json = results
                    .next()
                    .expect("one for each")
                    .map_err(ReadError::Rpc)?;
                self.stored(item, &json)?
            } else {
                None
            };
            found.push((item, bytes));
        }
        Ok(Answers {
            snapshot: self,
            answers: found,
        })
    }

    /// One item for several keys, in one round trip; `None` where nothing is stored and the item has no default.
    pub(super) fn each<T: Decode>(
        &self,
        item: &'static Item,
        keys: &[Vec<&[u8]>],
    ) -> Result<Vec<Option<T>>, ReadError> {
        let mut asked = Vec::with_capacity(keys.len());
        for keys in keys {
            let key = self.key(item, keys)?;
            asked.push((
                "state_getStorage",
                json!([crate::hex::encode(&key), self.block.hash]),
            ));
        }
        let results = self.node.calls(&asked).map_err(ReadError::Rpc)?;
        results
            .into_iter()
            .map(|result| {
                let bytes = self.stored(item, &result.map_err(ReadError::Rpc)?)?;
                bytes.map(|bytes| self.decode(item, &bytes)).transpose()
            })
            .collect()
    }

    /// One item.
    pub(super) fn one<T: Decode>(
        &self,
        item: &'static Item,
        keys: &[&[u8]],
    ) -> Result<Option<T>, ReadError> {
        let mut found = self.each(item, &[keys.to_vec()])?;
        Ok(found.pop().flatten())
    }

    /// The bytes of an item that an answer has, or its default.
    fn stored(&self, item: &Item, json: &Json) -> Result<Option<Vec<u8>>, ReadError> {
        if json.is_null() {
            let default = self
                .stored_by
                .default_bytes(item)
                .map_err(|source| self.node.lacks(source))?;
            return Ok(default.map(<[u8]>::to_vec));
        }
        json.as_str().and_then(bytes_of).map(Some).ok_or_else(|| {
            let what = format!("{}.{}", item.pallet, item.name);
            self.node
                .malformed(&what, "bytes or nothing", shown(&json.to_string()))
        })
    }

    fn decode<T: Decode>(&self, item: &Item, bytes: &[u8]) -> Result<T, ReadError> {
        T::decode_all(&mut &bytes[..]).map_err(|_| ReadError::Decode {
            url: self.node.url().to_owned(),
            what: format!("{}.{}", item.pallet, item.name),
            source: DecodeError::Malformed {
                offset: 0,
                size_bytes: bytes.len(),
                expected: item.shapes[0],
            },
        })
    }

    fn key(&self, item: &Item, keys: &[&[u8]]) -> Result<Vec<u8>, ReadError> {
        self.stored_by
            .storage_key(item, keys)
            .map_err(|source| self.node.lacks(source))
    }

    /// All keys of an item that start with `keys`.
    pub(super) fn keys(&self, item: &Item, keys: &[&[u8]]) -> Result<Vec<Vec<u8>>, ReadError> {
        let prefix = self.key(item, keys)?;
        let what = format!("keys of {}.{}", item.pallet, item.name);
        let params = json!([
            crate::hex::encode(&prefix),
            KEYS_MAX,
            null_key(),
            self.block.hash
        ]);
        let json = self
            .node
            .call("state_getKeysPaged", params)
            .map_err(ReadError::Rpc)?;
        let malformed = || {
            self.node
                .malformed(&what, "keys of that prefix", shown(&json.to_string()))
        };
        let texts = json.as_array().ok_or_else(malformed)?;
        if texts.len() >= KEYS_MAX {
            return Err(ReadError::TooMany {
                url: self.node.url().to_owned(),
                what: "keys",
                found: texts.len(),
                limit: KEYS_MAX - 1,
            });
        }
        let keys: Option<Vec<Vec<u8>>> = texts
            .iter()
            .map(|text| bytes_of(text.as_str()?).filter(|key| key.starts_with(&prefix)))
            .collect();
        keys.ok_or_else(malformed)
    }

    /// What a runtime function returns, by the metadata's type of it; `None` if the runtime lacks it.
    pub(super) fn runtime_call(
        &self,
        api: &str,
        method: &str,
        arguments: &[u8],
    ) -> Result<Option<Value>, ReadError> {
        let runtime = self.capabilities.runtime();
        let Some(output) = runtime.api_output(api, method) else {
            return Ok(None);
        };
        let function = format!("{api}_{method}");
        let bytes = self
            .node
            .state_call(&function, arguments, self.block.hash)?;
        let value = runtime
            .decode_value(output, &bytes)
            .map_err(|source| ReadError::Decode {
                url: self.node.url().to_owned(),
                what: function,
                source,
            })?;
        Ok(Some(value))
    }
}

/// Paging starts at the beginning.
fn null_key() -> Json {
    Json::Null
}

impl Answers<'_> {
    /// An item that the runtime has and that has a value or a default.
    pub(super) fn required<T: Decode>(&self, item: &Item) -> Result<T, ReadError> {
        self.optional(item)?.ok_or_else(|| {
            let what = format!("{}.{}", item.pallet, item.name);
            self.snapshot
                .node
                .malformed(&what, "a value", "nothing".into())
        })
    }

    /// An item, if the runtime has it.
    pub(super) fn optional<T: Decode>(&self, item: &Item) -> Result<Option<T>, ReadError> {
        let (_, bytes) = self
            .answers
            .iter()
            .find(|(found, _)| *found == item)
            .expect("it was asked for");
        bytes
            .as_ref()
            .map(|bytes| self.snapshot.decode(item, bytes))
            .transpose()
    }
}
