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
use super::rpc::{Rpc, RpcError, RpcLimits};
use crate::Hash;
use runtimes::Runtimes;
use serde_json::Value as Json;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A node, over a connection that is made again when it breaks.
pub struct Node {
    url: String,
    limits: RpcLimits,
    genesis: Hash,
    rpc: Mutex<Option<Rpc>>,
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
        let mut node = Self {
            url: url.to_owned(),
            limits,
            genesis: Hash::default(),
            rpc: Mutex::new(None),
            runtimes: Mutex::default(),
        };
        node.genesis = node
            .block_hash(0)?
            .ok_or_else(|| node.no_block("0".into()))?;
        Ok(node)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The chain's first block.
    pub fn genesis(&self) -> Hash {
        self.genesis
    }

    /// How long and how much is waited for.
    pub fn limits(&self) -> &RpcLimits {
        &self.limits
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
        let mut slot = lock(&self.rpc);
        let mut attempt = 1;
        loop {
            let result = self.connected(&mut slot).and_then(|rpc| rpc.calls(calls));
            match result {
                Err(error) => {
                    // After a broken or late answer the stream is not where we think it is.
                    *slot = None;
                    if attempt >= self.limits.attempts || !error.is_transport() {
                        return Err(error);
                    }
                    std::thread::sleep(self.limits.back_off * 2_u32.pow((attempt - 1).min(8)));
                    attempt += 1;
                }
                answers => return answers,
            }
        }
    }

    /// A connection of one's own, for a subscription.
    ///
    /// # Errors
    /// [`RpcError`].
    pub(super) fn new_connection(&self) -> Result<Rpc, RpcError> {
        Rpc::connect(&self.url, &self.limits)
    }

    fn connected<'a>(&self, slot: &'a mut Option<Rpc>) -> Result<&'a mut Rpc, RpcError> {
        if slot.is_none() {
            *slot = Some(Rpc::connect(&self.url, &self.limits)?);
        }
        Ok(slot.as_mut().expect("just made"))
    }

    pub(super) fn lacks(&self, source: CapabilityError) -> ReadError {
        let url = self.url.clone();
        ReadError::Capability { url, source }
    }

    pub(super) fn malformed(&self, what: &str, expected: &str, found: String) -> ReadError {
        ReadError::Malformed {
            url: self.url.clone(),
            what: what.to_owned(),
            expected: expected.to_owned(),
            found,
        }
    }
}
