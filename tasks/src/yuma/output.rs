//! What an epoch says of each uid.

use super::fixed::Fixed;
use super::input::Row;

/// The outcome of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochOutput {
    /// One for each uid, in order.
    pub neurons: Vec<NeuronOutput>,
}

/// What an epoch says of one uid. Shares are of 1; the chain stores them as [`Fixed::to_proportion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeuronOutput {
    /// Share of all stake.
    pub stake: Fixed,
    /// Share of the stake that counts: of active validators with a permit.
    pub active_stake: Fixed,
    /// The weight that a majority of stake gives this uid.
    pub consensus: Fixed,
    /// How much of its own weights is within consensus (`vtrust`).
    pub validator_trust: Fixed,
    /// Share of what miners get; all of them sum to at most 1.
    pub incentive: Fixed,
    /// Share of what validators get; all of them sum to at most 1.
    pub dividends: Fixed,
    /// Paid as a miner, rao.
    pub server_emission_rao: u64,
    /// Paid as a validator, rao.
    pub validator_emission_rao: u64,
    /// Paid as either, rao, rounded by itself.
    pub combined_emission_rao: u64,
    /// Bonds it holds in miners, as the next epoch's [`EpochInput::bonds`](super::EpochInput::bonds) has them: by
    /// ascending uid, without those that are exactly 0. The chain keeps them if the validator keeps its permit.
    pub bonds: Row,
}
