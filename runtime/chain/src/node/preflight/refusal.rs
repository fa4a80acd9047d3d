//! Rules that a submission breaks.

use crate::AccountId;
use crate::Hash;
use crate::timelock::COMMIT_BYTES_MAX;
use gradus_owner::Owner;
use serde::Serialize;

/// A rule that is broken, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Refusal {
    /// Facts of something else.
    #[error(
        "the call is for subnet {netuid}, mechanism {mechanism}, the facts are of {facts_netuid}, {facts_mechanism}: read those of the call's"
    )]
    OtherSubnet {
        /// The call's subnet.
        netuid: u16,
        /// The call's mechanism.
        mechanism: u8,
        /// The facts' subnet.
        facts_netuid: u16,
        /// The facts' mechanism.
        facts_mechanism: u8,
    },
    /// Weights in the open.
    #[error("the subnet takes commits alone: commit under the timelock instead")]
    CommitRevealEnabled,
    /// A commit or reveal.
    #[error("the subnet takes no commits: set weights in the open")]
    CommitRevealDisabled,
    /// The root.
    #[error("subnet 0 takes no weights: name another subnet")]
    RootSubnet,
    /// No such mechanism.
    #[error("mechanism {mechanism} does not exist, the subnet has {count}: name a lower one")]
    NoMechanism {
        /// The call's.
        mechanism: u8,
        /// How many there are.
        count: u8,
    },
    /// Unequal vectors.
    #[error("{uids} uids and {values} values: pair them")]
    UnequalLengths {
        /// Number of uids.
        uids: usize,
        /// Number of values.
        values: usize,
    },
    /// More weights than neurons.
    #[error("{found} weights, the subnet has {num_uids} neurons: name each once")]
    TooManyUids {
        /// How many.
        found: usize,
        /// The subnet's.
        num_uids: u16,
    },
    /// Not registered.
    #[error("{hotkey} is not registered in subnet {netuid}: register it, or use another hotkey")]
    NotRegistered {
        /// Whose.
        hotkey: AccountId,
        /// The subnet.
        netuid: u16,
    },
    /// Too little stake.
    #[error("the hotkey's stake is {stake_rao} rao, the chain demands {threshold_rao}: add stake")]
    StakeBelowThreshold {
        /// Its stake.
        stake_rao: u64,
        /// The chain's threshold.
        threshold_rao: u64,
    },
    /// An old version.
    #[error(
        "the version key is {found}, the subnet demands {expected} or more: update the validator"
    )]
    VersionKey {
        /// The call's.
        found: u64,
        /// The subnet's.
        expected: u64,
    },
    /// The rate limit.
    #[error(
        "the weights were updated at block {last_update}, the next may land {limit_blocks} blocks later: retry at block {retry_at_block}"
    )]
    TooFast {
        /// Whether this is a commit.
        commits: bool,
        /// When.
        last_update: u64,
        /// The limit.
        limit_blocks: u64,
        /// The first block that can take it.
        retry_at_block: u64,
    },
    /// No permit.
    #[error(
        "uid {uid} has no validator permit: it needs more stake than the last validator by the next epoch"
    )]
    NoPermit {
        /// Whose.
        uid: u16,
    },
    /// A uid twice.
    #[error("uid {uid} is named twice: add its weights up")]
    DuplicateUid {
        /// Which.
        uid: u16,
    },
    /// A uid that nobody has.
    #[error("uid {uid} does not exist, the subnet has {num_uids}: read the metagraph again")]
    NoUid {
        /// Which.
        uid: u16,
        /// The subnet's.
        num_uids: u16,
    },
    /// Too few weights.
    #[error("{found} weights, the subnet demands {expected}: name more uids")]
    TooFewWeights {
        /// How many.
        found: usize,
        /// The least.
        expected: usize,
    },
    /// Too large a weight.
    #[error(
        "uid {uid} has too large a share, at most {limit} of 65535 are allowed: spread the weights"
    )]
    MaxWeight {
        /// Whose.
        uid: u16,
        /// The subnet's.
        limit: u16,
    },
    /// Another version of commits.
    #[error("the commit has version {found}, the chain takes {expected}: update this program")]
    CommitRevealVersion {
        /// The call's.
        found: u16,
        /// The chain's.
        expected: u16,
    },
    /// Too many that wait.
    #[error(
        "{waiting} commits wait to be opened, the chain takes no more: wait for the next epoch"
    )]
    TooManyUnrevealed {
        /// How many.
        waiting: usize,
    },
    /// Too long a commit.
    #[error("the commit has {found} bytes, the chain takes {COMMIT_BYTES_MAX}: name fewer uids")]
    CommitTooLong {
        /// How many.
        found: usize,
    },
    /// A round of the past.
    #[error(
        "the commit opens with round {found}, the chain has round {stored} already: lock to a later round"
    )]
    RevealRound {
        /// The call's.
        found: u64,
        /// The chain's newest.
        stored: u64,
    },
    /// Nothing to reveal.
    #[error(
        "no commit {commit_hash} waits: it expired, was revealed, or was made with other weights or another salt"
    )]
    NoCommit {
        /// Its hash.
        commit_hash: Hash,
    },
    /// Too early.
    #[error("the commit cannot be revealed yet{}", at(.retry_at_block))]
    RevealTooEarly {
        /// The first block that can take it, where it can be told.
        retry_at_block: Option<u64>,
    },
    /// Too late.
    #[error("the commit can be revealed no more: commit again")]
    RevealExpired,
    /// Somebody else's weights in a commit.
    #[error("the commit hides weights of {found}, {expected} submits it: the chain would drop it")]
    HiddenHotkey {
        /// Whose weights.
        found: AccountId,
        /// Who submits.
        expected: AccountId,
    },
    /// What is wrong with the weights in a commit.
    #[error("the chain would drop the commit without a word when it opens it: {0}")]
    Hidden(Box<Refusal>),
}

