//! An intent's records, folded: where it is. Which records may follow is in `follow`.

mod follow;

use super::intent::{Intent, IntentError, Method};
use super::record::{Attempt, Death, Outcome, Record, Refusal};
use super::status::{HistoryRow, Word};
use super::verdict::Verdict;
use crate::BlockRef;
use gradus_owner::Owner;
use serde::{Deserialize, Serialize};

/// What an extrinsic does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Sets weights.
    Set,
    /// Commits to them.
    Commit,
    /// Reveals what a hash hides.
    Reveal,
}

/// Where an intent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No extrinsic can land; one may be made.
    Idle {
        /// Which.
        step: Step,
        /// The first block that may take it.
        retry_at_block: u64,
        /// A refusal that another attempt would meet again.
        refusal: Option<Refusal>,
    },
    /// The last attempt may land, or have landed.
    Alive {
        /// Whether a node is known to have taken it.
        sent: bool,
        /// A node's refusal.
        refusal: Option<Refusal>,
        /// The block, not final, that it was seen in.
        in_block: Option<BlockRef>,
    },
    /// The last attempt is in a finalized block.
    Landed {
        /// The block.
        block: BlockRef,
        /// What became of its call.
        outcome: Outcome,
    },
    /// A timelocked commit waits for its epoch.
    Committed,
    /// The chain set the weights; what is left is to look at them.
    Revealed {
        /// Where.
        block: BlockRef,
        /// Commits of the hotkey that the block opened.
        commits: u32,
    },
    /// Over.
    Ended {
        /// How.
        verdict: Verdict,
    },
}

/// An intent and all that is written down of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    intent: Intent,
    stage: Stage,
    step: Step,
    attempts: Vec<Attempt>,
    deaths: Vec<Death>,
    committed: Option<(BlockRef, u64)>,
    last_block: u64,
    history: Vec<HistoryRow>,
}

/// A record that cannot be where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disorder {
    /// The first is another.
    #[error("the first record is no plan: the journal's beginning is missing")]
    NoPlan,
    /// An intent that cannot be.
    #[error("the plan is not an intent that could be followed")]
    Intent(#[source] IntentError),
    /// Not at this stage.
    #[error(
        "a record {record:?} cannot follow while the intent is {stage}: the journal was edited, or another version wrote it"
    )]
    Record {
        /// The record's kind.
        record: &'static str,
        /// Where the intent is.
        stage: &'static str,
    },
    /// An attempt that could land beside another, or not at all.
    #[error(
        "an attempt has {field} {found}, expected {expected}: it is not the attempt that was asked for"
    )]
    Attempt {
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// What it may be.
        expected: String,
    },
    /// An earlier block than before.
    #[error(
        "a record was made at finalized block {found}, the one before it at {expected}: blocks do not go back"
    )]
    Backwards {
        /// Its block.
        found: u64,
        /// The one before's.
        expected: u64,
    },
}

impl Disorder {
    /// Whose fault: this program's, or whoever's that edited the journal.
    pub fn owner(&self) -> Owner {
        Owner::Bug
    }
}

impl State {
    /// The state that a first record makes.
    ///
    /// # Errors
    /// [`Disorder::NoPlan`], [`Disorder::Intent`].
    pub fn begin(first: &Record) -> Result<Self, Disorder> {
        let Record::Planned { intent } = first else {
            return Err(Disorder::NoPlan);
        };
        intent.check().map_err(Disorder::Intent)?;
        let step = match intent.method {
            Method::Plain => Step::Set,
            Method::HashCommit { .. } | Method::Timelocked { .. } => Step::Commit,
        };
        let last_block = intent.created_at_block;
        let mut state = Self {
            stage: follow::idle(step),
            step,
            attempts: Vec::new(),
            deaths: Vec::new(),
            committed: None,
            last_block,
            history: Vec::new(),
            intent: (**intent).clone(),
        };
        state.note(last_block, None, Word::Planned.to_string());
        Ok(state)
    }

    /// The state that records make.
    ///
    /// # Errors
    /// [`Disorder`].
    pub fn replay(records: &[Record]) -> Result<Self, Disorder> {
        let (first, rest) = records.split_first().ok_or(Disorder::NoPlan)?;
        let mut state = Self::begin(first)?;
        for record in rest {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Adds a record; one that cannot follow changes nothing.
    ///
    /// # Errors
    /// [`Disorder`].
    pub fn apply(&mut self, record: &Record) -> Result<(), Disorder> {
        let at_block = record.at_block();
        if at_block < self.last_block {
            return Err(Disorder::Backwards {
                found: at_block,
                expected: self.last_block,
            });
        }
        let (stage, step) = self.follow(record)?;
        match record {
            Record::Attempt { attempt } => self.attempts.push((**attempt).clone()),
            Record::Dead { proof, .. } => self.deaths.push(proof.clone()),
            Record::Committed { block, epoch, .. } => self.committed = Some((*block, *epoch)),
            _ => {}
        }
        self.stage = stage;
        self.step = step;
        self.last_block = at_block;
        // The row has the word already.
        let what = match record {
            Record::Ended { verdict, .. } => verdict.to_string(),
            record => record.to_string(),
        };
        self.note(at_block, record.block(), what);
        Ok(())
    }

    /// The intent.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// Where it is.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// What its last or next extrinsic does.
    pub fn step(&self) -> Step {
        self.step
    }

    /// All attempts, oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The finalized block of the last record.
    pub fn last_block(&self) -> u64 {
        self.last_block
    }

    /// What was written down, a line each.
    pub fn history(&self) -> &[HistoryRow] {
        &self.history
    }

    /// The block of the commit and its epoch.
    pub(super) fn committed(&self) -> Option<(BlockRef, u64)> {
        self.committed
    }

    /// Attempts of the step that it is at.
    pub(super) fn attempts_of_step(&self) -> usize {
        let step = self.step;
        let same = self.attempts.iter().filter(|attempt| attempt.step == step);
        same.count()
    }

    fn note(&mut self, at_block: u64, block: Option<BlockRef>, what: String) {
        let word = Word::of(self);
        self.history.push(HistoryRow {
            at_block,
            word,
            block,
            what,
        });
    }
}

impl Stage {
    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Idle { .. } => "idle",
            Self::Alive { .. } => "alive",
            Self::Landed { .. } => "landed",
            Self::Committed => "committed",
            Self::Revealed { .. } => "revealed",
            Self::Ended { .. } => "ended",
        }
    }
}
