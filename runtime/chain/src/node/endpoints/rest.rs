//! Nodes that did not answer in time are not asked for a while, so that one which hangs does not hold up the others at every question.

use super::Endpoints;
use crate::node::client::{Node, ReadError};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a node rests: a few blocks.
const REST: Duration = Duration::from_secs(60);

/// Until when which node, by its address, rests.
#[derive(Default)]
pub(super) struct Resting(Mutex<HashMap<String, Instant>>);

impl Endpoints {
    /// Nodes to be asked: those that do not rest, if they are enough; else all.
    pub(super) fn awake(&self) -> Vec<&Node> {
        let now = Instant::now();
        let resting = self.resting.0.lock();
        let resting = resting.unwrap_or_else(PoisonError::into_inner);
        let rests = |node: &Node| resting.get(node.url()).is_some_and(|until| *until > now);
        let awake: Vec<&Node> = self.nodes.iter().filter(|node| !rests(node)).collect();
        match awake.len() >= self.policy.required.max(1) {
            true => awake,
            false => self.nodes.iter().collect(),
        }
    }

    /// Lets a node rest whose connection failed; an answer, whatever it is, is no reason.
    pub(super) fn rest(&self, node: &Node, error: &ReadError) {
        let ReadError::Rpc(error) = error else {
            return;
        };
        if error.is_transport() {
            let mut resting = self
                .resting
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            resting.insert(node.url().to_owned(), Instant::now() + REST);
        }
    }
}
