//! Tasks that are built, fail to be prepared, begin anew or give their place to another.

use super::text;
use crate::tournament::effect::Effect;
use crate::tournament::limits;
use crate::tournament::machine::Tournament;
use crate::tournament::plan::{EnvironmentPlan, ModelPlan, Plan};
use crate::tournament::refusal::Refusal;
use crate::tournament::state::{Built, Evaluation, Shared, Task, TaskState, Training};

impl Tournament {
    pub(super) fn task_built(
        &mut self,
        number: u32,
        task_id: &str,
        model: &str,
        environments: &[String],
    ) -> Result<(), Refusal> {
        let index = self.task_for("task_built", number, |state| {
            matches!(state, TaskState::Planned {})
        })?;
        text("the task_id", task_id)?;
        text("the model", model)?;
        let taken = |task: &Task| task.built.as_ref().is_some_and(|b| b.task_id == task_id);
        if self.state.tasks.iter().any(taken) {
            return Err(Refusal::Text {
                what: "the task_id",
                found: limits::shortened(task_id),
                expected: "one that no other task has",
            });
        }
        let task = &self.state.tasks[index];
        as_planned(task, model, environments)?;
        let shares = matches!(task.plan, Plan::Environment { shared: true, .. });
        let round = &mut self.state.rounds[task.round as usize - 1];
        if shares {
            match &round.shared {
                None => {
                    round.shared = Some(Shared {
                        model: model.to_owned(),
                        environments: environments.to_vec(),
                    });
                }
                Some(shared) => {
                    let refuse = |what, found: String, expected: String| {
                        Err(Refusal::NotAsPlanned {
                            task: number,
                            what,
                            found,
                            expected,
                        })
                    };
                    if shared.model != model {
                        let expected = format!("{}, as in the round's other tasks", shared.model);
                        return refuse("the model", model.to_owned(), expected);
                    }
                    if shared.environments != environments {
                        let expected = shared.environments.join(", ");
                        return refuse("environments", environments.join(", "), expected);
                    }
                }
            }
        }
        let task = &mut self.state.tasks[index];
        task.built = Some(Built {
            task_id: task_id.to_owned(),
            model: model.to_owned(),
            environments: environments.to_vec(),
        });
        task.state = TaskState::Open {};
        Ok(())
    }

    pub(super) fn prep_failed(
        &mut self,
        number: u32,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let index = self.task_for("prep_failed", number, |state| {
            matches!(state, TaskState::Planned {} | TaskState::Open {})
        })?;
        text("the reason", reason)?;
        let task = &self.state.tasks[index];
        let untouched = Training::Waiting { failed: 0 };
        if task.contestants.iter().any(|c| c.training != untouched) {
            // Preparation is over once a training was tried.
            return Err(Refusal::Task {
                event: "prep_failed",
                task: number,
                state: task.state,
            });
        }
        self.replace(index, effects)
    }

    pub(super) fn task_replaced(
        &mut self,
        number: u32,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let index = self.task_for("task_replaced", number, |state| {
            !matches!(state, TaskState::Complete {} | TaskState::Replaced { .. })
        })?;
        text("the reason", reason)?;
        self.without_scores("task_replaced", index)?;
        self.replace(index, effects)
    }

    pub(super) fn task_reset(
        &mut self,
        number: u32,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let index = self.task_for("task_reset", number, |state| {
            matches!(state, TaskState::Open {} | TaskState::Held { .. })
        })?;
        text("the reason", reason)?;
        self.without_scores("task_reset", index)?;
        let task = &mut self.state.tasks[index];
        for contestant in &mut task.contestants {
            contestant.training = Training::Waiting { failed: 0 };
            contestant.evaluation = Evaluation::Waiting {};
        }
        task.empty_evaluations = 0;
        task.state = TaskState::Open {};
        effects.push(Effect::TaskReset { task: number });
        Ok(())
    }

    pub(super) fn failures_accepted(
        &mut self,
        number: u32,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let index = self.task_for("failures_accepted", number, |state| {
            matches!(state, TaskState::Held { .. })
        })?;
        text("the reason", reason)?;
        let task = &mut self.state.tasks[index];
        task.failures_accepted = true;
        task.state = TaskState::Complete {};
        effects.push(Effect::TaskComplete { task: number });
        self.close_round_if_over(effects);
        Ok(())
    }

    /// Refuses to begin a task anew that nobody holds, once one of its scores is known.
    fn without_scores(&self, event: &'static str, index: usize) -> Result<(), Refusal> {
        let task = &self.state.tasks[index];
        let scored = |evaluation: &Evaluation| matches!(evaluation, Evaluation::Scored { .. });
        let known = task.contestants.iter().any(|c| scored(&c.evaluation));
        match task.state {
            TaskState::Open {} if known => Err(Refusal::ScoreKnown {
                event,
                task: task.number,
            }),
            _ => Ok(()),
        }
    }

    /// Another task of the same plan and contestants takes the place of one.
    fn replace(&mut self, index: usize, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
        if self.state.tasks.len() >= limits::TASKS {
            return Err(Refusal::TooMany {
                what: "tasks",
                max: limits::TASKS as u64,
            });
        }
        let by = self.state.tasks.len() as u32 + 1;
        let old = &mut self.state.tasks[index];
        old.state = TaskState::Replaced { by };
        let (task, round) = (old.number, old.round);
        let hotkeys: Vec<String> = old.contestants.iter().map(|c| c.hotkey.clone()).collect();
        let mut new = Task::planned(by, round, old.place, old.plan.clone(), &hotkeys);
        new.replaces = Some(task);
        // What tasks of a round share is chosen anew if none of them is built any more.
        let built = |task: &Task| {
            let replaced = matches!(task.state, TaskState::Replaced { .. });
            task.round == round && task.built.is_some() && !replaced
        };
        if !self.state.tasks.iter().any(built) {
            self.state.rounds[round as usize - 1].shared = None;
        }
        effects.push(Effect::TaskReplaced { task, by });
        self.state.tasks.push(new);
        Ok(())
    }
}

/// Refuses a task that is not what was planned.
fn as_planned(task: &Task, model: &str, environments: &[String]) -> Result<(), Refusal> {
    let refuse = |what, found: String, expected: String| {
        Err(Refusal::NotAsPlanned {
            task: task.number,
            what,
            found: limits::shortened(&found),
            expected,
        })
    };
    match task.plan.model() {
        ModelPlan::Model { model: planned } if planned != model => {
            return refuse("the model", model.to_owned(), planned.clone());
        }
        ModelPlan::Other { than } if than == model => {
            let expected = "another than the tournament's".to_owned();
            return refuse("the model", model.to_owned(), expected);
        }
        _ => {}
    }
    let found = environments.join(", ");
    match &task.plan {
        Plan::Environment {
            environments: EnvironmentPlan::Only { environment },
            ..
        } if environments != std::slice::from_ref(environment) => {
            refuse("environments", found, environment.clone())
        }
        Plan::Environment {
            environments: EnvironmentPlan::Some { count, of },
            ..
        } => {
            let distinct = environments
                .iter()
                .enumerate()
                .all(|(index, name)| of.contains(name) && !environments[..index].contains(name));
            if distinct && environments.len() == *count {
                Ok(())
            } else {
                let expected = format!("{count} different ones of {}", of.join(", "));
                refuse("environments", found, expected)
            }
        }
        Plan::Text { .. } | Plan::Image { .. } if !environments.is_empty() => {
            refuse("environments", found, "none".to_owned())
        }
        _ => Ok(()),
    }
}
