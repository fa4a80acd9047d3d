//! When a subnet's epoch is due. Runtimes with the state items count from the last one; older ones go by the remainder of the block's number.

use super::subnet::{self, item};
use crate::runtime::Key;
use crate::storage::Storage;

/// Blocks after which an epoch runs whatever the tempo.
const BLOCKS_WITHOUT_EPOCH_MAX: u64 = 50_400;

fn read(storage: &Storage, name: &'static str, netuid: u16) -> u64 {
    storage.get(item(name), &[Key::U16(netuid)])
}

fn tempo(storage: &Storage, netuid: u16) -> u64 {
    let tempo: u16 = storage.get(item("Tempo"), &[Key::U16(netuid)]);
    u64::from(tempo)
}

/// Whether the runtime keeps epochs in storage.
pub(crate) fn is_stateful(storage: &Storage) -> bool {
    storage.has(item("LastEpochBlock"))
}

pub(crate) fn is_due(storage: &Storage, netuid: u16, block_number: u64) -> bool {
    let tempo = tempo(storage, netuid);
    if tempo == 0 {
        return false;
    }
    if !is_stateful(storage) {
        return (block_number + u64::from(netuid) + 1).is_multiple_of(tempo + 1);
    }
    let pending = read(storage, "PendingEpochAt", netuid);
    (pending > 0 && block_number >= pending)
        || read(storage, "BlocksSinceLastStep", netuid) > BLOCKS_WITHOUT_EPOCH_MAX
        || block_number.saturating_sub(read(storage, "LastEpochBlock", netuid)) >= tempo
}

/// The epoch that a block belongs to: one that is due there counts as begun.
pub(crate) fn current(storage: &Storage, netuid: u16, block_number: u64) -> u64 {
    if !is_stateful(storage) {
        return (block_number + u64::from(netuid) + 1) / (tempo(storage, netuid) + 1);
    }
    read(storage, "SubnetEpochIndex", netuid) + u64::from(is_due(storage, netuid, block_number))
}

/// The next block at which an epoch is due, as the runtime's API answers it.
pub(crate) fn next_start(storage: &Storage, netuid: u16) -> Option<u64> {
    let tempo = tempo(storage, netuid);
    if tempo == 0 || !is_stateful(storage) {
        return None;
    }
    let next = read(storage, "LastEpochBlock", netuid) + tempo;
    match read(storage, "PendingEpochAt", netuid) {
        0 => Some(next),
        pending => Some(next.min(pending)),
    }
}

/// Counts the block, and runs the epoch if one is due. Emissions, incentives and bonds stay what they were: the double has no consensus.
pub(crate) fn step(storage: &mut Storage, netuid: u16, block_number: u64) {
    let keys = [Key::U16(netuid)];
    let since = read(storage, "BlocksSinceLastStep", netuid) + 1;
    storage.put(item("BlocksSinceLastStep"), &keys, since);
    if !is_due(storage, netuid, block_number) {
        return;
    }
    storage.put(item("BlocksSinceLastStep"), &keys, 0_u64);
    storage.put(item("LastMechansimStepBlock"), &keys, block_number);
    if is_stateful(storage) {
        let index = read(storage, "SubnetEpochIndex", netuid) + 1;
        storage.put(item("SubnetEpochIndex"), &keys, index);
        storage.put(item("LastEpochBlock"), &keys, block_number);
        storage.put(item("PendingEpochAt"), &keys, 0_u64);
    }
    mark_active(storage, netuid, block_number);
}

/// Who has not set weights within the cut-off is not active.
fn mark_active(storage: &mut Storage, netuid: u16, block_number: u64) {
    let cutoff = activity_cutoff(storage, netuid);
    let updates: Vec<u64> = storage.get(item("LastUpdate"), &[Key::U16(netuid)]);
    let active: Vec<bool> = updates
        .iter()
        .map(|last| last + cutoff >= block_number)
        .collect();
    debug_assert_eq!(active.len(), usize::from(subnet::size(storage, netuid)));
    storage.put(item("Active"), &[Key::U16(netuid)], active);
}

/// Blocks without weights after which a validator counts no longer: newer runtimes have thousandths of the tempo.
pub(crate) fn activity_cutoff(storage: &Storage, netuid: u16) -> u64 {
    let keys = [Key::U16(netuid)];
    if storage.has(item("ActivityCutoffFactorMilli")) {
        let factor: u32 = storage.get(item("ActivityCutoffFactorMilli"), &keys);
        return (u64::from(factor) * tempo(storage, netuid) / 1_000).max(1);
    }
    let cutoff: u16 = storage.get(item("ActivityCutoff"), &keys);
    u64::from(cutoff)
}
