//! The newest answers.

use super::super::ask::{Account, Answer, CommitSet, Found, Heads, NotOpened, Row, Signed};
use super::super::record::Refusal;
use crate::timelock::WeightsPayload;
use crate::{BlockRef, Hash};
use gradus_owner::Owner;

/// A node that contradicts itself or another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    /// Two final blocks of one height.
    #[error(
        "block {number} is final as {expected} and as {found}: the nodes are not on one chain, or one lies; do not go on before it is known which"
    )]
    Finality {
        /// The height.
        number: u64,
        /// The one that was known.
        expected: Hash,
        /// The other.
        found: Hash,
    },
}

impl TellError {
    /// Whose fault: the host's, which chose the nodes.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Whether the last attempt went out.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) enum Sending {
    /// It was written down before this process began, or its answer was lost: it may be anywhere.
    #[default]
    Unknown,
    /// It was just written down, and is to be submitted.
    Fresh,
    /// A node answered.
    Word(Result<(), Refusal>),
}

/// Where a commit was seen in storage, and where no more.
#[derive(Clone, Debug, Default)]
pub(super) struct CommitSightings {
    /// The newest set that has it.
    pub(super) with: Option<CommitSet>,
    /// The oldest that has it no more.
    pub(super) without: Option<CommitSet>,
}

/// All that is remembered of answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    floor: u64,
    pub(super) heads: Option<Heads>,
    pub(super) finalized_account: Option<Box<Account>>,
    pub(super) best_account: Option<Box<Account>>,
    pub(super) signed: Option<Box<Signed>>,
    pub(super) sending: Sending,
    pub(super) found: Option<Found>,
    /// Up to which finalized block the last attempt is in none.
    pub(super) absent_up_to: Option<(Hash, u64)>,
    pub(super) row: Option<Box<Row>>,
    pub(super) commits: Option<CommitSet>,
    pub(super) commit: CommitSightings,
    pub(super) reveals: Option<(BlockRef, u32)>,
    pub(super) opened: Option<(BlockRef, Result<WeightsPayload, NotOpened>)>,
    /// Blocks whose state is not kept.
    pub(super) pruned: Vec<u64>,
}

impl Seen {
    /// Nothing yet, but that blocks up to one were final.
    pub(super) fn from_block(floor: u64) -> Self {
        Self {
            floor,
            ..Self::default()
        }
    }

    /// The newest finalized block that is known.
    pub(super) fn finalized_number(&self) -> u64 {
        let number = self.heads.map_or(0, |heads| heads.finalized.number);
        number.max(self.floor)
    }

    /// A record was written: what was asked for it is over, heads stay.
    pub(super) fn begin(&mut self, fresh_attempt: bool) {
        let sending = match fresh_attempt {
            true => Sending::Fresh,
            false => std::mem::take(&mut self.sending),
        };
        *self = Self {
            floor: self.finalized_number(),
            heads: self.heads,
            sending,
            finalized_account: self.finalized_account.take(),
            best_account: self.best_account.take(),
            found: self.found.take(),
            absent_up_to: self.absent_up_to,
            ..Self::default()
        };
    }

    /// Remembers an answer, if it is used.
    ///
    /// * `attempt`: the last attempt's hash and the first block that it can be in
    /// * `commit`: what was committed
    pub(super) fn tell(
        &mut self,
        answer: Answer,
        attempt: Option<(Hash, u64)>,
        commit: Option<Hash>,
    ) -> Result<bool, TellError> {
        match answer {
            Answer::Heads(heads) => return self.tell_heads(heads),
            Answer::Account(account) => match self.heads {
                Some(heads) if heads.finalized == account.at || heads.best == account.at => {
                    if heads.best == account.at {
                        self.best_account = Some(account.clone());
                    }
                    if heads.finalized == account.at {
                        self.finalized_account = Some(account);
                    }
                }
                _ => return Ok(false),
            },
            Answer::Signed(signed) => self.signed = Some(signed),
            Answer::Submitted { hash, word } => {
                if attempt.is_none_or(|(asked, _)| asked != hash) {
                    return Ok(false);
                }
                self.sending = word.map_or(Sending::Unknown, Sending::Word);
            }
            Answer::Found(found) => {
                let asked = attempt.filter(|(hash, _)| *hash == found.hash);
                let Some((_, first_block)) = asked else {
                    return Ok(false);
                };
                let start = self.search_start(found.hash, first_block);
                let whole = found.from <= start && found.to >= start;
                if self.heads.is_none_or(|heads| heads.best != found.tip) || !whole {
                    return Ok(false);
                }
                if found.place.is_none() {
                    let up_to = found.to.min(self.finalized_number());
                    let up_to = up_to.max(start.saturating_sub(1));
                    self.absent_up_to = Some((found.hash, up_to));
                }
                self.found = Some(found);
            }
            Answer::Row(row) => self.row = Some(row),
            Answer::Commits(commits) => {
                if self
                    .heads
                    .is_none_or(|h| commits.at.number > h.finalized.number)
                {
                    return Ok(false);
                }
                self.tell_commits(&commits, commit);
                self.commits = Some(commits);
            }
            Answer::Reveals { at, count } => self.reveals = Some((at, count)),
            Answer::Opened { at, payload } => self.opened = Some((at, payload)),
            Answer::Pruned { at } => {
                if !self.pruned.contains(&at) {
                    self.pruned.push(at);
                }
            }
        }
        Ok(true)
    }

    fn tell_heads(&mut self, new: Heads) -> Result<bool, TellError> {
        if let Some(old) = self.heads {
            let same_height = old.finalized.number == new.finalized.number;
            if same_height && old.finalized.hash != new.finalized.hash {
                return Err(TellError::Finality {
                    number: old.finalized.number,
                    expected: old.finalized.hash,
                    found: new.finalized.hash,
                });
            }
        }
        if new.finalized.number < self.finalized_number() || new.best.number < new.finalized.number
        {
            return Ok(false);
        }
        self.heads = Some(new);
        self.floor = new.finalized.number;
        let is = |account: &Account, at: BlockRef| account.at == at;
        if self
            .finalized_account
            .as_ref()
            .is_some_and(|a| !is(a, new.finalized))
        {
            // The block that was best may have become final.
            let best = self.best_account.take();
            self.finalized_account = best.filter(|account| is(account, new.finalized));
        }
        self.best_account = self.best_account.take().filter(|a| is(a, new.best));
        self.signed = None;
        Ok(true)
    }

    /// A commit never comes back on one chain: the newest set that has it and the oldest that has not close in on the block that took it out.
    fn tell_commits(&mut self, set: &CommitSet, commit: Option<Hash>) {
        let has = |set: &CommitSet| set.commits.iter().any(|own| Some(own.hash) == commit);
        let number = |set: &Option<CommitSet>, none| set.as_ref().map_or(none, |s| s.at.number);
        if has(set) {
            if set.at.number >= number(&self.commit.with, 0) {
                self.commit.with = Some(set.clone());
            }
        } else if set.at.number <= number(&self.commit.without, u64::MAX) {
            self.commit.without = Some(set.clone());
        }
    }

    /// The first block that has not been searched while it was final.
    pub(super) fn search_start(&self, hash: Hash, first_block: u64) -> u64 {
        match self.absent_up_to {
            Some((of, up_to)) if of == hash => first_block.max(up_to.saturating_add(1)),
            _ => first_block,
        }
    }
}
