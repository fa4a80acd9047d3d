//! What is written down of an intent. `at_block` is always the newest finalized block that was known.

use super::hexed::{Bytes, Hash};
use super::intent::{BlockRef, Intent};
use super::state::Step;
use super::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of an intent's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The first: what is intended.
    Planned {
        /// All of it.
        intent: Box<Intent>,
    },
    /// Nothing is tried before a block.
    Postponed {
        /// When it was known.
        at_block: u64,
        /// The first block that may take the extrinsic.
        until_block: u64,
        /// Why.
        why: Postponement,
    },
    /// A signed extrinsic, about to be submitted. From here on it may be anywhere.
    Attempt {
        /// All of it.
        attempt: Box<Attempt>,
    },
    /// A node took it into its pool.
    Sent {
        /// When.
        at_block: u64,
    },
    /// A node refused it. It may still land by another.
    PoolRefused {
        /// When.
        at_block: u64,
        /// What it said.
        refusal: Refusal,
    },
    /// It is in a block that is not final.
    InBlock {
        /// When it was seen.
        at_block: u64,
        /// The block.
        block: BlockRef,
    },
    /// That block is not part of the chain any more.
    Retracted {
        /// When it was seen.
        at_block: u64,
    },
    /// It is in a finalized block.
    Finalized {
        /// When it was seen.
        at_block: u64,
        /// The block.
        block: BlockRef,
        /// What became of its call.
        outcome: Outcome,
    },
    /// It can never land again, or what it did was undone: another attempt may be made.
    Dead {
        /// When it was proven.
        at_block: u64,
        /// How.
        proof: Death,
    },
    /// The commit is in storage at the block that has its extrinsic.
    Committed {
        /// When it was seen.
        at_block: u64,
        /// The block.
        block: BlockRef,
        /// The epoch that the chain files it under.
        epoch: u64,
    },
    /// The chain set the committed weights.
    Revealed {
        /// When it was seen.
        at_block: u64,
        /// Where.
        block: BlockRef,
        /// Commits of the hotkey that the block opened, this one included.
        commits: u32,
    },
    /// The last.
    Ended {
        /// When it was known.
        at_block: u64,
        /// How.
        verdict: Verdict,
    },
}

/// Why nothing is tried yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Postponement {
    /// The chain takes weights or commits of a hotkey only so often.
    RateLimit {
        /// `LastUpdate`.
        last_update: u64,
        /// `WeightsSetRateLimit`, blocks.
        blocks: u64,
    },
}

/// A signed extrinsic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The finalized block when it was signed.
    pub at_block: u64,
    /// What it does.
    pub step: Step,
    /// Its nonce.
    pub nonce: u32,
    /// The finalized block that its era begins at; it can be in the `era_period_blocks - 1` blocks after it.
    pub birth: BlockRef,
    /// Its era's length in blocks.
    pub era_period_blocks: u64,
    /// The runtime's version that it is signed for.
    pub spec_version: u32,
    /// Its bytes.
    pub extrinsic: Bytes,
    /// Their hash.
    pub hash: Hash,
    /// What a timelocked commit needs besides.
    pub timelock: Option<Timelock>,
}

/// A commit under a timelock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timelock {
    /// The beacon's round that opens it.
    pub round: u64,
    /// The ciphertext, as the chain stores it.
    pub commit: Bytes,
}

/// What became of a call in its block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// `System.ExtrinsicSuccess`.
    Succeeded,
    /// `System.ExtrinsicFailed`.
    Failed {
        /// The error's name in the metadata, like `SettingWeightsTooFast`.
        error: String,
    },
    /// The node does not keep the block's events any more.
    Unknown,
}

/// A pool's refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What it means for another attempt.
    pub kind: RefusalKind,
    /// JSON-RPC's code.
    pub code: i64,
    /// The runtime's number in `Custom error: N`, if it is that.
    pub custom: Option<u8>,
    /// The node's words, printable and at most 200 characters.
    pub message: String,
}

/// What a refusal means for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// It would be refused again: unregistered, too little stake, a malformed call.
    Permanent,
    /// Later it may be taken: rate limit, nonce, era, a full pool, a window that is not open.
    Passing,
}

/// Why an attempt is dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Death {
    /// All blocks of its era are final, it is in none.
    EraOver {
        /// The last of them.
        last_block: u64,
    },
    /// It is in no final block, and the nonce is used.
    NonceUsed {
        /// The account's next nonce at the finalized block.
        next_nonce: u32,
    },
    /// It is in no final block, and the runtime is newer than its signature.
    SpecChanged {
        /// The runtime's version at the finalized block.
        found: u32,
    },
    /// It landed, and its dispatch failed with an error that passes.
    Failed {
        /// The error's name.
        error: String,
    },
}

impl Attempt {
    /// The last block that it can be in.
    pub fn last_block(&self) -> u64 {
        let blocks = self.era_period_blocks.saturating_sub(1);
        self.birth.number.saturating_add(blocks)
    }
}

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
    pub(super) fn block(&self) -> Option<BlockRef> {
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
    pub(super) fn name(&self) -> &'static str {
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
            Self::Ended { verdict, .. } => verdict.fmt(f),
        }
    }
}
