//! Blocks as nodes send them: headers whose hash is computed, not believed.

use super::rpc::shown;
use crate::{BlockRef, Hash};
use parity_scale_codec::{Compact, Encode};
use serde::Deserialize;
use serde_json::Value as Json;

/// The most extrinsics of a block that are looked at.
const EXTRINSICS_MAX: usize = 100_000;
/// The most entries of a header's digest.
const LOGS_MAX: usize = 256;

/// A header, and its hash as computed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number and hash.
    pub block: BlockRef,
    /// The block before.
    pub parent: Hash,
}

/// A block's extrinsics, each with its length in front, under a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// Their bytes.
    pub extrinsics: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct WireHeader {
    #[serde(rename = "parentHash")]
    parent: String,
    number: String,
    #[serde(rename = "stateRoot")]
    state_root: String,
    #[serde(rename = "extrinsicsRoot")]
    extrinsics_root: String,
    digest: WireDigest,
}

#[derive(Deserialize)]
struct WireDigest {
    logs: Vec<String>,
}

#[derive(Deserialize)]
struct WireBlock {
    header: Json,
    extrinsics: Vec<String>,
}

impl Header {
    /// Reads a node's JSON; `Err` has the beginning of what is no header.
    pub(super) fn parse(json: &Json) -> Result<Self, String> {
        let parse = || {
            let wire = WireHeader::deserialize(json).ok()?;
            if wire.digest.logs.len() > LOGS_MAX {
                return None;
            }
            let hash = |text: &str| text.parse::<Hash>().ok();
            let (parent, state) = (hash(&wire.parent)?, hash(&wire.state_root)?);
            let extrinsics = hash(&wire.extrinsics_root)?;
            let number = u32::from_str_radix(wire.number.strip_prefix("0x")?, 16).ok()?;
            let logs: Option<Vec<Vec<u8>>> =
                wire.digest.logs.iter().map(|log| bytes_of(log)).collect();
            let logs = logs?;
            let mut bytes = parent.0.to_vec();
            Compact(number).encode_to(&mut bytes);
            bytes.extend(state.0);
            bytes.extend(extrinsics.0);
            Compact(logs.len() as u32).encode_to(&mut bytes);
            bytes.extend(logs.concat());
            Some(Self {
                block: BlockRef {
                    number: number.into(),
                    hash: Hash::of(&bytes),
                },
                parent,
            })
        };
        parse().ok_or_else(|| shown(&json.to_string()))
    }
}

impl Block {
    /// Reads what `chain_getBlock` answers.
    pub(super) fn parse(json: &Json) -> Result<Self, String> {
        let malformed = || shown(&json.to_string());
        let wire = json
            .get("block")
            .and_then(|block| WireBlock::deserialize(block).ok())
            .filter(|block| block.extrinsics.len() <= EXTRINSICS_MAX)
            .ok_or_else(malformed)?;
        let extrinsics: Option<Vec<Vec<u8>>> =
            wire.extrinsics.iter().map(|text| bytes_of(text)).collect();
        Ok(Self {
            header: Header::parse(&wire.header)?,
            extrinsics: extrinsics.ok_or_else(malformed)?,
        })
    }

    /// The position of the extrinsic with a hash.
    pub fn position(&self, extrinsic: &Hash) -> Option<u32> {
        self.extrinsics
            .iter()
            .position(|bytes| Hash::of(bytes) == *extrinsic)
            .and_then(|position| u32::try_from(position).ok())
    }
}

/// Bytes of a text with `0x` and an even number of digits.
pub(super) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let digit = |character: u8| (character as char).to_digit(16);
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|&[high, low]| Some((digit(high)? << 4 | digit(low)?) as u8))
        .collect()
}
