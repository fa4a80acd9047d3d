//! The chain through its nodes.
//!
//! | module | is about |
//! |---|---|
//! | `metadata`, `shape`, `value` | what a runtime says of itself; types without names; bytes to values |
//! | `call`, `items`, `capabilities` | calls that are written, storage that is read, and whether a runtime has both as they are known |
//! | `extrinsic` | payloads, signatures, extrinsics |

mod block;
mod call;
mod capabilities;
mod client;
mod endpoints;
mod events;
mod extrinsic;
mod hash;
pub mod items;
mod metadata;
mod pool;
mod preflight;
mod profile;
pub mod rpc;
mod shape;
mod snapshot;
mod submit;
mod value;

pub use block::{Block, BlockRef, Header};
pub use call::{BatchEntry, PALLET, WeightsCall, commit_hash, storage_index};
pub use capabilities::{Capabilities, CapabilityError, Missing};
pub use client::{Node, ReadError};
pub use endpoints::{
    AgreeError, Agreed, AgreementPolicy, Endpoints, Excluded, Exclusion, Head, Pinned,
};
pub use events::{Dispatch, DispatchError, Event, Phase, WeightsEvent};
pub use extrinsic::{Era, ExtrinsicContext, ExtrinsicError, Signed, Unsigned};
pub use hash::{Hash, ParseHashError};
pub use metadata::{METADATA_BYTES_MAX, MetadataError, Runtime, RuntimeVersion};
pub use pool::{PoolReason, PoolRefusal};
pub use preflight::{Facts, Ready, Refusal, Warning, preflight, stored_values};
pub use profile::{Binding, Network, Profile, ProfileError};
pub use snapshot::{
    AccountState, ActivityCutoff, HashCommit, Metagraph, MetagraphSource, NEURONS_MAX, Neuron,
    PendingCommits, Snapshot, SubnetParameters, TimelockedCommit,
};
pub use submit::{FIND_BLOCKS_MAX, Inclusion, Progress, Search, SubmitError, Watch};
pub use value::{DecodeError, Fields, Value, Variant};

#[cfg(test)]
mod tests;
