//! Which block all have: heights, clocks, hashes, runtimes.

use super::agree::{AgreeError, Excluded, Exclusion, on_each, sort_out};
use super::{Endpoints, Head, Pinned};
use crate::node::client::{Node, ReadError};
use crate::{BlockRef, Hash};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a node is.
struct Position {
    finalized: BlockRef,
    best: BlockRef,
    skew_ms: i128,
}

/// Heads, and how old the finalized one is by this machine's clock.
fn place(node: &Node) -> Result<Position, ReadError> {
    let finalized = node.finalized_head()?;
    let best = node.best_head()?;
    let timestamp_ms = node.at(finalized)?.timestamp_ms()?;
    Ok(Position {
        finalized,
        best,
        skew_ms: i128::from(now_ms()) - i128::from(timestamp_ms),
    })
}

/// Milliseconds since 1970 by this machine's clock.
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

impl Endpoints {
    /// The newest block that enough nodes have in common, or one of a number.
    ///
    /// # Errors
    /// `TooFew`, `ClockSkew`, `NotFinal`.
    pub fn pin(&self, head: Head) -> Result<Pinned<'_>, AgreeError> {
        let mut excluded = self.excluded.clone();
        let mut at = Vec::new();
        for (node, position) in on_each(&self.awake(), place) {
            match position {
                Ok(position) => at.push((node, position)),
                Err(error) => {
                    self.rest(node, &error);
                    excluded.push(unreadable(node, error));
                }
            }
        }
        self.exclude_by_height(&mut at, &mut excluded)?;
        self.exclude_by_clock(&mut at, &mut excluded)?;
        let lowest = |number: fn(&Position) -> u64| {
            let numbers = at.iter().map(|(_, position)| number(position));
            numbers.min().unwrap_or_default()
        };
        let finalized = lowest(|position| position.finalized.number);
        let best = lowest(|position| position.best.number).max(finalized);
        let nodes = at.iter().map(|(node, _)| *node).collect();
        let (finalized, nodes) =
            self.same("a finalized block's hash", nodes, finalized, &mut excluded)?;
        let (block, nodes) = match head {
            Head::Finalized => (finalized, nodes),
            Head::Best => self.same("a block's hash", nodes, best, &mut excluded)?,
            Head::At(number) if number > finalized.number => {
                let finalized = finalized.number;
                return Err(AgreeError::NotFinal { number, finalized });
            }
            Head::At(number) => self.same("a block's hash", nodes, number, &mut excluded)?,
        };
        let mut snapshots = Vec::new();
        let mut versions = Vec::new();
        let read = on_each(&nodes, |node| {
            let snapshot = node.at(block)?;
            let timestamp_ms = snapshot.timestamp_ms()?;
            Ok((snapshot, timestamp_ms))
        });
        for (node, snapshot) in read {
            match snapshot {
                Ok((snapshot, timestamp_ms)) => {
                    // A node that named another call by a known name would have it signed.
                    let runtime = snapshot.capabilities().runtime();
                    let what = (runtime.version().clone(), runtime.digest(), timestamp_ms);
                    versions.push((node.url().to_owned(), what));
                    snapshots.push(snapshot);
                }
                Err(error) => excluded.push(unreadable(node, error)),
            }
        }
        let (agreed, kept, differ) = sort_out("runtime, metadata and time", &versions);
        excluded.extend(differ);
        let snapshots: Vec<_> = snapshots
            .into_iter()
            .enumerate()
            .filter(|(position, _)| kept.contains(position))
            .map(|(_, snapshot)| snapshot)
            .collect();
        match agreed {
            Some((runtime, _, timestamp_ms)) if snapshots.len() >= self.policy.required => {
                Ok(Pinned {
                    snapshots,
                    required: self.policy.required,
                    block,
                    finalized,
                    runtime,
                    timestamp_ms,
                    excluded,
                })
            }
            _ => Err(self.too_few("runtime, metadata and time", snapshots.len(), excluded)),
        }
    }

    fn too_few(&self, what: &'static str, found: usize, excluded: Vec<Excluded>) -> AgreeError {
        AgreeError::too_few(what, found, self.policy.required, excluded)
    }

    /// Leaves out who is far from the height at which most are.
    fn exclude_by_height(
        &self,
        at: &mut Vec<(&Node, Position)>,
        excluded: &mut Vec<Excluded>,
    ) -> Result<(), AgreeError> {
        let heights: Vec<u64> = at.iter().map(|(_, p)| p.finalized.number).collect();
        let required = self.policy.required.max(1);
        let lag_max = self.policy.lag_blocks_max;
        let near = |height: u64| {
            let close = heights
                .iter()
                .filter(|other| other.abs_diff(height) <= lag_max);
            close.count()
        };
        // Of heights with equally many around them, the highest.
        let Some(&others) = heights
            .iter()
            .max_by_key(|height| (near(**height), **height))
        else {
            return Err(self.too_few("heads", 0, std::mem::take(excluded)));
        };
        at.retain(|(node, position)| {
            let own = position.finalized.number;
            let exclusion = if own.saturating_add(lag_max) < others {
                Exclusion::Lags { own, others }
            } else if own > others.saturating_add(lag_max) {
                Exclusion::AloneAhead { own, others }
            } else {
                return true;
            };
            excluded.push(Excluded::new(node.url(), exclusion));
            false
        });
        if at.len() < required {
            return Err(self.too_few("heights", at.len(), std::mem::take(excluded)));
        }
        Ok(())
    }

    /// Leaves out who is stale by this machine's clock, unless all are: then it is the clock.
    fn exclude_by_clock(
        &self,
        at: &mut Vec<(&Node, Position)>,
        excluded: &mut Vec<Excluded>,
    ) -> Result<(), AgreeError> {
        let limit_ms = self.policy.clock_skew_max.as_millis() as i128;
        let is_off = |position: &Position| position.skew_ms.abs() > limit_ms;
        if at.iter().all(|(_, position)| is_off(position)) {
            let skews = at.iter().map(|(_, position)| position.skew_ms);
            let skew_ms = skews.min_by_key(|skew| skew.abs()).unwrap_or_default();
            return Err(AgreeError::ClockSkew { skew_ms, limit_ms });
        }
        at.retain(|(node, position)| {
            if !is_off(position) {
                return true;
            }
            let skew_ms = position.skew_ms;
            let stale = Exclusion::Stale { skew_ms, limit_ms };
            excluded.push(Excluded::new(node.url(), stale));
            false
        });
        if at.len() < self.policy.required {
            return Err(self.too_few("the time", at.len(), std::mem::take(excluded)));
        }
        Ok(())
    }

    /// The hash that most have for a number; the others are left out.
    fn same<'n>(
        &self,
        what: &'static str,
        nodes: Vec<&'n Node>,
        number: u64,
        excluded: &mut Vec<Excluded>,
    ) -> Result<(BlockRef, Vec<&'n Node>), AgreeError> {
        let mut hashes: Vec<(String, Hash)> = Vec::new();
        let mut answered = Vec::new();
        for (node, hash) in on_each(&nodes, |node| node.block_hash(number)) {
            match hash {
                Ok(Some(hash)) => {
                    hashes.push((node.url().to_owned(), hash));
                    answered.push(node);
                }
                Ok(None) => {
                    let url = node.url().to_owned();
                    let block = number.to_string();
                    excluded.push(unreadable(node, ReadError::NoBlock { url, block }));
                }
                Err(error) => excluded.push(unreadable(node, error)),
            }
        }
        let (hash, kept, differ) = sort_out(what, &hashes);
        excluded.extend(differ);
        match hash {
            Some(hash) if kept.len() >= self.policy.required => {
                let nodes = kept.iter().map(|position| answered[*position]).collect();
                Ok((BlockRef { number, hash }, nodes))
            }
            _ => Err(self.too_few(what, kept.len(), std::mem::take(excluded))),
        }
    }
}

fn unreadable(node: &Node, error: ReadError) -> Excluded {
    Excluded::new(node.url(), Exclusion::Unreadable(error))
}
