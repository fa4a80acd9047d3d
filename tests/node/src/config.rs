//! What a chain begins with.

use crate::runtime::Spec;
use std::time::Duration;

/// A chain and its subnets at genesis.
#[derive(Clone, Debug)]
pub struct ChainConfig {
    /// The runtime.
    pub spec: Spec,
    /// Chains of different names have different genesis hashes.
    pub name: String,
    /// Where blocks come from.
    pub blocks: Blocks,
    /// The chain's time at genesis, milliseconds since 1970.
    pub start_ms: u64,
    /// The chain's time between blocks, whatever a clock says, milliseconds.
    pub block_time_ms: u64,
    /// Blocks that the finalized one is behind the best.
    pub finality_lag: u32,
    /// Blocks whose storage is kept.
    pub kept_states: u32,
    /// What gives the beacon its key.
    pub drand_seed: u64,
    /// The time of the beacon's round 1, seconds since 1970.
    pub drand_genesis_s: u64,
    /// Seconds between rounds.
    pub drand_period_s: u32,
    /// Stake that setting weights takes, rao.
    pub stake_threshold: u64,
    /// The subnets.
    pub subnets: Vec<SubnetConfig>,
}

/// Where blocks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// [`crate::Chain::produce_block`] alone.
    ByHand,
    /// A thread makes one in every interval.
    Every(Duration),
}

/// A subnet at genesis.
#[derive(Clone, Debug)]
pub struct SubnetConfig {
    /// Its number.
    pub netuid: u16,
    /// Blocks of an epoch.
    pub tempo: u16,
    /// Neurons, by uid.
    pub neurons: Vec<Neuron>,
    /// The uid whose hotkey is the owner's.
    pub owner_uid: Option<u16>,
    /// `MinAllowedWeights`.
    pub min_allowed_weights: u16,
    /// `MaxWeightsLimit`, which is still in storage and enforced by no runtime here: all of them say 65535, which is none.
    pub max_weights_limit: u16,
    /// `WeightsVersionKey`.
    pub weights_version_key: u64,
    /// `WeightsSetRateLimit`, blocks.
    pub weights_set_rate_limit: u64,
    /// `CommitRevealWeightsEnabled`.
    pub commit_reveal: bool,
    /// `RevealPeriodEpochs`.
    pub reveal_period_epochs: u64,
    /// Number of mechanisms.
    pub mechanisms: u8,
    /// `ActivityCutoff`, blocks; newer runtimes count by the tempo.
    pub activity_cutoff: u16,
}

/// A neuron at genesis.
#[derive(Clone, Debug)]
pub struct Neuron {
    /// Its hotkey.
    pub hotkey: [u8; 32],
    /// Its coldkey.
    pub coldkey: [u8; 32],
    /// Its alpha on the subnet, rao.
    pub alpha: u64,
    /// Whether it has a validator's permit.
    pub validator_permit: bool,
    /// When it set weights last; 0 is never.
    pub last_update: u64,
    /// Its incentive, of 65535.
    pub incentive: u16,
}

impl Default for ChainConfig {
    /// Spec 461, blocks by hand, 12 seconds apart from 2026-01-01 on, two behind finality, subnet 56 without neurons.
    fn default() -> Self {
        Self {
            spec: Spec::V461,
            name: "gradus".into(),
            blocks: Blocks::ByHand,
            start_ms: 1_767_225_600_000,
            block_time_ms: 12_000,
            finality_lag: 2,
            kept_states: 256,
            drand_seed: 1,
            drand_genesis_s: 1_692_803_367,
            drand_period_s: 3,
            stake_threshold: 1_000_000_000_000,
            subnets: vec![SubnetConfig::default()],
        }
    }
}

impl Default for SubnetConfig {
    /// Netuid 56, tempo 20, weights in the open once in 5 blocks, no limit, no neurons.
    fn default() -> Self {
        Self {
            netuid: 56,
            tempo: 20,
            neurons: Vec::new(),
            owner_uid: None,
            min_allowed_weights: 1,
            max_weights_limit: u16::MAX,
            weights_version_key: 0,
            weights_set_rate_limit: 5,
            commit_reveal: false,
            reveal_period_epochs: 1,
            mechanisms: 1,
            activity_cutoff: 5_000,
        }
    }
}

impl Neuron {
    /// A validator with a permit and ten times the default threshold of stake.
    pub fn validator(hotkey: [u8; 32]) -> Self {
        Self {
            hotkey,
            coldkey: coldkey_of(hotkey),
            alpha: 10_000_000_000_000,
            validator_permit: true,
            last_update: 0,
            incentive: 0,
        }
    }

    /// A miner without stake.
    pub fn miner(hotkey: [u8; 32]) -> Self {
        Self {
            alpha: 0,
            validator_permit: false,
            ..Self::validator(hotkey)
        }
    }
}

/// An account that is nobody's key: coldkeys sign nothing here.
fn coldkey_of(hotkey: [u8; 32]) -> [u8; 32] {
    sp_crypto_hashing::blake2_256(&[b"coldkey", &hotkey[..]].concat())
}
