//! What most say.

use super::Endpoints;
use super::agree::{Excluded, Exclusion};
use super::seat::Seat;
use std::fmt;

/// An answer.
pub(super) struct Said<'e, T> {
    pub(super) seat: &'e Seat,
    pub(super) value: T,
}

/// Answers, sorted.
pub(super) struct Sorted {
    /// Where those are that most gave: none after a tie.
    pub(super) kept: Vec<usize>,
    /// How many operators gave them.
    pub(super) count: usize,
    /// Who gave others.
    pub(super) differ: Vec<Excluded>,
}

impl Endpoints {
    /// The answer that more operators gave than any other, who gave it, and why the rest is left out; a tie has no such answer.
    pub(super) fn sort_out<T: PartialEq + fmt::Debug>(
        &self,
        what: &'static str,
        said: &[Said<'_, T>],
    ) -> Sorted {
        let same = |value: &T| -> Vec<usize> {
            let positions = said.iter().enumerate();
            let equal = positions.filter(|(_, other)| other.value == *value);
            equal.map(|(position, _)| position).collect()
        };
        let groups: Vec<Vec<usize>> = said.iter().map(|one| same(&one.value)).collect();
        let count = |group: &Vec<usize>| self.count(group.iter().map(|at| said[*at].seat));
        let counts: Vec<usize> = groups.iter().map(count).collect();
        let most = counts.iter().max().copied().unwrap_or_default();
        let first = counts.iter().position(|count| *count == most);
        let tie = (0..said.len())
            .any(|at| counts[at] == most && first.is_some_and(|first| groups[at] != groups[first]));
        let (kept, count) = match first {
            Some(first) if !tie => (groups[first].clone(), most),
            _ => (Vec::new(), 0),
        };
        let mut differ = Vec::new();
        for (position, one) in said.iter().enumerate() {
            if kept.contains(&position) {
                continue;
            }
            // Somebody who says something else: there is one, or all would be kept.
            let other = kept
                .first()
                .copied()
                .or_else(|| (0..said.len()).find(|other| !groups[position].contains(other)));
            let expected = other.map_or(&one.value, |other| &said[other].value);
            let why = Exclusion::differs(what, expected, &one.value);
            differ.push(Excluded::new(&one.seat.url, why));
        }
        Sorted {
            kept,
            count,
            differ,
        }
    }
}
