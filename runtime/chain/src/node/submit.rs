//! Sending an extrinsic, watching it, and finding it again.
//!
//! A connection that breaks says nothing about what the node did with the extrinsic. So there are three ways to fail: not sent, refused, and not
//! known; only a look through blocks decides the third, and nothing is ever sent twice for it.

use super::client::{Node, ReadError};
use super::events::{Dispatch, Event, Phase};
use super::extrinsic::Signed;
use super::pool::PoolRefusal;
use super::rpc::{Rpc, RpcError, shown};
use crate::{BlockRef, Hash};
use gradus_owner::Owner;
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::time::Instant;

/// The most blocks of one look: half a day.
pub const FIND_BLOCKS_MAX: u64 = 4_096;
/// JSON-RPC's code for a method that a node does not offer.
const METHOD_NOT_FOUND: i64 = -32601;

/// What a node says of an extrinsic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// In the pool, can be in the next block.
    Ready,
    /// In the pool, waits for earlier nonces.
    Future,
    /// Told to other nodes.
    Broadcast,
    /// In this block, which may be replaced.
    InBlock(Hash),
    /// The block that had it was replaced.
    Retracted(Hash),
    /// In this block for good.
    Finalized(Hash),
    /// The node gives up waiting until this block is final.
    FinalityTimeout(Hash),
    /// Another with its nonce came first.
    Usurped(Hash),
    /// Left the pool for lack of room.
    Dropped,
    /// Became invalid: its era ended, its nonce was used, or a rule changed.
    Invalid,
}

/// Why an extrinsic was not taken, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It never left.
    #[error("the extrinsic was not sent")]
    NotSent(#[source] RpcError),
    /// The pool does not want it.
    #[error("the pool of {url} refuses the extrinsic: {refusal}")]
    Refused {
        /// The node.
        url: String,
        /// Why.
        refusal: PoolRefusal,
    },
    /// It left, and no answer came.
    #[error(
        "it is not known whether the node took the extrinsic: look for it until its era ends, and never send another before"
    )]
    Unknown(#[source] RpcError),
}

impl SubmitError {
    /// Whose fault: the host's, whose node and account these are.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// An extrinsic that a node took, and what becomes of it.
pub struct Watch {
    rpc: Rpc,
    subscription: String,
}

/// Where an extrinsic is, and what it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inclusion {
    /// The block.
    pub block: BlockRef,
    /// Its position there.
    pub position: u32,
    /// How it ended; `None` if the block does not say.
    pub dispatch: Option<Dispatch>,
    /// Its events.
    pub events: Vec<Event>,
}

/// The result of a look through blocks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    /// Where it is.
    pub found: Option<Inclusion>,
    /// The last block that was looked at; `None` if there was none.
    pub searched_to: Option<u64>,
}

impl Progress {
    /// Reads a notification.
    pub fn parse(json: &Json) -> Option<Self> {
        if let Some(word) = json.as_str() {
            return Some(match word {
                "ready" => Self::Ready,
                "future" => Self::Future,
                "dropped" => Self::Dropped,
                "invalid" => Self::Invalid,
                _ => return None,
            });
        }
        let (name, value) = json.as_object()?.iter().next()?;
        if name == "broadcast" {
            return Some(Self::Broadcast);
        }
        let hash = value.as_str()?.parse().ok()?;
        Some(match name.as_str() {
            "inBlock" => Self::InBlock(hash),
            "retracted" => Self::Retracted(hash),
            "finalized" => Self::Finalized(hash),
            "finalityTimeout" => Self::FinalityTimeout(hash),
            "usurped" => Self::Usurped(hash),
            _ => return None,
        })
    }

    /// Whether the node says no more.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Self::Finalized(_)
                | Self::FinalityTimeout(_)
                | Self::Usurped(_)
                | Self::Dropped
                | Self::Invalid
        )
    }
}

impl Watch {
    /// What is new, waiting until `deadline`; `None` if nothing was by then.
    ///
    /// # Errors
    /// [`RpcError`]: the watch is over, the extrinsic may not be. Look for it.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<Progress>, RpcError> {
        let Some(json) = self.rpc.next(&self.subscription, deadline)? else {
            return Ok(None);
        };
        match Progress::parse(&json) {
            Some(progress) => Ok(Some(progress)),
            None => Err(RpcError::Malformed {
                url: self.rpc.url().to_owned(),
                method: "author_extrinsicUpdate".into(),
                expected: "an extrinsic's progress",
                shown: shown(&json.to_string()),
            }),
        }
    }
}

impl Node {
    /// Sends an extrinsic, once, and watches it.
    ///
    /// * `spec_version`: what it was signed for; it says what the pool's numbers mean
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit(&self, extrinsic: &Signed, spec_version: u32) -> Result<Watch, SubmitError> {
        let method = "author_submitAndWatchExtrinsic";
        let mut rpc = self.new_connection().map_err(SubmitError::NotSent)?;
        let params = json!([crate::hex::encode(&extrinsic.bytes)]);
        let json = rpc.call(method, params).map_err(|error| {
            if let Some(refusal) = PoolRefusal::read(&error, spec_version) {
                let url = self.url().to_owned();
                return SubmitError::Refused { url, refusal };
            }
            match error {
                RpcError::Refused {
                    code: METHOD_NOT_FOUND,
                    ..
                } => SubmitError::NotSent(error),
                other => SubmitError::Unknown(other),
            }
        })?;
        let subscription = super::rpc::subscription_name(&json).ok_or_else(|| {
            SubmitError::Unknown(RpcError::Malformed {
                url: self.url().to_owned(),
                method: method.into(),
                expected: "a subscription",
                shown: shown(&json.to_string()),
            })
        })?;
        Ok(Watch { rpc, subscription })
    }

    /// Where an extrinsic is in a block, and what it did there; `None` if the block has it not.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn inclusion(&self, block: Hash, extrinsic: &Hash) -> Result<Option<Inclusion>, ReadError> {
        let found = self.block(block)?;
        let Some(position) = found.position(extrinsic) else {
            return Ok(None);
        };
        let block = found.header.block;
        let snapshot = self.at(block)?;
        let events = snapshot.events()?;
        let runtime = snapshot.stored_by().runtime();
        let dispatch = runtime.dispatch(&events, position);
        let own = |event: &Event| event.phase == Phase::ApplyExtrinsic(position);
        Ok(Some(Inclusion {
            block,
            position,
            dispatch,
            events: events.into_iter().filter(own).collect(),
        }))
    }

    /// Looks for an extrinsic in the blocks from `first` to `last` of this node's best chain, as far as it has them.
    ///
    /// That it is in none of them is proven by finalized blocks alone.
    ///
    /// # Errors
    /// [`ReadError`]; `TooMany` for more than [`FIND_BLOCKS_MAX`] blocks.
    pub fn find(&self, extrinsic: &Hash, first: u64, last: u64) -> Result<Search, ReadError> {
        let blocks = last.saturating_sub(first).saturating_add(1);
        if blocks > FIND_BLOCKS_MAX {
            return Err(ReadError::TooMany {
                url: self.url().to_owned(),
                what: "blocks to look through",
                found: usize::try_from(blocks).unwrap_or(usize::MAX),
                limit: FIND_BLOCKS_MAX as usize,
            });
        }
        let mut searched_to = None;
        for number in first..=last {
            let Some(hash) = self.block_hash(number)? else {
                break;
            };
            let found = self.inclusion(hash, extrinsic)?;
            searched_to = Some(number);
            if found.is_some() {
                return Ok(Search { found, searched_to });
            }
        }
        Ok(Search {
            found: None,
            searched_to,
        })
    }
}
