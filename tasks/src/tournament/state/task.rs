//! A task of a round: who plays it, what came of it, what it decided.

use crate::scoring::{KnockoutDecision, TaskDecision};
use crate::tournament::event::{InvalidReason, Score};
use crate::tournament::plan::Plan;
use serde::{Deserialize, Serialize};

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// From 1, in the order of planning.
    pub number: u32,
    /// Its round.
    pub round: u32,
    /// Its group or pair in the round, from 1.
    pub place: u32,
    /// What it has to be.
    pub plan: Plan,
    /// The task whose place it took, if it did.
    #[serde(deserialize_with = "Option::deserialize")]
    pub replaces: Option<u32>,
    /// What it is.
    #[serde(deserialize_with = "Option::deserialize")]
    pub built: Option<Built>,
    /// Where it stands.
    pub state: TaskState,
    /// Complete evaluations after which nobody had an entry that counts.
    pub empty_evaluations: u32,
    /// Whether somebody found its failures to be the contestants' own.
    pub failures_accepted: bool,
    /// Who plays, in the order of its place.
    pub contestants: Vec<Contestant>,
    /// What it decided, once its round is over.
    #[serde(deserialize_with = "Option::deserialize")]
    pub decision: Option<Decision>,
}

/// What a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built {
    /// Its name outside.
    pub task_id: String,
    /// Its model.
    pub model: String,
    /// Its environments.
    pub environments: Vec<String>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum TaskState {
    /// It does not exist yet.
    Planned {},
    /// It is trained and evaluated.
    Open {},
    /// Somebody has to look at it.
    Held {
        /// Why.
        why: Hold,
    },
    /// All its results are there.
    Complete {},
    /// Another took its place.
    Replaced {
        /// Which.
        by: u32,
    },
}

/// Why somebody has to look at a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Nobody's training succeeded.
    NobodyTrained,
    /// Nobody has an entry that counts, after as many evaluations as there are.
    NobodyValid,
    /// More trainings failed than a round should have.
    ManyFailed,
    /// Its best score says that its rows decide nothing: learned by heart, not to be learned, or not learned.
    DecidesNothing,
    /// Contestants were scored on different rows: one that chooses its own rows, by the lengths that its model takes, could win by that.
    DifferentRows,
}

/// Somebody who plays a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contestant {
    /// Whose.
    pub hotkey: String,
    /// His training.
    pub training: Training,
    /// His evaluation.
    pub evaluation: Evaluation,
    /// Trainings and evaluations that the machine spoilt, which are not attempts.
    pub interruptions: u32,
}

/// A training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Training {
    /// To be done.
    Waiting {
        /// Attempts that failed.
        failed: u32,
    },
    /// Done.
    Succeeded {},
    /// It failed for good.
    Failed {},
}

/// An evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Evaluation {
    /// To be done, if there is something to evaluate.
    Waiting {},
    /// With a score. Rows are here until the round is over, and in the events for good.
    Scored {
        /// Which.
        score: Score,
    },
    /// With an entry that does not count.
    Invalid {
        /// Why.
        why: InvalidReason,
    },
}

/// What a task decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// Entries that count, the best first.
    Ranking {
        /// Whose.
        order: Vec<String>,
        /// Whether several have the same number, so that an order of names or of the draw decided.
        tied: bool,
    },
    /// Who won a pair.
    Pair {
        /// Who; nobody where nobody has an entry that counts.
        #[serde(deserialize_with = "Option::deserialize")]
        winner: Option<String>,
        /// Why, where both had one.
        #[serde(deserialize_with = "Option::deserialize")]
        decision: Option<KnockoutDecision>,
    },
    /// Whether the challenger takes a task of the boss round.
    Boss {
        /// Why.
        decision: TaskDecision,
    },
    /// Standings over environments, in the order of contestants.
    Standings {
        /// From 0 to 1, the more the better; null where an entry does not count.
        scores: Vec<Option<f64>>,
    },
}
