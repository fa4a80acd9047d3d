//! The tournament itself: its rules, its state, and how both are looked at.

use super::event::Event;
use super::setup::{Setup, SetupError};
use super::state::{
    Contestant, Decision, Entrant, Evaluation, Round, Stage, State, Task, TaskState, Training,
};
use crate::Owner;
use crate::canonical::canonical_json;
use crate::rules::{EnvironmentBracket, EnvironmentGroups, RuleSet};
use crate::strict;
use std::sync::Arc;

/// A tournament.
#[derive(Clone, Debug, PartialEq)]
pub struct Tournament {
    pub(super) rules: Arc<RuleSet>,
    pub(super) state: State,
}

/// Why a state cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is no state.
    #[error("the state does not fit the schema: {message}\nhelp: replay the events")]
    Malformed {
        /// Where and why.
        message: String,
    },
    /// A schema that this program does not read.
    #[error("the state has version {found}, expected {expected}\nhelp: replay the events")]
    Version {
        /// Its version.
        found: u32,
        /// What is read.
        expected: u32,
    },
    /// What it began with makes no sense.
    #[error("the state's setup is refused")]
    Setup(#[source] SetupError),
    /// It contradicts itself.
    #[error("the state contradicts itself: {what}\nhelp: replay the events")]
    Inconsistent {
        /// Where.
        what: &'static str,
    },
}

impl StateError {
    /// Whose fault: states are the operator's files.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl State {
    /// The version that is written and read.
    pub const VERSION: u32 = 1;
}

impl Tournament {
    /// A tournament that has not begun.
    ///
    /// # Errors
    /// A setup that does not fit the rules or itself.
    pub fn new(setup: Setup, rules: Arc<RuleSet>) -> Result<Self, SetupError> {
        setup.check(&rules)?;
        let entrants = setup.entrants.iter().map(|hotkey| Entrant {
            hotkey: hotkey.clone(),
            left: None,
            out: None,
        });
        let state = State {
            version: State::VERSION,
            entrants: entrants.collect(),
            setup,
            next_sequence: 0,
            last_unix_us: None,
            stage: Stage::Pending {},
            rounds: Vec::new(),
            tasks: Vec::new(),
            compared: None,
            outcome: None,
        };
        Ok(Self { rules, state })
    }

    /// A tournament after all of `events`.
    ///
    /// # Errors
    /// The setup's, or the first event that is refused, with its index.
    pub fn replay<'a>(
        setup: Setup,
        rules: Arc<RuleSet>,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Self, super::journal::ReplayError> {
        use super::journal::ReplayError;
        let mut tournament = Self::new(setup, rules).map_err(ReplayError::Setup)?;
        for (index, event) in events.into_iter().enumerate() {
            tournament
                .apply(event)
                .map_err(|refusal| ReplayError::Refused {
                    index,
                    refusal: Box::new(refusal),
                })?;
        }
        Ok(tournament)
    }

    /// A tournament where a written state left it.
    ///
    /// The state is held to its schema and its numbering, not recomputed: replay the events to know that it is right.
    ///
    /// # Errors
    /// What is no state of these rules.
    pub fn from_json(bytes: &[u8], rules: Arc<RuleSet>) -> Result<Self, StateError> {
        let malformed = |misfit: strict::Misfit| StateError::Malformed {
            message: misfit.to_string(),
        };
        let found = strict::json_version(bytes).map_err(malformed)?;
        if found != State::VERSION {
            let expected = State::VERSION;
            return Err(StateError::Version { found, expected });
        }
        let state: State = strict::json(bytes).map_err(malformed)?;
        state.setup.check(&rules).map_err(StateError::Setup)?;
        match inconsistent(&state) {
            Some(what) => Err(StateError::Inconsistent { what }),
            None => Ok(Self { rules, state }),
        }
    }

