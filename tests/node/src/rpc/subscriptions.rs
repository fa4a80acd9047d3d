//! What a connection is told after it has asked: heads, final blocks, runtimes, extrinsics' states, storage.

use super::reads::View;
use crate::chain::Notice;
use crate::node::Shared;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

/// What a subscription is about.
#[derive(Clone, Debug)]
pub(super) enum Topic {
    /// New best blocks, under the name that notifications have.
    Heads(&'static str),
    /// Final blocks.
    FinalizedHeads,
    /// The runtime's version.
    RuntimeVersion,
    /// An extrinsic by its hash.
    Extrinsic([u8; 32]),
    /// Keys, and what they held when it was last told.
    Storage(Vec<(Vec<u8>, Option<Vec<u8>>)>),
}

/// A connection's subscriptions.
pub(super) struct Subscriptions {
    notices: Receiver<Notice>,
    topics: BTreeMap<String, Topic>,
    /// What is said at once after a subscription is answered.
    first: Vec<Json>,
    opened: u64,
    silent: bool,
}

impl Subscriptions {
    pub(super) fn new(notices: Receiver<Notice>) -> Self {
        Self {
            notices,
            topics: BTreeMap::new(),
            first: Vec::new(),
            opened: 0,
            silent: false,
        }
    }

    /// Nothing is told any more.
    pub(super) fn silence(&mut self) {
        self.silent = true;
    }

    /// Opens a subscription; returns its name.
    pub(super) fn open(&mut self, shared: &Shared, mut topic: Topic) -> String {
        self.opened += 1;
        let name = format!("gradus{}", self.opened);
        let view = View::new(shared, &shared.chain.lock());
        let first = match &mut topic {
            Topic::Heads(method) => Some((*method, view.head_json())),
            Topic::FinalizedHeads => Some(("chain_finalizedHead", view.finalized_json())),
            Topic::RuntimeVersion => Some(("state_runtimeVersion", view.runtime_version_json())),
            Topic::Extrinsic(_) => None,
            Topic::Storage(keys) => Some(("state_storage", view.changes_json(keys, true))),
        };
        self.first
            .extend(first.map(|(method, result)| notification(method, &name, result)));
        self.topics.insert(name.clone(), topic);
        name
    }

    /// Ends a subscription; whether there was one.
    pub(super) fn close(&mut self, name: &str) -> bool {
        self.topics.remove(name).is_some()
    }

    /// What there is to tell now.
    pub(super) fn collect(&mut self, shared: &Shared) -> Vec<Json> {
        let mut told = std::mem::take(&mut self.first);
        for notice in self.notices.try_iter() {
            for (name, topic) in &mut self.topics {
                let said = say(shared, &notice, topic);
                told.extend(said.map(|(method, result)| notification(method, name, result)));
            }
        }
        match self.silent {
            true => Vec::new(),
            false => told,
        }
    }
}

fn say(shared: &Shared, notice: &Notice, topic: &mut Topic) -> Option<(&'static str, Json)> {
    let view = || View::new(shared, &shared.chain.lock());
    let head = |hash| {
        let state = shared.chain.lock();
        View::new(shared, &state).lagging_json(&state, hash)
    };
    match (notice, topic) {
        (Notice::Head(hash), Topic::Heads(method)) => Some((*method, head(*hash))),
        (Notice::Final(hash), Topic::FinalizedHeads) => Some(("chain_finalizedHead", head(*hash))),
        (Notice::Runtime, Topic::RuntimeVersion) => {
            Some(("state_runtimeVersion", view().runtime_version_json()))
        }
        (Notice::Status(hash, status), Topic::Extrinsic(watched)) if hash == watched => {
            Some(("author_extrinsicUpdate", status.clone()))
        }
        (Notice::Head(_), Topic::Storage(keys)) => {
            let changes = view().changes_json(keys, false);
            let any = changes["changes"].as_array().is_some_and(|c| !c.is_empty());
            any.then_some(("state_storage", changes))
        }
        _ => None,
    }
}

fn notification(method: &str, name: &str, result: Json) -> Json {
    let params = json!({ "subscription": name, "result": result });
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}
