//! What a submission depends on, read at one block.

use super::refusal::Warning;
use crate::AccountId;
use crate::BlockRef;
use crate::node::call::storage_index;
use crate::node::client::ReadError;
use crate::node::snapshot::{PendingCommits, Snapshot, SubnetParameters};
use serde::Serialize;

/// All that the rules look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The block.
    pub block: BlockRef,
    /// Who submits.
    pub hotkey: AccountId,
    /// The mechanism.
    pub mechanism: u8,
    /// What the subnet demands.
    pub parameters: SubnetParameters,
    /// The largest share of one weight that the chain enforces, of 65,535, which is none. Not what storage has: newer runtimes enforce
    /// none, and leave the old item where it is.
    pub max_weight: u16,
    /// The hotkey's place; `None` if it is not registered.
    pub uid: Option<u16>,
    /// The place of the subnet owner's hotkey, which needs neither permit nor stake.
    pub owner_uid: Option<u16>,
    /// Whether it may set weights.
    pub validator_permit: bool,
    /// Its stake with all that counts, rao; `None` if the node has no function that says.
    pub total_stake_rao: Option<u64>,
    /// The block at which its weights were set or committed last; 0 if never, `None` without a uid.
    pub last_update: Option<u64>,
    /// Its commits that wait.
    pub pending: PendingCommits,
    /// The beacon's newest round that the chain has stored.
    pub last_stored_round: Option<u64>,
    /// How many extrinsics of it are in blocks.
    pub nonce: u32,
    /// Who has which uid: the metagraph's digest.
    pub metagraph_digest: crate::Hash,
}

impl Snapshot<'_> {
    /// Reads all that a submission of `hotkey` depends on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn facts(&self, netuid: u16, mechanism: u8, hotkey: AccountId) -> Result<Facts, ReadError> {
        let parameters = self.subnet(netuid)?;
        let metagraph = self.metagraph(netuid)?;
        let neuron = metagraph.neuron(hotkey);
        let uid = self.uid(netuid, hotkey)?;
        if uid != neuron.map(|neuron| neuron.uid) {
            return Err(self.node().malformed(
                "the metagraph",
                &format!("{hotkey} at uid {uid:?}, as storage has it"),
                format!("it at {:?}", neuron.map(|neuron| neuron.uid)),
            ));
        }
        let index = storage_index(netuid, mechanism);
        let last_update = match (index, uid) {
            (Some(index), Some(uid)) => Some(self.last_update(index, uid)?.unwrap_or_default()),
            _ => None,
        };
        let pending = match index {
            Some(index) => self.pending_commits(index, hotkey)?,
            None => PendingCommits::default(),
        };
        let owner = metagraph.neuron(parameters.owner_hotkey);
        Ok(Facts {
            block: self.block(),
            hotkey,
            mechanism,
            uid,
            owner_uid: owner.map(|neuron| neuron.uid),
            validator_permit: neuron.is_some_and(|neuron| neuron.validator_permit),
            total_stake_rao: neuron.and_then(|neuron| neuron.total_stake_rao),
            last_update,
            pending,
            last_stored_round: self.last_stored_round()?,
            nonce: self.account(hotkey)?.nonce,
            metagraph_digest: metagraph.digest(),
            max_weight: self.max_weight(netuid)?,
            parameters,
        })
    }
}

impl Facts {
    /// The first block that can take a submission.
    pub fn landing_block(&self) -> u64 {
        self.block.number + 1
    }

    /// Whether the hotkey is the subnet owner's.
    pub fn is_owner(&self) -> bool {
        self.uid.is_some() && self.uid == self.owner_uid
    }

    /// How many timelocked commits of the hotkey wait that were made in the epoch of the landing block.
    pub(super) fn waiting_in_this_epoch(&self) -> usize {
        let timelocked = &self.pending.timelocked;
        let epoch = match self.parameters.epoch_state() {
            Some(state) => state.opened_epoch(self.landing_block()),
            // Without a counter: that of the newest, which is not fewer than there are.
            None => timelocked
                .iter()
                .map(|commit| commit.epoch)
                .max()
                .unwrap_or_default(),
        };
        let same = timelocked.iter().filter(|commit| commit.epoch == epoch);
        same.count()
    }

    /// What may go wrong though no rule is broken.
    pub(super) fn warnings(&self, alarm_percent: u8) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.total_stake_rao.is_none() {
            warnings.push(Warning::StakeUnknown);
        }
        warnings.extend(self.activity(alarm_percent));
        warnings
    }

    /// The alarm of a validator that soon counts as inactive, or does.
    ///
    /// * `alarm_percent`: from how much of the cut-off on it is given
    pub fn activity(&self, alarm_percent: u8) -> Option<Warning> {
        let last_update = self.last_update?;
        let cutoff_blocks = self.parameters.activity_cutoff.blocks;
        let since_blocks = self.block.number.saturating_sub(last_update);
        // In 128 bits, since the cut-off is the node's word.
        let alarm =
            u128::from(since_blocks) * 100 >= u128::from(cutoff_blocks) * u128::from(alarm_percent);
        alarm.then_some(Warning::Activity {
            last_update,
            since_blocks,
            cutoff_blocks,
            inactive_at_block: last_update.saturating_add(cutoff_blocks).saturating_add(1),
        })
    }
}
