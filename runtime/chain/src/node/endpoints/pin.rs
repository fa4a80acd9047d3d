//! Which block all have: heights, clocks, hashes, runtimes.

use super::agree::{AgreeError, BLOCK_HASH, Excluded, Exclusion, STATE};
use super::question::Question;
use super::seat::Seat;
use super::sort::Said;
use super::{Endpoints, Head, Pinned};
use crate::node::capabilities::Capabilities;
use crate::node::client::{Node, ReadError};
use crate::node::metadata::RuntimeVersion;
use crate::node::snapshot::Snapshot;
use crate::{BlockRef, Hash};
use std::fmt;
use std::sync::Arc;
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

/// What a node has of a block: the same for all but for where the runtime is kept.
struct State {
    after: Arc<Capabilities>,
    stored_by: Arc<Capabilities>,
    timestamp_ms: u64,
}

impl State {
    fn new(snapshot: &Snapshot<'_>, timestamp_ms: u64) -> Self {
        Self {
            after: Arc::clone(snapshot.capabilities()),
            stored_by: Arc::clone(snapshot.stored_by()),
            timestamp_ms,
        }
    }

    fn runtime(&self) -> &RuntimeVersion {
        self.after.runtime().version()
    }

    /// By digest too: a node that named another call by a known name would have it signed.
    fn compared(&self) -> (&RuntimeVersion, Hash, Hash, u64) {
        let (after, stored_by) = (self.after.runtime(), self.stored_by.runtime());
        let time = self.timestamp_ms;
        (after.version(), after.digest(), stored_by.digest(), time)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.compared().fmt(f)
    }
}

type Positions<'e> = Vec<Said<'e, Position>>;

impl Endpoints {
    /// The newest block that enough nodes have in common, or one of a number.
    ///
    /// # Errors
    /// `TooFew`, `ClockSkew`, `NotFinal`.
    pub fn pin(&self, head: Head) -> Result<Pinned<'_>, AgreeError> {
        let question = self.now("heads");
        let (seats, mut excluded) = self.asked();
        let enough = |at: &[Said<'_, Position>]| self.count(self.fit(at)) >= self.required();
        let at = self.question(question, &seats, place, enough, &mut excluded);
        let at = self.exclude_by_height(at, &mut excluded)?;
        let at = self.exclude_by_clock(at, &mut excluded)?;
        let lowest = |number: fn(&Position) -> u64| {
            let numbers = at.iter().map(|one| number(&one.value));
            numbers.min().unwrap_or_default()
        };
        let finalized = lowest(|position| position.finalized.number);
        let best = lowest(|position| position.best.number).max(finalized);
        let seats: Vec<&Seat> = at.iter().map(|one| one.seat).collect();
        let named = |what| Question { what, ..question };
        let of_final = named("a finalized block's hash");
        let (finalized, seats) = self.same(of_final, &seats, finalized, &mut excluded)?;
        let (block, seats) = match head {
            Head::Finalized => (finalized, seats),
            Head::Best => self.same(named(BLOCK_HASH), &seats, best, &mut excluded)?,
            Head::At(number) if number > finalized.number => {
                let finalized = finalized.number;
                return Err(AgreeError::NotFinal { number, finalized });
            }
            Head::At(number) => self.same(named(BLOCK_HASH), &seats, number, &mut excluded)?,
        };
        self.snapshots(question, &seats, (block, finalized), excluded)
    }

