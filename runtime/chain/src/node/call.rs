//! Calls that set weights: typed, to the bytes that are signed.
//!
//! | call | is for |
//! |---|---|
//! | `set_weights`, `set_mechanism_weights` | weights in the open |
//! | `commit_weights`, `reveal_weights` and their mechanisms' variants | weights behind a hash, revealed by a second call |
//! | `commit_timelocked_weights`, `commit_timelocked_mechanism_weights` | weights that the chain opens itself |
//!
//! A call is written only if the runtime's shape of it is the one that is written here ([`Capabilities`](super::Capabilities)).

use crate::AccountId;
use crate::Hash;
use parity_scale_codec::Encode;

/// The pallet that has all of them.
pub const PALLET: &str = "SubtensorModule";
/// How far mechanisms of one subnet are apart in storage: the most subnets that the chain can have.
const SUBNETS_MAX: u16 = 4_096;

/// A call with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeightsCall {
    /// `set_weights`, or `set_mechanism_weights` if a mechanism is named.
    Set {
        /// The subnet.
        netuid: u16,
        /// One of its mechanisms.
        mechanism: Option<u8>,
        /// Uids, in order of the vector.
        uids: Vec<u16>,
        /// One value for each uid.
        values: Vec<u16>,
        /// The validator's version.
        version_key: u64,
    },
    /// `commit_weights`, or `commit_mechanism_weights`.
    Commit {
        /// The subnet.
        netuid: u16,
        /// One of its mechanisms.
        mechanism: Option<u8>,
        /// What [`commit_hash`] gives.
        commit_hash: Hash,
    },
    /// `reveal_weights`, or `reveal_mechanism_weights`.
    Reveal {
        /// The subnet.
        netuid: u16,
        /// One of its mechanisms.
        mechanism: Option<u8>,
        /// Uids, in order of the vector.
        uids: Vec<u16>,
        /// One value for each uid.
        values: Vec<u16>,
        /// What made the hash unguessable.
        salt: Vec<u16>,
        /// The validator's version.
        version_key: u64,
    },
    /// `commit_timelocked_weights`, or `commit_timelocked_mechanism_weights`.
    CommitTimelocked {
        /// The subnet.
        netuid: u16,
        /// One of its mechanisms.
        mechanism: Option<u8>,
        /// The ciphertext, [`COMMIT_BYTES_MAX`](crate::timelock::COMMIT_BYTES_MAX) bytes at most.
        commit: Vec<u8>,
        /// The beacon's round that opens it.
        reveal_round: u64,
        /// The ciphertext's format, [`COMMIT_VERSION`](crate::timelock::COMMIT_VERSION); the chain refuses one that is not its
        /// `CommitRevealWeightsVersion`.
        commit_reveal_version: u16,
    },
}

/// Names and shapes of all calls, as the runtimes of specs 365, 439 and 461 have them.
pub(super) const CALL_SHAPES: [(&str, &str); 8] = [
    (
        "set_weights",
        "netuid: u16, dests: Vec<u16>, weights: Vec<u16>, version_key: u64",
    ),
    (
        "set_mechanism_weights",
        "netuid: u16, mecid: u8, dests: Vec<u16>, weights: Vec<u16>, version_key: u64",
    ),
    ("commit_weights", "netuid: u16, commit_hash: [u8;32]"),
    (
        "commit_mechanism_weights",
        "netuid: u16, mecid: u8, commit_hash: [u8;32]",
    ),
    (
        "reveal_weights",
        "netuid: u16, uids: Vec<u16>, values: Vec<u16>, salt: Vec<u16>, version_key: u64",
    ),
    (
        "reveal_mechanism_weights",
        "netuid: u16, mecid: u8, uids: Vec<u16>, values: Vec<u16>, salt: Vec<u16>, version_key: u64",
    ),
    (
        "commit_timelocked_weights",
        "netuid: u16, commit: Vec<u8>, reveal_round: u64, commit_reveal_version: u16",
    ),
    (
        "commit_timelocked_mechanism_weights",
        "netuid: u16, mecid: u8, commit: Vec<u8>, reveal_round: u64, commit_reveal_version: u16",
    ),
];

impl WeightsCall {
    /// Its name in the runtime.
    pub fn name(&self) -> &'static str {
        let position = match self {
            Self::Set { mechanism, .. } => usize::from(mechanism.is_some()),
            Self::Commit { mechanism, .. } => 2 + usize::from(mechanism.is_some()),
            Self::Reveal { mechanism, .. } => 4 + usize::from(mechanism.is_some()),
            Self::CommitTimelocked { mechanism, .. } => 6 + usize::from(mechanism.is_some()),
        };
        CALL_SHAPES[position].0
    }

    /// Its arguments in SCALE, in the order of [`CALL_SHAPES`].
    pub(super) fn encode_arguments(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |argument: &dyn EncodeTo| argument.put(&mut bytes);
        match self {
            Self::Set {
                netuid,
                mechanism,
                uids,
                values,
                version_key,
            } => {
                put(netuid);
                mechanism.iter().for_each(|mechanism| put(mechanism));
                put(uids);
                put(values);
                put(version_key);
            }
            Self::Commit {
                netuid,
                mechanism,
                commit_hash,
            } => {
                put(netuid);
                mechanism.iter().for_each(|mechanism| put(mechanism));
                put(&commit_hash.0);
            }
            Self::Reveal {
                netuid,
                mechanism,
                uids,
                values,
                salt,
                version_key,
            } => {
                put(netuid);
                mechanism.iter().for_each(|mechanism| put(mechanism));
                put(uids);
                put(values);
                put(salt);
                put(version_key);
            }
            Self::CommitTimelocked {
                netuid,
                mechanism,
                commit,
                reveal_round,
                commit_reveal_version,
            } => {
                put(netuid);
                mechanism.iter().for_each(|mechanism| put(mechanism));
                put(commit);
                put(reveal_round);
                put(commit_reveal_version);
            }
        }
        bytes
    }
}

/// [`Encode`] behind a reference.
trait EncodeTo {
    fn put(&self, bytes: &mut Vec<u8>);
}

impl<T: Encode> EncodeTo for T {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.encode_to(bytes);
    }
}

/// Where storage keeps a mechanism of a subnet: `mechanism × 4,096 + netuid`; `None` if no 16 bits hold it.
pub fn storage_index(netuid: u16, mechanism: u8) -> Option<u16> {
    if netuid >= SUBNETS_MAX {
        return None;
    }
    u16::from(mechanism)
        .checked_mul(SUBNETS_MAX)?
        .checked_add(netuid)
}

/// What `commit_weights` takes for weights that `reveal_weights` reveals: BLAKE2b-256 of account, storage index, vector, salt and version in SCALE.
pub fn commit_hash(
    account: AccountId,
    storage_index: u16,
    uids: &[u16],
    values: &[u16],
    salt: &[u16],
    version_key: u64,
) -> Hash {
    Hash::of(&(account.0, storage_index, uids, values, salt, version_key).encode())
}
