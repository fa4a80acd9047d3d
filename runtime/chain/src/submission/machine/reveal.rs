//! A timelocked commit: the chain opens it and says nothing of it if it fails, so what became of it is deduced from the block that took it out.

use super::super::ask::{Ask, CommitSet, NotOpened};
use super::super::record::{Record, Timelock};
use super::super::verdict::{Dropped, Expired, Verdict};
use super::{Machine, Next};

impl Machine {
    /// What is next for a timelocked commit in storage.
    pub(super) fn next_committed(&self) -> Next {
        let heads = self.seen.heads.expect("asked for before");
        let (committed, _) = self.state.committed().expect("this stage follows a commit");
        let finalized = heads.finalized.number;
        if finalized < committed.number {
            return Next::Ask(Ask::NewerHeads);
        }
        let with = self.seen.commit.with.as_ref();
        let present_at = with.map_or(committed.number, |set| set.at.number);
        let Some(without) = &self.seen.commit.without else {
            let unknown = present_at < finalized || with.is_none();
            if unknown && !self.is_pruned(finalized) {
                return Next::Ask(Ask::Commits { at: finalized });
            }
            let blocks = finalized.saturating_sub(committed.number);
            if blocks > self.state.intent().limits.overdue_blocks {
                return Next::Overdue { blocks };
            }
            return Next::Ask(Ask::NewerHeads);
        };
        let gone_at = without.at.number;
        if gone_at <= committed.number {
            // It was there when it was recorded: the node shows another past.
            let reason = Dropped::CommitMissing;
            return self.end(Verdict::Dropped { reason });
        }
        if let Some(at) = self.between(present_at, gone_at) {
            return Next::Ask(Ask::Commits { at });
        }
        // What was there at the very block before is what the proof is of.
        let before = gone_at - 1;
        match with.filter(|set| set.at.number == before) {
            Some(with) => self.next_gone(with, without),
            None if self.is_pruned(before) => self.unproven(before, "the commits"),
            None => Next::Ask(Ask::Commits { at: before }),
        }
    }

    /// Halfway between two blocks, of which the commit is in storage at the first and not at the second, or nearer to the second where states are not
    /// kept: nodes keep those of the newest blocks, so that what took the commit out may be kept though most of the way to it is not. None if no block
    /// is left between.
    pub(super) fn between(&self, present_at: u64, gone_at: u64) -> Option<u64> {
        let pruned = self.seen.pruned.iter().copied();
        let pruned = pruned.filter(|number| *number < gone_at).max();
        let lowest = present_at.max(pruned.unwrap_or(present_at));
        (lowest.saturating_add(1) < gone_at).then(|| lowest + (gone_at - lowest) / 2)
    }

    /// What is next when the block is known that took the commit out.
    fn next_gone(&self, with: &CommitSet, without: &CommitSet) -> Next {
        let at = without.at;
        // The chain opens commits before it takes new pulses into a block: what counts is the pulse of the block before.
        let before = with.at;
        if let Some(number) = [at.number, before.number]
            .into_iter()
            .find(|n| self.is_pruned(*n))
        {
            return self.unproven(number, "the events and pulses");
        }
        let reveals = self.seen.reveals.filter(|(block, _)| *block == at);
        let Some((_, reveals)) = reveals else {
            return Next::Ask(Ask::Reveals { at });
        };
        let timelock = self.timelock();
        let opened = self.seen.opened.as_ref();
        let Some((_, payload)) = opened.filter(|(block, _)| *block == before) else {
            let (timelock, at) = (timelock.clone(), before);
            return Next::Ask(Ask::Open { timelock, at });
        };
        let intended = self.state.intent().payload();
        let reason = match payload {
            Err(NotOpened::PulseMissing) => {
                let round = timelock.round;
                let reason = Expired::PulseMissing { round };
                return self.end(Verdict::Expired { reason });
            }
            Err(NotOpened::Closed { why }) => Dropped::DoesNotOpen { why: why.clone() },
            Ok(payload) if payload.hotkey != intended.hotkey => Dropped::HotkeyMismatch {
                found: payload.hotkey,
            },
            Ok(payload) if *payload != intended => Dropped::PayloadDiffers,
            Ok(_) if reveals == 0 => Dropped::NotSet,
            Ok(_) => return self.next_set(with, without, reveals),
        };
        self.end(Verdict::Dropped { reason })
    }

    /// Events name the hotkey alone: only if there is one for each commit that left is one of them this commit's.
    fn next_set(&self, with: &CommitSet, without: &CommitSet, reveals: u32) -> Next {
        let stays = |hash| without.commits.iter().any(|own| own.hash == hash);
        let epoch = self.state.committed().map(|(_, epoch)| epoch);
        let same_epoch = with.commits.iter().filter(|own| Some(own.epoch) == epoch);
        let left = same_epoch.filter(|own| !stays(own.hash)).count();
        if usize::try_from(reveals) != Ok(left) {
            let reason = Dropped::Unproven {
                missing: format!(
                    "an event for each: {left} commits left storage in block {}, {reveals} were revealed",
                    without.at.number
                ),
            };
            return self.end(Verdict::Dropped { reason });
        }
        Next::Keep(Record::Revealed {
            at_block: self.at_block(),
            block: without.at,
            commits: reveals,
        })
    }

    fn timelock(&self) -> &Timelock {
        let timelock = self.last_attempt().timelock.as_ref();
        timelock.expect("attempts of this method have one")
    }
}
