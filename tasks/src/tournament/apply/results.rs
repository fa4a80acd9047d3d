//! Trainings and evaluations.

use super::{contestants, text};
use crate::rules::EqualScores;
use crate::tournament::effect::Effect;
use crate::tournament::event::{Evaluated, EvaluationOutcome, Score, Trained, TrainingOutcome};
use crate::tournament::limits;
use crate::tournament::machine::Tournament;
use crate::tournament::refusal::Refusal;
use crate::tournament::state::{Evaluation, Task, TaskState, Training};

impl Tournament {
    pub(super) fn trained(
        &mut self,
        number: u32,
        results: &[Trained],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let index = self.task_for("trained", number, |state| {
            matches!(state, TaskState::Open {})
        })?;
        let task = &self.state.tasks[index];
        let hotkeys = results.iter().map(|result| result.hotkey.as_str());
        let found = contestants("trained", task, hotkeys)?;
        for (contestant, result) in found.iter().zip(results) {
            if !matches!(
                task.contestants[*contestant].training,
                Training::Waiting { .. }
            ) {
                return Err(Refusal::TrainingOver {
                    hotkey: result.hotkey.clone(),
                    task: number,
                });
            }
            if let TrainingOutcome::Failed { reason, .. } | TrainingOutcome::Lost { reason } =
                &result.outcome
            {
                text("the reason", reason)?;
            }
        }
        let attempts = self.rules.attempts;
        let task = &mut self.state.tasks[index];
        for (contestant, result) in found.into_iter().zip(results) {
            let contestant = &mut task.contestants[contestant];
            match &result.outcome {
                TrainingOutcome::Succeeded {} => contestant.training = Training::Succeeded {},
                TrainingOutcome::Lost { .. } => {
                    contestant.interruptions = contestant.interruptions.saturating_add(1);
                }
                TrainingOutcome::Failed { retry, .. } => {
                    if let Training::Waiting { failed } = &mut contestant.training {
                        *failed += 1;
                        if !*retry || !attempts.trains_again(*failed) {
                            contestant.training = Training::Failed {};
                        }
                    }
                }
            }
        }
        self.settle_task(index, effects);
        Ok(())
    }

    pub(super) fn evaluated(
        &mut self,
        number: u32,
        results: &[Evaluated],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let index = self.task_for("evaluated", number, |state| {
            matches!(state, TaskState::Open {})
        })?;
        let task = &self.state.tasks[index];
        let hotkeys = results.iter().map(|result| result.hotkey.as_str());
        let found = contestants("evaluated", task, hotkeys)?;
        for (contestant, result) in found.iter().zip(results) {
            let contestant = &task.contestants[*contestant];
            let hotkey = || result.hotkey.clone();
            if contestant.training != (Training::Succeeded {}) {
                return Err(Refusal::NotTrained {
                    hotkey: hotkey(),
                    task: number,
                });
            }
            if contestant.evaluation != (Evaluation::Waiting {}) {
                return Err(Refusal::AlreadyEvaluated {
                    hotkey: hotkey(),
                    task: number,
                });
            }
            match &result.outcome {
                EvaluationOutcome::Scored { score } => {
                    self.check_score(task, &result.hotkey, score)?
                }
                EvaluationOutcome::Invalid { detail, .. } => text("the detail", detail)?,
                EvaluationOutcome::Infrastructure { reason } => text("the reason", reason)?,
            }
        }
        if task.plan.evaluated_together() {
            together(task, results)?;
        }
        let task = &mut self.state.tasks[index];
        for (contestant, result) in found.into_iter().zip(results) {
            let contestant = &mut task.contestants[contestant];
            match &result.outcome {
                EvaluationOutcome::Scored { score } => {
                    let score = score.clone();
                    contestant.evaluation = Evaluation::Scored { score };
                }
                EvaluationOutcome::Invalid { why, .. } => {
                    contestant.evaluation = Evaluation::Invalid { why: *why };
                }
                EvaluationOutcome::Infrastructure { .. } => {
                    contestant.interruptions = contestant.interruptions.saturating_add(1);
                }
            }
        }
        self.settle_task(index, effects);
        Ok(())
    }

