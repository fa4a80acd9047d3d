//! One item for many keys, in few round trips.

use super::super::Snapshot;
use crate::node::client::ReadError;
use crate::node::items::Item;
use crate::node::rpc::{RpcError, shown};
use parity_scale_codec::Decode;
use serde_json::{Value as Json, json};

/// How many keys are asked for at once.
const KEYS_AT_ONCE: usize = 512;

impl Snapshot<'_> {
    /// One item for many keys, in few round trips; the default where nothing is stored, if there is one.
    pub(super) fn many<T: Decode>(
        &self,
        item: &'static Item,
        keys: &[Vec<Vec<u8>>],
    ) -> Result<Vec<Option<T>>, ReadError> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_AT_ONCE) {
            match self.at_once(item, keys) {
                // Some nodes do not have the method.
                Err(ReadError::Rpc(RpcError::Refused { .. })) => {
                    let keys: Vec<Vec<&[u8]>> = keys
                        .iter()
                        .map(|keys| keys.iter().map(Vec::as_slice).collect())
                        .collect();
                    found.extend(self.each(item, &keys)?);
                }
                answers => found.extend(answers?),
            }
        }
        Ok(found)
    }

    fn at_once<T: Decode>(
        &self,
        item: &'static Item,
        keys: &[Vec<Vec<u8>>],
    ) -> Result<Vec<Option<T>>, ReadError> {
        let mut texts = Vec::with_capacity(keys.len());
        for keys in keys {
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            texts.push(crate::hex::encode(&self.key(item, &keys)?));
        }
        let json = self
            .node()
            .call("state_queryStorageAt", json!([texts, self.block().hash]))
            .map_err(ReadError::Rpc)?;
        let changes = json
            .as_array()
            .and_then(|blocks| match blocks.as_slice() {
                [block] => block.get("changes")?.as_array(),
                _ => None,
            })
            .ok_or_else(|| self.other_changes(&json))?;
        // In the order of the question, or not at all.
        let asked = texts.iter().zip(changes);
        if changes.len() != texts.len()
            || !asked
                .clone()
                .all(|(text, change)| change.get(0).and_then(Json::as_str) == Some(text))
        {
            return Err(self.other_changes(&json));
        }
        asked
            .map(|(_, change)| {
                let value = change.get(1).ok_or_else(|| self.other_changes(&json))?;
                let bytes = self.stored(item, value)?;
                bytes.map(|bytes| self.decode(item, &bytes)).transpose()
            })
            .collect()
    }

    fn other_changes(&self, json: &Json) -> ReadError {
        let found = shown(&json.to_string());
        let expected = "a value for each key that was asked for";
        self.node()
            .malformed("state_queryStorageAt", expected, found)
    }
}
