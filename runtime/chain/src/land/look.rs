//! Looking for an extrinsic through a node's blocks, and what a node's words mean.

use crate::node::rpc::RpcError;
use crate::node::{self, AgreeError, Node, ReadError};
use crate::submission::{ChainError, OwnCommit};
use std::error::Error;

/// How a node says that it does not keep a block's state.
const DISCARDED: &str = "State already discarded";

pub(super) fn of_hash(commit: &node::HashCommit) -> OwnCommit {
    // Newer runtimes: epoch, block, nothing. Under older ones no commit is made.
    let [epoch, block_number, _] = commit.numbers;
    OwnCommit {
        hash: commit.commit_hash,
        epoch,
        block_number,
    }
}

pub(super) fn of_timelocked(commit: &node::TimelockedCommit) -> OwnCommit {
    OwnCommit {
        hash: commit.commit_hash,
        epoch: commit.epoch,
        block_number: commit.commit_block,
    }
}

/// Looks into every block of a range that leads to a tip, which has to be the node's own before and after.
pub(super) fn find(
    node: &Node,
    hash: crate::Hash,
    (from, to): (u64, u64),
    tip: crate::BlockRef,
) -> Result<Option<crate::BlockRef>, ReadError> {
    let lacks = |block: String| ReadError::NoBlock {
        url: node.url().to_owned(),
        block,
    };
    let leads_to_tip = || match node.block_hash(tip.number)? {
        Some(found) if found == tip.hash => Ok(()),
        _ => Err(lacks(tip.to_string())),
    };
    leads_to_tip()?;
    let mut place = None;
    for number in from..=to {
        let found = node.block_hash(number)?;
        let block = node.block(found.ok_or_else(|| lacks(number.to_string()))?)?;
        if block.position(&hash).is_none() {
            continue;
        }
        place = Some(block.header.block);
        break;
    }
    leads_to_tip()?;
    Ok(place)
}

/// Whether a node says that it does not keep a state any more.
pub(super) fn is_discarded(error: &ReadError) -> bool {
    let ReadError::Rpc(RpcError::Refused { message, data, .. }) = error else {
        return false;
    };
    let data = data.as_deref().unwrap_or_default();
    message.contains(DISCARDED) || data.contains(DISCARDED)
}

pub(super) fn unavailable(error: &AgreeError) -> ChainError {
    ChainError::Unavailable {
        why: in_one_line(error),
    }
}

/// An error and its causes.
pub(super) fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line.replace('\n', ";")
}
