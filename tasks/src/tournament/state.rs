//! Where a tournament stands. All of it follows from the setup and the events, and is written as one document.

mod outcome;
mod task;

pub use outcome::{Outcome, OutcomeReason};
pub use task::{Built, Contestant, Decision, Evaluation, Hold, Task, TaskState, Training};

use super::event::Departure;
use super::setup::Setup;
use crate::entry::review::{ChallengerState, PairwiseState};
use crate::scoring::TitleDecision;
use crate::scoring::environment::FinalDecision;
use serde::{Deserialize, Serialize};

/// Where a tournament stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of this schema: 1.
    pub version: u32,
    /// What it began with.
    pub setup: Setup,
    /// The sequence number that the next event has.
    pub next_sequence: u64,
    /// When the last event was, microseconds since 1970; nothing before the first.
    #[serde(deserialize_with = "Option::deserialize")]
    pub last_unix_us: Option<i64>,
    /// What it is in.
    pub stage: Stage,
    /// Everybody who was admitted, in the setup's order.
    pub entrants: Vec<Entrant>,
    /// Rounds, the current one last.
    pub rounds: Vec<Round>,
    /// Tasks by number, from 1.
    pub tasks: Vec<Task>,
    /// What the comparison of entrants said so far, or in the end.
    #[serde(deserialize_with = "Option::deserialize")]
    pub compared: Option<PairwiseState>,
    /// How it ended.
    #[serde(deserialize_with = "Option::deserialize")]
    pub outcome: Option<Outcome>,
}

/// What a tournament is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case", deny_unknown_fields)]
pub enum Stage {
    /// It has not begun.
    Pending {},
    /// The last of its rounds is played.
    Playing {},
    /// The first round is over; those whom it left are being compared.
    DuplicateReview {},
    /// The boss round is over; its challenger is being reviewed.
    ChallengerReview {
        /// What the review said so far.
        #[serde(deserialize_with = "Option::deserialize")]
        state: Option<ChallengerState>,
    },
    /// It is over.
    Finished {},
}

/// Somebody who was admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entrant {
    /// Whose.
    pub hotkey: String,
    /// How he left, if he did.
    #[serde(deserialize_with = "Option::deserialize")]
    pub left: Option<Departure>,
    /// Since when he is out, if he is.
    #[serde(deserialize_with = "Option::deserialize")]
    pub out: Option<Out>,
}

/// Since when somebody is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Out {
    /// In which round; 0 is before the first.
    pub round: u32,
    /// Why.
    pub why: OutReason,
}

/// Why somebody is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutReason {
    /// Others were better, or his own entries did not count.
    Lost,
    /// He had left when the next round was drawn.
    Left,
    /// The comparison after the first round.
    Duplicate,
    /// The review of the challenger.
    Disqualified,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// How it is played.
    pub kind: RoundKind,
    /// Hotkeys of each group or pair, in the order of the draw.
    pub places: Vec<Vec<String>>,
    /// Tasks that it was built with, without those that stand in for drawn ones.
    pub built_tasks: usize,
    /// How often it got tasks that stand in for drawn ones.
    pub batches: u32,
    /// The model and the environments that its tasks share, once the first of them exists.
    #[serde(deserialize_with = "Option::deserialize")]
    pub shared: Option<Shared>,
    /// Who goes on, once it is over; of a boss round, who has the title.
    #[serde(deserialize_with = "Option::deserialize")]
    pub advanced: Option<Vec<String>>,
    /// How the title was decided, of a boss round that is over.
    #[serde(deserialize_with = "Option::deserialize")]
    pub title: Option<TitleRecord>,
}

/// How a title was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum TitleRecord {
    /// By the tasks of a boss round.
    Tasks {
        /// How.
        decision: TitleDecision,
    },
    /// By the final of an environment tournament.
    Final {
        /// How.
        decision: FinalDecision,
    },
}

/// How a round is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundKind {
    /// Groups over one task each.
    Group,
    /// One group over several tasks.
    SmallField,
    /// Pairs.
    Knockout,
    /// A single pair whose winner challenges the boss.
    LastKnockout,
    /// The challenger against the boss.
    Boss,
    /// Groups of an environment tournament.
    EnvironmentGroup,
    /// The challenger against the boss in environments.
    EnvironmentFinal,
}

impl RoundKind {
    /// Whether the title is decided in it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Boss | Self::EnvironmentFinal)
    }

    /// Whether contestants meet in pairs.
    pub fn is_pairs(self) -> bool {
        matches!(self, Self::Knockout | Self::LastKnockout | Self::Boss)
    }
}

/// What a round's tasks share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// The model.
    pub model: String,
    /// The environments.
    pub environments: Vec<String>,
}
