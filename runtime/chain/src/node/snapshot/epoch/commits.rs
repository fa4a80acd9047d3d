//! Commits that are neither revealed nor expired.

use super::super::{Snapshot, SubnetParameters};
use crate::node::client::ReadError;
use crate::node::items;
use parity_scale_codec::Decode;

type Timelocked = Vec<([u8; 32], u64, Vec<u8>, u64)>;
type Hashed = Vec<([u8; 32], u64, u64, u64)>;

impl Snapshot<'_> {
    /// The block of each hotkey's oldest commit that is neither revealed nor expired.
    pub(super) fn open_commits(
        &self,
        parameters: &SubnetParameters,
        index: &[u8],
        hotkeys: &[[u8; 32]],
    ) -> Result<Vec<Option<u64>>, ReadError> {
        let epochs = Epochs::of(parameters);
        let mut oldest: Vec<Option<u64>> = vec![None; hotkeys.len()];
        let note =
            |at: &mut Option<u64>, block: u64| *at = Some(at.map_or(block, |b| b.min(block)));
        if self.stored_by().has(items::WEIGHT_COMMITS) {
            let keys: Vec<Vec<Vec<u8>>> = hotkeys
                .iter()
                .map(|hotkey| vec![index.to_vec(), hotkey.to_vec()])
                .collect();
            let stored: Vec<Option<Hashed>> = self.many(items::WEIGHT_COMMITS, &keys)?;
            for (cell, commits) in oldest.iter_mut().zip(stored) {
                for (_, first, second, _) in commits.unwrap_or_default() {
                    // Epoch and block, or the block alone.
                    let (epoch, block) = match epochs.are_counted {
                        true => (first, second),
                        false => (epochs.by_number(first), first),
                    };
                    if !epochs.is_expired(epoch) {
                        note(cell, block);
                        break;
                    }
                }
            }
        }
        if self.stored_by().has(items::TIMELOCKED_COMMITS) {
            let prefixes = self.keys(items::TIMELOCKED_COMMITS, &[index])?;
            let made: Vec<Vec<u8>> = prefixes
                .iter()
                // The hasher leaves the key at the end.
                .filter_map(|key| key.last_chunk::<8>().map(|epoch| epoch.to_vec()))
                .collect();
            let keys: Vec<Vec<Vec<u8>>> = made
                .iter()
                .map(|epoch| vec![index.to_vec(), epoch.clone()])
                .collect();
            let stored: Vec<Option<Timelocked>> = self.many(items::TIMELOCKED_COMMITS, &keys)?;
            for (made, commits) in made.iter().zip(stored) {
                let made = u64::decode(&mut &made[..]).unwrap_or_default();
                for (account, block, ..) in commits.unwrap_or_default() {
                    let epoch = match epochs.are_counted {
                        true => made,
                        false => epochs.by_number(block),
                    };
                    if epochs.is_expired(epoch) {
                        continue;
                    }
                    if let Some(uid) = hotkeys.iter().position(|hotkey| *hotkey == account) {
                        note(&mut oldest[uid], block);
                    }
                }
            }
        }
        Ok(oldest)
    }
}

/// How a runtime counts epochs.
struct Epochs {
    /// Whether it has a counter.
    are_counted: bool,
    tempo: u64,
    netuid: u64,
    current: u64,
    reveal_period: u64,
}

impl Epochs {
    fn of(parameters: &SubnetParameters) -> Self {
        let block = parameters.block.number;
        let mut epochs = Self {
            are_counted: false,
            tempo: parameters.tempo.into(),
            netuid: parameters.netuid.into(),
            current: 0,
            reveal_period: parameters.reveal_period_epochs,
        };
        match parameters.epoch_state() {
            Some(state) => {
                epochs.are_counted = true;
                // A subnet without a tempo has no epochs that could be due.
                epochs.current = match parameters.tempo {
                    0 => state.subnet_epoch_index,
                    _ => state.opened_epoch(block),
                };
            }
            None => epochs.current = epochs.by_number(block),
        }
        epochs
    }

    /// The epoch of a block where there is no counter.
    fn by_number(&self, block: u64) -> u64 {
        block.saturating_add(self.netuid + 1) / (self.tempo + 1)
    }

    fn is_expired(&self, epoch: u64) -> bool {
        self.current > epoch.saturating_add(self.reveal_period)
    }
}
