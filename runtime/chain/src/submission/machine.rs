//! What to write down or look at next: a function of an intent's records and of the newest answers, without a clock, a file or a node.
//!
//! [`Machine::next`] decides, [`Machine::tell`] remembers answers, [`Machine::keep`] takes a record that is on disk. Answers are only
//! remembered: they change nothing that a restart would not find again.
//!
//! | module | is about |
//! |---|---|
//! | `seen` | answers, and which of them are not used: older blocks, other questions |
//! | `idle` | whether another extrinsic may be made, and which |
//! | `alive` | looking for one that may land, and proving that it cannot |
//! | `landed` | whether what is final took effect |
//! | `reveal` | when and how a timelocked commit left storage |

mod alive;
mod idle;
mod landed;
mod reveal;
mod seen;

pub use seen::TellError;

use super::ask::{Account, Answer, Ask, Heads};
use super::record::Record;
use super::state::{Disorder, Stage, State};
use super::verdict::Verdict;
use seen::Seen;

/// One intent on its way.
#[derive(Clone, Debug)]
pub struct Machine {
    state: State,
    seen: Seen,
    signing_blocks: u64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// To write this down, durably, and then [`Machine::keep`] it.
    Keep(Record),
    /// To ask this, and [`Machine::tell`] the answer.
    Ask(Ask),
    /// To wait, for longer than the subnet's epochs explain: a commit is stored, final, and not opened.
    Overdue {
        /// Blocks since the commit.
        blocks: u64,
    },
    /// Nothing, ever again.
    Ended(Verdict),
}

impl Machine {
    /// A machine for what is on disk: it looks before it acts.
    ///
    /// # Errors
    /// [`Disorder`] if the records do not follow each other.
    pub fn resume(records: &[Record]) -> Result<Self, Disorder> {
        let state = State::replay(records)?;
        let seen = Seen::from_block(state.last_block());
        Ok(Self {
            state,
            seen,
            signing_blocks: 0,
        })
    }

    /// Where the intent is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is to be done next. Without an answer or a record in between it stays the same.
    pub fn next(&self) -> Next {
        match self.state.stage() {
            Stage::Ended { verdict } => Next::Ended(verdict.clone()),
            // A fresh attempt goes out before anything else is asked.
            Stage::Alive { .. } => self.next_alive(),
            _ if self.seen.heads.is_none() => Next::Ask(Ask::Heads),
            Stage::Idle { .. } => self.next_idle(),
            Stage::Landed { block, outcome } => self.next_landed(*block, outcome),
            Stage::Committed => self.next_committed(),
            Stage::Revealed { block, commits } => self.next_revealed(*block, *commits),
        }
    }

    /// Remembers an answer; one that is older than what is known, or to another question, is not used. Returns whether it was.
    ///
    /// # Errors
    /// [`TellError`] if the node contradicts what was final.
    pub fn tell(&mut self, answer: Answer) -> Result<bool, TellError> {
        let attempt = self.state.attempts().last();
        let attempt = attempt.map(|a| (a.hash, a.birth.number.saturating_add(1)));
        let commit = self.own_commit();
        self.seen.tell(answer, attempt, commit)
    }

    /// Takes a record that is on disk.
    ///
    /// # Errors
    /// [`Disorder`] if it is not what [`Machine::next`] gave.
    pub fn keep(&mut self, record: &Record) -> Result<(), Disorder> {
        self.state.apply(record)?;
        self.seen.begin(matches!(record, Record::Attempt { .. }));
        Ok(())
    }

    /// Makes eras of extrinsics long enough for signatures that take so many blocks' time.
    pub(super) fn let_signatures_take(&mut self, blocks: u64) {
        self.signing_blocks = blocks;
    }

    /// The newest finalized block that is known.
    pub fn finalized_number(&self) -> u64 {
        self.seen.finalized_number()
    }

    /// The newest heads, if they have been asked for.
    pub(super) fn heads(&self) -> Option<Heads> {
        self.seen.heads
    }

    /// What the newest block says, if it has been asked.
    pub(super) fn best_account(&self) -> Option<&Account> {
        self.seen.best_account.as_deref()
    }

    /// The end, as a record.
    fn end(&self, verdict: Verdict) -> Next {
        let at_block = self.at_block();
        Next::Keep(Record::Ended { at_block, verdict })
    }

    /// As which block's a record is made.
    fn at_block(&self) -> u64 {
        self.finalized_number()
    }
}
