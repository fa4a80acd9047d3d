//! Questions about a block that is known already, and about what is of no block.

use super::agree::{AgreeError, Excluded, Exclusion, on_each, sort_out};
use super::{Agreed, Endpoints};
use crate::BlockRef;
use crate::node::client::{Node, ReadError};
use crate::node::snapshot::Snapshot;
use std::fmt::Debug;

impl Endpoints {
    /// The same question to all nodes at once, but those that rest; the answer that the required number gave.
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
        let mut excluded = Vec::new();
        let mut answers = Vec::new();
        for (node, answer) in on_each(&self.awake(), &ask) {
            let url = node.url();
            match answer {
                Ok(answer) => answers.push((url.to_owned(), answer)),
                Err(error) => {
                    self.rest(node, &error);
                    excluded.push(Excluded::new(url, Exclusion::Unreadable(error)));
                }
            }
        }
        let (value, kept, differ) = sort_out(what, &answers);
        excluded.extend(differ);
        let (found, required) = (kept.len(), self.policy.required);
        match value {
            Some(value) if found >= required => Ok(Agreed {
                value,
                by: kept.iter().map(|at| answers[*at].0.clone()).collect(),
                excluded,
            }),
            _ => Err(AgreeError::too_few(what, found, required, excluded)),
        }
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
        self.ask("a finalized block's hash", |node| {
            let hash = node.block_hash(number)?;
            let lacks = || ReadError::NoBlock {
                url: node.url().to_owned(),
                block: number.to_string(),
            };
            let hash = hash.ok_or_else(lacks)?;
            Ok(BlockRef { number, hash })
        })
    }
}
