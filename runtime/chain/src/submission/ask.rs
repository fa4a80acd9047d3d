//! What a machine asks of a node, and what comes back. Every answer says at which block it was read; another block's is not used.

use super::hexed::Bytes;
use super::record::{Outcome, Refusal, Timelock};
use super::state::Step;
use crate::AccountId;
use crate::timelock::{EpochState, WeightsPayload};
use crate::{BlockRef, Hash};

/// A question, or something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The newest heads.
    Heads,
    /// The newest heads, once there is a newer one: wait about a block's time.
    NewerHeads,
    /// What attempts depend on, at a block.
    Account {
        /// The block.
        at: BlockRef,
    },
    /// To make and sign the extrinsic.
    Sign {
        /// What it has to be.
        order: Order,
    },
    /// To hand it to a node's pool, once.
    Submit {
        /// Its bytes.
        extrinsic: Bytes,
        /// Their hash.
        hash: Hash,
    },
    /// Whether an extrinsic is in one of the blocks `from..=to` that lead to `tip`.
    Find {
        /// Its hash.
        hash: Hash,
        /// The first block's number.
        from: u64,
        /// The last one's, at most `tip`'s.
        to: u64,
        /// The head whose chain is meant.
        tip: BlockRef,
    },
    /// The stored row at a block.
    Row {
        /// The block.
        at: BlockRef,
    },
    /// The hotkey's commits in storage at a finalized block.
    Commits {
        /// Its number.
        at: u64,
    },
    /// How many `TimelockedWeightsRevealed` of the hotkey and the mechanism a block has.
    Reveals {
        /// The block.
        at: BlockRef,
    },
    /// What a commit hides, by the pulse of its round in the chain's storage at a block.
    Open {
        /// The commit and its round.
        timelock: Timelock,
        /// The block.
        at: BlockRef,
    },
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Heads`] and [`Ask::NewerHeads`].
    Heads(Heads),
    /// To [`Ask::Account`].
    Account(Box<Account>),
    /// To [`Ask::Sign`].
    Signed(Box<Signed>),
    /// To [`Ask::Submit`].
    Submitted {
        /// Of which extrinsic.
        hash: Hash,
        /// The pool's word; none if the answer was lost.
        word: Option<Result<(), Refusal>>,
    },
    /// To [`Ask::Find`].
    Found(Found),
    /// To [`Ask::Row`].
    Row(Box<Row>),
    /// To [`Ask::Commits`].
    Commits(CommitSet),
    /// To [`Ask::Reveals`].
    Reveals {
        /// The block.
        at: BlockRef,
        /// How many.
        count: u32,
    },
    /// To [`Ask::Open`].
    Opened {
        /// The block.
        at: BlockRef,
        /// The payload, or why there is none.
        payload: Result<WeightsPayload, NotOpened>,
    },
    /// The node does not keep the state of this block any more, to any question about one.
    Pruned {
        /// The block's number.
        at: u64,
    },
}

/// A node's newest blocks. `best` descends from `finalized`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The newest.
    pub best: BlockRef,
    /// The newest that is final.
    pub finalized: BlockRef,
}

/// What attempts depend on, all of it read at one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The block.
    pub at: BlockRef,
    /// The block's time, milliseconds since 1970 (`Timestamp.Now`).
    pub time_ms: u64,
    /// The hotkey's next nonce (`System.Account`), without what is in the pool.
    pub nonce: u32,
    /// The runtime's version after this block.
    pub spec_version: u32,
    /// The hotkey's uid, if it has one.
    pub uid: Option<u16>,
    /// `LastUpdate` of that uid for the mechanism; 0 without one.
    pub last_update: u64,
    /// `WeightsSetRateLimit`, blocks.
    pub rate_limit_blocks: u64,
    /// `CommitRevealWeightsEnabled`.
    pub commit_reveal_enabled: bool,
    /// `RevealPeriodEpochs`.
    pub reveal_period_epochs: u64,
    /// The subnet's epochs.
    pub epoch: EpochState,
    /// Who has the intent's uids, in its order (`Keys`); none where nobody has.
    pub target_hotkeys: Vec<Option<AccountId>>,
}

/// What an extrinsic has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// What it does.
    pub step: Step,
    /// Its nonce.
    pub nonce: u32,
    /// The block that its era begins at.
    pub birth: BlockRef,
    /// Its era's length in blocks.
    pub era_period_blocks: u64,
    /// The runtime's version that it is signed for.
    pub spec_version: u32,
}

/// A signed extrinsic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// To which order.
    pub order: Order,
    /// Its bytes.
    pub extrinsic: Bytes,
    /// For a timelocked commit.
    pub timelock: Option<Timelock>,
}

/// What was searched, all of it, and what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The extrinsic.
    pub hash: Hash,
    /// The first block.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// The head.
    pub tip: BlockRef,
    /// Where it is.
    pub place: Option<Place>,
}

/// Where an extrinsic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The block.
    pub block: BlockRef,
    /// What became of its call.
    pub outcome: Outcome,
}

/// The stored weights of the hotkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The block.
    pub at: BlockRef,
    /// The hotkey's uid there, if it has one.
    pub uid: Option<u16>,
    /// `LastUpdate` of that uid for the mechanism; 0 without one.
    pub last_update: u64,
    /// `Weights` of that uid for the mechanism; empty without one.
    pub row: Vec<(u16, u16)>,
    /// Who has the intent's uids, in its order.
    pub target_hotkeys: Vec<Option<AccountId>>,
}

/// A hotkey's commits of a mechanism at one block: those of the intent's method, of all epochs, in the chain's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSet {
    /// The block.
    pub at: BlockRef,
    /// The commits.
    pub commits: Vec<OwnCommit>,
}

/// A commit in storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCommit {
    /// The committed hash, or BLAKE2b-256 of the ciphertext.
    pub hash: Hash,
    /// The epoch that it is filed under.
    pub epoch: u64,
    /// The block that it came in.
    pub block_number: u64,
}

/// Why a commit has no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// The round is not in storage.
    PulseMissing,
    /// It does not open.
    Closed {
        /// Why.
        why: String,
    },
}
