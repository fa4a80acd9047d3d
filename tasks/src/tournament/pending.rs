//! What a tournament waits for.

use super::machine::Tournament;
use super::plan::Plan;
use super::state::{Contestant, Evaluation, Hold, Shared, Stage, Task, TaskState, Training};
use crate::entry::review::{ChallengerState, PairwiseState};
use serde::{Deserialize, Serialize};

/// Something that a tournament waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pending {
    /// The field to be closed.
    Start {
        /// Who is in it.
        entrants: Vec<String>,
    },
    /// A task to be built.
    Task {
        /// Its number.
        task: u32,
        /// What it has to be.
        plan: Plan,
        /// The model and the environments that it shares with others of the round, if one exists.
        #[serde(deserialize_with = "Option::deserialize")]
        shared: Option<Shared>,
    },
    /// Trainings.
    Training {
        /// Of which task.
        task: u32,
        /// Its name outside.
        task_id: String,
        /// Of whom.
        hotkeys: Vec<String>,
    },
    /// Evaluations.
    Evaluation {
        /// Of which task.
        task: u32,
        /// Its name outside.
        task_id: String,
        /// Of whom.
        hotkeys: Vec<String>,
        /// Whether they are reported at once.
        together: bool,
    },
    /// Somebody who looks at a task: its failures are accepted, or it begins anew, or another takes its place.
    Judgement {
        /// Which task.
        task: u32,
        /// Why.
        why: Hold,
    },
    /// The comparison of those whom the first round left.
    DuplicateReview {
        /// Who.
        entrants: Vec<String>,
        /// What it said so far.
        #[serde(deserialize_with = "Option::deserialize")]
        state: Option<PairwiseState>,
    },
    /// The review of the challenger.
    ChallengerReview {
        /// Who.
        hotkey: String,
        /// What it said so far.
        #[serde(deserialize_with = "Option::deserialize")]
        state: Option<ChallengerState>,
    },
}

impl Tournament {
    /// What the tournament waits for, in the order of tasks. Empty once it is over, and only then.
    pub fn pending(&self) -> Vec<Pending> {
        match self.state.stage {
            Stage::Pending {} => vec![Pending::Start {
                entrants: self.playing(),
            }],
            Stage::Playing {} => {
                let round = self.state.rounds.len() as u32;
                self.tasks_of(round)
                    .flat_map(|task| self.of_task(task))
                    .collect()
            }
            Stage::DuplicateReview {} => {
                let advanced = self.current().and_then(|round| round.advanced.as_ref());
                let entrants = advanced.into_iter().flatten();
                vec![Pending::DuplicateReview {
                    entrants: entrants.cloned().collect(),
                    state: self.state.compared.clone(),
                }]
            }
            Stage::ChallengerReview { state } => vec![Pending::ChallengerReview {
                hotkey: self.challenger().unwrap_or_default().to_owned(),
                state,
            }],
            Stage::Finished {} => Vec::new(),
        }
    }

    fn of_task(&self, task: &Task) -> Vec<Pending> {
        let number = task.number;
        match task.state {
            TaskState::Planned {} => {
                let shares = matches!(task.plan, Plan::Environment { shared: true, .. });
                let round = &self.state.rounds[task.round as usize - 1];
                vec![Pending::Task {
                    task: number,
                    plan: task.plan.clone(),
                    shared: round.shared.clone().filter(|_| shares),
                }]
            }
            TaskState::Held { why } => vec![Pending::Judgement { task: number, why }],
            TaskState::Complete {} | TaskState::Replaced { .. } => Vec::new(),
            TaskState::Open {} => {
                let built = task.built.as_ref();
                let task_id = built.map_or_else(String::new, |built| built.task_id.clone());
                let hotkeys = |waits: &dyn Fn(&Contestant) -> bool| -> Vec<String> {
                    let waiting = task.contestants.iter().filter(|c| waits(c));
                    waiting
                        .map(|contestant| contestant.hotkey.clone())
                        .collect()
                };
                let training = hotkeys(&|c| matches!(c.training, Training::Waiting { .. }));
                let evaluation = hotkeys(&|c| {
                    c.training == Training::Succeeded {} && c.evaluation == Evaluation::Waiting {}
                });
                let together = task.plan.evaluated_together();
                let mut pending = Vec::new();
                let evaluates = !evaluation.is_empty() && (training.is_empty() || !together);
                if !training.is_empty() {
                    pending.push(Pending::Training {
                        task: number,
                        task_id: task_id.clone(),
                        hotkeys: training,
                    });
                }
                if evaluates {
                    pending.push(Pending::Evaluation {
                        task: number,
                        task_id,
                        hotkeys: evaluation,
                        together,
                    });
                }
                pending
            }
        }
    }
}
