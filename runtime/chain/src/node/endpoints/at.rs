//! Questions about a block that is known already, and about what is of no block.

use super::agree::AgreeError;
use super::{Agreed, Endpoints};
use crate::BlockRef;
use crate::node::client::{Node, ReadError};
use crate::node::snapshot::Snapshot;
use std::fmt::Debug;

impl Endpoints {
    /// The same question to all nodes at once, but those that rest; the answer that the required number gave, as soon as it has and a grace
    /// more has passed.
    ///
    /// * `what`: names it in errors
    ///
    /// # Errors
    /// `TooFew`, which names who answered what.
    pub fn ask<T: PartialEq + Clone + Debug + Send>(
        &self,
        what: &'static str,
        ask: impl Fn(&Node) -> Result<T, ReadError> + Sync,
    ) -> Result<Agreed<T>, AgreeError> {
        let (seats, excluded) = self.asked();
        self.agree(self.now(what), &seats, ask, excluded)
    }

    /// The same question at one block, which its hash names: a node on another branch reads the same or lacks it.
    ///
    /// # Errors
    /// As [`Endpoints::ask`].
    pub fn read_at<T: PartialEq + Clone + Debug + Send>(
        &self,
        block: BlockRef,
        what: &'static str,
        ask: impl Fn(&Snapshot<'_>) -> Result<T, ReadError> + Sync,
    ) -> Result<Agreed<T>, AgreeError> {
        self.ask(what, |node| ask(&node.at(block)?))
    }

    /// The block of a number, of those that are final.
    ///
    /// # Errors
    /// As [`Endpoints::ask`].
    pub fn block_at(&self, number: u64) -> Result<Agreed<BlockRef>, AgreeError> {
        self.ask("a finalized block's hash", |node| node.block_ref(number))
    }
}
