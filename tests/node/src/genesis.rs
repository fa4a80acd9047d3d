//! Storage at genesis, and changes to it that no call of this double makes.

use crate::config::{ChainConfig, Neuron, SubnetConfig};
use crate::drand::Drand;
use crate::rules::subnet::{item, storage_index};
use crate::runtime::Key;
use crate::storage::Storage;
use std::sync::Arc;

pub(crate) fn storage(config: &ChainConfig, drand: &Arc<Drand>) -> Storage {
    let mut storage = Storage::new(config.spec.runtime(), drand.clone());
    storage.put(("System", "Number"), &[], 0_u32);
    storage.put(("Timestamp", "Now"), &[], config.start_ms);
    storage.put(item("StakeThreshold"), &[], config.stake_threshold);
    let newest = drand.newest_round(config.start_ms);
    storage.put(("Drand", "LastStoredRound"), &[], newest);
    if newest > 0 {
        storage.put_pulse(newest);
    }
    for subnet in &config.subnets {
        add_subnet(&mut storage, subnet);
    }
    storage.put(item("TotalNetworks"), &[], config.subnets.len() as u16 + 1);
    storage.put(item("NetworksAdded"), &[Key::U16(0)], true);
    // Chains of another name are other chains.
    storage.put_raw(
        b":gradus:network name".repeat(2),
        config.name.clone().into_bytes(),
    );
    storage
}

fn add_subnet(storage: &mut Storage, subnet: &SubnetConfig) {
    let netuid = subnet.netuid;
    let keys = [Key::U16(netuid)];
    storage.put(item("NetworksAdded"), &keys, true);
    storage.put(item("Tempo"), &keys, subnet.tempo);
    storage.put(item("MinAllowedWeights"), &keys, subnet.min_allowed_weights);
    storage.put(item("MaxWeightsLimit"), &keys, subnet.max_weights_limit);
    storage.put(item("WeightsVersionKey"), &keys, subnet.weights_version_key);
    let rate_limit = subnet.weights_set_rate_limit;
    storage.put(item("WeightsSetRateLimit"), &keys, rate_limit);
    let hidden = subnet.commit_reveal;
    storage.put(item("CommitRevealWeightsEnabled"), &keys, hidden);
    let period = subnet.reveal_period_epochs;
    storage.put(item("RevealPeriodEpochs"), &keys, period);
    storage.put(item("ActivityCutoff"), &keys, subnet.activity_cutoff);
    storage.put(item("MechanismCountCurrent"), &keys, subnet.mechanisms);
    storage.put(item("SubnetworkN"), &keys, 0_u16);
    storage.put(item("MaxAllowedUids"), &keys, 256_u16);
    storage.put(item("MaxAllowedValidators"), &keys, 64_u16);
    for name in ["LastEpochBlock", "PendingEpochAt", "SubnetEpochIndex"] {
        storage.put_if_known(item(name), &keys, 0_u64);
    }
    storage.put(item("BlocksSinceLastStep"), &keys, 0_u64);
    for neuron in &subnet.neurons {
        append_neuron(storage, netuid, neuron, 0);
    }
    if let Some(owner) = subnet.owner_uid {
        let owner = &subnet.neurons[usize::from(owner)];
        storage.put(item("SubnetOwnerHotkey"), &keys, owner.hotkey);
        storage.put(item("SubnetOwner"), &keys, owner.coldkey);
    }
}

/// Adds a neuron with the next uid.
pub(crate) fn append_neuron(storage: &mut Storage, netuid: u16, neuron: &Neuron, block: u64) {
    let keys = [Key::U16(netuid)];
    let uid: u16 = storage.get(item("SubnetworkN"), &keys);
    storage.put(item("SubnetworkN"), &keys, uid + 1);
    put_neuron(storage, netuid, uid, neuron, block);
}

/// Gives a uid to another neuron; what the one before had there is gone.
pub(crate) fn replace_neuron(
    storage: &mut Storage,
    netuid: u16,
    uid: u16,
    neuron: &Neuron,
    block: u64,
) {
    let slot = [Key::U16(netuid), Key::U16(uid)];
    let before: [u8; 32] = storage.get(item("Keys"), &slot);
    storage.remove(item("Uids"), &[Key::U16(netuid), Key::Account(before)]);
    for mecid in 0..mechanisms(storage, netuid) {
        let slot = [Key::U16(storage_index(netuid, mecid)), Key::U16(uid)];
        storage.remove(item("Weights"), &slot);
        storage.remove(item("Bonds"), &slot);
    }
    put_neuron(storage, netuid, uid, neuron, block);
}

