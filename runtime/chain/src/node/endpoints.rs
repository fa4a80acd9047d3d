//! Several nodes that have to agree before anything is believed.
//!
//! ```text
//! connect   each: genesis of the profile, or it is left out
//! pin       heads and clocks: who lags or is alone ahead is left out; one block that the rest have under the same hash and the same runtime
//! read      the same question to each at that block; answers are compared, and who stands alone is left out
//! ```
//!
//! Too few that agree is an error, which names everybody who was left out and why. Nothing is taken from a node that was left out.
//!
//! | module | is about |
//! |---|---|
//! | `question` | how long is waited for whom |
//! | `seat` | nodes that rest, come back, or are of another chain |
//! | `operator` | nodes that count as one |
//! | `sort` | what most say |
//! | `pin`, `at` | which block; what is read there |
//! | `spread` | handing something to all |
//! | `agree` | who is left out and why |

mod agree;
mod at;
mod operator;
mod pin;
mod question;
mod seat;
mod sort;
mod spread;

pub use agree::{AgreeError, Excluded, Exclusion, GENESIS};

use super::client::{Node, ReadError};
use super::metadata::RuntimeVersion;
use super::profile::Profile;
use super::rpc::RpcLimits;
use super::snapshot::Snapshot;
use crate::{BlockRef, Hash};
use seat::{Seat, Standing};
use sort::Said;
use std::sync::Arc;
use std::time::Duration;

/// What counts as agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementPolicy {
    /// How many nodes have to agree: 2 or more where a single node is not one's own. On a public network, nodes of one host or address are one.
    pub required: usize,
    /// How many blocks a node may be behind the others.
    pub lag_blocks_max: u64,
    /// How old the newest finalized block may be by this machine's clock, and how far in its future.
    pub clock_skew_max: Duration,
    /// How long and how much is waited for at one node and one call.
    pub limits: RpcLimits,
    /// How long a question takes at most, for all nodes together and with all that it needs: connections, several calls.
    pub question: Duration,
    /// How long the others are waited for once enough agree, so that one that differs is noticed; half of what the agreeing took, if that is longer.
    pub grace: Duration,
    /// How long a node is not asked that did not answer: a few blocks.
    pub rest: Duration,
}

impl Default for AgreementPolicy {
    fn default() -> Self {
        Self {
            required: 2,
            lag_blocks_max: 10,
            clock_skew_max: Duration::from_secs(180),
            limits: RpcLimits::default(),
            question: Duration::from_secs(60),
            grace: Duration::from_secs(1),
            rest: Duration::from_secs(60),
        }
    }
}

/// Which block is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The newest that all have finalized: it stays.
    Finalized,
    /// The newest that all have: it may be replaced.
    Best,
    /// The final one of this number, where nodes keep its state.
    At(u64),
}

/// Nodes of one chain.
pub struct Endpoints {
    seats: Vec<Arc<Seat>>,
    profile: Profile,
    policy: AgreementPolicy,
    genesis: Option<Hash>,
}

/// Nodes that agree on a block.
pub struct Pinned<'a> {
    endpoints: &'a Endpoints,
    seats: Vec<&'a Seat>,
    snapshots: Vec<Snapshot<'a>>,
    /// The block.
    pub block: BlockRef,
    /// The newest finalized block that all have.
    pub finalized: BlockRef,
    /// Which runtime it was made with.
    pub runtime: RuntimeVersion,
    /// Its time, milliseconds since 1970, as its author had it.
    pub timestamp_ms: u64,
    /// Who was left out, since the connection or now, or counts for nothing beside another.
    pub excluded: Vec<Excluded>,
}

/// An answer that enough nodes gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed<T> {
    /// The answer.
    pub value: T,
    /// Who gave it.
    pub by: Vec<String>,
    /// Who gave another or none, was not asked, or counts for nothing beside another.
    pub excluded: Vec<Excluded>,
}

