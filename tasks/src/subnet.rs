//! A subnet as it stood at one block: what a node says, as a file.
//!
//! Weights are computed over its hotkeys, and its next epoch is simulated from its rows. Nothing here is judged or
//! left out: which stakes count and which weights are outdated is decided in [`Snapshot::epoch_input`], from blocks,
//! as the chain decides it. So a snapshot of a past block answers the same years later.

mod epoch;

pub use epoch::{Uncounted, max_upscaled};

use crate::Owner;
use crate::strict;
use crate::weights::{Limits, Metagraph, MetagraphError};
use serde::{Deserialize, Serialize};

/// Files above this are refused, bytes.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// The form that is written and read.
pub const VERSION: u32 = 1;

/// A subnet at one block. All of it is read at that block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Of this form; 1.
    pub version: u32,
    /// Which network: `finney`, `test` or `local`.
    pub network: String,
    /// Hash of its first block, `0x` and 64 hexadecimal digits.
    pub genesis: String,
    /// The runtime's `spec_version`.
    pub spec_version: u32,
    /// Which subnet.
    pub netuid: u16,
    /// Which of its mechanisms; 0 is the first.
    pub mechanism: u8,
    /// The block's number.
    pub block: u64,
    /// The block's hash, as [`genesis`](Self::genesis).
    pub block_hash: String,
    /// What the subnet's owner and the chain have set.
    pub settings: Settings,
    /// The owner's hotkey, if it has one; it need not be registered.
    #[serde(deserialize_with = "Option::deserialize")]
    pub owner_hotkey: Option<String>,
    /// `LastMechansimStepBlock`: the last epoch's block, 0 before the first.
    pub last_step_block: u64,
    /// What the next epoch would pay as of now, rao of the subnet's token.
    pub emission_rao: u64,
    /// By uid, without gaps.
    pub neurons: Vec<Neuron>,
}

/// Settings that weights and epochs depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Blocks between epochs.
    pub tempo: u16,
    /// Validators that set no weights for more blocks than this do not count.
    pub activity_cutoff_blocks: u64,
    /// Stake weight below which a validator does not count and cannot set weights, rao.
    pub stake_threshold_rao: u64,
    /// Whether Yuma 3 runs instead of Yuma 2.
    pub yuma3: bool,
    /// Share of stake that makes a majority, of 65,535.
    pub kappa: u16,
    /// How much of the weight outside consensus buys no bonds, of 65,535.
    pub bonds_penalty: u16,
    /// How much of the old bonds is kept, in millionths.
    pub bonds_moving_average_ppm: u32,
    /// Whether bonds' moving average depends on consensus.
    pub liquid_alpha: bool,
    /// Fewest uids in a vector.
    pub weights_min: u16,
    /// Largest share of one uid in a vector, of 65,535, which is none.
    pub max_weight: u16,
    /// Vectors with a lower version are refused, but for version 0.
    pub weights_version: u64,
    /// Blocks that have to pass between vectors of one validator.
    pub weights_rate_limit: u64,
    /// Whether vectors are committed to, and revealed later.
    pub commit_reveal: bool,
}

/// One place in the subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// Which place.
    pub uid: u16,
    /// Who holds it, as an address.
    pub hotkey: String,
    /// Whose hotkey it is, as an address.
    pub coldkey: String,
    /// Stake weight: alpha and the weighted share of TAO, rao.
    pub stake_rao: u64,
    /// Whether it is a validator in the next epoch.
    pub validator_permit: bool,
    /// Block at which it last set or committed weights.
    pub last_update: u64,
    /// Block at which the hotkey took the place.
    pub registered_at: u64,
    /// Block of its oldest commit that is neither revealed nor expired.
    #[serde(deserialize_with = "Option::deserialize")]
    pub oldest_open_commit: Option<u64>,
    /// What it was paid for as a miner in the last epoch, of 65,535.
    pub incentive: u16,
    /// What it was paid for as a validator in the last epoch, of 65,535.
    pub dividends: u16,
    /// Its row of weights: uid and value.
    pub weights: Vec<(u16, u16)>,
    /// Its row of bonds: uid and value.
    pub bonds: Vec<(u16, u16)>,
}

