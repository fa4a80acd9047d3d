//! What is final: whether it took effect, by what the chain stores.

use super::super::ask::{Ask, CommitSet, Row};
use super::super::intent::Method;
use super::super::record::{Death, Outcome, Record};
use super::super::state::Step;
use super::super::verdict::{Dropped, Expired, Refused, Verdict};
use super::{Machine, Next};
use crate::BlockRef;

/// Dispatch errors after which another attempt may succeed, by their names in the metadata.
const PASSING: [&str; 3] = [
    "SettingWeightsTooFast",
    "CommittingWeightsTooFast",
    "RevealTooEarly",
];
/// The dispatch error of a reveal that came too late.
const EXPIRED: &str = "ExpiredWeightCommit";

impl Machine {
    /// What is next for an attempt in a finalized block.
    pub(super) fn next_landed(&self, block: BlockRef, outcome: &Outcome) -> Next {
        let at_block = self.at_block();
        if let Outcome::Failed { error } = outcome {
            let error = error.clone();
            if PASSING.contains(&error.as_str()) {
                let proof = Death::Failed { error };
                return Next::Keep(Record::Dead { at_block, proof });
            }
            if error == EXPIRED {
                let reason = Expired::RevealWindow {
                    epoch: self.state.committed().map_or(0, |(_, epoch)| epoch),
                };
                return self.end(Verdict::Expired { reason });
            }
            let reason = Refused::Dispatch { error };
            return self.end(Verdict::Refused { reason });
        }
        match self.state.step() {
            Step::Set => self.next_row(block, Some(block.number), 1),
            Step::Commit => self.next_commit(block),
            Step::Reveal if *outcome == Outcome::Succeeded => Next::Keep(Record::Revealed {
                at_block,
                block,
                commits: 1,
            }),
            Step::Reveal => self.unproven(block.number, "the events"),
        }
    }

    /// What is next once the chain has set the committed weights.
    pub(super) fn next_revealed(&self, block: BlockRef, commits: u32) -> Next {
        self.next_row(block, None, commits)
    }

    /// The commit has to be in storage at its own block; at a later one that will do, if that one's state is not kept.
    fn next_commit(&self, block: BlockRef) -> Next {
        if !self.is_pruned(block.number) {
            let commits = self.seen.commits.as_ref();
            let Some(set) = commits.filter(|set| set.at.number == block.number) else {
                return Next::Ask(Ask::Commits { at: block.number });
            };
            let dropped = Verdict::Dropped {
                reason: Dropped::CommitMissing,
            };
            return self
                .committed_by(set, block)
                .unwrap_or_else(|| self.end(dropped));
        }
        let unproven = || self.unproven(block.number, "the commits");
        let seen = &self.seen.commit;
        if let Some(set) = &seen.with {
            return self.committed_by(set, block).unwrap_or_else(unproven);
        }
        let finalized = self.at_block();
        match &seen.without {
            None if self.is_pruned(finalized) => Next::Ask(Ask::NewerHeads),
            None => Next::Ask(Ask::Commits { at: finalized }),
            // It may have been opened since: then it was there at an earlier one.
            Some(without) => match self.between(block.number, without.at.number) {
                Some(at) => Next::Ask(Ask::Commits { at }),
                None => unproven(),
            },
        }
    }

    /// The record of an own commit that a block made, if a set has it.
    fn committed_by(&self, set: &CommitSet, block: BlockRef) -> Option<Next> {
        let hash = self.own_commit();
        let mut own = set.commits.iter();
        let own = own.find(|own| Some(own.hash) == hash && own.block_number == block.number)?;
        Some(Next::Keep(Record::Committed {
            at_block: self.at_block(),
            block,
            epoch: own.epoch,
        }))
    }

    /// The row has to be what was sent, at the block where it took effect.
    ///
    /// `last_update`: what `LastUpdate` has to be, if the chain sets it together with the weights; it does not when commits open.
    fn next_row(&self, block: BlockRef, last_update: Option<u64>, commits: u32) -> Next {
        // Without that block's state, a later one proves the same as long as `LastUpdate` still names it.
        let later = self.seen.heads.map(|heads| heads.finalized);
        let later = later.filter(|_| last_update.is_some());
        let mut places: Vec<_> = [Some(block), later].into_iter().flatten().collect();
        places.retain(|at| !self.is_pruned(at.number));
        let Some(&at) = places.first() else {
            return self.unproven(block.number, "the weights");
        };
        let row = self.seen.row.as_ref();
        let Some(row) = row.filter(|row| row.at == at) else {
            return Next::Ask(Ask::Row { at });
        };
        if at != block && last_update.is_some_and(|expected| row.last_update > expected) {
            return self.unproven(block.number, "the weights");
        }
        match self.row_is_intended(row, last_update, commits) {
            Ok(()) => self.end(Verdict::Verified { block }),
            Err(reason) => self.end(Verdict::Dropped { reason }),
        }
    }

    fn row_is_intended(
        &self,
        row: &Row,
        last_update: Option<u64>,
        commits: u32,
    ) -> Result<(), Dropped> {
        let intent = self.state.intent();
        if row.uid.is_none() {
            return Err(Dropped::Deregistered);
        }
        if last_update.is_some_and(|expected| row.last_update != expected) {
            let last_update = row.last_update;
            return Err(Dropped::NotUpdated { last_update });
        }
        for (at, target) in intent.targets.iter().enumerate() {
            if row.target_hotkeys.get(at).copied().flatten() != Some(target.hotkey) {
                let uid = target.uid;
                return Err(Dropped::TargetReplaced { uid });
            }
        }
        let expected = intent.stored_row();
        let differs = |at: &usize| expected.get(*at) != row.row.get(*at);
        let Some(at) = (0..expected.len().max(row.row.len())).find(differs) else {
            return Ok(());
        };
        if commits > 1 && !matches!(intent.method, Method::Plain) {
            return Err(Dropped::Superseded);
        }
        Err(Dropped::RowDiffers {
            position: u32::try_from(at).unwrap_or(u32::MAX),
            expected: expected.get(at).copied(),
            found: row.row.get(at).copied(),
        })
    }

    /// Nothing is kept that would prove it.
    pub(super) fn unproven(&self, number: u64, what: &str) -> Next {
        let missing = format!("{what} of block {number}, which too few nodes keep");
        self.end(Verdict::Dropped {
            reason: Dropped::Unproven { missing },
        })
    }
}
