//! One entrant for each address, owner and coldkey.
//!
//! Of those that share one, the first with a token that opens its repository stays, otherwise the first. Order is kept
//! as the subnet keeps it: a group stands where its first member stood.

use super::repository::Repository;
use crate::rules::Identity;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;

/// What is compared of an entrant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrant {
    /// Who.
    pub hotkey: String,
    /// Whose.
    pub coldkey: String,
    /// The address that it serves from.
    pub ip: IpAddr,
    /// What it submits.
    pub repository: Repository,
    /// Whether it has a token that opens its repository.
    pub opens: bool,
    /// Whether it is enrolled already: then it stays, whoever comes.
    pub enrolled: bool,
}

/// An entrant that fell to another of the same operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// Who fell.
    pub hotkey: String,
    /// What both have.
    pub identity: Identity,
    /// Who stayed.
    pub kept: String,
}

/// Who stays, in order, and who falls to whom. `identities` are applied one after the other.
pub fn deduplicate(
    entrants: Vec<Entrant>,
    identities: &[Identity],
) -> (Vec<Entrant>, Vec<Duplicate>) {
    let mut kept = entrants;
    let mut fallen = Vec::new();
    for identity in identities {
        kept = one_each(kept, *identity, &mut fallen);
    }
    (kept, fallen)
}

fn one_each(
    entrants: Vec<Entrant>,
    identity: Identity,
    fallen: &mut Vec<Duplicate>,
) -> Vec<Entrant> {
    let mut place: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<Entrant>> = Vec::new();
    for entrant in entrants {
        let key = match identity {
            // An IPv4 address in IPv6's clothes is the same machine.
            Identity::Ip => entrant.ip.to_canonical().to_string(),
            Identity::GithubOwner => entrant.repository.account(),
            Identity::Coldkey => entrant.coldkey.clone(),
        };
        let index = *place.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[index].push(entrant);
    }
    let mut kept = Vec::with_capacity(groups.len());
    for mut group in groups {
        let stays = (group.iter().position(|entrant| entrant.enrolled))
            .or_else(|| group.iter().position(|entrant| entrant.opens))
            .unwrap_or(0);
        let winner = group.remove(stays);
        let name = winner.hotkey.clone();
        kept.push(winner);
        for loser in group {
            // Two that are enrolled were so under other rules, or before one moved: both paid.
            if loser.enrolled {
                kept.push(loser);
                continue;
            }
            fallen.push(Duplicate {
                hotkey: loser.hotkey,
                identity,
                kept: name.clone(),
            });
        }
    }
    kept
}

#[cfg(test)]
mod tests;
