//! Weights being set, by a call or by a commit that opened.

use super::ErrorName;
use super::subnet::{self, item};
use crate::runtime::Key;
use crate::storage::Storage;

/// Weights for a mechanism.
pub(crate) struct Weights<'a> {
    pub(crate) netuid: u16,
    pub(crate) mecid: u8,
    pub(crate) uids: &'a [u16],
    pub(crate) values: &'a [u16],
    pub(crate) version_key: u64,
}

/// Checks and stores weights; returns storage index and uid of whoever set them.
pub(crate) fn set(
    storage: &mut Storage,
    who: [u8; 32],
    weights: &Weights<'_>,
    block_number: u64,
) -> Result<(u16, u16), ErrorName> {
    let Weights {
        netuid,
        mecid,
        uids,
        values,
        version_key,
    } = *weights;
    let keys = [Key::U16(netuid)];
    let ensure = |holds: bool, error: ErrorName| if holds { Ok(()) } else { Err(error) };
    ensure(netuid != 0, "CanNotSetRootNetworkWeights")?;
    ensure(uids.len() == values.len(), "WeightVecNotEqualSize")?;
    let exists = subnet::mechanism_exists(storage, netuid, mecid);
    ensure(exists, "MechanismDoesNotExist")?;
    let size = subnet::size(storage, netuid);
    let fits = uids.len() <= usize::from(size);
    ensure(fits, "UidsLengthExceedUidsInSubNet")?;
    let uid = subnet::uid_of(storage, netuid, who).ok_or("HotKeyNotRegisteredInSubNet")?;
    let staked = subnet::has_min_stake(storage, netuid, who);
    ensure(staked, "NotEnoughStakeToSetWeights")?;
    let oldest: u64 = storage.get(item("WeightsVersionKey"), &keys);
    let current = oldest == 0 || version_key >= oldest;
    ensure(current, "IncorrectWeightVersionKey")?;
    let hidden = subnet::commit_reveal(storage, netuid);
    let in_time = hidden || subnet::passes_rate_limit(storage, netuid, mecid, uid, block_number);
    ensure(in_time, "SettingWeightsTooFast")?;
    let on_itself = values.len() == 1 && uids.first() == Some(&uid);
    let permits: Vec<bool> = storage.get(item("ValidatorPermit"), &keys);
    let permitted = on_itself
        || subnet::owner_uid(storage, netuid) == Some(uid)
        || permits.get(usize::from(uid)) == Some(&true);
    ensure(permitted, "NeuronNoValidatorPermit")?;
    let mut sorted = uids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    ensure(sorted.len() == uids.len(), "DuplicateUids")?;
    let known = uids.iter().all(|uid| *uid < size);
    ensure(known, "UidVecContainInvalidOne")?;
    let fewest: u16 = storage.get(item("MinAllowedWeights"), &keys);
    let enough = on_itself || values.len() >= usize::from(fewest.min(size));
    ensure(enough, "WeightVecLengthIsLow")?;
    let upscaled = max_upscaled(values);
    let index = subnet::storage_index(netuid, mecid);
    let pairs: Vec<(u16, u16)> = uids.iter().copied().zip(upscaled).collect();
    storage.put(item("Weights"), &[Key::U16(index), Key::U16(uid)], pairs);
    if !hidden {
        subnet::set_last_update(storage, index, uid, block_number);
    }
    Ok((index, uid))
}

/// Scaled so that the greatest is 65535, in the chain's arithmetic of 32 fractional bits: above 32768 the ratio is rounded down before it
/// multiplies, up to that the product is divided. Results are rounded half up.
pub(crate) fn max_upscaled(values: &[u16]) -> Vec<u16> {
    const ONE: u64 = 1 << 32;
    let Some(max) = values.iter().copied().max().filter(|max| *max > 0) else {
        return values.to_vec();
    };
    let scaled = |value: u16| {
        let (value, max, full) = (u128::from(value), u128::from(max), u128::from(u16::MAX));
        let fixed = match max > 32_768 {
            true => value * (full * u128::from(ONE) / max),
            false => value * full * u128::from(ONE) / max,
        };
        ((fixed + u128::from(ONE / 2)) >> 32) as u16
    };
    values.iter().map(|value| scaled(*value)).collect()
}
