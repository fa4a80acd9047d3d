//! What is written down of an intent. `at_block` is always the newest finalized block that was known.

use super::hexed::Bytes;
use super::intent::Intent;
use super::state::Step;
use super::verdict::Verdict;
use crate::{BlockRef, Hash};
use serde::{Deserialize, Serialize};

mod shown;

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
    /// The node's words, printable and at most 200 characters, and what to do about them.
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
