//! Whether the chain will take a submission: every rule of it, before anything is signed.
//!
//! | module | is about |
//! |---|---|
//! | `facts` | what is read at one block |
//! | `refusal` | rules that are broken, in the chain's order; what to do, and when to come back |
//! | `vector` | rules of a vector of weights, with the chain's arithmetic |
//!
//! The chain refuses in a pool, where a number is all that is said; in a block, where an error has a name; or, for a commit that it opens itself,
//! nowhere: what is wrong with the weights inside is known to nobody but the one who committed. So those are checked here too.

mod facts;
mod refusal;
mod vector;

pub use facts::Facts;
pub use refusal::{Refusal, Warning};

use super::call::{WeightsCall, commit_hash, storage_index};
use super::snapshot::HashCommit;
use crate::AccountId;
use crate::BlockRef;
use crate::timelock::{COMMIT_BYTES_MAX, WeightsPayload};
use serde::Serialize;

/// How many commits of one hotkey may wait.
const UNREVEALED_MAX: usize = 10;

/// A submission that breaks no rule at its block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// The call.
    pub call: &'static str,
    /// Whose.
    pub hotkey: AccountId,
    /// Its place in the subnet.
    pub uid: u16,
    /// Where storage keeps subnet and mechanism.
    pub storage_index: u16,
    /// The block that the facts are of.
    pub block: BlockRef,
    /// The first block that can take it.
    pub landing_block: u64,
    /// The account's nonce at that block.
    pub nonce: u32,
    /// What may still go wrong.
    pub warnings: Vec<Warning>,
}

/// Checks a call against the facts of one block.
///
/// * `hidden`: the weights inside a timelocked commit, or behind a hash, which are checked as the chain will when it opens them
/// * `alarm_percent`: from how much of the activity cut-off on a warning is given
///
/// # Errors
/// Every rule that is broken, in the order of the chain; it would name the first.
pub fn preflight(
    facts: &Facts,
    call: &WeightsCall,
    hidden: Option<&WeightsPayload>,
    alarm_percent: u8,
) -> Result<Ready, Vec<Refusal>> {
    let (netuid, mechanism) = match call {
        WeightsCall::Set {
            netuid, mechanism, ..
        }
        | WeightsCall::Commit {
            netuid, mechanism, ..
        }
        | WeightsCall::Reveal {
            netuid, mechanism, ..
        }
        | WeightsCall::CommitTimelocked {
            netuid, mechanism, ..
        } => (*netuid, mechanism.unwrap_or_default()),
    };
    if (netuid, mechanism) != (facts.parameters.netuid, facts.mechanism) {
        return Err(vec![Refusal::OtherSubnet {
            netuid,
            mechanism,
            facts_netuid: facts.parameters.netuid,
            facts_mechanism: facts.mechanism,
        }]);
    }
    let mut refusals = Vec::new();
    check_subnet(facts, &mut refusals);
    match call {
        WeightsCall::Set {
            uids,
            values,
            version_key,
            ..
        } => {
            if facts.parameters.commit_reveal_enabled {
                refusals.push(Refusal::CommitRevealEnabled);
            }
            vector::check(facts, uids, values, *version_key, &mut refusals);
            refusals.extend(rate_limited(facts, false));
        }
        WeightsCall::Commit { .. } => {
            check_commit(facts, &mut refusals);
            let waiting = facts.pending.hashed.len();
            if waiting >= UNREVEALED_MAX {
                refusals.push(Refusal::TooManyUnrevealed { waiting });
            }
        }
        WeightsCall::CommitTimelocked {
            commit,
            reveal_round,
            commit_reveal_version,
            ..
        } => {
            let expected = facts.parameters.commit_reveal_version;
            if *commit_reveal_version != expected {
                refusals.push(Refusal::CommitRevealVersion {
                    found: *commit_reveal_version,
                    expected,
                });
            }
            check_commit(facts, &mut refusals);
            let waiting = facts.waiting_in_this_epoch();
            if waiting >= UNREVEALED_MAX {
                refusals.push(Refusal::TooManyUnrevealed { waiting });
            }
            if commit.len() > COMMIT_BYTES_MAX {
                refusals.push(Refusal::CommitTooLong {
                    found: commit.len(),
                });
            }
            if let Some(stored) = facts.last_stored_round
                && *reveal_round < stored
            {
                refusals.push(Refusal::RevealRound {
                    found: *reveal_round,
                    stored,
                });
            }
        }
        WeightsCall::Reveal {
            uids,
            values,
            salt,
            version_key,
            ..
        } => {
            if !facts.parameters.commit_reveal_enabled {
                refusals.push(Refusal::CommitRevealDisabled);
            }
            vector::check(facts, uids, values, *version_key, &mut refusals);
            let index = storage_index(netuid, mechanism).unwrap_or_default();
            let hash = commit_hash(facts.hotkey, index, uids, values, salt, *version_key);
            let mut waiting = facts.pending.hashed.iter();
            match waiting.find(|commit| commit.commit_hash == hash) {
                None => refusals.push(Refusal::NoCommit { commit_hash: hash }),
                Some(commit) => refusals.extend(reveal_in_time(facts, commit)),
            }
        }
    }
    if let Some(hidden) = hidden {
        if hidden.hotkey != facts.hotkey {
            refusals.push(Refusal::HiddenHotkey {
                found: hidden.hotkey,
                expected: facts.hotkey,
            });
        }
        let mut inside = Vec::new();
        vector::check(
            facts,
            &hidden.uids,
            &hidden.values,
            hidden.version_key,
            &mut inside,
        );
        refusals.extend(
            inside
                .into_iter()
                .map(|refusal| Refusal::Hidden(Box::new(refusal))),
        );
    }
    let (Some(uid), Some(index)) = (facts.uid, storage_index(netuid, mechanism)) else {
        return Err(refusals);
    };
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Ok(Ready {
        call: call.name(),
        hotkey: facts.hotkey,
        uid,
        storage_index: index,
        block: facts.block,
        landing_block: facts.landing_block(),
        nonce: facts.nonce,
        warnings: facts.warnings(alarm_percent),
    })
}