    /// The state of a block at each of its nodes, as far as they have the same runtime there.
    fn snapshots<'e>(
        &'e self,
        question: Question,
        seats: &[&'e Seat],
        (block, finalized): (BlockRef, BlockRef),
        mut excluded: Vec<Excluded>,
    ) -> Result<Pinned<'e>, AgreeError> {
        let question = Question {
            what: STATE,
            ..question
        };
        let read = |node: &Node| {
            let snapshot = node.at(block)?;
            let timestamp_ms = snapshot.timestamp_ms()?;
            Ok(State::new(&snapshot, timestamp_ms))
        };
        let enough = |said: &[Said<'_, State>]| self.sort_out(STATE, said).count >= self.required();
        let said = self.question(question, seats, read, enough, &mut excluded);
        let sorted = self.sort_out(STATE, &said);
        excluded.extend(sorted.differ);
        let kept: Vec<&Said<'e, State>> = sorted.kept.iter().map(|at| &said[*at]).collect();
        let Some(first) = kept.first().filter(|_| sorted.count >= self.required()) else {
            return Err(self.too_few(STATE, sorted.count, excluded));
        };
        let snapshot = |one: &&Said<'e, State>| {
            let node = one.seat.node().expect("it has answered");
            let (after, stored_by) = (&one.value.after, &one.value.stored_by);
            Snapshot::new(node, block, Arc::clone(after), Arc::clone(stored_by))
        };
        Ok(Pinned {
            endpoints: self,
            seats: kept.iter().map(|one| one.seat).collect(),
            snapshots: kept.iter().map(snapshot).collect(),
            block,
            finalized,
            runtime: first.value.runtime().clone(),
            timestamp_ms: first.value.timestamp_ms,
            excluded,
        })
    }

    /// The height at which most are; of heights with equally many around them, the highest.
    fn crowd(&self, at: &[Said<'_, Position>]) -> Option<u64> {
        let height = |one: &Said<'_, Position>| one.value.finalized.number;
        let near = |number: u64| {
            let close = at
                .iter()
                .filter(|one| height(one).abs_diff(number) <= self.policy.lag_blocks_max);
            self.count(close.map(|one| one.seat))
        };
        let heights = at.iter().map(height);
        heights.max_by_key(|height| (near(*height), *height))
    }

    fn by_height(&self, position: &Position, others: u64) -> Option<Exclusion> {
        let (own, lag_max) = (position.finalized.number, self.policy.lag_blocks_max);
        if own.saturating_add(lag_max) < others {
            return Some(Exclusion::Lags { own, others });
        }
        (own > others.saturating_add(lag_max)).then_some(Exclusion::AloneAhead { own, others })
    }

    fn by_clock(&self, position: &Position) -> Option<Exclusion> {
        let limit_ms = self.policy.clock_skew_max.as_millis() as i128;
        let skew_ms = position.skew_ms;
        (skew_ms.abs() > limit_ms).then_some(Exclusion::Stale { skew_ms, limit_ms })
    }

    /// Those that no rule of heights and clocks leaves out.
    fn fit<'e>(&self, at: &[Said<'e, Position>]) -> Vec<&'e Seat> {
        let others = self.crowd(at).unwrap_or_default();
        let fits = |position: &Position| {
            self.by_height(position, others).is_none() && self.by_clock(position).is_none()
        };
        let fit = at.iter().filter(|one| fits(&one.value));
        fit.map(|one| one.seat).collect()
    }

    /// Leaves out who is far from the height at which most are.
    fn exclude_by_height<'e>(
        &self,
        at: Positions<'e>,
        excluded: &mut Vec<Excluded>,
    ) -> Result<Positions<'e>, AgreeError> {
        let Some(others) = self.crowd(&at) else {
            return Err(self.too_few("heads", 0, std::mem::take(excluded)));
        };
        let why = |position: &Position| self.by_height(position, others);
        self.keep("heights", at, why, excluded)
    }

    /// Leaves out who is stale by this machine's clock, unless all are: then it is the clock.
    fn exclude_by_clock<'e>(
        &self,
        at: Positions<'e>,
        excluded: &mut Vec<Excluded>,
    ) -> Result<Positions<'e>, AgreeError> {
        if at.iter().all(|one| self.by_clock(&one.value).is_some()) {
            let limit_ms = self.policy.clock_skew_max.as_millis() as i128;
            let skews = at.iter().map(|one| one.value.skew_ms);
            let skew_ms = skews.min_by_key(|skew| skew.abs()).unwrap_or_default();
            return Err(AgreeError::ClockSkew { skew_ms, limit_ms });
        }
        self.keep("the time", at, |position| self.by_clock(position), excluded)
    }

    /// Those for whom there is no reason against; an error if they are too few.
    fn keep<'e>(
        &self,
        what: &'static str,
        mut at: Positions<'e>,
        why: impl Fn(&Position) -> Option<Exclusion>,
        excluded: &mut Vec<Excluded>,
    ) -> Result<Positions<'e>, AgreeError> {
        at.retain(|one| {
            let why = why(&one.value);
            let is_kept = why.is_none();
            excluded.extend(why.map(|why| Excluded::new(&one.seat.url, why)));
            is_kept
        });
        let found = self.count(at.iter().map(|one| one.seat));
        if found < self.required() {
            return Err(self.too_few(what, found, std::mem::take(excluded)));
        }
        Ok(at)
    }

    /// The hash that most have for a number; the others are left out.
    fn same<'e>(
        &'e self,
        question: Question,
        seats: &[&'e Seat],
        number: u64,
        excluded: &mut Vec<Excluded>,
    ) -> Result<(BlockRef, Vec<&'e Seat>), AgreeError> {
        let ask = |node: &Node| node.block_ref(number);
        let agreed = self.agree(question, seats, ask, std::mem::take(excluded))?;
        let kept = seats.iter().filter(|seat| agreed.by.contains(&seat.url));
        *excluded = agreed.excluded;
        Ok((agreed.value, kept.copied().collect()))
    }
}