    fn check_score(&self, task: &Task, hotkey: &str, score: &Score) -> Result<(), Refusal> {
        let refuse = |what, found: String, expected| {
            Err(Refusal::Score {
                hotkey: hotkey.to_owned(),
                task: task.number,
                what,
                found,
                expected,
            })
        };
        match (self.rules.ranking.equal_scores, score.uploaded_unix_us) {
            (EqualScores::EarliestUpload, None) => {
                return refuse(
                    "uploaded_unix_us",
                    "null".to_owned(),
                    "when its repository was last changed: of equal scores the earliest counts",
                );
            }
            (EqualScores::Kept, Some(found)) => {
                let expected = "null: the rules do not look at it";
                return refuse("uploaded_unix_us", found.to_string(), expected);
            }
            _ => {}
        }
        const LOSS: &str = "a number from 0 to 1e100";
        let loss = |value: f64| (0.0..=limits::SCORE).contains(&value);
        let kind = task.plan.kind();
        match (kind, score.ranking) {
            (None, Some(found)) => {
                return refuse("ranking", found.to_string(), "null: environments rank");
            }
            (Some(_), None) => return refuse("ranking", "null".to_owned(), "a number"),
            (Some(kind), Some(found))
                if kind.higher_is_better() && !(found.abs() <= limits::SCORE) =>
            {
                return refuse(
                    "ranking",
                    found.to_string(),
                    "a number from -1e100 to 1e100",
                );
            }
            (Some(kind), Some(found)) if !kind.higher_is_better() && !loss(found) => {
                return refuse("ranking", found.to_string(), LOSS);
            }
            _ => {}
        }
        if let Some(rows) = &score.rows {
            let compared = |kind| {
                let boss = &self.rules.boss;
                boss.paired.contains(&kind) || boss.knockout_rows.contains(&kind)
            };
            if !kind.is_some_and(compared) {
                let found = rows.losses.len().to_string();
                return refuse(
                    "number of rows",
                    found,
                    "null: such tasks are not compared by rows",
                );
            }
            if !(1..=limits::ROWS).contains(&rows.losses.len()) {
                let found = rows.losses.len().to_string();
                return refuse("number of rows", found, "1 to 100000");
            }
            let wrong = |row: &&Option<f64>| row.is_some_and(|row| !loss(row));
            if let Some(row) = rows.losses.iter().find(wrong) {
                let found = row.map_or_else(String::new, |row| row.to_string());
                return refuse("loss of a row", found, LOSS);
            }
            if !(1..=200).contains(&rows.fingerprint.len()) || !rows.fingerprint.is_ascii() {
                let found = limits::shortened(&rows.fingerprint);
                return refuse("fingerprint", found, "1 to 200 ASCII characters");
            }
        }
        let has_kl = matches!(
            &task.plan,
            crate::tournament::plan::Plan::Text {
                kl_coef: Some(_),
                ..
            }
        );
        match score.kl_term {
            Some(found) if !has_kl => {
                return refuse(
                    "kl_term",
                    found.to_string(),
                    "null: the task has no KL term",
                );
            }
            None if has_kl => return refuse("kl_term", "null".to_owned(), LOSS),
            Some(found) if !loss(found) => return refuse("kl_term", found.to_string(), LOSS),
            _ => {}
        }
        let built = task
            .built
            .as_ref()
            .map_or(&[][..], |built| &built.environments);
        let all = score.environments.len() == built.len()
            && built
                .iter()
                .all(|name| score.environments.contains_key(name));
        if !all {
            let names: Vec<&str> = score.environments.keys().map(String::as_str).collect();
            let found = limits::shortened(&names.join(", "));
            return refuse(
                "list of environments",
                found,
                "each of the task's, and no other",
            );
        }
        match score.environments.values().find(|value| !loss(**value)) {
            Some(found) => refuse("score in an environment", found.to_string(), LOSS),
            None => Ok(()),
        }
    }
}

/// Refuses an evaluation of candidates that are compared if it is not of all of them.
fn together(task: &Task, results: &[Evaluated]) -> Result<(), Refusal> {
    let refuse = |problem: &str| {
        Err(Refusal::NotTogether {
            task: task.number,
            problem: problem.to_owned(),
        })
    };
    let trains = |training: &Training| matches!(training, Training::Waiting { .. });
    if task.contestants.iter().any(|c| trains(&c.training)) {
        return refuse("a training is not over");
    }
    let trained = |training: &Training| *training == Training::Succeeded {};
    let waiting = task
        .contestants
        .iter()
        .filter(|c| trained(&c.training))
        .count();
    if waiting != results.len() {
        return refuse(&format!("{} of {waiting} were evaluated", results.len()));
    }
    let spoilt =
        |result: &&Evaluated| matches!(result.outcome, EvaluationOutcome::Infrastructure { .. });
    match results.iter().filter(spoilt).count() {
        0 => Ok(()),
        spoilt if spoilt == results.len() => Ok(()),
        _ => refuse("a fault of the machine spoils all of them"),
    }
}
