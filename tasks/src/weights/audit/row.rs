//! A row of weights on chain against a recomputed vector.

use super::{AuditError, Difference};
use crate::rules::RuleSet;
use std::collections::{BTreeMap, BTreeSet};

/// How a row compares.
#[derive(Clone, Debug, PartialEq)]
pub struct RowVerdict {
    /// Cosine of the two vectors; `None` if one of them is all zero.
    pub cosine: Option<f64>,
    /// Whether the cosine is above the rules' least: an auditor's test.
    pub passes: bool,
    /// The lowest uid whose values differ; `None` if the row is the vector to the last unit.
    pub first: Option<Difference>,
}

/// Judges a row. Pairs with value 0 count as absent, and the order of pairs does not matter.
///
/// Scales do not matter to the cosine, but do to `first`: quantise by the rule that made the row.
///
/// # Errors
/// `Rules` with `NotKnown` where the rule set does not say what passes; `UidTwice`.
pub fn judge_row(
    rules: &RuleSet,
    recomputed: &[(u16, u16)],
    row: &[(u16, u16)],
) -> Result<RowVerdict, AuditError> {
    let least = rules.audit_cosine_min().map_err(AuditError::Rules)?;
    for pairs in [recomputed, row] {
        let mut seen = BTreeSet::new();
        if let Some((uid, _)) = pairs.iter().find(|(uid, _)| !seen.insert(uid)) {
            return Err(AuditError::UidTwice { uid: *uid });
        }
    }
    let [ours, theirs] = [recomputed, row].map(|pairs| {
        let weighted = pairs.iter().copied().filter(|(_, value)| *value > 0);
        weighted.collect::<BTreeMap<u16, u16>>()
    });
    // Whole numbers below 2^48: exact in any order.
    let norm = |pairs: &BTreeMap<u16, u16>| {
        let squares = pairs.values().map(|value| u64::from(*value).pow(2));
        (squares.sum::<u64>() as f64).sqrt()
    };
    let dot: u64 = ours
        .iter()
        .filter_map(|(uid, value)| Some(u64::from(*value) * u64::from(*theirs.get(uid)?)))
        .sum();
    let norms = norm(&ours) * norm(&theirs);
    // Two roundings can put equal vectors above 1.
    let cosine = (norms > 0.0).then(|| (dot as f64 / norms).min(1.0));
    let mut uids: Vec<u16> = ours.keys().chain(theirs.keys()).copied().collect();
    uids.sort_unstable();
    let value = |pairs: &BTreeMap<u16, u16>, uid| pairs.get(&uid).copied().unwrap_or(0);
    let first = uids
        .into_iter()
        .find(|uid| value(&ours, *uid) != value(&theirs, *uid))
        .map(|uid| Difference {
            at: format!("uid {uid} of the row"),
            recorded: value(&theirs, uid).to_string(),
            recomputed: value(&ours, uid).to_string(),
        });
    Ok(RowVerdict {
        cosine,
        passes: cosine.is_some_and(|cosine| cosine > least),
        first,
    })
}
