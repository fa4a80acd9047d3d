//! The chain through its nodes.
//!
//! | module | is about |
//! |---|---|
//! | `metadata`, `shape`, `value` | what a runtime says of itself; types without names; bytes to values |
//! | `call`, [`items`], `capabilities` | calls that are written, storage that is read, and whether a runtime has both as they are known |
//! | `extrinsic` | payloads, signatures, extrinsics |
//! | `events` | what an extrinsic did, and why it failed |
//! | [`rpc`] | JSON-RPC over WebSocket with deadlines and caps |
//! | `client`, `block` | one node; blocks whose hashes are computed |
//! | `snapshot` | storage and runtime functions after one block |
//! | `profile` | networks, and state directories that belong to one |
//! | `endpoints` | several nodes that have to agree |
//! | `preflight` | every rule of a submission, before anything is signed |
//! | `submit`, `pool` | sending, watching, finding; what a pool's numbers mean |
//! | [`report`] | what commands print |
//!
//! All of it blocks, with a time limit on every call; several nodes are asked at once by threads.
//!
//! ```no_run
//! use gradus_chain::node::{AgreementPolicy, Endpoints, Head, Profile, WeightsCall, preflight, report};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let hotkey = gradus_chain::AccountId([0; 32]);
//! let profile = Profile::finney();
//! let endpoints = Endpoints::connect(&profile, &profile.endpoints, AgreementPolicy::default())?;
//! profile.bind("state".as_ref(), endpoints.genesis())?;
//! let pinned = endpoints.pin(Head::Finalized)?;
//! let facts = report::facts(&pinned, profile.netuid, 0, hotkey)?;
//! let (uids, values) = (vec![0, 7], vec![65_535, 1]);
//! let call = WeightsCall::Set { netuid: profile.netuid, mechanism: None, uids, values, version_key: 61_000 };
//! match preflight(&facts, &call, None, 75) {
//!     Ok(ready) => println!("block {} can take it", ready.landing_block),
//!     Err(refusals) => refusals.iter().for_each(|refusal| println!("{refusal}")),
//! }
//! # Ok(())
//! # }
//! ```

mod block;
mod call;
mod capabilities;
mod client;
mod endpoints;
mod events;
mod extrinsic;
pub mod items;
mod metadata;
mod pool;
mod preflight;
mod profile;
pub mod report;
pub mod rpc;
mod shape;
mod snapshot;
mod submit;
mod value;

pub use block::{Block, Header};
pub use call::{PALLET, WeightsCall, commit_hash, storage_index};
pub use capabilities::{Capabilities, CapabilityError, Missing};
pub use client::{Node, ReadError};
pub use endpoints::{
    AgreeError, Agreed, AgreementPolicy, Endpoints, Excluded, Exclusion, GENESIS, Head, Pinned,
};
pub use events::{Dispatch, DispatchError, Event, Phase, WeightsEvent};
pub use extrinsic::{Era, ExtrinsicContext, ExtrinsicError, Signed, Unsigned};
pub use metadata::{METADATA_BYTES_MAX, MetadataError, Runtime, RuntimeVersion};
pub use pool::{PoolReason, PoolRefusal};
pub use preflight::{Facts, Ready, Refusal, Warning, preflight};
pub use profile::{Binding, Network, Profile, ProfileError};
pub use snapshot::{
    AccountState, ActivityCutoff, EpochRow, EpochSettings, HashCommit, Metagraph, MetagraphSource,
    NEURONS_MAX, Neuron, PendingCommits, PendingEmission, Snapshot, SubnetParameters,
    TimelockedCommit,
};
pub use submit::{FIND_BLOCKS_MAX, Inclusion, Progress, Search, SubmitError, Watch};
pub use value::{DecodeError, Fields, Value, Variant};

#[cfg(test)]
mod tests;
