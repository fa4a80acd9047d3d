//! What a subnet's next epoch starts from, besides its parameters and neurons: settings of consensus, what is paid, and a row for each uid.
//!
//! | read | where the chain has it |
//! |---|---|
//! | the largest weight | its runtime function, since newer runtimes enforce a constant and leave the old item in storage |
//! | what is paid | `PendingServerEmission`, `PendingValidatorEmission` and `PendingRootAlphaDivs` together, split among mechanisms |
//! | whether a commit is open | its epoch and `RevealPeriodEpochs`; runtimes without a counter of epochs have them by the block's number |
//!
//! Source: the chain's `epoch_mechanism`, `distribute_emission`, `split_emissions` and `is_commit_expired`, specs 365 and 424.

mod commits;
mod many;

use super::{Answers, Snapshot, SubnetParameters};
use crate::node::call::storage_index;
use crate::node::client::ReadError;
use crate::node::items::{self, Item};
use parity_scale_codec::{Decode, Encode};
use serde::Serialize;

/// `get_selective_metagraph`'s number of `max_weights_limit`.
const MAX_WEIGHTS_LIMIT_FIELD: u16 = 25;

/// Settings of consensus, and what is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EpochSettings {
    /// Whether Yuma 3 runs instead of Yuma 2.
    pub yuma3: bool,
    /// Share of stake that makes a majority, of 65,535.
    pub kappa: u16,
    /// How much of the weight outside consensus buys no bonds, of 65,535.
    pub bonds_penalty: u16,
    /// How much of the old bonds is kept, in millionths.
    pub bonds_moving_average_ppm: u64,
    /// Whether bonds' moving average depends on consensus.
    pub liquid_alpha: bool,
    /// The largest share of one weight that the chain enforces, of 65,535, which is none.
    pub max_weight: u16,
    /// The block of the last epoch that paid; 0 before the first.
    pub last_step_block: u64,
    /// What has come together since.
    pub pending: PendingEmission,
}

/// What an epoch at this block would pay, rao of the subnet's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PendingEmission {
    /// To miners.
    pub server_rao: u64,
    /// To validators by their stake on the subnet.
    pub validator_rao: u64,
    /// To validators by their stake on the root.
    pub root_rao: u64,
    /// The mechanism's part of all three, which its epoch is run over.
    pub mechanism_rao: u64,
}

/// What one uid brings to an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EpochRow {
    /// The block at which the mechanism's weights were set or committed last; 0 if never.
    pub last_update: u64,
    /// Its share of the mechanism's payment to miners in the last epoch, of 65,535.
    pub incentive: u16,
    /// The block at which its hotkey took it.
    pub registered_at: u64,
    /// The block of the oldest commit that is neither revealed nor expired.
    pub oldest_open_commit: Option<u64>,
    /// Weights as they were set last: uid and value.
    pub weights: Vec<(u16, u16)>,
    /// Bonds: uid and value.
    pub bonds: Vec<(u16, u16)>,
}

