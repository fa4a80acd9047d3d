//! What must hold of every run, whatever happened.

use super::run::*;
use super::toy::*;
use crate::Hash;
use crate::submission::*;
use std::collections::BTreeMap;

impl Report {
    /// Extrinsics that had an effect, by what they do.
    pub(super) fn applied(&self) -> BTreeMap<&'static str, u32> {
        let mut count = BTreeMap::new();
        for block in &self.toy.borrow().blocks {
            for (extrinsic, outcome) in &block.extrinsics {
                if *outcome == Outcome::Succeeded {
                    let name = match extrinsic.order.step {
                        Step::Set => "set",
                        Step::Commit => "commit",
                        Step::Reveal => "reveal",
                    };
                    *count.entry(name).or_default() += 1;
                }
            }
        }
        count
    }

    /// What must hold whatever happened.
    pub(super) fn audit(&self, plan: &Plan, intent: &Intent) {
        let before = self.applied();
        let twice = before.values().find(|count| **count > 1);
        assert_eq!(
            twice, None,
            "{plan:?}: an intent took effect twice, {before:?}"
        );
        let mut submitted = self.toy.borrow().submitted.clone();
        let count = submitted.len();
        submitted.sort();
        submitted.dedup();
        assert_eq!(
            submitted.len(),
            count,
            "{plan:?}: bytes were submitted twice"
        );
        let finalized = self.toy.borrow().finalized();
        let effective = self.effective(intent);
        match &self.verdict {
            Verdict::Verified { block } => {
                assert!(block.number <= finalized, "{plan:?}: not final");
                assert!(
                    effective.contains(&block.number),
                    "{plan:?}: verified at {block:?}, in effect at {effective:?}"
                );
            }
            Verdict::Dropped {
                reason: Dropped::Unproven { .. },
            } => assert!(plan.faults.contains(&Fault::Pruning), "{plan:?}: unproven"),
            other => assert!(
                effective.is_empty(),
                "{plan:?}: {other}, yet in effect at {effective:?}"
            ),
        }
        // What is called dead stays dead.
        self.toy.borrow_mut().faults.clear();
        for _ in 0..40 {
            tick(&self.toy);
        }
        assert_eq!(self.applied(), before, "{plan:?}: landed after the verdict");
    }

    /// Blocks of the final chain at which the intent's weights took effect.
    fn effective(&self, intent: &Intent) -> Vec<u64> {
        let toy = self.toy.borrow();
        let signed = &toy.signed;
        let row = intent.stored_row();
        let took = toy.blocks.iter().filter(|block| {
            let world = &block.world;
            let Some((from, number)) = world.row_from else {
                return false;
            };
            if number != block.at.number || world.row != row {
                return false;
            }
            let keys = |t: &Target| world.keys.get(&t.uid) == Some(&t.hotkey);
            let ours = signed.contains_key(&from)
                || signed.values().any(|e| match &e.call {
                    Call::CommitTimelocked { commit, .. } => Hash::of(commit) == from,
                    _ => false,
                });
            ours && intent.targets.iter().all(keys)
        });
        took.map(|block| block.at.number).collect()
    }
}
