//! What shall be set on chain, by whom and how, and the row that the chain will store of it.

use super::activity::{FallbackRule, fallback_due};
use crate::AccountId;
use crate::timelock::WeightsPayload;
use crate::{Hash, stored_values};
use gradus_owner::Owner;
use parity_scale_codec::Encode;
use serde::{Deserialize, Serialize};
use std::fmt;

mod check;

/// Blocks of an extrinsic's era: about three minutes, in which a node may be lost and found again. It is longer where a signature may take longer.
pub const ERA_PERIOD_BLOCKS: u64 = 16;
/// The longest that there is.
pub(super) const ERA_PERIOD_BLOCKS_MAX: u64 = 65_536;
/// Storage indices between two mechanisms of a subnet; source: the chain's `NetUidStorageIndex`.
const MECHANISM_STRIDE: u16 = 4_096;

/// An intent's name, which is its file's: 1 to 64 of `a-z`, `0-9` and `-`, no `-` first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IntentId(String);

/// One uid's weight, and who had the uid when that was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The uid.
    pub uid: u16,
    /// Its weight as it is sent; the chain scales the largest to 65,535.
    pub value: u16,
    /// Whom the weight is for: a uid that somebody else has by now gets nothing.
    pub hotkey: AccountId,
}

/// By which calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// `set_weights`, for mechanism 0, or `set_mechanism_weights`.
    Plain,
    /// A hash is committed, the weights are revealed in a later epoch.
    HashCommit {
        /// Random numbers that hide the weights until then; made by whoever makes the intent, and so on disk before the commit.
        salt: Vec<u16>,
    },
    /// Encrypted weights are committed; the chain opens them when the beacon has.
    Timelocked {
        /// The format of commits when it was planned. A commit says the one that it is in.
        commit_reveal_version: u16,
    },
}

/// Where the weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// Results.
    Results,
    /// The metagraph's incentives, since own weights became too old. That is asked again before each attempt to set or commit.
    Fallback {
        /// The rule.
        rule: FallbackRule,
        /// Failures in a row before it.
        failures: u32,
    },
}

/// When to stop trying. None of them lets an attempt that may still land be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Attempts of one extrinsic, 1 to 100.
    pub attempts_max: u32,
    /// From this block on nothing new is set or committed: the weights are too old. What is committed is still revealed.
    pub give_up_at_block: u64,
    /// Blocks after which a commit that waits is called overdue; many more than an epoch's and the reveal period's.
    pub overdue_blocks: u64,
}

/// Weights to be set, written down before anything else happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Its name.
    pub id: IntentId,
    /// The network's name in the configuration.
    pub profile: String,
    /// Which chain that is: the hash of block 0.
    pub genesis: Hash,
    /// The subnet.
    pub netuid: u16,
    /// The mechanism; 0 is the main one.
    pub mechanism: u8,
    /// Who signs.
    pub hotkey: AccountId,
    /// Weights, in the order in which they are sent.
    pub targets: Vec<Target>,
    /// The validator's version.
    pub version_key: u64,
    /// By which calls.
    pub method: Method,
    /// Where the weights come from.
    pub origin: Origin,
    /// The finalized block at which all of this was decided.
    pub created_at_block: u64,
    /// When to stop.
    pub limits: Limits,
}

/// An intent that no chain would take, or that could not be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// A name that is no file's.
    #[error("{shown:?} is no intent's name: 1 to 64 of a-z, 0-9 and \"-\", no \"-\" first")]
    Id {
        /// Its beginning.
        shown: String,
    },
    /// Weights that nobody could set, or a row that no chain has: by whoever asked for them.
    #[error(
        "{what}: {found}, expected {expected}\nhelp: correct them where they come from, or compute them anew"
    )]
    Asked {
        /// What was asked for.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A field outside its range, which this program chose.
    #[error("intent {id}: {field} is {found}, expected {expected}: correct the intent")]
    Field {
        /// The intent.
        id: IntentId,
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
}

impl IntentError {
    /// Whose fault: the host's, whose files and arguments say what shall be set; this program's for all that it makes of them.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Asked { .. } => Owner::Host,
            Self::Id { .. } | Self::Field { .. } => Owner::Bug,
        }
    }
}

impl IntentId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`IntentError::Id`].
    pub fn new(text: &str) -> Result<Self, IntentError> {
        let fits = (1..=64).contains(&text.len()) && !text.starts_with('-');
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !fits || !text.bytes().all(plain) {
            return Err(IntentError::Id {
                shown: text.chars().take(64).collect(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for IntentId {
    type Error = IntentError;

    fn try_from(text: String) -> Result<Self, IntentError> {
        Self::new(&text)
    }
}

impl From<IntentId> for String {
    fn from(id: IntentId) -> Self {
        id.0
    }
}

impl Intent {
    /// Under which index the chain stores the mechanism's weights.
    pub fn storage_index(&self) -> u16 {
        let start = u16::from(self.mechanism).saturating_mul(MECHANISM_STRIDE);
        start.saturating_add(self.netuid)
    }

    /// Uids and values as they are sent.
    pub fn vectors(&self) -> (Vec<u16>, Vec<u16>) {
        self.targets.iter().map(|t| (t.uid, t.value)).unzip()
    }

    /// What a timelocked commit hides.
    pub fn payload(&self) -> WeightsPayload {
        let (uids, values) = self.vectors();
        WeightsPayload {
            hotkey: self.hotkey,
            uids,
            values,
            version_key: self.version_key,
        }
    }

    /// What is committed of weights with a salt: BLAKE2b-256 of account, storage index, uids, values, salt and version key in SCALE.
    pub fn commit_hash(&self, salt: &[u16]) -> Hash {
        let (uids, values) = self.vectors();
        let hashed = (
            self.hotkey.0,
            self.storage_index(),
            uids,
            values,
            salt,
            self.version_key,
        );
        Hash::of(&hashed.encode())
    }

    /// The row that the chain stores: uids as sent, values as [`stored_values`].
    pub fn stored_row(&self) -> Vec<(u16, u16)> {
        let (uids, values) = self.vectors();
        uids.into_iter().zip(stored_values(&values)).collect()
    }

    /// Whether fallback weights are still due at a block; results always are.
    pub(super) fn is_due(&self, block_number: u64, last_update: u64) -> bool {
        match self.origin {
            Origin::Results => true,
            Origin::Fallback { rule, failures } => {
                fallback_due(&rule, failures, block_number.saturating_sub(last_update))
            }
        }
    }
}
