//! A subnet's parameters, and where it is in its epochs.

use super::Snapshot;
use crate::AccountId;
use crate::BlockRef;
use crate::node::client::ReadError;
use crate::node::items;
use crate::timelock::EpochState;
use parity_scale_codec::Encode;
use serde::Serialize;

/// Thousandths.
const MILLI: u64 = 1_000;

/// What a subnet demands of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubnetParameters {
    /// The subnet.
    pub netuid: u16,
    /// The block that it was read at.
    pub block: BlockRef,
    /// Blocks of an epoch.
    pub tempo: u16,
    /// Number of neurons; uids are below it.
    pub num_uids: u16,
    /// Fewest weights of a vector.
    pub min_allowed_weights: u16,
    /// The lowest version key; 0 takes all.
    pub weights_version_key: u64,
    /// Blocks between two submissions.
    pub weights_set_rate_limit_blocks: u64,
    /// Whether weights are committed first.
    pub commit_reveal_enabled: bool,
    /// Epochs between a commit and its opening.
    pub reveal_period_epochs: u64,
    /// The version of timelocked commits.
    pub commit_reveal_version: u16,
    /// The least stake of a hotkey that sets weights, rao.
    pub stake_threshold_rao: u64,
    /// When a validator counts as inactive.
    pub activity_cutoff: ActivityCutoff,
    /// Number of mechanisms; `None` if the runtime does not say.
    pub mechanism_count: Option<u8>,
    /// The hotkey of the subnet's owner.
    pub owner_hotkey: AccountId,
    /// Blocks since the last epoch.
    pub blocks_since_last_step: u64,
    /// The block of the last epoch; `None` where the runtime counts epochs by the tempo alone.
    pub last_epoch_block: Option<u64>,
    /// The block of an epoch that was asked for, 0 if none was; `None` as above.
    pub pending_epoch_at: Option<u64>,
    /// How many epochs there were; `None` as above.
    pub subnet_epoch_index: Option<u64>,
}

/// Blocks without weights after which a validator counts as inactive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ActivityCutoff {
    /// How many.
    pub blocks: u64,
    /// The thousandths of the tempo that say so; `None` where the runtime has a number of blocks.
    pub factor_milli: Option<u32>,
}

impl Snapshot<'_> {
    /// A subnet's parameters.
    ///
    /// # Errors
    /// [`ReadError`]; `NoSubnet` if it does not exist.
    pub fn subnet(&self, netuid: u16) -> Result<SubnetParameters, ReadError> {
        let key = netuid.encode();
        let of: &[&[u8]] = &[&key];
        let answers = self.fetch(&[
            (items::NETWORKS_ADDED, of),
            (items::TEMPO, of),
            (items::SUBNETWORK_N, of),
            (items::MIN_ALLOWED_WEIGHTS, of),
            (items::WEIGHTS_VERSION_KEY, of),
            (items::WEIGHTS_SET_RATE_LIMIT, of),
            (items::COMMIT_REVEAL_ENABLED, of),
            (items::REVEAL_PERIOD_EPOCHS, of),
            (items::COMMIT_REVEAL_VERSION, &[]),
            (items::STAKE_THRESHOLD, &[]),
            (items::ACTIVITY_CUTOFF, of),
            (items::ACTIVITY_CUTOFF_FACTOR, of),
            (items::MECHANISM_COUNT, of),
            (items::SUBNET_OWNER_HOTKEY, of),
            (items::BLOCKS_SINCE_LAST_STEP, of),
            (items::LAST_EPOCH_BLOCK, of),
            (items::PENDING_EPOCH_AT, of),
            (items::SUBNET_EPOCH_INDEX, of),
        ])?;
        let block = self.block();
        if !answers.required::<bool>(items::NETWORKS_ADDED)? {
            return Err(ReadError::NoSubnet { netuid, block });
        }
        let tempo: u16 = answers.required(items::TEMPO)?;
        let factor: Option<u32> = answers.optional(items::ACTIVITY_CUTOFF_FACTOR)?;
        let blocks = match factor {
            // As the chain has it: never zero.
            Some(factor) => (u64::from(factor) * u64::from(tempo) / MILLI).max(1),
            None => u64::from(answers.required::<u16>(items::ACTIVITY_CUTOFF)?),
        };
        Ok(SubnetParameters {
            netuid,
            block,
            tempo,
            num_uids: answers.required(items::SUBNETWORK_N)?,
            min_allowed_weights: answers.required(items::MIN_ALLOWED_WEIGHTS)?,
            weights_version_key: answers.required(items::WEIGHTS_VERSION_KEY)?,
            weights_set_rate_limit_blocks: answers.required(items::WEIGHTS_SET_RATE_LIMIT)?,
            commit_reveal_enabled: answers.required(items::COMMIT_REVEAL_ENABLED)?,
            reveal_period_epochs: answers.required(items::REVEAL_PERIOD_EPOCHS)?,
            commit_reveal_version: answers.required(items::COMMIT_REVEAL_VERSION)?,
            stake_threshold_rao: answers.required(items::STAKE_THRESHOLD)?,
            activity_cutoff: ActivityCutoff {
                blocks,
                factor_milli: factor,
            },
            mechanism_count: answers.optional(items::MECHANISM_COUNT)?,
            owner_hotkey: AccountId(answers.required(items::SUBNET_OWNER_HOTKEY)?),
            blocks_since_last_step: answers.required(items::BLOCKS_SINCE_LAST_STEP)?,
            last_epoch_block: answers.optional(items::LAST_EPOCH_BLOCK)?,
            pending_epoch_at: answers.optional(items::PENDING_EPOCH_AT)?,
            subnet_epoch_index: answers.optional(items::SUBNET_EPOCH_INDEX)?,
        })
    }
}

impl SubnetParameters {
    /// What says when a commit opens; `None` where the runtime counts epochs by the tempo alone.
    pub fn epoch_state(&self) -> Option<EpochState> {
        Some(EpochState {
            last_epoch_block: self.last_epoch_block?,
            pending_epoch_at: self.pending_epoch_at?,
            subnet_epoch_index: self.subnet_epoch_index?,
            tempo: self.tempo,
            blocks_since_last_step: self.blocks_since_last_step,
            block_number: self.block.number,
        })
    }
}
