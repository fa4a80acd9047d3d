//! Timelocked commits that are due: opened with the beacon's pulse, or dropped. Nothing says that one was dropped.

use super::dispatch::{TimelockedCommit, reveal_period};
use super::epoch;
use super::set::{self, Weights};
use super::subnet;
use crate::events::Event;
use crate::runtime::{Item, Key};
use crate::storage::Storage;
use crate::timelock;

const COMMITS: Item = ("SubtensorModule", "TimelockedWeightCommits");

/// Opens what is due at a block, for all mechanisms of a subnet. With `drop` what is due is lost, as if it did not open.
pub(crate) fn open(
    storage: &mut Storage,
    netuid: u16,
    block_number: u64,
    drop: bool,
) -> Vec<Event> {
    let mut events = Vec::new();
    let current = epoch::current(storage, netuid, block_number);
    let period = reveal_period(storage, netuid);
    let due = current.saturating_sub(period);
    for mecid in 0..subnet::mechanism_count(storage, netuid) {
        let index = subnet::storage_index(netuid, mecid);
        for expired in expired(storage, index, due) {
            storage.remove_raw(&expired);
        }
        if current < period {
            return events;
        }
        let keys = [Key::U16(index), Key::U64(due)];
        let commits: Option<Vec<TimelockedCommit>> = storage.find(COMMITS, &keys);
        let Some(commits) = commits else { continue };
        storage.remove(COMMITS, &keys);
        let mut waiting = Vec::new();
        for commit in commits {
            if storage.pulse_signature(commit.3).is_none() {
                waiting.push(commit);
                continue;
            }
            if drop {
                continue;
            }
            if let Some(mut opened) = open_one(storage, (netuid, mecid), &commit, block_number) {
                events.append(&mut opened);
            }
        }
        if !waiting.is_empty() {
            storage.put(COMMITS, &keys, waiting);
        }
    }
    events
}

/// Keys of commits of epochs before the one that is due.
fn expired(storage: &Storage, index: u16, due: u64) -> Vec<Vec<u8>> {
    let prefix = storage.runtime().key(COMMITS, &[Key::U16(index)]);
    let mut keys = storage.keys(&prefix, None, usize::MAX);
    // The key ends with the epoch as it is.
    keys.retain(|key| {
        let epoch = key.last_chunk::<8>().expect("a key with an epoch");
        u64::from_le_bytes(*epoch) < due
    });
    keys
}

fn open_one(
    storage: &mut Storage,
    (netuid, mecid): (u16, u8),
    (who, _, commit, round): &TimelockedCommit,
    block_number: u64,
) -> Option<Vec<Event>> {
    let signature = storage.pulse_signature(*round)?;
    let plain = timelock::unlock(commit, &signature)?;
    let payload = timelock::Payload::decode(&plain, *who)?;
    let weights = Weights {
        netuid,
        mecid,
        uids: &payload.uids,
        values: &payload.values,
        version_key: payload.version_key,
    };
    let mut changed = storage.clone();
    let (index, uid) = set::set(&mut changed, *who, &weights, block_number).ok()?;
    *storage = changed;
    let who = *who;
    Some(vec![
        Event::WeightsSet { index, uid },
        Event::TimelockedWeightsRevealed { index, who },
    ])
}