impl Endpoints {
    /// Connects to all at once. Who is of another chain is left out for good; who does not answer is tried again later.
    ///
    /// # Errors
    /// `TooFew`.
    pub fn connect(
        profile: &Profile,
        urls: &[String],
        policy: AgreementPolicy,
    ) -> Result<Self, AgreeError> {
        let mut seats: Vec<Arc<Seat>> = Vec::new();
        for url in urls {
            if !seats.iter().any(|seat| seat.url == *url) {
                seats.push(Arc::new(Seat::new(seats.len(), url)));
            }
        }
        let mut endpoints = Self {
            seats,
            profile: profile.clone(),
            policy,
            genesis: None,
        };
        endpoints.genesis = Some(endpoints.agree_on_genesis()?);
        Ok(endpoints)
    }

    /// A local chain is whatever most of its nodes have.
    fn agree_on_genesis(&self) -> Result<Hash, AgreeError> {
        let what = GENESIS;
        let seats: Vec<&Seat> = self.seats.iter().map(|seat| &**seat).collect();
        let enough = |said: &[Said<'_, Hash>]| self.sort_out(what, said).count >= self.required();
        let mut excluded = Vec::new();
        let ask = |node: &Node| Ok(node.genesis());
        let said = self.question(self.now(what), &seats, ask, enough, &mut excluded);
        let sorted = self.sort_out(what, &said);
        let first = sorted.kept.first().map(|first| said[*first].value);
        let Some(genesis) = first.filter(|_| sorted.count >= self.required()) else {
            excluded.extend(sorted.differ);
            excluded.extend(self.counted_with());
            return Err(self.too_few("connect", sorted.count, excluded));
        };
        // One that was given up may be connected nevertheless.
        for seat in &seats {
            if let Some(found) = seat.node().map(Node::genesis).filter(|it| *it != genesis) {
                seat.dismiss(Exclusion::differs(what, &genesis, &found));
            }
        }
        Ok(genesis)
    }

    /// The chain's first block.
    pub fn genesis(&self) -> Hash {
        self.genesis.expect("known since the connection")
    }

    /// All that have been connected, and are of this chain.
    pub fn nodes(&self) -> Vec<&Node> {
        self.connected().filter_map(Seat::node).collect()
    }

    fn connected(&self) -> impl Iterator<Item = &Seat> {
        let seats = self.seats.iter().map(|seat| &**seat);
        seats.filter(|seat| seat.node().is_some() && seat.standing() != Standing::Foreign)
    }

    /// What counts as agreement.
    pub fn policy(&self) -> &AgreementPolicy {
        &self.policy
    }

    /// Who is left out now, or counts for nothing beside another: who is of another chain, and who has not answered since it was last asked.
    pub fn excluded(&self) -> Vec<Excluded> {
        let mut excluded = self.counted_with();
        excluded.extend(self.seats.iter().filter_map(|seat| seat.excluded()));
        excluded
    }
}

impl<'a> Pinned<'a> {
    /// One node's view, for what needs no agreement.
    pub fn first(&self) -> &Snapshot<'a> {
        &self.snapshots[0]
    }

    /// All that agreed on the block.
    pub fn snapshots(&self) -> &[Snapshot<'a>] {
        &self.snapshots
    }

    /// The same question to each; the answer that the required number gave, as soon as it has and a grace more has passed.
    ///
    /// * `what`: names it in errors
    ///
    /// # Errors
    /// `TooFew`, which names who answered what.
    pub fn read<T: PartialEq + Clone + std::fmt::Debug + Send>(
        &self,
        what: &'static str,
        ask: impl Fn(&Snapshot<'_>) -> Result<T, ReadError> + Sync,
    ) -> Result<Agreed<T>, AgreeError> {
        let endpoints = self.endpoints;
        let (seats, mut excluded) = endpoints.asked_of(self.seats.clone());
        excluded.retain(|one| !self.excluded.contains(one));
        // They have the same runtimes, by their digests.
        let ask = |node: &Node| ask(&self.first().of(node));
        endpoints.agree(endpoints.now(what), &seats, ask, excluded)
    }
}
