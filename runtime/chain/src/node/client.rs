//! One node: calls that are repeated on a new connection, and blocks whose hashes are checked.
//!
//! | module | is about |
//! |---|---|
//! | `chain` | heads, blocks |
//! | `error` | why something could not be read |
//! | `runtimes` | which runtime a block was made with, and which the next one is |

mod chain;
mod error;
mod runtimes;

pub use error::ReadError;

use super::capabilities::CapabilityError;
use super::rpc::{Dial, Rpc, RpcError, RpcLimits, Wait};
use crate::Hash;
use runtimes::Runtimes;
use serde_json::Value as Json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A node, over a connection that is made again when it breaks. Clones are the same node.
///
/// Who asks takes the connection that is free, or makes one, and puts it back once the answer is there: no question waits for another's
/// answer, and a late one is never on a connection that is used again.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
    wait: Wait,
}

struct Shared {
    url: String,
    limits: RpcLimits,
    genesis: Hash,
    dial: Arc<Dial>,
    free: Mutex<Option<Rpc>>,
    runtimes: Mutex<Runtimes>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left is a connection at worst, which is made again when it breaks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// Connects and asks for the chain's genesis.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn connect(url: &str, limits: RpcLimits) -> Result<Self, ReadError> {
        Self::connect_within(url, limits, Arc::default(), &Wait::default())
    }

    /// As [`Node::connect`], for as long as somebody waits; what is asked of it later is not bound to that.
    pub(in crate::node) fn connect_within(
        url: &str,
        limits: RpcLimits,
        dial: Arc<Dial>,
        wait: &Wait,
    ) -> Result<Self, ReadError> {
        let mut node = Self {
            shared: Arc::new(Shared {
                url: url.to_owned(),
                limits,
                genesis: Hash::default(),
                dial,
                free: Mutex::new(None),
                runtimes: Mutex::default(),
            }),
            wait: wait.clone(),
        };
        let genesis = node
            .block_hash(0)?
            .ok_or_else(|| node.no_block("0".into()))?;
        let shared = Arc::get_mut(&mut node.shared).expect("nobody else has it yet");
        shared.genesis = genesis;
        node.wait = Wait::default();
        Ok(node)
    }

    /// The same node, asked for as long as somebody waits.
    pub(in crate::node) fn within(&self, wait: &Wait) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            wait: wait.clone(),
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The chain's first block.
    pub fn genesis(&self) -> Hash {
        self.shared.genesis
    }

    /// How long and how much is waited for.
    pub fn limits(&self) -> &RpcLimits {
        &self.shared.limits
    }

    /// One call, repeated on a new connection if one breaks: for reads alone.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn call(&self, method: &str, params: Json) -> Result<Json, RpcError> {
        self.calls(&[(method, params)])?
            .pop()
            .expect("one result for one call")
    }

    /// Several calls at once, as [`Node::call`].
    ///
    /// # Errors
    /// The outer for the connection, the inner for each call.
    pub fn calls(&self, calls: &[(&str, Json)]) -> Result<Vec<Result<Json, RpcError>>, RpcError> {
        let limits = self.limits();
        let mut attempt = 1;
        loop {
            let error = match self.calls_once(calls) {
                Err(error) => error,
                answers => return answers,
            };
            if attempt >= limits.attempts || !error.is_transport() || self.wait.is_over() {
                return Err(error);
            }
            self.wait
                .sleep(limits.back_off * 2_u32.pow((attempt - 1).min(8)));
            attempt += 1;
        }
    }

    /// On the connection that is free, or a new one, which is free again if all went well: after a broken or late answer the stream is not
    /// where we think it is.
    fn calls_once(&self, calls: &[(&str, Json)]) -> Result<Vec<Result<Json, RpcError>>, RpcError> {
        let free = lock(&self.shared.free).take();
        let mut rpc = match free {
            Some(rpc) => rpc,
            None => self.new_connection()?,
        };
        rpc.set_wait(&self.wait);
        let answers = rpc.calls(calls)?;
        *lock(&self.shared.free) = Some(rpc);
        Ok(answers)
    }

    /// A connection of one's own, for a subscription.
    ///
    /// # Errors
    /// [`RpcError`].
    pub(super) fn new_connection(&self) -> Result<Rpc, RpcError> {
        let shared = &self.shared;
        Rpc::within(&shared.url, &shared.limits, &shared.dial, &self.wait)
    }

    pub(super) fn lacks(&self, source: CapabilityError) -> ReadError {
        let url = self.url().to_owned();
        ReadError::Capability { url, source }
    }

    pub(super) fn malformed(&self, what: &str, expected: &str, found: String) -> ReadError {
        ReadError::Malformed {
            url: self.url().to_owned(),
            what: what.to_owned(),
            expected: expected.to_owned(),
            found,
        }
    }
}
