//! Heads and blocks of one node.

use super::{Node, ReadError};
use crate::node::block::{Block, Header, bytes_of};
use crate::node::rpc::shown;
use crate::{BlockRef, Hash};
use serde_json::{Value as Json, json};

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
