//! Why a drive could not go on.

use super::super::intent::IntentId;
use super::super::ledger::LedgerError;
use super::super::machine::TellError;
use super::super::state::Disorder;
use super::ChainError;
use crate::Hash;
use crate::timelock::ScheduleError;
use gradus_owner::Owner;

/// Why a drive could not go on. The journal has all that is needed to go on later.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Another chain.
    #[error("the node is of chain {found}, the intent of {expected}: connect to the right network")]
    OtherChain {
        /// The intent's genesis.
        expected: Hash,
        /// The node's.
        found: Hash,
    },
    /// The disk.
    #[error(
        "a record of intent {id} could not be written down, so nothing was done that it speaks of"
    )]
    Ledger {
        /// The intent.
        id: IntentId,
        /// Why.
        #[source]
        source: Box<LedgerError>,
    },
    /// The node.
    #[error("the node failed {count} times in a row")]
    Chain {
        /// How often.
        count: u32,
        /// The last time.
        #[source]
        source: ChainError,
    },
    /// No blocks.
    #[error(
        "the node's finalized block has been {number} for {pauses} pauses: it lags or is cut off, connect to another"
    )]
    Silent {
        /// The block.
        number: u64,
        /// How long.
        pauses: u32,
    },
    /// Signatures that nobody can use any more.
    #[error(
        "{count} signatures in a row came too late, the last after {took_ms} ms: with what was read before it, more than {blocks_max} of the era's {era_period_blocks} blocks were over, or the subnet's epoch was; name quicker nodes, or a signer that keeps to its time limit, --signer-timeout"
    )]
    Late {
        /// How many.
        count: u32,
        /// How long the last one took, milliseconds.
        took_ms: u64,
        /// How many blocks of the era may be over.
        blocks_max: u64,
        /// How many it has.
        era_period_blocks: u64,
    },
    /// Two chains.
    #[error("the node contradicts what was final")]
    Tell(#[source] TellError),
    /// The schedule.
    #[error("no round can be found that a commit would be locked to")]
    Schedule(#[source] ScheduleError),
    /// A commit that is too long, a key that does not sign.
    #[error("the extrinsic could not be made")]
    Make(#[source] ChainError),
    /// A record that the machine gave and does not take.
    #[error("the machine contradicts itself: report this")]
    Disorder(#[source] Disorder),
}

impl DriveError {
    /// Whose fault.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Ledger { source, .. } => source.owner(),
            Self::Disorder(_) => Owner::Bug,
            _ => Owner::Host,
        }
    }
}
