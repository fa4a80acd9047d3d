//! What would change on chain, and what the chain says to it.

use crate::printable::printable;
use gradus_chain::land::Prepared;
use gradus_chain::node::{Excluded, Facts, Metagraph};
use gradus_chain::submission::{IntentId, Method};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Shown {
    version: u32,
    network: String,
    netuid: u16,
    mechanism: u8,
    block: u64,
    hotkey: String,
    uid: Option<u16>,
    method: &'static str,
    version_key: u64,
    changes: Vec<Change>,
    /// Uids whose stored value stays as it is.
    same: usize,
    accepted: bool,
    refusals: Vec<ShownRefusal>,
    warnings: Vec<String>,
    /// An intent of the same row that is not through: until it is, or is given up, no other begins.
    pub(super) open_intent: Option<IntentId>,
    /// From which block on it would be taken, if time is all that is missing.
    retry_at_block: Option<u64>,
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct Change {
    uid: u16,
    hotkey: String,
    /// As the chain stores it, scaled so that the largest is 65,535.
    now: u16,
    then: u16,
}

#[derive(Serialize)]
struct ShownRefusal {
    what: String,
    chain_error: Option<&'static str>,
    retry_at_block: Option<u64>,
}

impl Shown {
    pub(super) fn new(
        prepared: &Prepared,
        facts: &Facts,
        metagraph: &Metagraph,
        row: &[(u16, u16)],
        left_out: &[Excluded],
    ) -> Self {
        let intent = &prepared.intent;
        let now: BTreeMap<u16, u16> = row.iter().copied().collect();
        let then: BTreeMap<u16, u16> = intent.stored_row().into_iter().collect();
        let mut uids: Vec<u16> = now.keys().chain(then.keys()).copied().collect();
        uids.sort_unstable();
        uids.dedup();
        let value = |row: &BTreeMap<u16, u16>, uid| row.get(uid).copied().unwrap_or_default();
        let all = uids.len();
        let changes: Vec<Change> = uids
            .iter()
            .map(|uid| Change {
                uid: *uid,
                hotkey: metagraph
                    .neurons
                    .get(usize::from(*uid))
                    .map_or_else(|| "nobody".into(), |neuron| neuron.hotkey.to_ss58()),
                now: value(&now, uid),
                then: value(&then, uid),
            })
            .filter(|change| change.now != change.then)
            .collect();
        let (refusals, warnings) = match &prepared.verdict {
            Ok(ready) => (Vec::new(), ready.warnings.as_slice()),
            Err(refusals) => (refusals.clone(), [].as_slice()),
        };
        Self {
            version: 1,
            network: intent.profile.clone(),
            netuid: intent.netuid,
            mechanism: intent.mechanism,
            block: facts.block.number,
            hotkey: intent.hotkey.to_ss58(),
            uid: facts.uid,
            method: match &intent.method {
                Method::Plain => "plain",
                Method::HashCommit { .. } => "hash_commit",
                Method::Timelocked { .. } => "timelocked",
            },
            version_key: intent.version_key,
            same: all - changes.len(),
            changes,
            accepted: prepared.verdict.is_ok(),
            retry_at_block: super::retry_at_block(&refusals).filter(|_| !refusals.is_empty()),
            refusals: refusals
                .iter()
                .map(|refusal| ShownRefusal {
                    what: refusal.to_string(),
                    chain_error: refusal.chain_error(),
                    retry_at_block: refusal.retry_at_block(),
                })
                .collect(),
            warnings: warnings.iter().map(ToString::to_string).collect(),
            open_intent: None,
            left_out: left_out.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} subnet {}, mechanism {}, at block {}: weights of {}{}\n\n",
            self.network,
            self.netuid,
            self.mechanism,
            self.block,
            self.hotkey,
            self.uid
                .map_or_else(String::new, |uid| format!(", uid {uid}"))
        );
        let _ = writeln!(
            text,
            "{:>5}  {:48}  {:>6}  {:>6}",
            "uid", "hotkey", "now", "then"
        );
        for change in &self.changes {
            let hotkey = printable(&change.hotkey);
            let (uid, now, then) = (change.uid, change.now, change.then);
            let _ = writeln!(text, "{uid:>5}  {hotkey:48}  {now:>6}  {then:>6}");
        }
        let _ = writeln!(
            text,
            "\n{} values change, {} stay; method {}, version key {}",
            self.changes.len(),
            self.same,
            match self.method {
                "plain" => "plain",
                "timelocked" => "timelocked commit",
                _ => "hash commit and reveal",
            },
            self.version_key
        );
        for line in &self.left_out {
            let _ = writeln!(text, "left out: {}", printable(line));
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        for refusal in &self.refusals {
            let _ = writeln!(text, "refused: {}", printable(&refusal.what));
        }
        if let Some(open) = &self.open_intent {
            let _ = writeln!(
                text,
                "intent {open} of the same hotkey, subnet and mechanism is not through, so --yes would refuse: finish it first with \
                 `gradus weights set --resume`, or give it up with `gradus weights abandon {open}`"
            );
        }
        match (self.accepted, self.retry_at_block) {
            (true, _) if self.open_intent.is_some() => {}
            (true, _) => text += "the chain would take it: --yes does it\n",
            (false, Some(block)) => {
                let _ = writeln!(text, "retry at block {block}; --yes --wait does");
            }
            (false, None) => {}
        }
        text
    }
}
