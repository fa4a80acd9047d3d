//! Why a node's pool refuses an extrinsic: what its numbers mean, and what to do.
//!
//! The numbers are not in metadata. They were read in the runtime's source for the range of specs in the table; on any other spec a number is
//! shown as a number. It is always kept.

use super::rpc::RpcError;
use serde::Serialize;
use std::fmt;
use std::ops::RangeInclusive;

/// JSON-RPC's code for an extrinsic that is invalid now.
const INVALID_TRANSACTION: i64 = 1010;
/// For one whose validity could not be told.
const UNKNOWN_VALIDITY: i64 = 1011;
/// For one that the pool has banned for a while.
const TEMPORARILY_BANNED: i64 = 1012;
/// For one that the pool has.
const ALREADY_IMPORTED: i64 = 1013;
/// For one whose nonce another in the pool has, with more priority.
const TOO_LOW_PRIORITY: i64 = 1014;

/// Specs whose source has the table's numbers.
const KNOWN_SPECS: RangeInclusive<u32> = 365..=461;
/// Numbers that weights calls can meet.
const CUSTOM: [(u8, PoolReason); 11] = [
    (0, PoolReason::ColdkeySwap),
    (1, PoolReason::StakeBelowThreshold),
    (3, PoolReason::NoSubnet),
    (6, PoolReason::RateLimit),
    (15, PoolReason::RevealRound),
    (16, PoolReason::NoCommit),
    (17, PoolReason::RevealTooEarly),
    (18, PoolReason::UnequalLengths),
    (19, PoolReason::NotRegistered),
    (21, PoolReason::ColdkeySwap),
    (255, PoolReason::Unnamed),
];

/// A refusal of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolRefusal {
    /// What it means.
    pub reason: PoolReason,
    /// The runtime's own number, if it gave one.
    pub custom_code: Option<u8>,
    /// JSON-RPC's code.
    pub rpc_code: i64,
    /// The node's words.
    pub message: String,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolReason {
    /// The hotkey's stake is below the chain's threshold.
    StakeBelowThreshold,
    /// The subnet does not exist.
    NoSubnet,
    /// Weights were set or committed too lately.
    RateLimit,
    /// The commit's round is of the past.
    RevealRound,
    /// There is no such commit.
    NoCommit,
    /// The commit cannot be revealed yet.
    RevealTooEarly,
    /// Vectors of unequal lengths.
    UnequalLengths,
    /// The hotkey is not in the subnet.
    NotRegistered,
    /// The coldkey is about to be swapped.
    ColdkeySwap,
    /// Anything that the runtime has no number for.
    Unnamed,
    /// A number that this program does not know for the runtime.
    UnknownCode,
    /// The signature does not verify: other bytes, another account or another spec.
    BadSignature,
    /// The nonce was used.
    StaleNonce,
    /// Nonces before it are missing.
    FutureNonce,
    /// Its era has ended, or its birth block is not this chain's.
    Outdated,
    /// The account cannot pay.
    CannotPay,
    /// The pool has it.
    AlreadyImported,
    /// The pool has another with its nonce.
    TooLowPriority,
    /// The pool refuses it for a while.
    Banned,
    /// None of these.
    Other,
}

impl PoolRefusal {
    /// What a node's error says, if it is one of a pool; `None` for all others.
    pub fn read(error: &RpcError, spec_version: u32) -> Option<Self> {
        let RpcError::Refused {
            code,
            message,
            data,
            ..
        } = error
        else {
            return None;
        };
        let words = match data {
            Some(data) => format!("{message}: {data}"),
            None => message.clone(),
        };
        let custom_code = custom_code(&words);
        let reason = match *code {
            INVALID_TRANSACTION => match custom_code {
                Some(number) => reason_of(number, spec_version),
                None => reason_in(&words),
            },
            UNKNOWN_VALIDITY => PoolReason::Other,
            TEMPORARILY_BANNED => PoolReason::Banned,
            ALREADY_IMPORTED => PoolReason::AlreadyImported,
            TOO_LOW_PRIORITY => PoolReason::TooLowPriority,
            1000..=1099 => PoolReason::Other,
            _ => return None,
        };
        Some(Self {
            reason,
            custom_code,
            rpc_code: *code,
            message: words,
        })
    }
}

fn reason_of(number: u8, spec_version: u32) -> PoolReason {
    if !KNOWN_SPECS.contains(&spec_version) {
        return PoolReason::UnknownCode;
    }
    CUSTOM
        .iter()
        .find(|(known, _)| *known == number)
        .map_or(PoolReason::UnknownCode, |(_, reason)| *reason)
}

/// The number of `Custom error: 6`, as the node's library words it.
fn custom_code(words: &str) -> Option<u8> {
    let (_, after) = words.split_once("Custom error: ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// What the node's library says where the runtime has no number.
fn reason_in(words: &str) -> PoolReason {
    const WORDS: [(&str, PoolReason); 6] = [
        ("bad signature", PoolReason::BadSignature),
        ("Transaction is outdated", PoolReason::StaleNonce),
        (
            "Transaction will be valid in the future",
            PoolReason::FutureNonce,
        ),
        ("ancient birth block", PoolReason::Outdated),
        ("Inability to pay some fees", PoolReason::CannotPay),
        ("already imported", PoolReason::AlreadyImported),
    ];
    WORDS
        .iter()
        .find(|(known, _)| words.contains(known))
        .map_or(PoolReason::Other, |(_, reason)| *reason)
}

impl PoolReason {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::StakeBelowThreshold => "add stake to the hotkey, or use one that has it",
            Self::NoSubnet => "check network and netuid",
            Self::RateLimit => "wait until the rate limit has passed; nothing was lost",
            Self::RevealRound => "lock to a later round",
            Self::NoCommit => "commit before revealing; the commit may have expired",
            Self::RevealTooEarly => "reveal in the epoch that the subnet's period names",
            Self::UnequalLengths => "pair uids and values",
            Self::NotRegistered => "register the hotkey in the subnet",
            Self::ColdkeySwap => "finish or clear the coldkey's swap",
            Self::BadSignature => "sign again for the runtime that the chain has now",
            Self::StaleNonce => "look whether the extrinsic is in a block before anything else",
            Self::FutureNonce => "wait for the account's earlier extrinsics",
            Self::Outdated => "look whether it is in a block, and sign again if not",
            Self::CannotPay => "weights are free: check that the call is one of weights",
            Self::AlreadyImported => "wait for it",
            Self::TooLowPriority => "wait for the other extrinsic of this nonce",
            Self::Banned => "wait half an hour, or ask another node",
            Self::Unnamed | Self::UnknownCode | Self::Other => {
                "read the number in the runtime's source"
            }
        }
    }
}

impl fmt::Display for PoolRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.rpc_code,
            self.message,
            self.reason.advice()
        )
    }
}
