//! A node, and time.

use super::super::ask::{Account, CommitSet, Heads, Order, Place, Row};
use super::super::intent::Intent;
use super::super::record::Refusal;
use super::Call;
use crate::timelock::BeaconSignature;
use crate::{BlockRef, Hash};
use gradus_owner::Owner;

/// Why a node gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// It cannot be reached, or its answer makes no sense; asked again, it may answer.
    #[error("the node does not answer: {why}")]
    Unavailable {
        /// Why.
        why: String,
    },
    /// It does not keep the state of the block that was asked about.
    #[error(
        "too few nodes keep the state of block {number}: name archive nodes with --endpoint, or one of your own with --agree 1"
    )]
    Pruned {
        /// The block.
        number: u64,
    },
    /// No signature, and none if asked again.
    #[error("the extrinsic was not signed: {why}")]
    Sign {
        /// Why.
        why: String,
    },
}

impl ChainError {
    /// Whose fault: the host's, which chose node and signer.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// One node, or several that agree.
///
/// `intent` says whose and which storage is meant: its netuid, mechanism, hotkey, targets and method. Storage names are in the answers' fields.
pub trait Chain {
    /// The hash of block 0.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`].
    fn genesis(&mut self) -> Result<Hash, ChainError>;

    /// The newest blocks.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`].
    fn heads(&mut self) -> Result<Heads, ChainError>;

    /// What attempts depend on, at a block.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`], [`ChainError::Pruned`].
    fn account(&mut self, intent: &Intent, at: BlockRef) -> Result<Account, ChainError>;

    /// How long [`Chain::sign`] may take for the signature alone, milliseconds: eras are made to be longer.
    fn signing_ms(&self) -> u64 {
        0
    }

    /// A signed extrinsic, SCALE with its length: the call with the order's nonce, era and version. Not submitted.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`] if the runtime's version is not the order's or metadata lack, [`ChainError::Sign`], also for an era that is
    /// longer than the runtime remembers blocks.
    fn sign(&mut self, intent: &Intent, call: &Call, order: &Order) -> Result<Vec<u8>, ChainError>;

    /// Hands an extrinsic to the pool, once. `Ok(Err(_))` is the pool's refusal.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`] if there was no answer: it may be in the pool.
    fn submit(&mut self, extrinsic: &[u8]) -> Result<Result<(), Refusal>, ChainError>;

    /// Where an extrinsic is among blocks `from..=to` of the chain that leads to `tip`, and what its call's events say. All of them are looked into.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`], also if `tip` is not part of the chain any more. Where only events are gone, the outcome is unknown instead.
    fn find(
        &mut self,
        hash: Hash,
        from: u64,
        to: u64,
        tip: BlockRef,
    ) -> Result<Option<Place>, ChainError>;

    /// The stored weights at a block.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`], [`ChainError::Pruned`].
    fn row(&mut self, intent: &Intent, at: BlockRef) -> Result<Row, ChainError>;

    /// The hotkey's commits at a finalized block's number: `WeightCommits`, or `TimelockedWeightCommits` of all epochs, by the intent's method.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`], [`ChainError::Pruned`].
    fn commits(&mut self, intent: &Intent, at: u64) -> Result<CommitSet, ChainError>;

    /// How many `TimelockedWeightsRevealed` of hotkey and mechanism a block's events have.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`], [`ChainError::Pruned`].
    fn reveals(&mut self, intent: &Intent, at: BlockRef) -> Result<u32, ChainError>;

    /// `Drand.Pulses` of a round at a block: its signature, if the round is there.
    ///
    /// # Errors
    /// [`ChainError::Unavailable`], [`ChainError::Pruned`].
    fn pulse(&mut self, round: u64, at: BlockRef) -> Result<Option<BeaconSignature>, ChainError>;
}

/// Time that passes, and somebody who may want to stop.
pub trait Clock {
    /// Waits; less if it should stop.
    fn sleep_ms(&mut self, milliseconds: u64);

    /// Milliseconds since some moment; it never goes back.
    fn now_ms(&self) -> u64;

    /// Whether to stop. Asked before each step.
    fn stopped(&self) -> bool;
}
