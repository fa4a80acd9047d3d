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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ChainConfig;
    use crate::drand::Drand;
    use std::sync::Arc;

    /// Blocks beyond which a case is not stepped through.
    const BLOCKS_MAX: u64 = 2_000;

    /// States and the blocks that open a commit made on top of them, by the official wheel.
    #[test]
    fn commits_are_due_at_the_blocks_that_the_official_wheel_computes() {
        let text = include_str!("../../../../runtime/chain/tests/golden/timelock-vectors.json");
        let golden: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let cases = golden["reveal_round_schedule"]["cases"].as_array();
        let drand = Arc::new(Drand::new(1, 0, 3));
        let genesis = crate::genesis::storage(&ChainConfig::default(), &drand);
        let mut checked = 0;
        for case in cases.expect("a list") {
            let number = |name: &str| case[name].as_u64().expect("a number");
            let Some(reveal) = case["reveal_block"].as_u64() else {
                continue;
            };
            let current_block = number("current_block");
            if reveal - current_block > BLOCKS_MAX {
                continue;
            }
            let mut storage = genesis.clone();
            let keys = [Key::U16(56)];
            for (name, field) in [
                ("LastEpochBlock", "last_epoch_block"),
                ("PendingEpochAt", "pending_epoch_at"),
                ("SubnetEpochIndex", "subnet_epoch_index"),
                ("BlocksSinceLastStep", "blocks_since_last_step"),
            ] {
                storage.put(item(name), &keys, number(field));
            }
            storage.put(item("Tempo"), &keys, number("tempo") as u16);
            let period = number("reveal_period_epochs");
            let mut target = None;
            let due = (current_block + 1..).find(|block| {
                let epoch = current(&storage, 56, *block);
                let target = *target.get_or_insert(epoch + period);
                step(&mut storage, 56, *block);
                epoch == target
            });
            assert_eq!(due, Some(reveal), "{case}");
            checked += 1;
        }
        assert!(checked > 30, "{checked} cases");
    }
}
