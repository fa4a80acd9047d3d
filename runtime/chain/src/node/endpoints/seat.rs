//! A node by its address: connected or not yet, asked or at rest.
//!
//! ```text
//!   awake ── no connection, no answer in time ──► rests ── a while later ──► on trial: asked, not counted on ── an answer ──► awake
//!     └───── another chain ──► foreign, for good                                └── none again ──► rests
//! ```
//!
//! So one that hangs costs the others a grace once in a while, and one that was down when the others were connected comes back by itself.

use super::agree::{Excluded, Exclusion};
use crate::Hash;
use crate::node::client::{Node, ReadError};
use crate::node::rpc::{Dial, RpcLimits, Wait, host_of};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// One of the nodes that were named.
pub(super) struct Seat {
    /// Its place in the list.
    pub(super) at: usize,
    /// Its address.
    pub(super) url: String,
    host: Option<String>,
    dial: Arc<Dial>,
    node: OnceLock<Node>,
    rest: Mutex<Option<Rest>>,
}

/// Why it is not counted on.
struct Rest {
    why: Arc<Exclusion>,
    /// When it is asked again; `None` is never.
    until: Option<Instant>,
}

/// Whether it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Yes.
    Awake,
    /// Yes, and without it there have to be enough.
    OnTrial,
    /// Only if there are too few others.
    Rests,
    /// Never.
    Foreign,
}

/// Why a seat gave no answer.
pub(super) enum Failure {
    /// It is of another chain.
    Foreign(Exclusion),
    /// There is no connection, and was none before.
    Unreachable(ReadError),
    /// It was asked.
    Read(ReadError),
}

impl Seat {
    pub(super) fn new(at: usize, url: &str) -> Self {
        Self {
            at,
            url: url.to_owned(),
            host: host_of(url),
            dial: Arc::default(),
            node: OnceLock::new(),
            rest: Mutex::new(None),
        }
    }

    fn rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node, if it was ever connected.
    pub(super) fn node(&self) -> Option<&Node> {
        self.node.get()
    }

    /// The node, connected if it is not yet.
    pub(super) fn connected(
        &self,
        limits: RpcLimits,
        belongs: impl FnOnce(Hash) -> Result<(), Exclusion>,
        wait: &Wait,
    ) -> Result<&Node, Failure> {
        if let Some(node) = self.node.get() {
            return Ok(node);
        }
        let node = Node::connect_within(&self.url, limits, Arc::clone(&self.dial), wait)
            .map_err(Failure::Unreachable)?;
        belongs(node.genesis()).map_err(Failure::Foreign)?;
        Ok(self.node.get_or_init(|| node))
    }

    pub(super) fn standing(&self) -> Standing {
        match &*self.rest() {
            None => Standing::Awake,
            Some(Rest { until: None, .. }) => Standing::Foreign,
            Some(Rest {
                until: Some(until), ..
            }) => match *until > Instant::now() {
                true => Standing::Rests,
                false => Standing::OnTrial,
            },
        }
    }

    /// Why it is not counted on, if so.
    pub(super) fn excluded(&self) -> Option<Excluded> {
        let rest = self.rest();
        rest.as_ref().map(|rest| Excluded {
            url: self.url.clone(),
            why: Arc::clone(&rest.why),
        })
    }

    /// It is not asked for a while.
    pub(super) fn lay_down(&self, why: Exclusion, rest: Duration) -> Excluded {
        self.put(why, Some(Instant::now() + rest))
    }

    /// It is not asked again.
    pub(super) fn dismiss(&self, why: Exclusion) -> Excluded {
        self.put(why, None)
    }

    fn put(&self, why: Exclusion, until: Option<Instant>) -> Excluded {
        let why = Arc::new(why);
        let url = self.url.clone();
        *self.rest() = Some(Rest {
            why: Arc::clone(&why),
            until,
        });
        Excluded { url, why }
    }

    /// It has answered.
    pub(super) fn wake(&self) {
        *self.rest() = None;
    }

    /// What it has in common with another, as far as that can be told: the host's name or an address that the names resolve to.
    pub(super) fn shares(&self, other: &Self) -> Option<String> {
        if self.host.is_some() && self.host == other.host {
            return self.host.clone();
        }
        let (own, others) = (self.dial.addresses(), other.dial.addresses());
        let shared = own.iter().find(|address| others.contains(address));
        shared.map(IpAddr::to_string)
    }
}
