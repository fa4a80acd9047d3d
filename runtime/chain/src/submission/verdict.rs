//! How an intent ended, and why: the reason that a person acts on.

use crate::AccountId;
use crate::BlockRef;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How an intent ended. Nothing follows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// The row at this finalized block is what was sent, and this intent put it there.
    Verified {
        /// Where it took effect.
        block: BlockRef,
    },
    /// Time ran out, and nothing of it can land any more.
    Expired {
        /// Why.
        reason: Expired,
    },
    /// It landed, and the chain did not do, or did not keep, what it asked for.
    Dropped {
        /// Why.
        reason: Dropped,
    },
    /// A rule is against it, and nothing of it can land any more.
    Refused {
        /// Which.
        reason: Refused,
    },
}

/// Why time ran out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Expired {
    /// The block from which on nothing new is tried.
    GaveUp {
        /// The intent's limit.
        at_block: u64,
    },
    /// Too many attempts.
    Attempts {
        /// How many.
        count: u32,
    },
    /// The one epoch in which a hash could be revealed is over.
    RevealWindow {
        /// The epoch.
        epoch: u64,
    },
    /// Somebody gave it up while nothing of it could land.
    Abandoned,
    /// The commit left storage, mostly since its epoch was over, before the beacon's round was on chain.
    PulseMissing {
        /// The round.
        round: u64,
    },
}

/// Why what landed is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Dropped {
    /// The stored row is another.
    RowDiffers {
        /// The first place that differs.
        position: u32,
        /// What was sent, scaled.
        expected: Option<(u16, u16)>,
        /// What is stored.
        found: Option<(u16, u16)>,
    },
    /// The row is as old as `LastUpdate` says: older than the extrinsic.
    NotUpdated {
        /// `LastUpdate`.
        last_update: u64,
    },
    /// A uid belongs to somebody else where the weights took effect.
    TargetReplaced {
        /// The uid.
        uid: u16,
    },
    /// The validator is no longer registered where the weights took effect.
    Deregistered,
    /// The commit's extrinsic succeeded, its commit is not in storage.
    CommitMissing,
    /// The commit left storage without own reveal: a later commit was revealed, or the subnet was reset.
    CommitGone,
    /// The commit does not open with its round's pulse.
    DoesNotOpen {
        /// Why.
        why: String,
    },
    /// The commit opens to another hotkey's weights.
    HotkeyMismatch {
        /// Whose.
        found: AccountId,
    },
    /// The commit opens to other weights.
    PayloadDiffers,
    /// The commit opens, the chain took it out, and set nothing: a rule of setting weights failed inside.
    NotSet,
    /// A later commit of the same hotkey, opened in the same block, set its weights over these.
    Superseded,
    /// It may have taken effect; no state that would prove it is kept by the node. Ask one that keeps all (an archive node).
    Unproven {
        /// What is missing.
        missing: String,
    },
}

/// Which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Refused {
    /// The hotkey has no uid in the subnet.
    NotRegistered,
    /// A uid belongs to somebody else by now: make the vector anew.
    TargetChanged {
        /// The uid.
        uid: u16,
        /// Whose it was.
        expected: AccountId,
        /// Whose it is; none if the subnet became smaller.
        found: Option<AccountId>,
    },
    /// The subnet takes plain weights, or commits, and not what the intent says.
    CommitReveal {
        /// `CommitRevealWeightsEnabled`.
        enabled: bool,
    },
    /// Own weights were set meanwhile.
    FallbackNotDue,
    /// The node's pool says why.
    Pool {
        /// JSON-RPC's code.
        code: i64,
        /// The runtime's number in `Custom error: N`, if it is that.
        custom: Option<u8>,
        /// Its words, printable, and what to do about them.
        message: String,
    },
    /// The call failed in its block.
    Dispatch {
        /// The error's name in the metadata.
        error: String,
    },
}

impl Verdict {
    /// Whether the weights are proven to be in effect.
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::Verified { .. })
    }
}

/// The reason alone: whoever prints it has said the [`Word`](super::Word) before it.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified { block } => write!(f, "in effect since block {}", block.number),
            Self::Expired { reason } => reason.fmt(f),
            Self::Dropped { reason } => reason.fmt(f),
            Self::Refused { reason } => reason.fmt(f),
        }
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GaveUp { at_block } => write!(f, "nothing new is tried from block {at_block} on"),
            Self::Attempts { count } => write!(f, "none of {count} attempts landed and succeeded"),
            Self::RevealWindow { epoch } => {
                write!(f, "the weights could be revealed in epoch {epoch} alone")
            }
            Self::Abandoned => f.write_str("given up by hand, nothing of it can land"),
            Self::PulseMissing { round } => {
                write!(
                    f,
                    "the commit left storage before the beacon's round {round} was on chain"
                )
            }
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowDiffers {
                position,
                expected,
                found,
            } => write!(
                f,
                "the stored row has {found:?} at position {position}, sent was {expected:?}"
            ),
            Self::NotUpdated { last_update } => {
                write!(f, "the row was last set at block {last_update}, before")
            }
            Self::TargetReplaced { uid } => write!(f, "uid {uid} is somebody else's by now"),
            Self::Deregistered => f.write_str("the validator lost its uid"),
            Self::CommitMissing => f.write_str("the commit was never in storage"),
            Self::CommitGone => f.write_str("the commit left storage before it was revealed"),
            Self::DoesNotOpen { why } => write!(f, "the commit does not open: {why}"),
            Self::HotkeyMismatch { found } => write!(f, "the commit hides weights of {found}"),
            Self::PayloadDiffers => f.write_str("the commit hides other weights"),
            Self::NotSet => f.write_str("the commit opened, and the chain refused its weights"),
            Self::Superseded => f.write_str(
                "a later commit of the same hotkey, opened in the same block, replaced it",
            ),
            Self::Unproven { missing } => write!(f, "not proven, for lack of {missing}"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => f.write_str("the hotkey has no uid in the subnet"),
            Self::TargetChanged {
                uid,
                expected,
                found,
            } => match found {
                Some(found) => write!(f, "uid {uid} is {found}'s, it was {expected}'s"),
                None => write!(f, "uid {uid} of {expected} is not in the subnet any more"),
            },
            Self::CommitReveal { enabled: true } => {
                f.write_str("the subnet takes commits, not plain weights")
            }
            Self::CommitReveal { enabled: false } => {
                f.write_str("the subnet takes plain weights, not commits")
            }
            Self::FallbackNotDue => f.write_str("own weights are not old enough any more"),
            Self::Pool {
                code,
                custom,
                message,
            } => match custom {
                Some(custom) => write!(f, "by the pool, {code}, custom error {custom}: {message}"),
                None => write!(f, "by the pool, {code}: {message}"),
            },
            Self::Dispatch { error } => write!(f, "in its block, by {error}"),
        }
    }
}
