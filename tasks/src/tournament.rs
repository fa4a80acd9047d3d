//! A tournament as a state machine: pure, fed by events, replayable.
//!
//! ```text
//! pending ─► rounds of groups and pairs ─► boss round ─► review of the challenger ─► finished
//!                 │        │    ▲               │ ▲
//!                 │        ▼    │               ▼ │
//!                 │   comparison of entrants  tasks that stand in for drawn ones
//!                 └─► nobody goes on: the boss stays, finished
//! ```
//!
//! A [`Setup`] and a list of [`Event`]s are all there is: draws follow from the setup's seed, decisions from the scores
//! that events carry, so whoever has both gets the same state to the byte. [`Tournament::apply`] takes an event or
//! refuses it unchanged; [`Tournament::pending`] says what is waited for; [`Tournament::result`] what weights are
//! computed from.
//!
//! | module | is about |
//! |---|---|
//! | [`setup`] | what a tournament begins with |
//! | [`event`] | what can happen, with all evidence |
//! | [`state`] | where it stands, as a document |
//! | [`plan`] | what tasks a round has |
//! | `field` | who meets whom |
//! | `draw` | chance, from the seed |
//! | `apply` | events, checked and applied |
//! | `settle` | complete tasks and rounds; who goes on |
//! | `standings` | groups, small fields, environments |
//! | `finish` | title, places |
//! | [`pending`] | what is waited for |
//! | [`result`] | what weights are computed from |
//! | [`succession`] | who defends in the next one |
//! | `record` | its rounds, as audit records have them |
//! | `hotkeys` | lists of hotkeys as files |
//! | [`collect`](mod@collect) | finished tournaments to the file that weights are computed from |
//! | [`journal`] | setup and events as a file |
//!
//! How two results of a task compare is `scoring`'s, numbers are the rule set's.

mod apply;
mod draw;
mod field;
mod finish;
mod hotkeys;
mod limits;
mod machine;
mod record;
mod rounds;
mod settle;
mod standings;

pub mod collect;
pub mod effect;
pub mod event;
pub mod journal;
pub mod pending;
pub mod plan;
mod refusal;
pub mod result;
pub mod setup;
pub mod state;
pub mod succession;

#[cfg(test)]
mod tests;

pub use collect::{CollectError, Finished, Running};
pub use effect::Effect;
pub use event::{
    Departure, Evaluated, EvaluationOutcome, Event, InvalidReason, Rows, Score, Trained,
    TrainingOutcome, What,
};
pub use hotkeys::{HotkeysError, hotkeys};
pub use journal::{Journal, JournalError};
pub(crate) use limits::{is_name, shortened};
pub use machine::{StateError, Tournament};
pub use pending::Pending;
pub use plan::{EnvironmentPlan, ModelPlan, Plan};
pub use refusal::Refusal;
pub use result::{FinalPlace, TournamentResult};
pub use setup::{Champion, Setup, SetupError};
pub use state::{OutcomeReason, RoundKind, Stage, State};
pub use succession::Defender;

/// A function of bytes for fuzzers: whatever the bytes are, it returns.
pub mod fuzzing {
    use super::{Journal, Tournament};
    use std::sync::Arc;

    /// An events file: what is accepted waits for something or has a result, and its state is read as it is written.
    pub fn tournament_events(bytes: &[u8]) {
        let Ok(tournament) = Journal::replay_bytes(bytes) else {
            return;
        };
        assert_eq!(
            tournament.pending().is_empty(),
            tournament.result().is_some()
        );
        let written = tournament.to_json();
        let rules = Arc::new(tournament.rules().clone());
        let read = Tournament::from_json(written.as_bytes(), rules);
        assert_eq!(read.ok(), Some(tournament));
    }
}
