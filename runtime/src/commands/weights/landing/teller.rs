//! What is told on the way, on standard error: lines for people, JSON lines for programs.

use crate::printable::printable;
use gradus_chain::node::Excluded;
use gradus_chain::submission::{DriveError, IntentId, Record};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};

/// Tells.
#[derive(Clone, Copy)]
pub(in super::super) struct Teller {
    terminal: bool,
}

impl Teller {
    pub(in super::super) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// A record that is on disk.
    pub(in super::super) fn record(self, id: &IntentId, record: &Record) {
        let (block, what) = (record.at_block(), record.to_string());
        let event = json!({"event": "record", "intent": id, "at_block": block, "what": what});
        self.say(&format!("{id}  {block:>9}  {what}"), &event);
    }

    /// A node whose answers are not taken.
    pub(in super::super) fn left_out(self, excluded: &Excluded) {
        let (url, why) = (&excluded.url, excluded.why.to_string());
        let event = json!({"event": "left_out", "url": url, "why": why});
        self.say(&format!("left out: {url}: {why}"), &event);
    }

    /// A block that is waited for.
    pub(in super::super) fn waits(self, until_block: u64, best: u64) {
        let event = json!({"event": "waits", "until_block": until_block, "best_block": best});
        self.say(
            &format!("waits for block {until_block}, the chain is at {best}"),
            &event,
        );
    }

    /// Nodes that are waited for.
    pub(in super::super) fn waits_for_nodes(self, error: &dyn std::error::Error) {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        let event = json!({"event": "waits_for_nodes", "why": why});
        self.say(&format!("waits for the nodes: {why}"), &event);
    }

    /// A commit that waits for longer than epochs explain.
    pub(in super::super) fn overdue(self, id: &IntentId, blocks: u64) {
        let event = json!({"event": "overdue", "intent": id, "blocks": blocks});
        let line = format!(
            "{id}  the commit is stored and waits since {blocks} blocks: does the subnet run epochs? go on with --resume"
        );
        self.say(&line, &event);
    }

    /// An intent that could not be driven on.
    pub(in super::super) fn failed(self, id: &IntentId, error: &DriveError) {
        let why = error.to_string();
        let event = json!({"event": "failed", "intent": id, "why": why});
        self.say(&format!("{id}  not driven on: {why}"), &event);
    }

    fn say(self, line: &str, event: &Value) {
        // Nobody is left to tell if it is gone.
        let mut stderr = std::io::stderr();
        let _ = match self.terminal {
            true => writeln!(stderr, "{}", printable(line)),
            false => writeln!(stderr, "{event}"),
        };
    }
}
