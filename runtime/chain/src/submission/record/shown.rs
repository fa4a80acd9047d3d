//! Records as a person reads them: one line of history each.

use super::super::status::Word;
use super::super::verdict::Verdict;
use super::{Death, Outcome, Postponement, Record};
use crate::BlockRef;
use std::fmt;

impl Record {
    /// The newest finalized block that was known when it was made.
    pub fn at_block(&self) -> u64 {
        match self {
            Self::Planned { intent } => intent.created_at_block,
            Self::Attempt { attempt } => attempt.at_block,
            Self::Postponed { at_block, .. }
            | Self::Sent { at_block }
            | Self::PoolRefused { at_block, .. }
            | Self::InBlock { at_block, .. }
            | Self::Retracted { at_block }
            | Self::Finalized { at_block, .. }
            | Self::Dead { at_block, .. }
            | Self::Committed { at_block, .. }
            | Self::Revealed { at_block, .. }
            | Self::Ended { at_block, .. } => *at_block,
        }
    }

    /// The block that it is about, if it is about one.
    pub(in super::super) fn block(&self) -> Option<BlockRef> {
        match self {
            Self::InBlock { block, .. }
            | Self::Finalized { block, .. }
            | Self::Committed { block, .. }
            | Self::Revealed { block, .. } => Some(*block),
            Self::Ended {
                verdict: Verdict::Verified { block },
                ..
            } => Some(*block),
            _ => None,
        }
    }

    /// Its kind, as files write it.
    pub(in super::super) fn name(&self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::Postponed { .. } => "postponed",
            Self::Attempt { .. } => "attempt",
            Self::Sent { .. } => "sent",
            Self::PoolRefused { .. } => "pool_refused",
            Self::InBlock { .. } => "in_block",
            Self::Retracted { .. } => "retracted",
            Self::Finalized { .. } => "finalized",
            Self::Dead { .. } => "dead",
            Self::Committed { .. } => "committed",
            Self::Revealed { .. } => "revealed",
            Self::Ended { .. } => "ended",
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned { .. } => f.write_str("planned"),
            Self::Postponed {
                until_block, why, ..
            } => {
                let Postponement::RateLimit {
                    last_update,
                    blocks,
                } = why;
                write!(
                    f,
                    "waits for block {until_block}: last set at {last_update}, the limit is {blocks} blocks"
                )
            }
            Self::Attempt { attempt } => write!(
                f,
                "signed {} with nonce {} for blocks up to {}",
                attempt.hash,
                attempt.nonce,
                attempt.last_block()
            ),
            Self::Sent { .. } => f.write_str("a node took it into its pool"),
            Self::PoolRefused { refusal, .. } => {
                write!(
                    f,
                    "a node refused it, {}: {}",
                    refusal.code, refusal.message
                )
            }
            Self::InBlock { block, .. } => write!(f, "in block {}, not final", block.number),
            Self::Retracted { .. } => f.write_str("its block is not part of the chain any more"),
            Self::Finalized { block, outcome, .. } => match outcome {
                Outcome::Succeeded => write!(f, "final in block {}", block.number),
                Outcome::Failed { error } => {
                    write!(f, "final in block {}, failed with {error}", block.number)
                }
                Outcome::Unknown => write!(
                    f,
                    "final in block {}, whose events are not kept",
                    block.number
                ),
            },
            Self::Dead { proof, .. } => match proof {
                Death::EraOver { last_block } => {
                    write!(f, "cannot land: its last block, {last_block}, is final")
                }
                Death::NonceUsed { next_nonce } => {
                    write!(f, "cannot land: the next nonce is {next_nonce}")
                }
                Death::SpecChanged { found } => {
                    write!(f, "cannot land: the runtime is at version {found}")
                }
                Death::Failed { error } => write!(f, "did nothing: {error}"),
            },
            Self::Committed { block, epoch, .. } => {
                write!(f, "committed in block {}, epoch {epoch}", block.number)
            }
            Self::Revealed { block, .. } => write!(f, "revealed in block {}", block.number),
            Self::Ended { verdict, .. } => write!(f, "{}: {verdict}", Word::of_verdict(verdict)),
        }
    }
}
