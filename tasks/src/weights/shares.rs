//! Who gets which part of a type: by final position, or by points over all rounds.

use super::error::EmissionError;
use super::results::Results;
use crate::rules::{EmissionRules, RankShares};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// A hotkey's part of a type's pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Whose.
    pub hotkey: String,
    /// From 0 to 1.
    pub share: f64,
}

/// Shares of one tournament, in the order in which they are paid; `base` is the type's base in the rules.
///
/// A rank's share is `decline ** (rank - 1)` over the sum of that for all paid ranks, and 1 where one rank is paid.
/// Hotkeys that hold several ranks get the sum. By points, a won task is worth its round's number times `base`; the
/// champion comes first and earns no points, nor does a former one under the burn hotkey; ties share their mean rank; without a scorer besides him nobody is paid.
///
/// # Errors
/// `Position` for a final position of 0.
pub fn shares(
    rules: &EmissionRules,
    base: f64,
    results: &Results,
) -> Result<Vec<Share>, EmissionError> {
    match rules.ranks {
        RankShares::Points { decline } => Ok(by_points(rules, base, decline, results)),
        RankShares::Positions {
            decline,
            paid,
            paid_without_positions,
        } => match results.final_positions.as_ref() {
            Some(positions) if !positions.0.is_empty() => {
                by_positions(rules, decline, paid, &positions.0, results)
            }
            _ => Ok(by_finalists(
                rules,
                decline,
                paid_without_positions,
                results,
            )),
        },
    }
}

/// Ranks that share a pool.
struct Ranks {
    decline: f64,
    count: usize,
    whole: f64,
}

impl Ranks {
    fn new(decline: f64, count: usize) -> Self {
        let whole = (0..count).fold(0.0, |total, before| total + decline.powf(before as f64));
        Self {
            decline,
            count,
            whole,
        }
    }

    /// The share of a rank, which is fractional for ties.
    fn share(&self, rank: f64) -> f64 {
        match self.count {
            0 | 1 => 1.0,
            _ => self.decline.powf(rank - 1.0) / self.whole,
        }
    }
}

fn by_positions(
    rules: &EmissionRules,
    decline: f64,
    paid: u32,
    positions: &[(String, u32)],
    results: &Results,
) -> Result<Vec<Share>, EmissionError> {
    let ranks = positions.len().min(paid as usize);
    let each = Ranks::new(decline, ranks);
    let mut shares: Vec<Share> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (hotkey, position) in positions {
        if *position == 0 {
            return Err(EmissionError::Position {
                hotkey: hotkey.clone(),
                tournament_id: results.tournament_id.clone(),
            });
        }
        if *position > paid {
            continue;
        }
        let hotkey = results.resolve(hotkey, &rules.burn_hotkey);
        if hotkey.is_empty() {
            continue;
        }
        // A position past the ranks that are shared out earns nothing, unless only one is.
        let share = if ranks > 1 && *position as usize > ranks {
            0.0
        } else {
            each.share(f64::from(*position))
        };
        match known.entry(hotkey) {
            Entry::Occupied(at) => shares[*at.get()].share += share,
            Entry::Vacant(new) => {
                new.insert(shares.len());
                shares.push(Share {
                    hotkey: hotkey.to_owned(),
                    share,
                });
            }
        }
    }
    Ok(shares)
}

fn by_finalists(rules: &EmissionRules, decline: f64, paid: u32, results: &Results) -> Vec<Share> {
    let mut order: Vec<&str> = results.champion(&rules.burn_hotkey).into_iter().collect();
    let mut known: HashSet<&str> = order.iter().copied().collect();
    if let Some(last) = results.rounds.iter().find(|round| round.is_final_round) {
        for scores in last.tasks.iter().flat_map(|task| &task.participant_scores) {
            let hotkey = scores.get("hotkey").and_then(|hotkey| hotkey.as_str());
            let hotkey = hotkey.map(|hotkey| results.resolve(hotkey, &rules.burn_hotkey));
            if let Some(hotkey) = hotkey.filter(|hotkey| !hotkey.is_empty())
                && known.insert(hotkey)
            {
                order.push(hotkey);
            }
        }
    }
    let ranks = order.len().min(paid as usize);
    let each = Ranks::new(decline, ranks);
    order
        .iter()
        .take(ranks)
        .zip(1u32..)
        .map(|(hotkey, rank)| Share {
            hotkey: (*hotkey).to_owned(),
            share: each.share(f64::from(rank)),
        })
        .collect()
}

fn by_points(rules: &EmissionRules, base: f64, decline: f64, results: &Results) -> Vec<Share> {
    let champion = results.champion(&rules.burn_hotkey);
    let mut points: Vec<(&str, f64)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for round in &results.rounds {
        for winner in round.tasks.iter().filter_map(|task| task.winner.as_deref()) {
            // The burn hotkey stands for the former champion, who earns no points either.
            let stands_for_another = results.resolve(winner, &rules.burn_hotkey) != winner;
            if winner.is_empty() || Some(winner) == champion || stands_for_another {
                continue;
            }
            let won = f64::from(round.round_number) * base;
            match known.entry(winner) {
                Entry::Occupied(at) => points[*at.get()].1 += won,
                Entry::Vacant(new) => {
                    new.insert(points.len());
                    points.push((winner, won));
                }
            }
        }
    }
    if points.is_empty() {
        return Vec::new();
    }
    points.retain(|(_, points)| *points > 0.0);
    if let Some(champion) = champion {
        points.insert(0, (champion, f64::INFINITY));
    }
    // Stable: ties keep the order in which they first scored.
    points.sort_by(|a, b| b.1.total_cmp(&a.1));
    let scorers = points.len();
    let each = Ranks::new(decline, scorers);
    let mut shares = Vec::with_capacity(scorers);
    for tied in points.chunk_by(|a, b| a.1 == b.1) {
        let first_rank = shares.len() + 1;
        let rank = first_rank as f64 + (tied.len() - 1) as f64 / 2.0;
        let share = each.share(rank);
        shares.extend(tied.iter().map(|(hotkey, _)| Share {
            hotkey: (*hotkey).to_owned(),
            share,
        }));
    }
    shares
}
