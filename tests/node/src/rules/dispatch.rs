//! Calls that were included: what they change, which events they leave, with which error they fail.

use super::set::{self, Weights};
use super::subnet::{self, item};
use super::{ErrorName, epoch};
use crate::call::Call;
use crate::events::Event;
use crate::runtime::Key;
use crate::storage::Storage;
use parity_scale_codec::Encode;
use sp_crypto_hashing::blake2_256;

/// Unrevealed commits that a hotkey may have.
const COMMITS_MAX: usize = 10;

/// A hash commit as it is stored: hash, its epoch, its block, and a field that is always 0.
pub(crate) type HashCommit = ([u8; 32], u64, u64, u64);
/// A timelocked commit as it is stored: who, its block, the ciphertext, the round.
pub(crate) type TimelockedCommit = ([u8; 32], u64, Vec<u8>, u64);

/// Runs a call. On an error storage is what it was.
pub(crate) fn dispatch(
    storage: &mut Storage,
    who: [u8; 32],
    call: &Call,
    block_number: u64,
) -> Result<Vec<Event>, ErrorName> {
    let mut changed = storage.clone();
    let events = run(&mut changed, who, call, block_number)?;
    *storage = changed;
    Ok(events)
}

fn run(
    storage: &mut Storage,
    who: [u8; 32],
    call: &Call,
    block_number: u64,
) -> Result<Vec<Event>, ErrorName> {
    match call {
        Call::Set {
            netuid,
            mecid,
            uids,
            values,
            version_key,
        } => {
            if subnet::commit_reveal(storage, *netuid) {
                return Err("CommitRevealEnabled");
            }
            let weights = Weights {
                netuid: *netuid,
                mecid: *mecid,
                uids,
                values,
                version_key: *version_key,
            };
            let (index, uid) = set::set(storage, who, &weights, block_number)?;
            Ok(vec![Event::WeightsSet { index, uid }])
        }
        Call::Commit {
            netuid,
            mecid,
            hash,
        } => commit(storage, who, (*netuid, *mecid), *hash, block_number),
        Call::Reveal { .. } => reveal(storage, who, call, block_number),
        Call::CommitTimelocked { .. } => commit_timelocked(storage, who, call, block_number),
        Call::Other { .. } => Ok(Vec::new()),
    }
}

fn commit(
    storage: &mut Storage,
    who: [u8; 32],
    (netuid, mecid): (u16, u8),
    hash: [u8; 32],
    block_number: u64,
) -> Result<Vec<Event>, ErrorName> {
    if !subnet::mechanism_exists(storage, netuid, mecid) {
        return Err("MechanismDoesNotExist");
    }
    if !subnet::commit_reveal(storage, netuid) {
        return Err("CommitRevealDisabled");
    }
    let uid = subnet::uid_of(storage, netuid, who).ok_or("HotKeyNotRegisteredInSubNet")?;
    if !subnet::passes_rate_limit(storage, netuid, mecid, uid, block_number) {
        return Err("CommittingWeightsTooFast");
    }
    let index = subnet::storage_index(netuid, mecid);
    let current = epoch::current(storage, netuid, block_number);
    let period = reveal_period(storage, netuid);
    let mut commits = commits(storage, index, who).unwrap_or_default();
    let expired = commits
        .iter()
        .take_while(|commit| current > commit.1 + period)
        .count();
    commits.drain(..expired);
    if commits.len() >= COMMITS_MAX {
        return Err("TooManyUnrevealedCommits");
    }
    commits.push((hash, current, block_number, 0));
    let keys = [Key::U16(index), Key::Account(who)];
    storage.put(item("WeightCommits"), &keys, commits);
    subnet::set_last_update(storage, index, uid, block_number);
    Ok(vec![Event::WeightsCommitted { who, index, hash }])
}

