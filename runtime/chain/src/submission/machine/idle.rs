//! No extrinsic can land: whether another may be made, and which.

use super::super::ask::{Account, Ask, Order};
use super::super::intent::{ERA_PERIOD_BLOCKS, ERA_PERIOD_BLOCKS_MAX, Method};
use super::super::record::{Attempt, Postponement, Record};
use super::super::state::{Stage, Step};
use super::super::verdict::{Dropped, Expired, Refused, Verdict};
use super::{Machine, Next};
use crate::Hash;

impl Machine {
    /// What is next when nothing can land.
    pub(super) fn next_idle(&self) -> Next {
        let Stage::Idle {
            step,
            retry_at_block,
            refusal,
        } = self.state.stage()
        else {
            unreachable!("only an idle intent is tried");
        };
        let heads = self.seen.heads.expect("asked for before");
        let intent = self.state.intent();
        if let Some(word) = refusal {
            let reason = Refused::Pool {
                code: word.code,
                custom: word.custom,
                message: word.message.clone(),
            };
            return self.end(Verdict::Refused { reason });
        }
        let count = u32::try_from(self.state.attempts_of_step()).unwrap_or(u32::MAX);
        if count >= intent.limits.attempts_max {
            let reason = Expired::Attempts { count };
            return self.end(Verdict::Expired { reason });
        }
        let at_block = intent.limits.give_up_at_block;
        if *step != Step::Reveal && heads.best.number.saturating_add(1) >= at_block {
            let reason = Expired::GaveUp { at_block };
            return self.end(Verdict::Expired { reason });
        }
        if heads.best.number.saturating_add(1) < *retry_at_block {
            return Next::Ask(Ask::NewerHeads);
        }
        let (Some(finalized), Some(best)) = (&self.seen.finalized_account, &self.seen.best_account)
        else {
            let at = match &self.seen.finalized_account {
                None => heads.finalized,
                Some(_) => heads.best,
            };
            return match self.is_pruned(at.number) {
                true => Next::Ask(Ask::NewerHeads),
                false => Next::Ask(Ask::Account { at }),
            };
        };
        // A uid that another has at one of the two is worth a refusal only once that is final.
        if let Err(reason) = self.preconditions(finalized, *step) {
            return self.end(Verdict::Refused { reason });
        }
        if self.preconditions(best, *step).is_err() {
            return Next::Ask(Ask::NewerHeads);
        }
        let wait = match step {
            Step::Reveal => self.reveal_window(finalized, best),
            Step::Set | Step::Commit => self.rate_limit(best, *retry_at_block),
        };
        if let Some(next) = wait {
            return next;
        }
        self.next_signature(finalized, best, *step)
    }

    /// What refuses the step whatever is tried.
    fn preconditions(&self, account: &Account, step: Step) -> Result<(), Refused> {
        let intent = self.state.intent();
        let committing = !matches!(intent.method, Method::Plain);
        if account.uid.is_none() {
            return Err(Refused::NotRegistered);
        }
        if account.commit_reveal_enabled != committing {
            let enabled = account.commit_reveal_enabled;
            return Err(Refused::CommitReveal { enabled });
        }
        for (at, target) in intent.targets.iter().enumerate() {
            let found = account.target_hotkeys.get(at).copied().flatten();
            if found != Some(target.hotkey) {
                return Err(Refused::TargetChanged {
                    uid: target.uid,
                    expected: target.hotkey,
                    found,
                });
            }
        }
        let begins = step != Step::Reveal;
        if begins && !intent.is_due(account.at.number, account.last_update) {
            return Err(Refused::FallbackNotDue);
        }
        Ok(())
    }

    /// Waits until the chain takes weights or a commit of the hotkey again.
    fn rate_limit(&self, best: &Account, retry_at_block: u64) -> Option<Next> {
        let until_block = match best.last_update {
            0 => 0,
            last_update => last_update.saturating_add(best.rate_limit_blocks),
        };
        if best.at.number.saturating_add(1) >= until_block {
            return None;
        }
        if retry_at_block == until_block {
            return Some(Next::Ask(Ask::NewerHeads));
        }
        Some(Next::Keep(Record::Postponed {
            at_block: self.at_block(),
            until_block,
            why: Postponement::RateLimit {
                last_update: best.last_update,
                blocks: best.rate_limit_blocks,
            },
        }))
    }

