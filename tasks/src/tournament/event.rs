//! What happens to a tournament. Events carry all that decides, so that everything can be recomputed from them.

mod strict;

use crate::entry::review::{ChallengerState, PairwiseState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// From 0, one more than the event before.
    pub sequence: u64,
    /// To which tournament.
    pub tournament_id: String,
    /// When, microseconds since 1970, not before the event before it. Decides nothing else here;
    /// [`collect`](super::collect) orders tournaments by their last one.
    pub at_unix_us: i64,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// The field is closed: the first round is drawn.
    Started {},
    /// A planned task exists.
    TaskBuilt {
        /// Its number.
        task: u32,
        /// Its name outside, unlike any other's.
        task_id: String,
        /// The model to train.
        model: String,
        /// Environments of an environment task; empty for others.
        environments: Vec<String>,
    },
    /// A task could not be prepared: another takes its place.
    PrepFailed {
        /// Its number.
        task: u32,
        /// Why.
        reason: String,
    },
    /// Trainings of a task ended.
    Trained {
        /// Its number.
        task: u32,
        /// Of whom, and how.
        results: Vec<Trained>,
    },
    /// Evaluations of a task ended. Those of rewards and environments compare candidates, so they come all at once.
    Evaluated {
        /// Its number.
        task: u32,
        /// Of whom, and how.
        results: Vec<Evaluated>,
    },
    /// Somebody decided that a task's trainings begin anew.
    TaskReset {
        /// Its number.
        task: u32,
        /// Why.
        reason: String,
    },
    /// Somebody decided that another task takes its place.
    TaskReplaced {
        /// Its number.
        task: u32,
        /// Why.
        reason: String,
    },
    /// Somebody looked at a task that is held and found that its failures are the contestants' own, or that its result counts.
    FailuresAccepted {
        /// Its number.
        task: u32,
        /// Why.
        reason: String,
    },
    /// An entrant is not there any more: he ends the round that he is in and is not in the next.
    Left {
        /// Who.
        hotkey: String,
        /// How.
        why: Departure,
    },
    /// Those whom the first round left were compared, or a finding was judged.
    EntrantsCompared {
        /// With which result. Only final ones end the wait.
        state: PairwiseState,
        /// What was found.
        reason: String,
    },
    /// The boss round's challenger was reviewed.
    ChallengerReviewed {
        /// Who.
        hotkey: String,
        /// With which result.
        state: ChallengerState,
        /// What was found.
        reason: String,
    },
}

impl What {
    /// The name used in files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started {} => "started",
            Self::TaskBuilt { .. } => "task_built",
            Self::PrepFailed { .. } => "prep_failed",
            Self::Trained { .. } => "trained",
            Self::Evaluated { .. } => "evaluated",
            Self::TaskReset { .. } => "task_reset",
            Self::TaskReplaced { .. } => "task_replaced",
            Self::FailuresAccepted { .. } => "failures_accepted",
            Self::Left { .. } => "left",
            Self::EntrantsCompared { .. } => "entrants_compared",
            Self::ChallengerReviewed { .. } => "challenger_reviewed",
        }
    }
}

/// How an entrant's training ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// Whose.
    pub hotkey: String,
    /// How.
    pub outcome: TrainingOutcome,
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrainingOutcome {
    /// With something to evaluate.
    Succeeded {},
    /// It failed, and that was an attempt.
    Failed {
        /// Why.
        reason: String,
        /// Whether another attempt makes sense; where it does not, this was the last.
        retry: bool,
    },
    /// The machine was lost, which is nobody's attempt.
    Lost {
        /// How.
        reason: String,
    },
}

/// How the evaluation of an entrant ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// Whose.
    pub hotkey: String,
    /// How.
    pub outcome: EvaluationOutcome,
}

/// How an evaluation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum EvaluationOutcome {
    /// With a score.
    Scored {
        /// All that decides.
        score: Score,
    },
    /// With something that does not count.
    Invalid {
        /// Why.
        why: InvalidReason,
        /// In words.
        detail: String,
    },
    /// A fault of the machine, which is nobody's attempt.
    Infrastructure {
        /// Which.
        reason: String,
    },
}

/// Why an entry does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidReason {
    /// It is not a fine-tune of the task's model.
    NotFinetune,
    /// Its score is not a finite number.
    NotFinite,
    /// There is nothing to evaluate.
    Missing,
    /// It could not be loaded.
    Unloadable,
    /// It failed while it was evaluated.
    Failed,
    /// It repeats another's, where the rules look for that. Equal scores are found here, without an event that says so.
    Duplicate,
}

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// What ranks: a loss in nats with its KL term, a denoising loss, or normalised rewards, of which more is better. An
    /// environment task has none: it ranks by `environments`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub ranking: Option<f64>,
    /// Losses row by row without the KL term, of kinds that are compared so.
    #[serde(deserialize_with = "Option::deserialize")]
    pub rows: Option<Rows>,
    /// The KL term before its coefficient, of tasks that have one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub kl_term: Option<f64>,
    /// Scores by environment, more is better; empty for other tasks.
    #[serde(deserialize_with = "strict::each_once")]
    pub environments: BTreeMap<String, f64>,
    /// When the entry's repository was last changed, microseconds since 1970, where rules look at that; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded_unix_us: Option<i64>,
}

/// Losses row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// In evaluation order, nats; null is a loss that is not a number. 100,000 at most.
    #[serde(deserialize_with = "strict::rows")]
    pub losses: Vec<Option<f64>>,
    /// Of the evaluated set.
    pub fingerprint: String,
}

/// How an entrant left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// By its own will.
    Withdrawn,
    /// Its hotkey lost its place on the subnet.
    Deregistered,
}
