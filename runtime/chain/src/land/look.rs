//! Looking for an extrinsic through a node's blocks, and what a node's words mean.

use crate::node::{self, AgreeError, Exclusion, GENESIS, Node, ReadError};
use crate::submission::{ChainError, OwnCommit};
use std::error::Error;

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

/// What to do where too few nodes keep a state.
pub(super) const ARCHIVES: &str = "that state is kept by archive nodes: name enough of them with --endpoint, or one of your own with --agree 1";

/// Whether nodes say that they do not keep a state any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discarded {
    /// Nobody does.
    Nobody,
    /// Some do, and others are silent or disagree: what they know may be enough.
    Somebody,
    /// All have spoken, and those that keep it are fewer than have to agree: nobody will say more.
    TooMany,
}

/// Believed only if each node that was named says so, or gives an answer: one that hangs, rests, was lost or never connected may keep what the others do
/// not. Two that differ are no lack of states.
pub(super) fn of_discarded(error: &AgreeError) -> Discarded {
    let gone = |why: &Exclusion| matches!(why, Exclusion::Unreadable(error) if error.is_pruned());
    let counts = |why: &Exclusion| match why {
        // Of another chain: nobody's answer is missing.
        Exclusion::OtherChain(_) => false,
        Exclusion::Differs { what, .. } => *what != GENESIS,
        // It is one voice with another, which has spoken for both.
        Exclusion::CountsWith { .. } => false,
        why => !gone(why),
    };
    let whys = || error.excluded().iter().map(|one| &*one.why);
    match (whys().any(gone), whys().any(counts)) {
        (false, _) => Discarded::Nobody,
        (true, true) => Discarded::Somebody,
        (true, false) => Discarded::TooMany,
    }
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
