//! Places and points inside one task.

use crate::rules::{RankingRules, TaskKind};

/// What ranking needs to know of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Its loss, or where more is better its score; `None` if it has none.
    pub loss: Option<f64>,
    /// Whether it passed the fine-tune check.
    pub is_finetune: bool,
}

impl Entry {
    /// Counts in the ranking: a fine-tune with a finite loss.
    pub fn valid(&self) -> bool {
        self.is_finetune && self.loss.is_some_and(f64::is_finite)
    }
}

/// A candidate's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Index into the entries.
    pub entry: usize,
    /// From 1; equal losses share a place. `None` if the entry is not valid.
    pub place: Option<usize>,
    /// Points.
    pub points: f64,
}

/// Entries in order of rank: valid ones by loss, then those with a loss that does not count, then the rest. Ties keep
/// the order of entry, and the first of several best takes the points.
pub fn rank(entries: &[Entry], rules: &RankingRules) -> Vec<Standing> {
    rank_by(entries, false, rules)
}

/// [`rank`] for a kind of task, where that says which way is better.
pub fn rank_kind(entries: &[Entry], kind: TaskKind, rules: &RankingRules) -> Vec<Standing> {
    rank_by(entries, kind.higher_is_better(), rules)
}

/// [`rank`] by losses, or by scores of which more is better.
pub fn rank_by(entries: &[Entry], higher_is_better: bool, rules: &RankingRules) -> Vec<Standing> {
    let key = |entry: &Entry| {
        let loss = entry.loss.unwrap_or(0.0);
        (
            !entry.valid(),
            entry.loss.is_none(),
            // Equal numbers share a place, whatever the sign of a zero.
            if higher_is_better {
                0.0 - loss
            } else {
                loss + 0.0
            },
        )
    };
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (key(&entries[*a]), key(&entries[*b]));
        a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2))
    });
    let valid = entries.iter().filter(|entry| entry.valid()).count();
    let last = if valid > rules.last_applies_above {
        ((valid as f64 * rules.last_fraction) as usize).max(1)
    } else {
        0
    };
    let mut standings: Vec<Standing> = Vec::with_capacity(order.len());
    for (position, entry) in order.into_iter().enumerate() {
        let (place, points) = if position >= valid {
            (None, if valid > 0 { rules.points_invalid } else { 0.0 })
        } else {
            let tied = standings
                .last()
                .filter(|above| entries[above.entry].loss == entries[entry].loss);
            let points = match position {
                0 => rules.points_first,
                _ if position >= valid - last => rules.points_last,
                _ => 0.0,
            };
            (
                Some(tied.and_then(|above| above.place).unwrap_or(position + 1)),
                points,
            )
        };
        standings.push(Standing {
            entry,
            place,
            points,
        });
    }
    standings
}

#[cfg(test)]
mod tests;
