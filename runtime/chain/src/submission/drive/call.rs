//! Calls by their arguments, and the cipher of timelocked commits.

use super::super::ask::NotOpened;
use super::super::intent::{Intent, Method};
use super::super::record::Timelock;
use super::super::state::Step;
use crate::Hash;
use crate::timelock::{
    Beacon, BeaconSignature, COMMIT_VERSION, Ciphertext, WeightsPayload, lock, unlock,
};
use rand_core::{CryptoRng, RngCore};

/// A call of `SubtensorModule`; with mechanism 0 the plain variant may be used, with others the `_mechanism_` one has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `set_weights`, `set_mechanism_weights`.
    Set {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// Uids.
        uids: Vec<u16>,
        /// A value each.
        values: Vec<u16>,
        /// The validator's version.
        version_key: u64,
    },
    /// `commit_weights`, `commit_mechanism_weights`.
    CommitHash {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// What is committed.
        hash: Hash,
    },
    /// `reveal_weights`, `reveal_mechanism_weights`.
    Reveal {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// Uids.
        uids: Vec<u16>,
        /// A value each.
        values: Vec<u16>,
        /// What hid them.
        salt: Vec<u16>,
        /// The validator's version.
        version_key: u64,
    },
    /// `commit_timelocked_weights`, `commit_timelocked_mechanism_weights`.
    CommitTimelocked {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// The ciphertext.
        commit: Vec<u8>,
        /// The round that opens it.
        round: u64,
        /// The ciphertext's format: [`COMMIT_VERSION`].
        commit_reveal_version: u16,
    },
}

/// Locks payloads, and opens them again with what the chain has of the beacon.
pub trait Cipher {
    /// The beacon whose pulses the chain keeps.
    fn beacon(&self) -> &Beacon;

    /// The ciphertext of a payload for a round, in the chain's bytes.
    ///
    /// # Errors
    /// Why not, in words.
    fn lock(&mut self, round: u64, payload: &[u8]) -> Result<Vec<u8>, String>;

    /// The payload of a ciphertext by its round's signature.
    ///
    /// # Errors
    /// Why not, in words.
    fn unlock(&self, commit: &[u8], signature: &BeaconSignature) -> Result<Vec<u8>, String>;
}

impl Call {
    /// The call of an intent's step.
    pub(in super::super) fn of(intent: &Intent, step: Step, timelock: Option<&Timelock>) -> Self {
        let (netuid, mechanism) = (intent.netuid, intent.mechanism);
        let version_key = intent.version_key;
        let (uids, values) = intent.vectors();
        match (&intent.method, step, timelock) {
            (Method::HashCommit { salt }, Step::Reveal, _) => Self::Reveal {
                netuid,
                mechanism,
                uids,
                values,
                salt: salt.clone(),
                version_key,
            },
            (Method::HashCommit { salt }, _, _) => Self::CommitHash {
                netuid,
                mechanism,
                hash: intent.commit_hash(salt),
            },
            (Method::Timelocked { .. }, _, Some(timelock)) => Self::CommitTimelocked {
                netuid,
                mechanism,
                commit: timelock.commit.0.clone(),
                round: timelock.round,
                commit_reveal_version: COMMIT_VERSION,
            },
            (Method::Timelocked { .. }, _, None) => unreachable!("a timelock is made before"),
            (Method::Plain, _, _) => Self::Set {
                netuid,
                mechanism,
                uids,
                values,
                version_key,
            },
        }
    }
}

/// What a commit hides, by the pulse that the chain has.
pub(super) fn open(
    cipher: &impl Cipher,
    timelock: &Timelock,
    pulse: Option<BeaconSignature>,
) -> Result<WeightsPayload, NotOpened> {
    let signature = pulse.ok_or(NotOpened::PulseMissing)?;
    let closed = |why| NotOpened::Closed { why };
    let payload = cipher
        .unlock(&timelock.commit.0, &signature)
        .map_err(closed)?;
    WeightsPayload::decode(&payload).map_err(|error| closed(error.to_string()))
}

/// The cipher of the chain: [`lock`] and [`unlock`] for a beacon, with randomness from `rng`.
#[derive(Clone, Debug)]
pub struct BeaconCipher<R> {
    beacon: Beacon,
    rng: R,
}

impl<R: RngCore + CryptoRng> BeaconCipher<R> {
    /// For a beacon.
    pub fn new(beacon: Beacon, rng: R) -> Self {
        Self { beacon, rng }
    }
}

impl<R: RngCore + CryptoRng> Cipher for BeaconCipher<R> {
    fn beacon(&self) -> &Beacon {
        &self.beacon
    }

    fn lock(&mut self, round: u64, payload: &[u8]) -> Result<Vec<u8>, String> {
        let locked = lock(&self.beacon, round, payload, &mut self.rng);
        let locked = locked.map_err(|error| error.to_string())?;
        locked.to_wire().map_err(|error| error.to_string())
    }

    fn unlock(&self, commit: &[u8], signature: &BeaconSignature) -> Result<Vec<u8>, String> {
        let ciphertext = Ciphertext::from_wire(commit).map_err(|error| error.to_string())?;
        unlock(&ciphertext, signature).map_err(|error| error.to_string())
    }
}
