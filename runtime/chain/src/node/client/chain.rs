//! Heads, blocks and runtimes of one node.

use super::{Node, ReadError, lock};
use crate::node::Hash;
use crate::node::block::{Block, BlockRef, Header, bytes_of};
use crate::node::capabilities::Capabilities;
use crate::node::metadata::{Runtime, RuntimeVersion};
use crate::node::rpc::shown;
use crate::node::snapshot::Snapshot;
use parity_scale_codec::{Compact, Decode, Encode};
use serde::Deserialize;
use serde_json::{Value as Json, json};
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

impl Node {
    /// The newest block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn best_head(&self) -> Result<BlockRef, ReadError> {
        let json = self
            .call("chain_getHeader", json!([]))
            .map_err(ReadError::Rpc)?;
        Ok(self.parse_header(&json)?.block)
    }

    /// The newest finalized block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn finalized_head(&self) -> Result<BlockRef, ReadError> {
        let json = self
            .call("chain_getFinalizedHead", json!([]))
            .map_err(ReadError::Rpc)?;
        let hash = self.parse_hash("chain_getFinalizedHead", &json)?;
        Ok(self.header(hash)?.block)
    }

    /// The hash of the block of a number, on the node's best chain.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn block_hash(&self, number: u64) -> Result<Option<Hash>, ReadError> {
        let json = self
            .call("chain_getBlockHash", json!([number]))
            .map_err(ReadError::Rpc)?;
        if json.is_null() {
            return Ok(None);
        }
        self.parse_hash("chain_getBlockHash", &json).map(Some)
    }

    /// The block of a number, on the node's best chain.
    ///
    /// # Errors
    /// [`ReadError`]; `NoBlock` if there is none.
    pub(in crate::node) fn block_ref(&self, number: u64) -> Result<BlockRef, ReadError> {
        let hash = self.block_hash(number)?;
        let hash = hash.ok_or_else(|| self.no_block(number.to_string()))?;
        Ok(BlockRef { number, hash })
    }

    /// A header, which has to have that hash.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn header(&self, hash: Hash) -> Result<Header, ReadError> {
        let json = self
            .call("chain_getHeader", json!([hash]))
            .map_err(ReadError::Rpc)?;
        if json.is_null() {
            return Err(self.no_block(hash.to_string()));
        }
        let header = self.parse_header(&json)?;
        self.same_hash(header, hash)
    }

    /// A block, whose header has to have that hash.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn block(&self, hash: Hash) -> Result<Block, ReadError> {
        let json = self
            .call("chain_getBlock", json!([hash]))
            .map_err(ReadError::Rpc)?;
        if json.is_null() {
            return Err(self.no_block(hash.to_string()));
        }
        let block = Block::parse(&json)
            .map_err(|found| self.malformed("chain_getBlock", "a block", found))?;
        self.same_hash(block.header.clone(), hash)?;
        Ok(block)
    }

    /// Which runtime a block was made with.
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

    /// The runtime of a block, with its calls and items looked up; kept by version.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn capabilities(&self, at: Hash) -> Result<Arc<Capabilities>, ReadError> {
        let version = self.runtime_version(at)?;
        if let Some(found) = lock(&self.shared.runtimes).get(&version) {
            return Ok(Arc::clone(found));
        }
        let bytes = self.metadata_bytes(at)?;
        let runtime =
            Runtime::decode(version.clone(), &bytes).map_err(|source| ReadError::Metadata {
                url: self.url().to_owned(),
                source,
            })?;
        let capabilities = Capabilities::new(runtime).map_err(|source| self.lacks(source))?;
        let capabilities = Arc::new(capabilities);
        let mut runtimes = lock(&self.shared.runtimes);
        if runtimes.len() >= RUNTIMES_MAX {
            runtimes.clear();
        }
        runtimes.insert(version, Arc::clone(&capabilities));
        Ok(capabilities)
    }

    /// Everything as it was after a block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn at(&self, block: BlockRef) -> Result<Snapshot<'_>, ReadError> {
        let capabilities = self.capabilities(block.hash)?;
        Ok(Snapshot::new(self, block, capabilities))
    }

    /// A runtime function's answer, in SCALE.
    pub(in crate::node) fn state_call(
        &self,
        function: &str,
        arguments: &[u8],
        at: Hash,
    ) -> Result<Vec<u8>, ReadError> {
        let params = json!([function, crate::hex::encode(arguments), at]);
        let json = self.call("state_call", params).map_err(ReadError::Rpc)?;
        json.as_str()
            .and_then(bytes_of)
            .ok_or_else(|| self.malformed(function, "bytes", shown(&json.to_string())))
    }

    /// Metadata of the best version that the runtime has.
    fn metadata_bytes(&self, at: Hash) -> Result<Vec<u8>, ReadError> {
        let versions = self
            .state_call("Metadata_metadata_versions", &[], at)
            .ok()
            .and_then(|bytes| Vec::<u32>::decode(&mut &bytes[..]).ok())
            .unwrap_or_default();
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

    fn same_hash(&self, header: Header, expected: Hash) -> Result<Header, ReadError> {
        if header.block.hash != expected {
            let found = format!("a header of hash {}", header.block.hash);
            return Err(self.malformed("a block", &format!("one of hash {expected}"), found));
        }
        Ok(header)
    }

    fn parse_header(&self, json: &Json) -> Result<Header, ReadError> {
        Header::parse(json).map_err(|found| self.malformed("chain_getHeader", "a header", found))
    }

    fn parse_hash(&self, what: &str, json: &Json) -> Result<Hash, ReadError> {
        json.as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.malformed(what, "a hash", shown(&json.to_string())))
    }

    pub(super) fn no_block(&self, block: String) -> ReadError {
        let url = self.url().to_owned();
        ReadError::NoBlock { url, block }
    }
}

/// What follows a compact length, if it is all of the rest.
fn opaque(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let Compact(length) = Compact::<u32>::decode(&mut bytes).ok()?;
    (bytes.len() == length as usize).then(|| bytes.to_vec())
}