/// Why a file is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Too large to be one.
    #[error("the snapshot has {found} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge {
        /// How many.
        found: usize,
    },
    /// Not of this form.
    #[error(
        "the snapshot does not fit: {0}\nhelp: write one with `gradus chain metagraph --json > subnet.json`"
    )]
    Malformed(String),
    /// Of another version.
    #[error(
        "the snapshot is of version {found}, expected {VERSION}\nhelp: write it again with this gradus"
    )]
    Version {
        /// Which.
        found: u32,
    },
    /// A gap, or another order.
    #[error(
        "neuron {place} of the snapshot has uid {uid}\nhelp: neurons stand in the order of uids, without gaps"
    )]
    Order {
        /// Where.
        place: usize,
        /// Which.
        uid: u16,
    },
    /// Its hotkeys are no metagraph's.
    #[error(transparent)]
    Metagraph(#[from] MetagraphError),
    /// Asked about someone who is not there.
    #[error(
        "{hotkey} is not registered on subnet {netuid} at block {block}\nhelp: name a hotkey of the snapshot, or take a newer one"
    )]
    NotRegistered {
        /// Who.
        hotkey: String,
        /// Where.
        netuid: u16,
        /// When.
        block: u64,
    },
}

impl SnapshotError {
    /// Whose fault: the operator names the file.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl Snapshot {
    /// Reads a file.
    ///
    /// # Errors
    /// `TooLarge`, `Malformed` for a missing, unknown or ill-typed field, `Version`, `Order`, and `Metagraph` for hotkeys
    /// that no subnet has.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotError> {
        if bytes.len() > FILE_BYTES_MAX {
            let found = bytes.len();
            return Err(SnapshotError::TooLarge { found });
        }
        let malformed = |misfit: strict::Misfit| SnapshotError::Malformed(misfit.to_string());
        let found = strict::json_version(bytes).map_err(malformed)?;
        if found != VERSION {
            return Err(SnapshotError::Version { found });
        }
        let snapshot: Self = strict::json(bytes).map_err(malformed)?;
        snapshot.check()?;
        Ok(snapshot)
    }

    /// Whether it is whole: what [`parse`](Self::parse) checks of a file.
    ///
    /// # Errors
    /// `Version`, `Order`, `Metagraph`.
    pub fn check(&self) -> Result<(), SnapshotError> {
        if self.version != VERSION {
            return Err(SnapshotError::Version {
                found: self.version,
            });
        }
        for (place, neuron) in self.neurons.iter().enumerate() {
            if usize::from(neuron.uid) != place {
                let uid = neuron.uid;
                return Err(SnapshotError::Order { place, uid });
            }
        }
        self.metagraph()?;
        Ok(())
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data") + "\n"
    }

    /// Hotkeys and their uids.
    ///
    /// # Errors
    /// Those of [`Metagraph::new`].
    pub fn metagraph(&self) -> Result<Metagraph, MetagraphError> {
        Metagraph::new(self.neurons.iter().map(|n| n.hotkey.clone()).collect())
    }

    /// What the subnet asks of a vector; `own` is who sets it, if known.
    pub fn limits(&self, own: Option<u16>) -> Limits {
        Limits {
            max_weight: self.settings.max_weight,
            weights_min: self.settings.weights_min,
            num_neurons: u16::try_from(self.neurons.len()).unwrap_or(u16::MAX),
            own_uid: own,
        }
    }

    /// The neuron of a hotkey.
    ///
    /// # Errors
    /// `NotRegistered`.
    pub fn neuron(&self, hotkey: &str) -> Result<&Neuron, SnapshotError> {
        let found = self.neurons.iter().find(|n| n.hotkey == hotkey);
        found.ok_or_else(|| SnapshotError::NotRegistered {
            hotkey: hotkey.to_owned(),
            netuid: self.netuid,
            block: self.block,
        })
    }

    /// The owner's uid, if its hotkey is registered.
    pub fn owner_uid(&self) -> Option<u16> {
        let hotkey = self.owner_hotkey.as_deref()?;
        self.neurons
            .iter()
            .find(|n| n.hotkey == hotkey)
            .map(|n| n.uid)
    }
}

#[cfg(test)]
mod tests;
