//! Blocks: headers with the chain's hashes, bodies, and the storage after them.

use crate::hex;
use crate::storage::Storage;
use parity_scale_codec::{Compact, Encode};
use serde_json::{Value as Json, json};
use sp_crypto_hashing::blake2_256;

/// A header. Its hash is BLAKE2b-256 of its SCALE bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The parent's hash.
    pub parent: [u8; 32],
    /// The block's number.
    pub number: u32,
    /// See [`Storage::root`].
    pub state_root: [u8; 32],
    /// A hash over the extrinsics.
    pub extrinsics_root: [u8; 32],
    /// Digest items, encoded.
    pub logs: Vec<Vec<u8>>,
}

impl Header {
    /// SCALE bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.parent.to_vec();
        Compact(self.number).encode_to(&mut out);
        out.extend(self.state_root);
        out.extend(self.extrinsics_root);
        Compact(self.logs.len() as u32).encode_to(&mut out);
        out.extend(self.logs.concat());
        out
    }

    /// The block's hash.
    pub fn hash(&self) -> [u8; 32] {
        blake2_256(&self.encode())
    }

    /// As `chain_getHeader` answers.
    pub fn to_json(&self) -> Json {
        json!({
            "parentHash": hex::encode(&self.parent),
            "number": format!("{:#x}", self.number),
            "stateRoot": hex::encode(&self.state_root),
            "extrinsicsRoot": hex::encode(&self.extrinsics_root),
            "digest": { "logs": self.logs.iter().map(|log| hex::encode(log)).collect::<Vec<_>>() },
        })
    }
}

/// A digest item that says which slot the block's author had.
pub(crate) fn slot_log(slot: u64) -> Vec<u8> {
    let mut log = vec![6];
    log.extend(b"aura");
    slot.to_le_bytes().to_vec().encode_to(&mut log);
    log
}

/// An extrinsic that is part of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// BLAKE2b-256 of its bytes.
    pub hash: [u8; 32],
    /// Who signed.
    pub account: [u8; 32],
    /// Its nonce.
    pub nonce: u32,
    /// The call's name, as in `set_weights`.
    pub call: String,
    /// The block it is in.
    pub block_number: u32,
    /// The name of the module's error if it failed.
    pub error: Option<String>,
}

/// A block and what it left behind.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: [u8; 32],
    /// Encoded extrinsics with their lengths: the inherent, then the signed ones.
    pub extrinsics: Vec<Vec<u8>>,
    /// The signed ones.
    pub applied: Vec<Applied>,
    /// Storage after it; gone for old blocks, as on a node that prunes.
    pub storage: Option<Storage>,
}