    /// Waits for the one epoch in which a hash can be revealed.
    fn reveal_window(&self, finalized: &Account, best: &Account) -> Option<Next> {
        let (committed, commit_epoch) = self.state.committed().expect("a reveal follows a commit");
        if finalized.at.number < committed.number {
            return Some(Next::Ask(Ask::NewerHeads));
        }
        let opened = |account: &Account| match account.epoch.tempo {
            0 => account.epoch.subnet_epoch_index,
            _ => {
                let next = account.at.number.saturating_add(1);
                account.epoch.opened_epoch(next)
            }
        };
        let target = |account: &Account| commit_epoch.saturating_add(account.reveal_period_epochs);
        if opened(finalized) > target(finalized) {
            let epoch = target(finalized);
            let reason = Expired::RevealWindow { epoch };
            return Some(self.end(Verdict::Expired { reason }));
        }
        if opened(best) != target(best) {
            let waited = finalized.at.number.saturating_sub(committed.number);
            if waited > self.state.intent().limits.overdue_blocks {
                return Some(Next::Overdue { blocks: waited });
            }
            return Some(Next::Ask(Ask::NewerHeads));
        }
        let number = finalized.at.number;
        let commits = self.seen.commits.as_ref();
        let Some(commits) = commits.filter(|set| set.at.number == number) else {
            return Some(match self.is_pruned(number) {
                true => Next::Ask(Ask::NewerHeads),
                false => Next::Ask(Ask::Commits { at: number }),
            });
        };
        let hash = self.own_commit();
        if !commits.commits.iter().any(|own| Some(own.hash) == hash) {
            let reason = Dropped::CommitGone;
            return Some(self.end(Verdict::Dropped { reason }));
        }
        None
    }

    /// Signs with the nonce that is free at the finalized block, if nothing that is not final uses it or changes the runtime, and if that block is
    /// not so far behind that half of the era were over.
    fn next_signature(&self, finalized: &Account, best: &Account, step: Step) -> Next {
        let settled = (finalized.nonce, finalized.spec_version) == (best.nonce, best.spec_version);
        let forward = match self.state.attempts().last() {
            Some(last) => finalized.nonce >= last.nonce,
            None => true,
        };
        let behind = best.at.number.saturating_sub(finalized.at.number);
        if !settled || !forward || behind > ERA_PERIOD_BLOCKS / 2 {
            return Next::Ask(Ask::NewerHeads);
        }
        let order = Order {
            step,
            nonce: finalized.nonce,
            birth: finalized.at,
            era_period_blocks: self.era_period_blocks(behind),
            spec_version: finalized.spec_version,
        };
        let signed = self.seen.signed.as_ref();
        let Some(signed) = signed.filter(|signed| signed.order == order) else {
            return Next::Ask(Ask::Sign { order });
        };
        Next::Keep(Record::Attempt {
            attempt: Box::new(Attempt {
                at_block: self.at_block(),
                step,
                nonce: order.nonce,
                birth: order.birth,
                era_period_blocks: order.era_period_blocks,
                spec_version: order.spec_version,
                hash: Hash::of(&signed.extrinsic.0),
                extrinsic: signed.extrinsic.clone(),
                timelock: signed.timelock.clone(),
            }),
        })
    }

    /// The shortest era of which the longest signature leaves half a usual one to land in. A lost extrinsic costs all of it.
    fn era_period_blocks(&self, behind: u64) -> u64 {
        let signed = behind.saturating_add(self.signing_blocks);
        let needed = signed.saturating_add(ERA_PERIOD_BLOCKS / 2);
        needed
            .clamp(ERA_PERIOD_BLOCKS, ERA_PERIOD_BLOCKS_MAX)
            .next_power_of_two()
    }

    /// What was committed: the hash of the weights with their salt, or of the ciphertext.
    pub(super) fn own_commit(&self) -> Option<Hash> {
        let intent = self.state.intent();
        match &intent.method {
            Method::Plain => None,
            Method::HashCommit { salt } => Some(intent.commit_hash(salt)),
            Method::Timelocked { .. } => {
                let last = self.state.attempts().last()?;
                let timelock = last.timelock.as_ref()?;
                Some(Hash::of(&timelock.commit.0))
            }
        }
    }
}
