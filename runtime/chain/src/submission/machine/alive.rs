//! An attempt that may land, or has: it is looked for, in every block that it can be in, until it is final or proven dead.

use super::super::ask::Ask;
use super::super::record::{Attempt, Death, Record};
use super::super::state::Stage;
use super::seen::Sending;
use super::{Machine, Next};

/// Final blocks of one search: each costs a node two calls, one after the other.
const FIND_BLOCKS_MAX: u64 = 32;

impl Machine {
    /// What is next for an attempt that may land.
    pub(super) fn next_alive(&self) -> Next {
        let attempt = self.last_attempt();
        let at_block = self.at_block();
        let Stage::Alive {
            sent,
            refusal,
            in_block,
        } = self.state.stage()
        else {
            unreachable!("only an attempt that is alive is looked for");
        };
        match &self.seen.sending {
            Sending::Fresh => {
                return Next::Ask(Ask::Submit {
                    extrinsic: attempt.extrinsic.clone(),
                    hash: attempt.hash,
                });
            }
            Sending::Word(Ok(())) if !sent => return Next::Keep(Record::Sent { at_block }),
            Sending::Word(Err(word)) if refusal.is_none() => {
                return Next::Keep(Record::PoolRefused {
                    at_block,
                    refusal: word.clone(),
                });
            }
            _ => {}
        }
        let Some(heads) = self.seen.heads else {
            return Next::Ask(Ask::Heads);
        };
        let first = attempt.birth.number.saturating_add(1);
        let last = attempt.last_block();
        let from = self.seen.search_start(attempt.hash, first);
        let to = heads.best.number.min(last);
        if from <= to {
            let found = self.seen.found.as_ref();
            let found = found.filter(|found| found.hash == attempt.hash);
            let found = found.filter(|found| found.tip == heads.best);
            let Some(found) = found.filter(|found| found.place.is_some() || found.to >= to) else {
                // What is final is searched once, in parts that nodes can answer in time; all that may be replaced, each time.
                let part = from.saturating_add(FIND_BLOCKS_MAX - 1);
                let is_final = part < heads.finalized.number;
                return Next::Ask(Ask::Find {
                    hash: attempt.hash,
                    from,
                    to: if is_final { to.min(part) } else { to },
                    tip: heads.best,
                });
            };
            if let Some(place) = &found.place {
                if place.block.number <= heads.finalized.number {
                    return Next::Keep(Record::Finalized {
                        at_block,
                        block: place.block,
                        outcome: place.outcome.clone(),
                    });
                }
                return match in_block {
                    Some(block) if *block == place.block => Next::Ask(Ask::NewerHeads),
                    Some(_) => Next::Keep(Record::Retracted { at_block }),
                    None => Next::Keep(Record::InBlock {
                        at_block,
                        block: place.block,
                    }),
                };
            }
        }
        if in_block.is_some() {
            return Next::Keep(Record::Retracted { at_block });
        }
        self.next_absent(attempt)
    }

    /// What is next for an attempt that is in no block: whether it can still come.
    fn next_absent(&self, attempt: &Attempt) -> Next {
        let heads = self.seen.heads.expect("asked for before");
        let at_block = self.at_block();
        let last_block = attempt.last_block();
        let first = attempt.birth.number.saturating_add(1);
        let absent_up_to = self.seen.search_start(attempt.hash, first) - 1;
        if absent_up_to >= last_block {
            let proof = Death::EraOver { last_block };
            return Next::Keep(Record::Dead { at_block, proof });
        }
        // Other proofs are about the finalized block; up to it, the attempt has to be absent.
        if absent_up_to < heads.finalized.number {
            return Next::Ask(Ask::NewerHeads);
        }
        let Some(account) = &self.seen.finalized_account else {
            return match self.is_pruned(heads.finalized.number) {
                true => Next::Ask(Ask::NewerHeads),
                false => Next::Ask(Ask::Account {
                    at: heads.finalized,
                }),
            };
        };
        if account.nonce > attempt.nonce {
            let next_nonce = account.nonce;
            let proof = Death::NonceUsed { next_nonce };
            return Next::Keep(Record::Dead { at_block, proof });
        }
        if account.spec_version > attempt.spec_version {
            let found = account.spec_version;
            let proof = Death::SpecChanged { found };
            return Next::Keep(Record::Dead { at_block, proof });
        }
        Next::Ask(Ask::NewerHeads)
    }

    /// The last attempt.
    pub(super) fn last_attempt(&self) -> &Attempt {
        let attempts = self.state.attempts();
        attempts.last().expect("this stage follows an attempt")
    }

    /// Whether the node said that a block's state is not kept.
    pub(super) fn is_pruned(&self, number: u64) -> bool {
        self.seen.pruned.contains(&number)
    }
}