impl Snapshot<'_> {
    /// Settings of a mechanism's consensus, and what its next epoch would pay as of now.
    ///
    /// # Errors
    /// [`ReadError`]; `Capability` names an item that the runtime lacks, `NoMechanism` if the subnet has fewer.
    pub fn epoch_settings(&self, netuid: u16, mechanism: u8) -> Result<EpochSettings, ReadError> {
        let key = netuid.encode();
        let of: &[&[u8]] = &[&key];
        let answers = self.fetch(&[
            (items::YUMA3_ON, of),
            (items::KAPPA, of),
            (items::BONDS_PENALTY, of),
            (items::BONDS_MOVING_AVERAGE, of),
            (items::LIQUID_ALPHA_ON, of),
            (items::LAST_MECHANISM_STEP_BLOCK, of),
            (items::PENDING_SERVER_EMISSION, of),
            (items::PENDING_VALIDATOR_EMISSION, of),
            (items::PENDING_ROOT_ALPHA_DIVS, of),
            (items::MECHANISM_COUNT, of),
            (items::MECHANISM_EMISSION_SPLIT, of),
        ])?;
        let server_rao: u64 = self.needed(&answers, items::PENDING_SERVER_EMISSION)?;
        let validator_rao: u64 = self.needed(&answers, items::PENDING_VALIDATOR_EMISSION)?;
        let root_rao: u64 = self.needed(&answers, items::PENDING_ROOT_ALPHA_DIVS)?;
        // Runtimes from before there were mechanisms have one.
        let count: u8 = answers.optional(items::MECHANISM_COUNT)?.unwrap_or(1);
        let split: Option<Vec<u16>> = answers.optional(items::MECHANISM_EMISSION_SPLIT)?;
        let total = server_rao
            .saturating_add(validator_rao)
            .saturating_add(root_rao);
        let parts = split_emission(total, count, split.as_deref());
        let Some(&mechanism_rao) = parts.get(usize::from(mechanism)) else {
            return Err(ReadError::NoMechanism {
                netuid,
                mechanism,
                count,
            });
        };
        Ok(EpochSettings {
            yuma3: self.needed(&answers, items::YUMA3_ON)?,
            kappa: self.needed(&answers, items::KAPPA)?,
            bonds_penalty: self.needed(&answers, items::BONDS_PENALTY)?,
            bonds_moving_average_ppm: self.needed(&answers, items::BONDS_MOVING_AVERAGE)?,
            liquid_alpha: self.needed(&answers, items::LIQUID_ALPHA_ON)?,
            max_weight: self.max_weight(netuid)?,
            last_step_block: self.needed(&answers, items::LAST_MECHANISM_STEP_BLOCK)?,
            pending: PendingEmission {
                server_rao,
                validator_rao,
                root_rao,
                mechanism_rao,
            },
        })
    }

    /// A mechanism's rows, one for each of `hotkeys`, which stand in the order of uids.
    ///
    /// Vectors in storage may be shorter than the subnet until its next epoch; the chain reads what is missing as 0, and so does this.
    ///
    /// # Errors
    /// As [`Snapshot::epoch_settings`].
    pub fn epoch_rows(
        &self,
        parameters: &SubnetParameters,
        mechanism: u8,
        hotkeys: &[[u8; 32]],
    ) -> Result<Vec<EpochRow>, ReadError> {
        let netuid = parameters.netuid;
        let Some(index) = storage_index(netuid, mechanism) else {
            let count = parameters.mechanism_count.unwrap_or(1);
            return Err(ReadError::NoMechanism {
                netuid,
                mechanism,
                count,
            });
        };
        let (netuid_key, index_key) = (netuid.encode(), index.encode());
        let updates: Option<Vec<u64>> = self.one(items::LAST_UPDATE, &[&index_key])?;
        let incentives: Option<Vec<u16>> = self.one(items::INCENTIVE, &[&index_key])?;
        let (updates, incentives) = (updates.unwrap_or_default(), incentives.unwrap_or_default());
        let uids: Vec<[u8; 2]> = (0..hotkeys.len())
            .map(|uid| u16::try_from(uid).unwrap_or(u16::MAX).to_le_bytes())
            .collect();
        let of_each = |first: &[u8]| -> Vec<Vec<Vec<u8>>> {
            let keys = uids.iter().map(|uid| vec![first.to_vec(), uid.to_vec()]);
            keys.collect()
        };
        let registered: Vec<Option<u64>> =
            self.many(items::BLOCK_AT_REGISTRATION, &of_each(&netuid_key))?;
        let weights: Vec<Option<Vec<(u16, u16)>>> =
            self.many(items::WEIGHTS, &of_each(&index_key))?;
        let bonds: Vec<Option<Vec<(u16, u16)>>> = self.many(items::BONDS, &of_each(&index_key))?;
        let commits = self.open_commits(parameters, &index_key, hotkeys)?;
        let rows = registered.into_iter().zip(weights).zip(bonds).zip(commits);
        Ok(rows
            .enumerate()
            .map(|(uid, (((registered, weights), bonds), commit))| EpochRow {
                last_update: updates.get(uid).copied().unwrap_or_default(),
                incentive: incentives.get(uid).copied().unwrap_or_default(),
                registered_at: registered.unwrap_or_default(),
                oldest_open_commit: commit,
                weights: weights.unwrap_or_default(),
                bonds: bonds.unwrap_or_default(),
            })
            .collect())
    }

    /// What the chain enforces, as its own function says; its item where there is no such function, none where there is neither.
    pub(in crate::node) fn max_weight(&self, netuid: u16) -> Result<u16, ReadError> {
        let name = "max_weights_limit";
        let arguments = (netuid, vec![MAX_WEIGHTS_LIMIT_FIELD]).encode();
        let api = "SubnetInfoRuntimeApi";
        let answer = match self.runtime_call(api, "get_selective_metagraph", &arguments) {
            Err(error) if error.is_of_no_function() => None,
            answer => answer?,
        };
        let found = answer.as_ref().and_then(|answer| {
            let value = answer.option()??.field(name)?;
            value.option()??.unsigned()
        });
        if let Some(found) = found {
            return u16::try_from(found).map_err(|_| {
                let expected = "a share of 65,535";
                self.node().malformed(name, expected, found.to_string())
            });
        }
        let answers = self.fetch(&[(items::MAX_WEIGHTS_LIMIT, &[&netuid.encode()])])?;
        let stored: Option<u16> = answers.optional(items::MAX_WEIGHTS_LIMIT)?;
        Ok(stored.unwrap_or(u16::MAX))
    }

    /// An item that a runtime may lack, and without which this cannot go on.
    fn needed<T: Decode>(&self, answers: &Answers<'_>, item: &Item) -> Result<T, ReadError> {
        self.key(item, &[])?;
        answers.required(item)
    }
}

/// Each mechanism's part, with what rounding loses going to the first.
fn split_emission(total: u64, count: u8, split: Option<&[u16]>) -> Vec<u64> {
    let count = usize::from(count);
    let share = |share: &u16| {
        let part = u128::from(total) * u128::from(*share) / u128::from(u16::MAX);
        part as u64
    };
    let mut parts: Vec<u64> = match split {
        Some(split) => split.iter().map(share).collect(),
        None => vec![total / (count.max(1) as u64); count],
    };
    parts.resize(count, 0);
    let paid = parts
        .iter()
        .fold(0_u64, |sum, part| sum.saturating_add(*part));
    if let Some(first) = parts.first_mut() {
        *first = first.saturating_add(total.saturating_sub(paid));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::split_emission;

    #[test]
    fn what_rounding_loses_goes_to_the_first_mechanism() {
        assert_eq!(split_emission(10, 1, None), [10]);
        assert_eq!(split_emission(10, 3, None), [4, 3, 3]);
        assert_eq!(split_emission(100, 2, Some(&[13_107, 52_428])), [20, 80]);
        // Shorter and longer than there are mechanisms, and none at all.
        assert_eq!(split_emission(100, 2, Some(&[13_107])), [100, 0]);
        assert_eq!(split_emission(100, 1, Some(&[13_107, 52_428])), [100]);
        assert!(split_emission(100, 0, None).is_empty());
    }
}
