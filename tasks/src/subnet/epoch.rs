//! From a snapshot to an epoch's input: which stakes, weights and bonds the chain would count.

use super::{Neuron, Snapshot};
use crate::yuma::{EpochInput, Hyperparameters, Row, Uid, Version};

/// Why an epoch counts nothing of a validator's vector, however fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncounted {
    /// It is no validator.
    #[error("it has no validator permit")]
    NoPermit,
    /// It is too small.
    #[error("its stake weight is {stake_rao} rao, and {threshold_rao} are the least that counts")]
    Stake {
        /// What it has.
        stake_rao: u64,
        /// What it takes.
        threshold_rao: u64,
    },
    /// There is nothing to weigh it by.
    #[error("it has no stake")]
    NoStake,
}

impl Snapshot {
    /// Why a vector of `uid` would count for nothing, if so. As in [`epoch_input`](Self::epoch_input) neither holds for the
    /// owner, but for one without stake.
    pub fn uncounted(&self, uid: u16) -> Option<Uncounted> {
        let neuron = self.neurons.get(usize::from(uid))?;
        let owns = self.owner_uid() == Some(uid);
        let (stake_rao, threshold_rao) = (neuron.stake_rao, self.settings.stake_threshold_rao);
        if !neuron.validator_permit && !owns {
            Some(Uncounted::NoPermit)
        } else if stake_rao < threshold_rao && !owns {
            Some(Uncounted::Stake {
                stake_rao,
                threshold_rao,
            })
        } else {
            (stake_rao == 0).then_some(Uncounted::NoStake)
        }
    }

    /// What an epoch at `block` would start from, if nothing but the block's number changed.
    ///
    /// | left out | when |
    /// |---|---|
    /// | a validator's activity | its weights are older than the activity cut-off |
    /// | stake | below the threshold, unless it is the owner's |
    /// | a weight | its uid was registered at or after the row's block, or after the block of the row's oldest open commit |
    /// | a bond | its uid was registered after the last epoch |
    ///
    /// The owner has a permit whatever is stored. Source: the chain's `epoch_mechanism`, June 2026.
    pub fn epoch_input(&self, block: u64) -> EpochInput {
        let settings = &self.settings;
        let owner = self.owner_uid();
        let owns = |neuron: &Neuron| owner == Some(neuron.uid);
        // Bonds count from the block behind the last epoch on; before any epoch, from one tempo ago.
        let last_epoch = match self.last_step_block {
            0 => block.saturating_sub(u64::from(settings.tempo)),
            last => last.saturating_add(1),
        };
        let rows = |of: fn(&Neuron) -> &[(u16, u16)], counts: &dyn Fn(&Neuron, &Neuron) -> bool| {
            let row = |neuron: &Neuron| -> Row {
                of(neuron)
                    .iter()
                    .filter(|(uid, _)| {
                        // A uid that is not there is the epoch's to refuse.
                        let target = self.neurons.get(usize::from(*uid));
                        target.is_none_or(|target| counts(neuron, target))
                    })
                    .map(|(uid, value)| (Uid(*uid), *value))
                    .collect()
            };
            self.neurons.iter().map(row).collect::<Vec<Row>>()
        };
        let weight_counts = |of: &Neuron, target: &Neuron| {
            let commit = of.oldest_open_commit.filter(|_| settings.commit_reveal);
            of.last_update > target.registered_at
                && commit.is_none_or(|commit| commit >= target.registered_at)
        };
        let bond_counts = |_: &Neuron, target: &Neuron| last_epoch > target.registered_at;
        let each = self.neurons.iter();
        EpochInput {
            stakes_rao: each
                .clone()
                .map(
                    |n| match n.stake_rao < settings.stake_threshold_rao && !owns(n) {
                        true => 0,
                        false => n.stake_rao,
                    },
                )
                .collect(),
            active: each
                .clone()
                .map(|n| {
                    let until = n
                        .last_update
                        .saturating_add(settings.activity_cutoff_blocks);
                    until >= block
                })
                .collect(),
            permits: each.map(|n| n.validator_permit || owns(n)).collect(),
            owner: owner.map(Uid),
            weights: rows(|n| &n.weights, &weight_counts),
            bonds: rows(|n| &n.bonds, &bond_counts),
            hyperparameters: Hyperparameters {
                version: match settings.yuma3 {
                    true => Version::Yuma3,
                    false => Version::Yuma2,
                },
                kappa: settings.kappa,
                bonds_penalty: settings.bonds_penalty,
                bonds_moving_average_ppm: settings.bonds_moving_average_ppm,
                liquid_alpha: settings.liquid_alpha,
            },
            emission_rao: self.emission_rao,
        }
    }

    /// The snapshot as if `uid` had just set `row`, at `block`. Values are scaled up to 65,535, as the chain stores them.
    #[must_use]
    pub fn with_row(&self, uid: u16, row: &[(u16, u16)], block: u64) -> Self {
        let mut then = self.clone();
        if let Some(neuron) = then.neurons.get_mut(usize::from(uid)) {
            neuron.weights = max_upscaled(row);
            neuron.last_update = block;
            neuron.oldest_open_commit = None;
        }
        then
    }
}

/// A row as the chain stores it: its largest value is 65,535, others in proportion, rounded as its fixed-point numbers
/// round. Source: the chain's `vec_u16_max_upscale_to_u16`.
pub fn max_upscaled(row: &[(u16, u16)]) -> Vec<(u16, u16)> {
    const ONE: u64 = 1 << 32;
    let most = u64::from(u16::MAX);
    let largest = row.iter().map(|(_, value)| u64::from(*value)).max();
    let Some(largest) = largest.filter(|largest| *largest > 0) else {
        return row.to_vec();
    };
    let scaled = |value: u16| {
        let value = u64::from(value);
        // Above the half, one more product would not fit the chain's numbers, so there it divides first.
        let fixed = match largest > 32_768 {
            true => value * ((most * ONE) / largest),
            false => ((value * most) << 32) / largest,
        };
        u16::try_from((fixed + ONE / 2) / ONE).unwrap_or(u16::MAX)
    };
    row.iter()
        .map(|(uid, value)| (*uid, scaled(*value)))
        .collect()
}
