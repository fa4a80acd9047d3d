//! Events, one after the other. What is refused is refused before anything changes.

mod results;
mod reviews;
mod tasks;

use super::effect::Effect;
use super::event::{Departure, Event, What};
use super::limits;
use super::machine::Tournament;
use super::refusal::Refusal;
use super::state::{Out, OutReason, Stage, Task, TaskState};

impl Tournament {
    /// Applies one event, and says what followed from it.
    ///
    /// # Errors
    /// A [`Refusal`] that names what does not fit; nothing has changed then.
    pub fn apply(&mut self, event: &Event) -> Result<Vec<Effect>, Refusal> {
        let setup = &self.state.setup;
        if event.tournament_id != setup.tournament_id {
            return Err(Refusal::Tournament {
                found: limits::shortened(&event.tournament_id),
                expected: setup.tournament_id.clone(),
            });
        }
        if event.sequence != self.state.next_sequence {
            return Err(Refusal::Sequence {
                found: event.sequence,
                expected: self.state.next_sequence,
            });
        }
        if let Some(before) = self.state.last_unix_us.filter(|at| event.at_unix_us < *at) {
            return Err(Refusal::Time {
                found: event.at_unix_us,
                before,
            });
        }
        if event.sequence >= limits::EVENTS {
            return Err(Refusal::TooMany {
                what: "events",
                max: limits::EVENTS,
            });
        }
        let mut effects = Vec::new();
        self.apply_what(&event.what, &mut effects)?;
        self.state.next_sequence += 1;
        self.state.last_unix_us = Some(event.at_unix_us);
        Ok(effects)
    }

    fn apply_what(&mut self, what: &What, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
        match what {
            What::Started {} => self.start(effects),
            What::TaskBuilt {
                task,
                task_id,
                model,
                environments,
            } => self.task_built(*task, task_id, model, environments),
            What::PrepFailed { task, reason } => self.prep_failed(*task, reason, effects),
            What::Trained { task, results } => self.trained(*task, results, effects),
            What::Evaluated { task, results } => self.evaluated(*task, results, effects),
            What::TaskReset { task, reason } => self.task_reset(*task, reason, effects),
            What::TaskReplaced { task, reason } => self.task_replaced(*task, reason, effects),
            What::FailuresAccepted { task, reason } => {
                self.failures_accepted(*task, reason, effects)
            }
            What::Left { hotkey, why } => self.left(hotkey, *why, effects),
            What::EntrantsCompared { state, reason } => {
                self.entrants_compared(state, reason, effects)
            }
            What::ChallengerReviewed {
                hotkey,
                state,
                reason,
            } => self.challenger_reviewed(hotkey, *state, reason, effects),
        }
    }

    fn start(&mut self, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
        self.in_stage("started", Stage::Pending {})?;
        let field = self.playing();
        self.state.stage = Stage::Playing {};
        self.first_round(field, effects);
        Ok(())
    }

    fn left(
        &mut self,
        hotkey: &str,
        why: Departure,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if self.state.stage == (Stage::Finished {}) {
            return Err(self.not_now("left"));
        }
        let pending = self.state.stage == (Stage::Pending {});
        let Some(entrant) = self.entrant_mut(hotkey) else {
            return Err(Refusal::UnknownHotkey {
                hotkey: limits::shortened(hotkey),
                task: None,
            });
        };
        if entrant.left.is_some() || entrant.out.is_some() {
            return Err(Refusal::Out {
                hotkey: hotkey.to_owned(),
            });
        }
        entrant.left = Some(why);
        // Before the first round there is none to end.
        if pending {
            self.put_out(hotkey, 0, OutReason::Left, effects);
        }
        Ok(())
    }

    /// Notes since when somebody is out, once. The boss never is.
    pub(super) fn put_out(
        &mut self,
        hotkey: &str,
        round: u32,
        why: OutReason,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(entrant) = self.entrant_mut(hotkey)
            && entrant.out.is_none()
        {
            entrant.out = Some(Out { round, why });
            effects.push(Effect::Out {
                hotkey: hotkey.to_owned(),
                round,
                why,
            });
        }
    }

    /// Refuses an event that does not come in this stage.
    pub(super) fn in_stage(&self, event: &'static str, stage: Stage) -> Result<(), Refusal> {
        if self.state.stage == stage {
            Ok(())
        } else {
            Err(self.not_now(event))
        }
    }

    /// The refusal of an event that does not come in this stage.
    pub(super) fn not_now(&self, event: &'static str) -> Refusal {
        Refusal::Stage {
            event,
            stage: self.state.stage,
        }
    }

    /// The index of a task of the current round that such events can come to.
    pub(super) fn task_for(
        &self,
        event: &'static str,
        number: u32,
        fits: impl Fn(&TaskState) -> bool,
    ) -> Result<usize, Refusal> {
        self.in_stage(event, Stage::Playing {})?;
        let tasks = &self.state.tasks;
        let found = (number as usize)
            .checked_sub(1)
            .and_then(|index| Some((index, tasks.get(index)?)));
        let Some((index, task)) = found else {
            return Err(Refusal::UnknownTask {
                task: number,
                tasks: tasks.len(),
            });
        };
        if task.round as usize != self.state.rounds.len() {
            return Err(Refusal::PastRound {
                task: number,
                round: task.round,
            });
        }
        if !fits(&task.state) {
            return Err(Refusal::Task {
                event,
                task: number,
                state: task.state,
            });
        }
        Ok(index)
    }
}

/// The contestants of `task` that `hotkeys` name, by index, each once.
pub(super) fn contestants<'a>(
    event: &'static str,
    task: &Task,
    hotkeys: impl ExactSizeIterator<Item = &'a str>,
) -> Result<Vec<usize>, Refusal> {
    if hotkeys.len() == 0 {
        return Err(Refusal::Results {
            event,
            what: "no result".to_owned(),
        });
    }
    let mut found = Vec::with_capacity(hotkeys.len());
    for hotkey in hotkeys {
        let index = task
            .contestants
            .iter()
            .position(|contestant| contestant.hotkey == hotkey)
            .ok_or_else(|| Refusal::UnknownHotkey {
                hotkey: limits::shortened(hotkey),
                task: Some(task.number),
            })?;
        if found.contains(&index) {
            return Err(Refusal::Results {
                event,
                what: format!("two results of {hotkey}"),
            });
        }
        found.push(index);
    }
    Ok(found)
}

/// A reason or a name: something, not too long, in one line.
pub(super) fn text(what: &'static str, found: &str) -> Result<(), Refusal> {
    if (1..=limits::TEXT_BYTES).contains(&found.len()) && !found.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Refusal::Text {
        what,
        found: limits::shortened(found),
        expected: "1 to 1000 bytes without control characters",
    })
}
