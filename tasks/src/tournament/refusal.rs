//! Why an event does not apply. A refused event changes nothing.

use super::state::{Stage, TaskState};
use crate::Owner;

/// Why an event does not apply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another tournament.
    #[error("the event is of {found}, this is {expected}\nhelp: apply it there")]
    Tournament {
        /// Which it names.
        found: String,
        /// Which this is.
        expected: String,
    },
    /// It came before, or one before it did not come yet.
    #[error("the event has sequence {found}, expected {expected}\nhelp: {}", if .found < .expected { "it was applied already" } else { "apply those before it first" })]
    Sequence {
        /// Its number.
        found: u64,
        /// The number that is next.
        expected: u64,
    },
    /// It is earlier than the one before it.
    #[error(
        "the event is of {found} microseconds after 1970, expected {before} or later, when the one before it was\nhelp: set the clock of the machine that adds events; times of a tournament never go back"
    )]
    Time {
        /// When it says that it was, microseconds since 1970.
        found: i64,
        /// When the one before it was, microseconds since 1970.
        before: i64,
    },
    /// The tournament is not where such events come.
    #[error("{event} does not come while the tournament is {}\nhelp: see what is pending", stage_text(.stage))]
    Stage {
        /// Which event.
        event: &'static str,
        /// Where the tournament is.
        stage: Stage,
    },
    /// No such task.
    #[error("there is no task {task}; there are {tasks}")]
    UnknownTask {
        /// Its number.
        task: u32,
        /// How many there are.
        tasks: usize,
    },
    /// The task is of a round that is over.
    #[error("task {task} is of round {round}, which is over")]
    PastRound {
        /// Its number.
        task: u32,
        /// Its round.
        round: u32,
    },
    /// Scores that are known are not thrown away.
    #[error(
        "{event} does not come for task {task}, of which a score is known and which nobody holds\nhelp: let its evaluations end; what cannot be decided is held then"
    )]
    ScoreKnown {
        /// Which event.
        event: &'static str,
        /// Its number.
        task: u32,
    },
    /// The task is not where such events come.
    #[error("{event} does not come while task {task} is {}\nhelp: see what is pending", task_text(.state))]
    Task {
        /// Which event.
        event: &'static str,
        /// The task's number.
        task: u32,
        /// Where it is.
        state: TaskState,
    },
    /// The task is not what was planned.
    #[error("task {task}: {what} is {found}, expected {expected}\nhelp: build what the plan says")]
    NotAsPlanned {
        /// Its number.
        task: u32,
        /// What of it.
        what: &'static str,
        /// What it is.
        found: String,
        /// What was planned.
        expected: String,
    },
    /// A name that is taken, empty, or too long.
    #[error("{what} is {found:?}, expected {expected}")]
    Text {
        /// What it is.
        what: &'static str,
        /// How it begins.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// Somebody who does not play that task, or is not in the tournament.
    #[error("{hotkey} does not play {}", task.map_or("in this tournament".to_owned(), |task| format!("task {task}")))]
    UnknownHotkey {
        /// Who.
        hotkey: String,
        /// The task, if there is one.
        task: Option<u32>,
    },
    /// Nothing, or somebody twice.
    #[error("{event} has {what}, expected each contestant at most once, and one at least")]
    Results {
        /// Which event.
        event: &'static str,
        /// What of it.
        what: String,
    },
    /// A training that is over.
    #[error("{hotkey}'s training of task {task} is over")]
    TrainingOver {
        /// Whose.
        hotkey: String,
        /// Of which task.
        task: u32,
    },
    /// An evaluation of something that was not trained.
    #[error("{hotkey} has nothing to evaluate for task {task}: its training has not succeeded")]
    NotTrained {
        /// Whose.
        hotkey: String,
        /// Of which task.
        task: u32,
    },
    /// An evaluation that is there.
    #[error("{hotkey} was evaluated for task {task} already")]
    AlreadyEvaluated {
        /// Whose.
        hotkey: String,
        /// Of which task.
        task: u32,
    },
    /// Part of the candidates, where all are compared.
    #[error(
        "task {task} compares its candidates: {problem}\nhelp: evaluate all that were trained, once all trainings are over"
    )]
    NotTogether {
        /// Which task.
        task: u32,
        /// What is wrong.
        problem: String,
    },
    /// A score that is none.
    #[error(
        "{hotkey}'s {what} for task {task} is {found}, expected {expected}\nhelp: report an entry without a score as invalid"
    )]
    Score {
        /// Whose.
        hotkey: String,
        /// Of which task.
        task: u32,
        /// Which number of it.
        what: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// Somebody who left before, or is out.
    #[error("{hotkey} is out already")]
    Out {
        /// Who.
        hotkey: String,
    },
    /// A review of somebody else.
    #[error("the review is of {found}, the challenger is {expected}")]
    NotTheChallenger {
        /// Whose review it is.
        found: String,
        /// Who the challenger is.
        expected: String,
    },
    /// More tasks or events than a tournament may have.
    #[error("the tournament would have more than {max} {what}\nhelp: look at what keeps failing")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it may have.
        max: u64,
    },
}

impl Refusal {
    /// Whose fault: events come from the operator's own machines.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

fn stage_text(stage: &Stage) -> &'static str {
    match stage {
        Stage::Pending {} => "pending",
        Stage::Playing {} => "playing",
        Stage::DuplicateReview {} => "waiting for the comparison of its entrants",
        Stage::ChallengerReview { .. } => "waiting for the review of its challenger",
        Stage::Finished {} => "finished",
    }
}

fn task_text(state: &TaskState) -> String {
    match state {
        TaskState::Planned {} => "planned".to_owned(),
        TaskState::Open {} => "open".to_owned(),
        TaskState::Held { .. } => "held".to_owned(),
        TaskState::Complete {} => "complete".to_owned(),
        TaskState::Replaced { by } => format!("replaced by task {by}"),
    }
}
