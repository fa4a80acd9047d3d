//! A double of the chain's node for tests: it speaks the node's protocol, by real metadata, over a chain that tests drive and disturb.
//!
//! | module | is about |
//! |---|---|
//! | [`Chain`] | blocks by hand or by a clock, a pool, epochs, a beacon; what was submitted and applied |
//! | [`Node`] | an endpoint of a chain: a WebSocket on loopback, with faults of its own |
//! | [`fault`] | what can go wrong |
//! | [`config`] | what a chain begins with |
//! | [`runtime`] | metadata, and everything encoded by it |
//! | [`storage`] | keys and values after a block |
//! | [`block`], [`extrinsic`], [`call`], [`events`] | the chain's formats |
//! | [`address`], [`hex`] | accounts and bytes as text |
//! | [`drand`] | a beacon with a known secret |
//! | `rules` | the chain's own checks, in its order |
//! | `api` | answers of runtime APIs |
//! | `rpc` | the node's methods |
//!
//! `README.md` says what of it is as on the chain, and what is not.
//!
//! What it has not: consensus among authors, a Merkle trie (so no proofs), fees, emissions, and other calls than those that set weights.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod address;
mod api;
pub mod block;
pub mod call;
mod chain;
pub mod config;
pub mod drand;
pub mod events;
pub mod extrinsic;
pub mod fault;
mod genesis;
pub mod hex;
mod node;
mod rpc;
mod rules;
pub mod runtime;
pub mod storage;
mod timelock;

pub use chain::{Chain, Submission};
pub use config::{Blocks, ChainConfig, Neuron, SubnetConfig};
pub use fault::{ChainFault, Fault, Garbage, Method, Retracted, RpcError};
pub use node::Node;
pub use runtime::{Key, Spec};
pub use storage::Storage;
