//! A tournament as a file: its setup on the first line, an event on each line after it, all JSON.

use super::event::Event;
use super::limits;
use super::machine::Tournament;
use super::refusal::Refusal;
use super::setup::{Setup, SetupError};
use crate::Owner;
use crate::canonical::canonical_json;
use crate::rules::{RuleSet, RuleSetError};
use crate::strict;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A setup and what happened since.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// What the tournament began with.
    pub setup: Setup,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// Why events do not make a tournament.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The setup is refused.
    #[error("the setup is refused")]
    Setup(#[source] SetupError),
    /// An event is refused.
    #[error("event {index} is refused")]
    Refused {
        /// From 0.
        index: usize,
        /// Why.
        #[source]
        refusal: Box<Refusal>,
    },
}

/// Why a file is no tournament.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// More than is read.
    #[error("the file has {found} bytes, expected at most {max}")]
    TooLarge {
        /// How many.
        found: usize,
        /// How many are read.
        max: usize,
    },
    /// More lines than a tournament has events.
    #[error("the file has more than {max} events")]
    TooManyEvents {
        /// How many are read.
        max: u64,
    },
    /// Nothing.
    #[error("the file has no setup\nhelp: its first line is the setup")]
    Empty,
    /// A line that does not fit the schema.
    #[error("line {line}: {message}")]
    Malformed {
        /// From 1.
        line: usize,
        /// Where and why.
        message: String,
    },
    /// No such rule set.
    #[error("the setup's rules cannot be had")]
    Rules(#[source] RuleSetError),
    /// The events do not make a tournament.
    #[error("the events do not make a tournament")]
    Replay(#[source] ReplayError),
}

impl ReplayError {
    /// Whose fault: setups and events are the operator's.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Setup(error) => error.owner(),
            Self::Refused { refusal, .. } => refusal.owner(),
        }
    }
}

impl JournalError {
    /// Whose fault: the file is the operator's.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Rules(error) => error.owner(),
            Self::Replay(error) => error.owner(),
            _ => Owner::Host,
        }
    }
}

impl Journal {
    /// Files above this are no tournaments, bytes: whoever writes one has to hold it to this.
    pub const BYTES_MAX: usize = limits::FILE_BYTES;

    /// Reads a file.
    ///
    /// # Errors
    /// What is too large, a setup of another version, or a line that does not fit the schema.
    pub fn parse(bytes: &[u8]) -> Result<Self, JournalError> {
        if bytes.len() > limits::FILE_BYTES {
            return Err(JournalError::TooLarge {
                found: bytes.len(),
                max: limits::FILE_BYTES,
            });
        }
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return Err(JournalError::Empty);
        }
        let mut lines = bytes.split(|byte| *byte == b'\n').zip(1..);
        let (first, _) = lines.next().ok_or(JournalError::Empty)?;
        match strict::json_version(first).map_err(|misfit| malformed(1, &misfit))? {
            Setup::VERSION => {}
            found => {
                let expected = Setup::VERSION;
                let other = SetupError::Version { found, expected };
                return Err(JournalError::Replay(ReplayError::Setup(other)));
            }
        }
        let setup = line(first, 1)?;
        let mut events = Vec::new();
        for (text, number) in lines {
            if events.len() as u64 >= limits::EVENTS {
                return Err(JournalError::TooManyEvents {
                    max: limits::EVENTS,
                });
            }
            events.push(line(text, number)?);
        }
        Ok(Self { setup, events })
    }

    /// The file.
    pub fn to_text(&self) -> String {
        let mut text = Self::line(&self.setup);
        for event in &self.events {
            text.push_str(&Self::line(event));
        }
        text
    }

    /// A setup or an event as a line of the file, its end included.
    pub fn line(value: &impl Serialize) -> String {
        let value = serde_json::to_value(value);
        let mut text = canonical_json(&value.expect("events are names, numbers and lists"));
        text.push('\n');
        text
    }

    /// The tournament, by these rules.
    ///
    /// # Errors
    /// The setup's, or the first event that is refused.
    pub fn replay(&self, rules: Arc<RuleSet>) -> Result<Tournament, ReplayError> {
        Tournament::replay(self.setup.clone(), rules, &self.events)
    }

    /// The tournament of a file, by the embedded rules that its setup names.
    ///
    /// # Errors
    /// Any of [`JournalError`]; no bytes make it panic.
    pub fn replay_bytes(bytes: &[u8]) -> Result<Tournament, JournalError> {
        let journal = Self::parse(bytes)?;
        let rules = RuleSet::named(&journal.setup.rules).map_err(JournalError::Rules)?;
        journal
            .replay(Arc::new(rules))
            .map_err(JournalError::Replay)
    }
}

fn line<T: DeserializeOwned + Serialize>(text: &[u8], line: usize) -> Result<T, JournalError> {
    strict::json(text).map_err(|misfit| malformed(line, &misfit))
}

fn malformed(line: usize, misfit: &strict::Misfit) -> JournalError {
    JournalError::Malformed {
        line,
        message: misfit.to_string(),
    }
}
