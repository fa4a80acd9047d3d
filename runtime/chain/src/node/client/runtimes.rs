//! Which runtime a block was made with, and which the next one is: they differ in the block that sets a new one.
//!
//! ```text
//! block      upgrade - 1   upgrade       upgrade + 1
//! made with  old           old           new          lays out the block's storage and its events
//! after it   old           new           new          runs functions, takes extrinsics
//! ```

use super::{Node, ReadError, lock};
use crate::node::block::bytes_of;
use crate::node::capabilities::Capabilities;
use crate::node::metadata::{Runtime, RuntimeVersion};
use crate::node::rpc::shown;
use crate::node::snapshot::Snapshot;
use crate::{BlockRef, Hash};
use parity_scale_codec::{Compact, Decode, DecodeAll, Encode};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

/// Metadata versions that are read, best first.
const METADATA_VERSIONS: [u32; 3] = [16, 15, 14];
/// How many runtimes are kept.
const RUNTIMES_MAX: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireVersion {
    spec_name: String,
    spec_version: u32,
    transaction_version: u32,
}

/// Of how many blocks it is kept which runtimes are theirs.
const BLOCKS_MAX: usize = 256;

/// Runtimes that were read, and whose they are.
#[derive(Default)]
pub(super) struct Runtimes {
    by_version: HashMap<RuntimeVersion, Arc<Capabilities>>,
    /// Of the block after the one of a hash.
    after: HashMap<Hash, Arc<Capabilities>>,
    /// Of the block of a hash.
    of: HashMap<Hash, Arc<Capabilities>>,
}

fn keep<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, max: usize, key: K, value: V) {
    if map.len() >= max {
        map.clear();
    }
    map.insert(key, value);
}

impl Node {
    /// Which runtime the block after this one is made with.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn runtime_version(&self, at: Hash) -> Result<RuntimeVersion, ReadError> {
        let json = self
            .call("state_getRuntimeVersion", json!([at]))
            .map_err(ReadError::Rpc)?;
        let wire = WireVersion::deserialize(&json).map_err(|_| {
            self.malformed(
                "state_getRuntimeVersion",
                "a version",
                shown(&json.to_string()),
            )
        })?;
        Ok(RuntimeVersion {
            spec_name: shown(&wire.spec_name),
            spec_version: wire.spec_version,
            transaction_version: wire.transaction_version,
        })
    }

    /// The runtime of the block after this one, with its calls and items looked up.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn capabilities(&self, at: Hash) -> Result<Arc<Capabilities>, ReadError> {
        if let Some(found) = lock(&self.shared.runtimes).after.get(&at) {
            return Ok(Arc::clone(found));
        }
        let version = self.runtime_version(at)?;
        let known = lock(&self.shared.runtimes)
            .by_version
            .get(&version)
            .cloned();
        let capabilities = match known {
            Some(known) => known,
            None => self.read_capabilities(version.clone(), at)?,
        };
        let mut runtimes = lock(&self.shared.runtimes);
        let Runtimes {
            by_version, after, ..
        } = &mut *runtimes;
        keep(after, BLOCKS_MAX, at, Arc::clone(&capabilities));
        keep(by_version, RUNTIMES_MAX, version, Arc::clone(&capabilities));
        Ok(capabilities)
    }

    /// The runtime that a block was made with: the one after its parent. The first block has its own.
    fn made_with(&self, block: BlockRef) -> Result<Arc<Capabilities>, ReadError> {
        if let Some(found) = lock(&self.shared.runtimes).of.get(&block.hash) {
            return Ok(Arc::clone(found));
        }
        let capabilities = match block.number {
            0 => self.capabilities(block.hash)?,
            _ => self.capabilities(self.header(block.hash)?.parent)?,
        };
        let mut runtimes = lock(&self.shared.runtimes);
        keep(
            &mut runtimes.of,
            BLOCKS_MAX,
            block.hash,
            Arc::clone(&capabilities),
        );
        Ok(capabilities)
    }

    fn read_capabilities(
        &self,
        version: RuntimeVersion,
        at: Hash,
    ) -> Result<Arc<Capabilities>, ReadError> {
        let bytes = self.metadata_bytes(at)?;
        let runtime = Runtime::decode(version, &bytes).map_err(|source| ReadError::Metadata {
            url: self.url().to_owned(),
            source,
        })?;
        let capabilities = Capabilities::new(runtime).map_err(|source| self.lacks(source))?;
        Ok(Arc::new(capabilities))
    }

    /// Everything as it was after a block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn at(&self, block: BlockRef) -> Result<Snapshot<'_>, ReadError> {
        let capabilities = self.capabilities(block.hash)?;
        let stored_by = self.made_with(block)?;
        Ok(Snapshot::new(self, block, capabilities, stored_by))
    }

    /// Metadata of the best version that the runtime has.
    fn metadata_bytes(&self, at: Hash) -> Result<Vec<u8>, ReadError> {
        let what = "Metadata_metadata_versions";
        // The other way gives other bytes, whose digest is not that of other nodes: only for runtimes that have no other.
        let versions = match self.state_call(what, &[], at) {
            Ok(bytes) => Vec::<u32>::decode_all(&mut &bytes[..]).map_err(|_| {
                let found = format!("{} other bytes", bytes.len());
                self.malformed(what, "a list of versions", found)
            })?,
            Err(error) if error.is_of_no_function() => Vec::new(),
            Err(error) => return Err(error),
        };
        for version in METADATA_VERSIONS {
            if !versions.contains(&version) {
                continue;
            }
            let what = "Metadata_metadata_at_version";
            let bytes = self.state_call(what, &version.encode(), at)?;
            // An option of bytes whose length is written before them.
            let opaque = (bytes.first() == Some(&1))
                .then(|| opaque(&bytes[1..]))
                .flatten();
            let found = || format!("{} other bytes", bytes.len());
            return opaque.ok_or_else(|| self.malformed(what, "metadata", found()));
        }
        let json = self
            .call("state_getMetadata", json!([at]))
            .map_err(ReadError::Rpc)?;
        json.as_str()
            .and_then(bytes_of)
            .ok_or_else(|| self.malformed("state_getMetadata", "bytes", shown(&json.to_string())))
    }
}

/// What follows a compact length, if it is all of the rest.
fn opaque(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let Compact(length) = Compact::<u32>::decode(&mut bytes).ok()?;
    (bytes.len() == length as usize).then(|| bytes.to_vec())
}