fn reveal(
    storage: &mut Storage,
    who: [u8; 32],
    call: &Call,
    block_number: u64,
) -> Result<Vec<Event>, ErrorName> {
    let Call::Reveal {
        netuid,
        mecid,
        uids,
        values,
        salt,
        version_key,
    } = call
    else {
        unreachable!("the caller matched it");
    };
    if !subnet::commit_reveal(storage, *netuid) {
        return Err("CommitRevealDisabled");
    }
    let index = subnet::storage_index(*netuid, *mecid);
    let mut commits = commits(storage, index, who).ok_or("NoWeightsCommitFound")?;
    let current = epoch::current(storage, *netuid, block_number);
    let period = reveal_period(storage, *netuid);
    let count = commits
        .iter()
        .take_while(|commit| current > commit.1 + period)
        .count();
    let expired: Vec<HashCommit> = commits.drain(..count).collect();
    let hash = commit_hash(who, index, uids, values, salt, *version_key);
    let position = commits.iter().position(|commit| commit.0 == hash);
    let Some(position) = position else {
        return Err(match expired.iter().any(|commit| commit.0 == hash) {
            true => "ExpiredWeightCommit",
            false if commits.is_empty() => "NoWeightsCommitFound",
            false => "InvalidRevealCommitHashNotMatch",
        });
    };
    if current != commits[position].1 + period {
        return Err("RevealTooEarly");
    }
    commits.drain(..=position);
    let keys = [Key::U16(index), Key::Account(who)];
    match commits.is_empty() {
        true => storage.remove(item("WeightCommits"), &keys),
        false => storage.put(item("WeightCommits"), &keys, commits),
    }
    let weights = Weights {
        netuid: *netuid,
        mecid: *mecid,
        uids,
        values,
        version_key: *version_key,
    };
    let (_, uid) = set::set(storage, who, &weights, block_number)?;
    Ok(vec![
        Event::WeightsSet { index, uid },
        Event::WeightsRevealed { who, index, hash },
    ])
}

fn commit_timelocked(
    storage: &mut Storage,
    who: [u8; 32],
    call: &Call,
    block_number: u64,
) -> Result<Vec<Event>, ErrorName> {
    let Call::CommitTimelocked {
        netuid,
        mecid,
        commit,
        round,
        version,
    } = call
    else {
        unreachable!("the caller matched it");
    };
    if !subnet::mechanism_exists(storage, *netuid, *mecid) {
        return Err("MechanismDoesNotExist");
    }
    if !subnet::commit_reveal(storage, *netuid) {
        return Err("CommitRevealDisabled");
    }
    let expected: u16 = storage.get(item("CommitRevealWeightsVersion"), &[]);
    if *version != expected {
        return Err("IncorrectCommitRevealVersion");
    }
    let uid = subnet::uid_of(storage, *netuid, who).ok_or("HotKeyNotRegisteredInSubNet")?;
    if !subnet::passes_rate_limit(storage, *netuid, *mecid, uid, block_number) {
        return Err("CommittingWeightsTooFast");
    }
    let index = subnet::storage_index(*netuid, *mecid);
    let current = epoch::current(storage, *netuid, block_number);
    let keys = [Key::U16(index), Key::U64(current)];
    let mut commits: Vec<TimelockedCommit> = storage.get(item("TimelockedWeightCommits"), &keys);
    if commits.iter().filter(|commit| commit.0 == who).count() >= COMMITS_MAX {
        return Err("TooManyUnrevealedCommits");
    }
    commits.push((who, block_number, commit.clone(), *round));
    storage.put(item("TimelockedWeightCommits"), &keys, commits);
    subnet::set_last_update(storage, index, uid, block_number);
    let hash = blake2_256(commit);
    Ok(vec![Event::TimelockedWeightsCommitted {
        who,
        index,
        hash,
        round: *round,
    }])
}

/// A hotkey's hash commits, oldest first.
pub(crate) fn commits(storage: &Storage, index: u16, who: [u8; 32]) -> Option<Vec<HashCommit>> {
    storage.find(item("WeightCommits"), &[Key::U16(index), Key::Account(who)])
}

/// What a hash commit must be of.
pub(crate) fn commit_hash(
    who: [u8; 32],
    index: u16,
    uids: &[u16],
    values: &[u16],
    salt: &[u16],
    version_key: u64,
) -> [u8; 32] {
    blake2_256(&(who, index, uids, values, salt, version_key).encode())
}

/// Epochs between a commit and its reveal.
pub(crate) fn reveal_period(storage: &Storage, netuid: u16) -> u64 {
    storage.get(item("RevealPeriodEpochs"), &[Key::U16(netuid)])
}
