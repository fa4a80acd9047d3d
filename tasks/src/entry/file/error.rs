//! Why a file says nothing that the gate can be asked.

use crate::Owner;
use crate::entry::ledger::LedgerError;
use crate::entry::repository::RepositoryError;
use crate::rules::RuleSetError;

/// Why a file says nothing that the gate can be asked.
#[derive(Debug, thiserror::Error)]
pub enum EntryFileError {
    /// A line that does not fit the schema.
    #[error("line {line}: {message}")]
    Malformed {
        /// From 1.
        line: usize,
        /// What does not fit.
        message: String,
    },
    /// A schema that this program does not read.
    #[error(
        "the file has version {found}, expected {expected}\nhelp: use the program that wrote it"
    )]
    Version {
        /// Its version.
        found: u32,
        /// What is read.
        expected: u32,
    },
    /// Too many of something.
    #[error("{what} has {found} entries, expected at most {max}")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are read.
        max: usize,
    },
    /// A name that is none.
    #[error("{what} is {found:?}, expected 1 to 100 characters of A-Z a-z 0-9 _ -")]
    Name {
        /// What it names.
        what: &'static str,
        /// How it is written, shortened.
        found: String,
    },
    /// Something that is there twice.
    #[error("{what} {found} is there twice\nhelp: leave one out")]
    Twice {
        /// What.
        what: &'static str,
        /// Which.
        found: String,
    },
    /// A fact of somebody who is not there.
    #[error(
        "there is a fact of {hotkey}, which is neither a candidate nor enrolled\nhelp: add it, or leave the fact out"
    )]
    Nobody {
        /// Whose.
        hotkey: String,
    },
    /// A fact of something that is no repository.
    #[error("a fact of {hotkey}")]
    Fact {
        /// Whose.
        hotkey: String,
        /// Why.
        #[source]
        source: RepositoryError,
    },
    /// A digest that is none.
    #[error("the {what} of {of} is {found:?}, expected {expected} lower-case hexadecimal digits")]
    Digits {
        /// Commit or digest.
        what: &'static str,
        /// Whose source.
        of: String,
        /// How it is written, shortened.
        found: String,
        /// How many there are.
        expected: usize,
    },
    /// An entrant of an earlier call that cannot have been admitted.
    #[error("{hotkey} cannot be enrolled: {problem}")]
    Enrolled {
        /// Who.
        hotkey: String,
        /// Why.
        problem: String,
    },
    /// A payment that cannot be.
    #[error("event {index} of the ledger cannot be")]
    Ledger {
        /// From 0.
        index: usize,
        /// Why.
        #[source]
        source: LedgerError,
    },
    /// No such rule set.
    #[error("the rules cannot be had")]
    Rules(#[source] RuleSetError),
}

impl EntryFileError {
    /// Whose fault: the operator writes the file.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}
