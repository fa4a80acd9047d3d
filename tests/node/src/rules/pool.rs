//! What the pool refuses. The codes are of the runtime's `CustomTransactionError`, which metadata does not have.

use super::subnet;
use super::{ErrorName, dispatch, epoch};
use crate::call::Call;
use crate::storage::Storage;

/// Refuses a call that would fail for a reason that is cheap to see.
pub(crate) fn check(
    storage: &Storage,
    who: [u8; 32],
    call: &Call,
    block_number: u64,
) -> Result<(), ErrorName> {
    let netuid = match call {
        Call::Set { netuid, .. }
        | Call::Commit { netuid, .. }
        | Call::Reveal { netuid, .. }
        | Call::CommitTimelocked { netuid, .. } => *netuid,
        Call::Other { .. } => return Ok(()),
    };
    if !subnet::has_min_stake(storage, netuid, who) {
        return Err("NotEnoughStakeToSetWeights");
    }
    check_reveal(storage, who, call, block_number)?;
    check_rate(storage, who, call, block_number)
}

fn check_reveal(
    storage: &Storage,
    who: [u8; 32],
    call: &Call,
    block_number: u64,
) -> Result<(), ErrorName> {
    match call {
        Call::Reveal {
            netuid,
            mecid,
            uids,
            values,
            salt,
            version_key,
        } => {
            let index = subnet::storage_index(*netuid, *mecid);
            let commits = dispatch::commits(storage, index, who).ok_or("NoWeightsCommitFound")?;
            let hash = dispatch::commit_hash(who, index, uids, values, salt, *version_key);
            let found = commits.iter().find(|commit| commit.0 == hash);
            let commit_epoch = found.ok_or("NoWeightsCommitFound")?.1;
            let due = commit_epoch + dispatch::reveal_period(storage, *netuid);
            match epoch::current(storage, *netuid, block_number) == due {
                true => Ok(()),
                false => Err("RevealTooEarly"),
            }
        }
        Call::CommitTimelocked { round, .. } => {
            let last: u64 = storage.get(("Drand", "LastStoredRound"), &[]);
            match *round < last {
                true => Err("InvalidRevealRound"),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn check_rate(
    storage: &Storage,
    who: [u8; 32],
    call: &Call,
    block_number: u64,
) -> Result<(), ErrorName> {
    let (netuid, mecid, error) = match call {
        Call::Commit { netuid, mecid, .. } => (*netuid, *mecid, "CommittingWeightsTooFast"),
        Call::Set { netuid, mecid, .. } if !subnet::commit_reveal(storage, *netuid) => {
            (*netuid, *mecid, "SettingWeightsTooFast")
        }
        _ => return Ok(()),
    };
    let Some(uid) = subnet::uid_of(storage, netuid, who) else {
        return Ok(());
    };
    match subnet::passes_rate_limit(storage, netuid, mecid, uid, block_number) {
        true => Ok(()),
        false => Err(error),
    }
}

/// The number that the pool's answer has for an error.
pub(crate) fn code(error: ErrorName) -> u8 {
    match error {
        "NotEnoughStakeToSetWeights" => 1,
        "SubnetNotExists" => 3,
        "CommittingWeightsTooFast" | "SettingWeightsTooFast" => 6,
        "InvalidRevealRound" => 15,
        "NoWeightsCommitFound" => 16,
        "RevealTooEarly" => 17,
        "InputLengthsUnequal" => 18,
        "HotKeyNotRegisteredInSubNet" => 19,
        _ => 255,
    }
}
