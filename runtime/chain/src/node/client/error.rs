//! Why something could not be read.

use crate::BlockRef;
use crate::node::capabilities::CapabilityError;
use crate::node::metadata::MetadataError;
use crate::node::rpc::RpcError;
use crate::node::value::DecodeError;
use gradus_owner::Owner;

/// Why something could not be read from a node.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No answer.
    #[error("the node gave no answer")]
    Rpc(#[source] RpcError),
    /// Metadata.
    #[error("{url} has metadata that cannot be used")]
    Metadata {
        /// The node.
        url: String,
        /// Why.
        #[source]
        source: MetadataError,
    },
    /// A runtime that lacks something.
    #[error("{url} runs a runtime without what is needed")]
    Capability {
        /// The node.
        url: String,
        /// What.
        #[source]
        source: CapabilityError,
    },
    /// Bytes of another type.
    #[error("{url} answered {what} with bytes of another type")]
    Decode {
        /// The node.
        url: String,
        /// What was read.
        what: String,
        /// Where they differ.
        #[source]
        source: DecodeError,
    },
    /// An answer that is no such thing.
    #[error("{url} answered {what} with {found}, expected {expected}: ask another node")]
    Malformed {
        /// The node.
        url: String,
        /// What was read.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A block that the node lacks.
    #[error("{url} has no block {block}: it lags, or has another chain")]
    NoBlock {
        /// The node.
        url: String,
        /// Its number or hash.
        block: String,
    },
    /// Numbers that no chain of this kind has.
    #[error("{url} has {found} {what}, the most that is read is {limit}: ask another node")]
    TooMany {
        /// The node.
        url: String,
        /// What.
        what: &'static str,
        /// How many.
        found: usize,
        /// The most.
        limit: usize,
    },
    /// Nothing to read.
    #[error("subnet {netuid} does not exist at block {block}: check the network and the netuid")]
    NoSubnet {
        /// The subnet.
        netuid: u16,
        /// The block.
        block: BlockRef,
    },
    /// A subnet with fewer mechanisms.
    #[error(
        "subnet {netuid} has {count} mechanisms, so none has the number {mechanism}: they count from 0"
    )]
    NoMechanism {
        /// The subnet.
        netuid: u16,
        /// Which was asked for.
        mechanism: u8,
        /// How many there are.
        count: u8,
    },
}

impl ReadError {
    /// Whether the node no longer keeps the state of the block: one that keeps all of it can answer.
    pub fn is_pruned(&self) -> bool {
        self.is_refused_for(&["State already discarded"])
    }

    /// Whether the block's runtime lacks the function that was called.
    pub(in crate::node) fn is_of_no_function(&self) -> bool {
        self.is_refused_for(&["Exported method", "is not found"])
    }

    /// Whether the node's own words have all of these.
    fn is_refused_for(&self, words: &[&str]) -> bool {
        let Self::Rpc(RpcError::Refused { message, data, .. }) = self else {
            return false;
        };
        let mut said = [Some(message), data.as_ref()].into_iter().flatten();
        said.any(|said| words.iter().all(|word| said.contains(word)))
    }

    /// Whose fault: the host's, which names its nodes and its subnet.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}
