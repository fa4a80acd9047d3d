//! Who runs which node, as far as that can be told: two that share a host's name or an address count as one.
//!
//! More cannot be told from here. One operator with two names at two addresses counts as two, so that the choice of nodes stays the host's to make;
//! two behind one address (a proxy that many use) count as one, which errs on the safe side. On a local chain all nodes are one's own and each counts.

use super::Endpoints;
use super::agree::{Excluded, Exclusion};
use super::seat::{Seat, Standing};
use crate::node::profile::Network;
use std::collections::BTreeSet;

impl Endpoints {
    /// For each seat the first one of the same operator.
    fn operators(&self) -> Vec<usize> {
        let mut operators: Vec<usize> = (0..self.seats.len()).collect();
        if self.profile.network == Network::Local {
            return operators;
        }
        for (at, seat) in self.seats.iter().enumerate() {
            for other in &self.seats[..at] {
                let (one, two) = (operators[at], operators[other.at]);
                if one != two && seat.shares(other).is_some() {
                    let (first, second) = (one.min(two), one.max(two));
                    for operator in operators.iter_mut().filter(|it| **it == second) {
                        *operator = first;
                    }
                }
            }
        }
        operators
    }

    /// How many operators some seats have.
    pub(super) fn count<'s>(&self, seats: impl IntoIterator<Item = &'s Seat>) -> usize {
        let operators = self.operators();
        let distinct: BTreeSet<usize> = seats.into_iter().map(|seat| operators[seat.at]).collect();
        distinct.len()
    }

    /// Nodes that are asked and count for nothing beside another of the same operator.
    pub(super) fn counted_with(&self) -> Vec<Excluded> {
        let operators = self.operators();
        let is_second = |seat: &&&Seat| operators[seat.at] != seat.at;
        let seats: Vec<&Seat> = self.connected().collect();
        seats
            .iter()
            .filter(is_second)
            .filter(|seat| seat.standing() == Standing::Awake)
            .filter_map(|seat| {
                let before = seats.iter().filter(|other| other.at < seat.at);
                let mut same = before.filter(|other| operators[other.at] == operators[seat.at]);
                let other = same.next()?;
                let shared = seat.shares(other);
                let why = Exclusion::CountsWith {
                    other: other.url.clone(),
                    shared: shared.unwrap_or_else(|| "what a third has too".into()),
                };
                Some(Excluded::new(&seat.url, why))
            })
            .collect()
    }
}
