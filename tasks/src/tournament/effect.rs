//! What followed from an event: for a log, a report, or whoever has to do something now.

use super::state::{Hold, OutReason, OutcomeReason};
use serde::{Deserialize, Serialize};

/// What followed from an event. All of it is in the state too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// A round was drawn.
    RoundDrawn {
        /// Its number.
        round: u32,
        /// The numbers of its tasks.
        tasks: Vec<u32>,
    },
    /// Tasks stand in for drawn ones.
    TasksAdded {
        /// In which round.
        round: u32,
        /// Their numbers.
        tasks: Vec<u32>,
    },
    /// A task took another's place.
    TaskReplaced {
        /// Whose place.
        task: u32,
        /// Which.
        by: u32,
    },
    /// A task begins anew.
    TaskReset {
        /// Its number.
        task: u32,
    },
    /// A task is evaluated again, since nobody had an entry that counts.
    EvaluatedAgain {
        /// Its number.
        task: u32,
    },
    /// Somebody has to look at a task.
    TaskHeld {
        /// Its number.
        task: u32,
        /// Why.
        why: Hold,
    },
    /// All results of a task are there.
    TaskComplete {
        /// Its number.
        task: u32,
    },
    /// A round is over.
    RoundOver {
        /// Its number.
        round: u32,
        /// Who goes on.
        advanced: Vec<String>,
    },
    /// Somebody is out.
    Out {
        /// Who.
        hotkey: String,
        /// In which round.
        round: u32,
        /// Why.
        why: OutReason,
    },
    /// The tournament is over.
    Finished {
        /// Who has the title; the burn hotkey where the boss keeps it.
        winner: String,
        /// Why.
        why: OutcomeReason,
    },
}