/// What holds for every call.
fn check_subnet(facts: &Facts, refusals: &mut Vec<Refusal>) {
    let parameters = &facts.parameters;
    if parameters.netuid == 0 {
        refusals.push(Refusal::RootSubnet);
    }
    let mechanism = facts.mechanism;
    let count = parameters.mechanism_count.unwrap_or(1);
    if mechanism >= count || storage_index(parameters.netuid, mechanism).is_none() {
        refusals.push(Refusal::NoMechanism { mechanism, count });
    }
    if facts.uid.is_none() {
        refusals.push(Refusal::NotRegistered {
            hotkey: facts.hotkey,
            netuid: parameters.netuid,
        });
    }
    if let Some(stake_rao) = facts.total_stake_rao
        && stake_rao < parameters.stake_threshold_rao
        && !facts.is_owner()
    {
        refusals.push(Refusal::StakeBelowThreshold {
            stake_rao,
            threshold_rao: parameters.stake_threshold_rao,
        });
    }
}

/// What holds for both kinds of commit.
fn check_commit(facts: &Facts, refusals: &mut Vec<Refusal>) {
    if !facts.parameters.commit_reveal_enabled {
        refusals.push(Refusal::CommitRevealDisabled);
    }
    refusals.extend(rate_limited(facts, true));
}

fn rate_limited(facts: &Facts, commits: bool) -> Option<Refusal> {
    let limit_blocks = facts.parameters.weights_set_rate_limit_blocks;
    let last_update = facts.last_update?;
    // Never set: no limit. In the open the chain has no limit either while commits are on, but refuses for that.
    if last_update == 0 || (!commits && facts.parameters.commit_reveal_enabled) {
        return None;
    }
    let since = facts.landing_block().saturating_sub(last_update);
    (since < limit_blocks).then(|| Refusal::TooFast {
        commits,
        last_update,
        limit_blocks,
        retry_at_block: last_update.saturating_add(limit_blocks),
    })
}

/// Whether a hash commit can be revealed in the next block.
fn reveal_in_time(facts: &Facts, commit: &HashCommit) -> Option<Refusal> {
    let [made, first, last] = commit.numbers;
    // Older runtimes store the blocks of the reveal; newer ones the epoch of the commit, and nothing at the end.
    if last > 0 {
        let landing = facts.landing_block();
        if landing < first {
            return Some(Refusal::RevealTooEarly {
                retry_at_block: Some(first),
            });
        }
        return (landing > last).then_some(Refusal::RevealExpired);
    }
    let state = facts.parameters.epoch_state()?;
    let epoch = state.opened_epoch(facts.landing_block());
    let target = made.saturating_add(facts.parameters.reveal_period_epochs);
    if epoch > target {
        return Some(Refusal::RevealExpired);
    }
    (epoch < target).then(|| Refusal::RevealTooEarly {
        retry_at_block: (epoch.saturating_add(1) == target).then(|| {
            let due = state.last_epoch_block.saturating_add(state.tempo.into());
            match state.pending_epoch_at {
                0 => due,
                asked_for => due.min(asked_for),
            }
        }),
    })
}
