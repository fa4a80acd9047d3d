//! The client's words for the submission's, and back.

use crate::node::{Dispatch, DispatchError, PoolReason, PoolRefusal, WeightsCall};
use crate::submission::{Call, Outcome, Refusal, RefusalKind};

/// The most characters of a node's words that are written down.
const MESSAGE_CHARACTERS_MAX: usize = 200;

/// The main mechanism has calls of its own.
pub(super) fn mechanism_of(mechanism: u8) -> Option<u8> {
    (mechanism != 0).then_some(mechanism)
}

impl From<&Call> for WeightsCall {
    fn from(call: &Call) -> Self {
        match call.clone() {
            Call::Set {
                netuid,
                mechanism,
                uids,
                values,
                version_key,
            } => Self::Set {
                netuid,
                mechanism: mechanism_of(mechanism),
                uids,
                values,
                version_key,
            },
            Call::CommitHash {
                netuid,
                mechanism,
                hash,
            } => Self::Commit {
                netuid,
                mechanism: mechanism_of(mechanism),
                commit_hash: hash,
            },
            Call::Reveal {
                netuid,
                mechanism,
                uids,
                values,
                salt,
                version_key,
            } => Self::Reveal {
                netuid,
                mechanism: mechanism_of(mechanism),
                uids,
                values,
                salt,
                version_key,
            },
            Call::CommitTimelocked {
                netuid,
                mechanism,
                commit,
                round,
                commit_reveal_version,
            } => Self::CommitTimelocked {
                netuid,
                mechanism: mechanism_of(mechanism),
                commit,
                reveal_round: round,
                commit_reveal_version,
            },
        }
    }
}

/// How an extrinsic ended; a block whose events do not say leaves it open.
pub(super) fn outcome(dispatch: Option<Dispatch>) -> Outcome {
    match dispatch {
        Some(Dispatch::Succeeded) => Outcome::Succeeded,
        Some(Dispatch::Failed(DispatchError::Module { error, .. })) => Outcome::Failed { error },
        Some(Dispatch::Failed(DispatchError::Other { name })) => Outcome::Failed { error: name },
        None => Outcome::Unknown,
    }
}

impl From<&PoolRefusal> for Refusal {
    fn from(refusal: &PoolRefusal) -> Self {
        let plain = refusal.message.chars().filter(|c| !c.is_control());
        let words: String = plain.take(MESSAGE_CHARACTERS_MAX).collect();
        Self {
            kind: kind_of(refusal.reason),
            code: refusal.rpc_code,
            custom: refusal.custom_code,
            message: format!("{words}: {}", refusal.reason.advice()),
        }
    }
}

/// Whether the same weights would be refused again whenever they are sent.
fn kind_of(reason: PoolReason) -> RefusalKind {
    match reason {
        PoolReason::StakeBelowThreshold
        | PoolReason::NoSubnet
        | PoolReason::NoCommit
        | PoolReason::UnequalLengths
        | PoolReason::NotRegistered
        | PoolReason::ColdkeySwap
        | PoolReason::CannotPay => RefusalKind::Permanent,
        PoolReason::RateLimit
        | PoolReason::RevealRound
        | PoolReason::RevealTooEarly
        | PoolReason::BadSignature
        | PoolReason::StaleNonce
        | PoolReason::FutureNonce
        | PoolReason::Outdated
        | PoolReason::AlreadyImported
        | PoolReason::TooLowPriority
        | PoolReason::Banned
        | PoolReason::Unnamed
        | PoolReason::UnknownCode
        | PoolReason::Other => RefusalKind::Passing,
    }
}
