//! Facts about a subnet that rules ask for.

use crate::runtime::{Item, Key};
use crate::storage::Storage;

/// An item of the pallet that the subnets live in.
pub(crate) const fn item(name: &'static str) -> Item {
    ("SubtensorModule", name)
}

/// A subnet's mechanisms lie this far apart in storage.
const MECHANISM_STRIDE: u16 = 4_096;

/// Where a mechanism's weights are: `NetUidStorageIndex`.
pub(crate) fn storage_index(netuid: u16, mecid: u8) -> u16 {
    u16::from(mecid)
        .saturating_mul(MECHANISM_STRIDE)
        .saturating_add(netuid)
}

pub(crate) fn exists(storage: &Storage, netuid: u16) -> bool {
    storage.get(item("NetworksAdded"), &[Key::U16(netuid)])
}

pub(crate) fn mechanism_exists(storage: &Storage, netuid: u16, mecid: u8) -> bool {
    exists(storage, netuid) && mechanism_count(storage, netuid) > mecid
}

pub(crate) fn mechanism_count(storage: &Storage, netuid: u16) -> u8 {
    storage.get(item("MechanismCountCurrent"), &[Key::U16(netuid)])
}

pub(crate) fn size(storage: &Storage, netuid: u16) -> u16 {
    storage.get(item("SubnetworkN"), &[Key::U16(netuid)])
}

pub(crate) fn uid_of(storage: &Storage, netuid: u16, hotkey: [u8; 32]) -> Option<u16> {
    storage.find(item("Uids"), &[Key::U16(netuid), Key::Account(hotkey)])
}

pub(crate) fn commit_reveal(storage: &Storage, netuid: u16) -> bool {
    storage.get(item("CommitRevealWeightsEnabled"), &[Key::U16(netuid)])
}

/// The owner's hotkey's uid, if it is registered.
pub(crate) fn owner_uid(storage: &Storage, netuid: u16) -> Option<u16> {
    let owner = storage.find(item("SubnetOwnerHotkey"), &[Key::U16(netuid)])?;
    uid_of(storage, netuid, owner)
}

/// A hotkey's alpha on a subnet.
pub(crate) fn alpha(storage: &Storage, netuid: u16, hotkey: [u8; 32]) -> u64 {
    storage.get(
        item("TotalHotkeyAlpha"),
        &[Key::Account(hotkey), Key::U16(netuid)],
    )
}

/// What a hotkey's stake weighs: its alpha, and its stake on the root network by the chain's weight of that. Children are not counted.
pub(crate) fn stake(storage: &Storage, netuid: u16, hotkey: [u8; 32]) -> u64 {
    let weight: u64 = storage.get(item("TaoWeight"), &[]);
    let root = u128::from(alpha(storage, 0, hotkey)) * u128::from(weight) / u128::from(u64::MAX);
    alpha(storage, netuid, hotkey).saturating_add(root as u64)
}

/// Enough stake to set weights; the subnet's owner needs none.
pub(crate) fn has_min_stake(storage: &Storage, netuid: u16, hotkey: [u8; 32]) -> bool {
    let owner = owner_uid(storage, netuid);
    if owner.is_some() && uid_of(storage, netuid, hotkey) == owner {
        return true;
    }
    let threshold: u64 = storage.get(item("StakeThreshold"), &[]);
    stake(storage, netuid, hotkey) >= threshold
}

pub(crate) fn last_update(storage: &Storage, index: u16, uid: u16) -> u64 {
    let all: Vec<u64> = storage.get(item("LastUpdate"), &[Key::U16(index)]);
    all.get(usize::from(uid)).copied().unwrap_or(0)
}

pub(crate) fn set_last_update(storage: &mut Storage, index: u16, uid: u16, block_number: u64) {
    let keys = [Key::U16(index)];
    let mut all: Vec<u64> = storage.get(item("LastUpdate"), &keys);
    if let Some(last) = all.get_mut(usize::from(uid)) {
        *last = block_number;
        storage.put(item("LastUpdate"), &keys, all);
    }
}

/// Whether a uid may set or commit again at a block.
pub(crate) fn passes_rate_limit(
    storage: &Storage,
    netuid: u16,
    mecid: u8,
    uid: u16,
    block_number: u64,
) -> bool {
    if !mechanism_exists(storage, netuid, mecid) || uid >= size(storage, netuid) {
        return false;
    }
    let last = last_update(storage, storage_index(netuid, mecid), uid);
    let limit: u64 = storage.get(item("WeightsSetRateLimit"), &[Key::U16(netuid)]);
    last == 0 || block_number.saturating_sub(last) >= limit
}
