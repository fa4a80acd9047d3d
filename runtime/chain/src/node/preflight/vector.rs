//! A vector of weights against a subnet's rules, with the chain's arithmetic: 32 bits before and 32 behind the point.

use super::facts::Facts;
use super::refusal::Refusal;
use crate::stored::stored_values;

/// The rules of `set_weights` for a vector, whoever calls it.
pub(super) fn check(
    facts: &Facts,
    uids: &[u16],
    values: &[u16],
    version_key: u64,
    refusals: &mut Vec<Refusal>,
) {
    let parameters = &facts.parameters;
    let num_uids = parameters.num_uids;
    if uids.len() != values.len() {
        refusals.push(Refusal::UnequalLengths {
            uids: uids.len(),
            values: values.len(),
        });
    }
    if uids.len() > usize::from(num_uids) {
        refusals.push(Refusal::TooManyUids {
            found: uids.len(),
            num_uids,
        });
    }
    let expected = parameters.weights_version_key;
    if expected != 0 && version_key < expected {
        refusals.push(Refusal::VersionKey {
            found: version_key,
            expected,
        });
    }
    // A single weight for oneself needs no permit, no length and no limit.
    let for_itself = values.len() == 1 && uids.first().copied() == facts.uid;
    if let Some(uid) = facts.uid
        && !facts.validator_permit
        && !facts.is_owner()
        && !for_itself
    {
        refusals.push(Refusal::NoPermit { uid });
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(uid) = uids.iter().find(|uid| !seen.insert(**uid)) {
        refusals.push(Refusal::DuplicateUid { uid: *uid });
    }
    if let Some(uid) = uids.iter().find(|uid| **uid >= num_uids) {
        let uid = *uid;
        refusals.push(Refusal::NoUid { uid, num_uids });
    }
    let expected = usize::from(parameters.min_allowed_weights.min(num_uids));
    if values.len() < expected && !for_itself {
        refusals.push(Refusal::TooFewWeights {
            found: values.len(),
            expected,
        });
    }
    let limit = facts.max_weight;
    if limit != u16::MAX
        && !for_itself
        && let Some(position) = over_limit(&stored_values(values), limit)
    {
        let uid = uids.get(position).copied().unwrap_or_default();
        refusals.push(Refusal::MaxWeight { uid, limit });
    }
}

/// The position of the first weight whose share is above a limit of 65,535.
fn over_limit(stored: &[u16], limit: u16) -> Option<usize> {
    let sum: u64 = stored.iter().map(|value| u64::from(*value)).sum();
    if sum == 0 {
        return None;
    }
    let limit = (u64::from(limit) << 32) / u64::from(u16::MAX);
    stored
        .iter()
        .position(|value| (u64::from(*value) << 32) / sum > limit)
}
