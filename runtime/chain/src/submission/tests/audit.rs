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
            } => assert!(
                !self.provable(intent),
                "{plan:?}: unproven, and the proof is kept"
            ),
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

    /// Whether states that are still kept prove what became of the intent's weights. What is kept at the verdict was kept before.
    fn provable(&self, intent: &Intent) -> bool {
        let toy = self.toy.borrow();
        let best = toy.best().at.number;
        let kept = |number: u64| best - number < toy.keeps;
        let hash = match &intent.method {
            // `LastUpdate` names the block of plain weights for ever.
            Method::Plain => return true,
            Method::HashCommit { salt } => intent.commit_hash(salt),
            Method::Timelocked { .. } => {
                let last = toy.submitted.last().expect("it was sent");
                match &toy.signed[last].call {
                    Call::CommitTimelocked { commit, .. } => Hash::of(commit),
                    other => panic!("{other:?}"),
                }
            }
        };
        let has = |block: &Block| {
            let locked = block.world.locked.iter().map(|own| Hash::of(&own.2));
            let hashed = block.world.hashes.iter().map(|own| own.hash);
            locked.chain(hashed).any(|own| own == hash)
        };
        let last = *toy.submitted.last().expect("it was sent");
        let landed = toy.blocks.iter().find(|block| {
            let mut own = block.extrinsics.iter();
            own.any(|(extrinsic, _)| extrinsic.hash == last)
        });
        let landed = landed.expect("what never landed is dead");
        if toy.signed[&last].order.step == Step::Reveal {
            return kept(landed.at.number);
        }
        let of_final = toy.blocks.iter().take_while(|b| b.at.number <= best - LAG);
        let of_final: Vec<&Block> = of_final.collect();
        let opened = of_final.windows(2).find(|two| has(two[0]) && !has(two[1]));
        match opened {
            Some(two) => kept(two[0].at.number),
            // Either it is there, or it never was.
            None => of_final.last().is_some_and(|newest| has(newest)) || kept(landed.at.number),
        }
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
