//! Several nodes that have to agree before anything is believed.
//!
//! ```text
//! connect   each: genesis of the profile, or it is left out
//! pin       heads and clocks: who lags or is alone ahead is left out; one block that the rest have under the same hash and the same runtime
//! read      the same question to each at that block; answers are compared, and who stands alone is left out
//! ```
//!
//! Too few that agree is an error, which names everybody who was left out and why. Nothing is taken from a node that was left out.

mod agree;
mod at;
mod pin;
mod rest;

pub use agree::{AgreeError, Excluded, Exclusion};

use super::client::{Node, ReadError};
use super::metadata::RuntimeVersion;
use super::profile::Profile;
use super::rpc::RpcLimits;
use super::snapshot::Snapshot;
use crate::{BlockRef, Hash};
use agree::{on_each, sort_out};
use rest::Resting;
use std::time::Duration;

/// What counts as agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementPolicy {
    /// How many nodes have to agree: 2 or more where a single node is not one's own.
    pub required: usize,
    /// How many blocks a node may be behind the others.
    pub lag_blocks_max: u64,
    /// How old the newest finalized block may be by this machine's clock, and how far in its future.
    pub clock_skew_max: Duration,
    /// How long and how much is waited for.
    pub limits: RpcLimits,
}

impl Default for AgreementPolicy {
    fn default() -> Self {
        Self {
            required: 2,
            lag_blocks_max: 10,
            clock_skew_max: Duration::from_secs(180),
            limits: RpcLimits::default(),
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
    nodes: Vec<Node>,
    excluded: Vec<Excluded>,
    policy: AgreementPolicy,
    genesis: Hash,
    resting: Resting,
}

/// Nodes that agree on a block.
pub struct Pinned<'a> {
    snapshots: Vec<Snapshot<'a>>,
    required: usize,
    /// The block.
    pub block: BlockRef,
    /// The newest finalized block that all have.
    pub finalized: BlockRef,
    /// Which runtime it was made with.
    pub runtime: RuntimeVersion,
    /// Its time, milliseconds since 1970, as its author had it.
    pub timestamp_ms: u64,
    /// Who was left out, since the connection or now.
    pub excluded: Vec<Excluded>,
}

/// An answer that enough nodes gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed<T> {
    /// The answer.
    pub value: T,
    /// Who gave it.
    pub by: Vec<String>,
    /// Who gave another or none.
    pub excluded: Vec<Excluded>,
}

impl Endpoints {
    /// Connects to all at once; who does not answer or is of another chain is left out.
    ///
    /// # Errors
    /// `TooFew`.
    pub fn connect(
        profile: &Profile,
        urls: &[String],
        policy: AgreementPolicy,
    ) -> Result<Self, AgreeError> {
        let mut excluded = Vec::new();
        let mut nodes = Vec::new();
        let mut named: Vec<&String> = Vec::new();
        for url in urls {
            if !named.contains(&url) {
                named.push(url);
            }
        }
        for (url, result) in on_each(&named, |url| Node::connect(url, policy.limits)) {
            match result {
                Ok(node) => match profile.check_genesis(url, node.genesis()) {
                    Ok(()) => nodes.push(node),
                    Err(error) => excluded.push(Excluded::new(url, Exclusion::OtherChain(error))),
                },
                Err(error) => excluded.push(Excluded::new(url, Exclusion::Unreadable(error))),
            }
        }
        // A local chain is whatever most of its nodes have.
        let geneses: Vec<(String, Hash)> = nodes
            .iter()
            .map(|node| (node.url().to_owned(), node.genesis()))
            .collect();
        let (genesis, same, differ) = sort_out("the genesis", &geneses);
        excluded.extend(differ);
        let kept: Vec<Node> = nodes
            .into_iter()
            .enumerate()
            .filter(|(position, _)| same.contains(position))
            .map(|(_, node)| node)
            .collect();
        let Some(genesis) = genesis else {
            return Err(AgreeError::too_few("connect", 0, policy.required, excluded));
        };
        if kept.len() < policy.required.max(1) {
            let found = kept.len();
            return Err(AgreeError::too_few(
                "connect",
                found,
                policy.required,
                excluded,
            ));
        }
        Ok(Self {
            nodes: kept,
            excluded,
            policy,
            genesis,
            resting: Resting::default(),
        })
    }

    /// The chain's first block.
    pub fn genesis(&self) -> Hash {
        self.genesis
    }

    /// All that are connected.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What counts as agreement.
    pub fn policy(&self) -> &AgreementPolicy {
        &self.policy
    }

    /// Who was left out when connecting.
    pub fn excluded(&self) -> &[Excluded] {
        &self.excluded
    }
}

impl<'a> Pinned<'a> {
    /// One node's view, for what needs no agreement.
    pub fn first(&self) -> &Snapshot<'a> {
        &self.snapshots[0]
    }

    /// All that agree so far.
    pub fn snapshots(&self) -> &[Snapshot<'a>] {
        &self.snapshots
    }

    /// The same question to each; the answer that the required number gave.
    ///
    /// * `what`: names it in errors
    ///
    /// # Errors
    /// `TooFew`, which names who answered what.
    pub fn read<T: PartialEq + Clone + std::fmt::Debug + Send>(
        &self,
        what: &'static str,
        ask: impl Fn(&Snapshot<'a>) -> Result<T, ReadError> + Sync,
    ) -> Result<Agreed<T>, AgreeError> {
        let mut excluded = Vec::new();
        let mut answers = Vec::new();
        let snapshots: Vec<&Snapshot<'a>> = self.snapshots.iter().collect();
        for (snapshot, answer) in on_each(&snapshots, &ask) {
            let url = snapshot.node().url();
            match answer {
                Ok(answer) => answers.push((url.to_owned(), answer)),
                Err(error) => excluded.push(Excluded::new(url, Exclusion::Unreadable(error))),
            }
        }
        let (value, kept, differ) = sort_out(what, &answers);
        excluded.extend(differ);
        match value {
            Some(value) if kept.len() >= self.required => Ok(Agreed {
                value,
                by: kept.iter().map(|at| answers[*at].0.clone()).collect(),
                excluded,
            }),
            _ => Err(AgreeError::too_few(
                what,
                kept.len(),
                self.required,
                excluded,
            )),
        }
    }
}