fn mechanisms(storage: &Storage, netuid: u16) -> u8 {
    storage.get(item("MechanismCountCurrent"), &[Key::U16(netuid)])
}

fn put_neuron(storage: &mut Storage, netuid: u16, uid: u16, neuron: &Neuron, block: u64) {
    let slot = [Key::U16(netuid), Key::U16(uid)];
    let hotkey = neuron.hotkey;
    storage.put(item("Keys"), &slot, hotkey);
    let by_hotkey = [Key::U16(netuid), Key::Account(hotkey)];
    storage.put(item("Uids"), &by_hotkey, uid);
    storage.put(item("BlockAtRegistration"), &slot, block);
    storage.put(item("Owner"), &[Key::Account(hotkey)], neuron.coldkey);
    let of_hotkey = [Key::Account(hotkey), Key::U16(netuid)];
    storage.put(item("TotalHotkeyAlpha"), &of_hotkey, neuron.alpha);
    storage.put_if_known(
        item("IsNetworkMember"),
        &[Key::Account(hotkey), Key::U16(netuid)],
        true,
    );
    let keys = [Key::U16(netuid)];
    let at = usize::from(uid);
    let mut permits: Vec<bool> = storage.get(item("ValidatorPermit"), &keys);
    set_at(&mut permits, at, neuron.validator_permit);
    storage.put(item("ValidatorPermit"), &keys, permits);
    let mut active: Vec<bool> = storage.get(item("Active"), &keys);
    set_at(&mut active, at, true);
    storage.put(item("Active"), &keys, active);
    for name in ["Consensus", "Dividends", "ValidatorTrust"] {
        let mut values: Vec<u16> = storage.get(item(name), &keys);
        set_at(&mut values, at, 0);
        storage.put(item(name), &keys, values);
    }
    let mut emission: Vec<u64> = storage.get(item("Emission"), &keys);
    set_at(&mut emission, at, 0);
    storage.put(item("Emission"), &keys, emission);
    for mecid in 0..mechanisms(storage, netuid) {
        let keys = [Key::U16(storage_index(netuid, mecid))];
        let mut incentive: Vec<u16> = storage.get(item("Incentive"), &keys);
        set_at(&mut incentive, at, neuron.incentive);
        storage.put(item("Incentive"), &keys, incentive);
        // A registration counts as an update.
        let last = if block > 0 { block } else { neuron.last_update };
        let mut updates: Vec<u64> = storage.get(item("LastUpdate"), &keys);
        set_at(&mut updates, at, last);
        storage.put(item("LastUpdate"), &keys, updates);
    }
}

fn set_at<T: Default + Clone>(values: &mut Vec<T>, at: usize, value: T) {
    if values.len() <= at {
        values.resize(at + 1, T::default());
    }
    values[at] = value;
}

/// Takes uids from `size` on away from a subnet.
pub(crate) fn shrink(storage: &mut Storage, netuid: u16, size: u16) {
    let keys = [Key::U16(netuid)];
    let before: u16 = storage.get(item("SubnetworkN"), &keys);
    for uid in size..before {
        let slot = [Key::U16(netuid), Key::U16(uid)];
        let hotkey: [u8; 32] = storage.get(item("Keys"), &slot);
        storage.remove(item("Uids"), &[Key::U16(netuid), Key::Account(hotkey)]);
        storage.remove(item("Keys"), &slot);
        storage.remove(item("Weights"), &slot);
    }
    storage.put(item("SubnetworkN"), &keys, size.min(before));
    let cut = usize::from(size);
    for name in ["ValidatorPermit", "Active"] {
        let mut values: Vec<bool> = storage.get(item(name), &keys);
        values.truncate(cut);
        storage.put(item(name), &keys, values);
    }
    for name in ["Consensus", "Dividends", "ValidatorTrust"] {
        let mut values: Vec<u16> = storage.get(item(name), &keys);
        values.truncate(cut);
        storage.put(item(name), &keys, values);
    }
    let mut emission: Vec<u64> = storage.get(item("Emission"), &keys);
    emission.truncate(cut);
    storage.put(item("Emission"), &keys, emission);
    for mecid in 0..mechanisms(storage, netuid) {
        let keys = [Key::U16(storage_index(netuid, mecid))];
        let mut incentive: Vec<u16> = storage.get(item("Incentive"), &keys);
        incentive.truncate(cut);
        storage.put(item("Incentive"), &keys, incentive);
        let mut updates: Vec<u64> = storage.get(item("LastUpdate"), &keys);
        updates.truncate(cut);
        storage.put(item("LastUpdate"), &keys, updates);
    }
}