/// What may go wrong though no rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "warning")]
pub enum Warning {
    /// No function says.
    #[error("no node says what stake the hotkey has: the pool may refuse it")]
    StakeUnknown,
    /// The validator soon counts as inactive, or does.
    #[error(
        "weights were updated {since_blocks} blocks ago, after {cutoff_blocks} the validator counts as inactive: that is at block {inactive_at_block}"
    )]
    Activity {
        /// When; 0 if never.
        last_update: u64,
        /// How long ago.
        since_blocks: u64,
        /// How long it may be.
        cutoff_blocks: u64,
        /// The first block at which it counts as inactive.
        inactive_at_block: u64,
    },
}

fn at(block: &Option<u64>) -> String {
    block.map_or_else(
        || ": wait for the epoch of its reveal".to_owned(),
        |block| format!(": retry at block {block}"),
    )
}

impl Refusal {
    /// Whose fault: the host's, which submits and whose vector it is; this program's if it made a call that no chain takes.
    pub fn owner(&self) -> Owner {
        match self {
            Self::OtherSubnet { .. }
            | Self::UnequalLengths { .. }
            | Self::CommitTooLong { .. }
            | Self::HiddenHotkey { .. } => Owner::Bug,
            Self::Hidden(inside) => inside.owner(),
            _ => Owner::Host,
        }
    }

    /// The first block that can take it, if time is all that is missing and it can be told.
    pub fn retry_at_block(&self) -> Option<u64> {
        match self {
            Self::TooFast { retry_at_block, .. } => Some(*retry_at_block),
            Self::RevealTooEarly { retry_at_block } => *retry_at_block,
            _ => None,
        }
    }

    /// The chain's name for it, where it has one.
    pub fn chain_error(&self) -> Option<&'static str> {
        Some(match self {
            Self::OtherSubnet { .. } | Self::HiddenHotkey { .. } => return None,
            // Decoding fails before anything has a name.
            Self::CommitTooLong { .. } => return None,
            Self::CommitRevealEnabled => "CommitRevealEnabled",
            Self::CommitRevealDisabled => "CommitRevealDisabled",
            Self::RootSubnet => "CanNotSetRootNetworkWeights",
            Self::NoMechanism { .. } => "MechanismDoesNotExist",
            Self::UnequalLengths { .. } => "WeightVecNotEqualSize",
            Self::TooManyUids { .. } => "UidsLengthExceedUidsInSubNet",
            Self::NotRegistered { .. } => "HotKeyNotRegisteredInSubNet",
            Self::StakeBelowThreshold { .. } => "NotEnoughStakeToSetWeights",
            Self::VersionKey { .. } => "IncorrectWeightVersionKey",
            Self::TooFast { commits: true, .. } => "CommittingWeightsTooFast",
            Self::TooFast { commits: false, .. } => "SettingWeightsTooFast",
            Self::NoPermit { .. } => "NeuronNoValidatorPermit",
            Self::DuplicateUid { .. } => "DuplicateUids",
            Self::NoUid { .. } => "UidVecContainInvalidOne",
            Self::TooFewWeights { .. } => "WeightVecLengthIsLow",
            Self::MaxWeight { .. } => "MaxWeightExceeded",
            Self::CommitRevealVersion { .. } => "IncorrectCommitRevealVersion",
            Self::TooManyUnrevealed { .. } => "TooManyUnrevealedCommits",
            Self::RevealRound { .. } => "InvalidRevealRound",
            Self::NoCommit { .. } => "NoWeightsCommitFound",
            Self::RevealTooEarly { .. } => "RevealTooEarly",
            Self::RevealExpired => "ExpiredWeightCommit",
            Self::Hidden(inside) => return inside.chain_error(),
        })
    }
}