    /// The state as canonical JSON: equal states have equal bytes.
    pub fn to_json(&self) -> String {
        let value = serde_json::to_value(&self.state);
        canonical_json(&value.expect("a state is names, finite numbers and lists"))
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// By which rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The hotkey that plays for the champion: the rule set's burn hotkey.
    pub fn boss(&self) -> &str {
        &self.rules.emission.burn_hotkey
    }

    /// Who plays the boss round against the boss, once there is one.
    pub fn challenger(&self) -> Option<&str> {
        let last = self
            .state
            .rounds
            .last()
            .filter(|round| round.kind.is_final())?;
        let contestants = last.places.first()?;
        contestants
            .iter()
            .map(String::as_str)
            .find(|contestant| *contestant != self.boss())
    }

    /// Hotkeys of those who are not out, in the setup's order.
    pub fn playing(&self) -> Vec<String> {
        let playing = self.state.entrants.iter().filter(|e| e.out.is_none());
        playing.map(|entrant| entrant.hotkey.clone()).collect()
    }

    /// Tasks of a round whose place no other has taken.
    pub fn tasks_of(&self, round: u32) -> impl Iterator<Item = &Task> {
        self.state.tasks.iter().filter(move |task| {
            task.round == round && !matches!(task.state, TaskState::Replaced { .. })
        })
    }

    pub(super) fn entrant_mut(&mut self, hotkey: &str) -> Option<&mut Entrant> {
        let mut entrants = self.state.entrants.iter_mut();
        entrants.find(|entrant| entrant.hotkey == hotkey)
    }

    pub(super) fn current(&self) -> Option<&Round> {
        self.state.rounds.last()
    }

    pub(super) fn environments(&self) -> Option<&EnvironmentGroups> {
        match &self.rules.bracket.environment {
            EnvironmentBracket::Groups(groups) => Some(groups),
            EnvironmentBracket::None {} => None,
        }
    }
}

impl Task {
    pub(super) fn planned(
        number: u32,
        round: u32,
        place: u32,
        plan: super::plan::Plan,
        hotkeys: &[String],
    ) -> Self {
        let contestant = |hotkey: &String| Contestant {
            hotkey: hotkey.clone(),
            training: Training::Waiting { failed: 0 },
            evaluation: Evaluation::Waiting {},
            interruptions: 0,
        };
        Self {
            number,
            round,
            place,
            plan,
            replaces: None,
            built: None,
            state: TaskState::Planned {},
            empty_evaluations: 0,
            failures_accepted: false,
            contestants: hotkeys.iter().map(contestant).collect(),
            decision: None,
        }
    }

    /// Whether contestants whose rows are known were scored on different sets.
    pub(super) fn rows_differ(&self) -> bool {
        let rows = |contestant: &Contestant| match &contestant.evaluation {
            Evaluation::Scored { score } => {
                let rows = score.rows.as_ref()?;
                Some((rows.fingerprint.clone(), rows.losses.len()))
            }
            _ => None,
        };
        let mut sets = self.contestants.iter().filter_map(rows);
        let first = sets.next();
        sets.any(|set| Some(set) != first)
    }

    /// Numbers that rank, in the order of contestants; `None` where an entry does not count, and in environments.
    pub(super) fn rankings(&self) -> Vec<Option<f64>> {
        let ranking = |contestant: &Contestant| match &contestant.evaluation {
            Evaluation::Scored { score } => score.ranking,
            _ => None,
        };
        self.contestants.iter().map(ranking).collect()
    }
}

/// What in a state contradicts what the machine relies on.
fn inconsistent(state: &State) -> Option<&'static str> {
    let numbered = |numbers: &mut dyn Iterator<Item = u32>| {
        numbers
            .zip(1..)
            .all(|(number, expected): (u32, u32)| number == expected)
    };
    let rounds = state.rounds.len() as u32;
    let entrants = state.entrants.iter().map(|entrant| &entrant.hotkey);
    let plays = |task: &Task| {
        let round = &state.rounds[task.round as usize - 1];
        let place = (task.place as usize)
            .checked_sub(1)
            .and_then(|place| round.places.get(place));
        place.is_some_and(|place| {
            place
                .iter()
                .eq(task.contestants.iter().map(|contestant| &contestant.hotkey))
        })
    };
    if !entrants.eq(&state.setup.entrants) {
        Some("its entrants are not the setup's")
    } else if (state.next_sequence == 0) != state.last_unix_us.is_none() {
        Some("it has events without a time, or a time without events")
    } else if !numbered(&mut state.rounds.iter().map(|round| round.number)) {
        Some("its rounds are not numbered from 1")
    } else if !numbered(&mut state.tasks.iter().map(|task| task.number)) {
        Some("its tasks are not numbered from 1")
    } else if !state
        .tasks
        .iter()
        .all(|task| (1..=rounds).contains(&task.round))
    {
        Some("a task is of no round")
    } else if !state.tasks.iter().all(plays) {
        Some("a task's contestants are not its place's")
    } else if !state.tasks.iter().all(decided_for_each) {
        Some("a task's standings are not one for each contestant")
    } else if (state.stage == Stage::Finished {}) != state.outcome.is_some() {
        Some("it is finished without an outcome, or has one before")
    } else if (state.stage == Stage::Pending {}) != state.rounds.is_empty()
        && state.outcome.is_none()
    {
        Some("it plays without a round, or has one before it began")
    } else {
        None
    }
}

/// Whether a decision has as many entries as there are contestants, where it has one for each.
fn decided_for_each(task: &Task) -> bool {
    match &task.decision {
        Some(Decision::Standings { scores }) => scores.len() == task.contestants.len(),
        _ => true,
    }
}
